"""The table of rules: op and types -> what to emit instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from openrpp.kir.errors import KirError
from openrpp.kir.ir import Instr, Kernel
from openrpp.kir.ops.form import Effect
from openrpp.kir.passes.expand.emit import Emit, Emitted
from openrpp.kir.types import PTR, VOID, Type

Rule = Callable[[Emit, Instr], Emitted]


@dataclass(frozen=True, slots=True)
class Key:
    """An op with the types that a rule depends on.

    `source` is the type of the first operand where that is converted, compared or stored, of the value where lanes
    exchange one; else the type of the result. An access through a generic pointer has one key for all types.
    """

    name: str
    source: Type
    result: Type
    generic: bool = False

    def __str__(self) -> str:
        if self.generic:
            return f"{self.name} at a generic address"
        kinds = [self.source.name] + [self.result.name] * (self.result not in (self.source, VOID))
        return f"{self.name} {' -> '.join(kinds)}"


def generic_key(name: str) -> Key:
    """The key of accesses through generic pointers."""
    return Key(name, PTR, VOID, generic=True)


_PLACES = {"store": 1, "stage_in": 1, "stage_out": 0}


def device_place(instr: Instr) -> int | None:
    """Which operand of an access is the address that may be generic; None for what is no access."""
    if instr.effect in (Effect.LOAD, Effect.ATOMIC):
        return 0
    return _PLACES.get(instr.op.name)


def key_of(instr: Instr) -> Key:
    """The key of an instruction."""
    name, kinds = instr.op.name, [value.type for value in instr.operands]
    place = device_place(instr)
    if place is not None:
        if kinds[place] is PTR:
            return generic_key(name)
        return Key(name, kinds[0] if instr.effect is Effect.STORE else instr.type, instr.type)
    if instr.effect is Effect.WARP:
        return Key(name, kinds[1] if len(kinds) > 1 else VOID, instr.type)
    if kinds and (instr.op.needs_type() or name in ("icmp", "fcmp", "is_space", "space_cast")):
        return Key(name, kinds[0], instr.type)
    return Key(name, instr.type, instr.type)


def lacking(kernel: Kernel, instr: Instr) -> KirError:
    """The error for an instruction that cannot be expanded."""
    sentence = f"the target lacks '{key_of(instr)}', and no rule says what to use instead"
    return KirError(sentence, kernel.name, instr.location)


@dataclass(slots=True)
class Table:
    """Rules by key."""

    rules: dict[Key, Rule] = field(default_factory=dict[Key, Rule])

    def add(self, names: Iterable[str], kinds: Iterable[Type], rule: Rule, result: Type | None = None) -> None:
        """A rule for ops on types, the result of the same type unless given."""
        for name in names:
            for kind in kinds:
                self.rules[Key(name, kind, result or kind)] = rule

    def add_generic(self, names: Iterable[str], rule: Rule) -> None:
        """A rule for accesses through generic pointers."""
        for name in names:
            self.rules[generic_key(name)] = rule

    def convert(self, names: Iterable[str], sources: Iterable[Type], results: Iterable[Type], rule: Rule) -> None:
        """A rule for conversions."""
        targets = tuple(results)
        for source in sources:
            for target in targets:
                self.add(names, (source,), rule, target)

    def find(self, instr: Instr) -> Rule | None:
        """The rule for an instruction."""
        return self.rules.get(key_of(instr))

    def __iter__(self) -> Iterator[Key]:
        return iter(self.rules)
