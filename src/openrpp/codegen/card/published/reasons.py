"""Which instructions the published chip lacks, and what a programmer can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from openrpp.codegen.card.flow import Item, Vote
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.steps import Access, Atomic, Ballot, Memory, Pe
from openrpp.codegen.errors import Unsupported
from openrpp.isa.form import Slot
from openrpp.isa.table import forms_by_name, spelling
from openrpp.kir.location import Location

_ADVICE: Final = {
    "fma32": "compile with -fmad=false, which rounds product and sum by themselves",
    "math": "look the result up in a table that the host fills",
    "vote": "let the lanes leave their predicates in shared memory",
    "shuffle": "exchange the values through shared memory",
    "atomic": "reduce through shared memory, each thread with an element of its own",
    "double": "use float and 32-bit integers: quotients of 64-bit integers and some functions need 64-bit floats too",
    "convert": "use float or 32-bit integers",
    "wide": "store 16 or 32 bits",
    "ddr": "let the pointer come from an argument of the kernel",
}


@dataclass(frozen=True, slots=True)
class Need:
    """An instruction that the published chip lacks, its extension group, and where the source asks for it."""

    instruction: str
    group: str
    location: Location | None = None

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        return f"{where}{self.instruction} ({self.group})"

    @property
    def advice(self) -> str:
        """What would avoid it."""
        advice = _ADVICE.get(self.group, "")
        return f"{advice}, or use --target ae7100x" if advice else "use --target ae7100x"


@cache
def group_of(text: str, slot: Slot = Slot.PE) -> str:
    """The extension group of an instruction in one slot; empty where a published form of it exists."""
    groups = {form.extension for form in forms_by_name().get(spelling(text), ()) if form.slot is slot}
    return "" if "" in groups else min(groups, default="")


def need_of(item: Item) -> Need | None:
    """What an item needs beyond the published instructions."""
    if isinstance(item, Pe | ScalarOp):
        group = group_of(item.text, Slot.PE if isinstance(item, Pe) else Slot.SCALAR)
        return Need(item.text, group, item.location) if group else None
    if isinstance(item, Access):
        return _access_need(item)
    if isinstance(item, Atomic):
        return Need(f"ATOM.{item.operation}", "atomic", item.location)
    if isinstance(item, Ballot):
        return Need("BALLOT", "vote", item.location)
    return Need("VOTE.ANY", "vote") if isinstance(item, Vote) else None


def _access_need(item: Access) -> Need | None:
    name = "LOAD" if item.value is None else "STORE"
    if item.memory is Memory.DDR:
        return Need(f"{name}.D{item.bits}", "ddr", item.location)
    size = {8: ".U8", 32: ".W32"}.get(item.bits)
    return Need(name + size, "wide", item.location) if size else None


def needs(items: Iterable[Item]) -> list[Need]:
    """What items need beyond the published instructions, each once."""
    return list(dict.fromkeys(need for item in items if (need := need_of(item)) is not None))


class Lacking(Unsupported):
    """Instructions that a kernel needs and the published chip lacks; the sentence is about the first."""

    def __init__(self, missing: Sequence[Need], kernel: str) -> None:
        first = missing[0]
        what = f"the published chip has no {first.instruction} (extension '{first.group}'): {first.advice}"
        more = f" ({len(missing) - 1} more)" if len(missing) > 1 else ""
        super().__init__(what + more, kernel, first.location)
        self.missing = tuple(missing)
