"""Where a launch of kernel IR spends its time on the card: its machine code, walked, with its source lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openrpp.isa.form import Slot
from openrpp.isa.program import Kernel
from openrpp.kir.location import Location
from openrpp.machine.code import CodeError
from openrpp.machine.faults import Fault, LaunchError
from openrpp.machine.flowgraph import Flow
from openrpp.machine.launch import code_of
from openrpp.machine.timing import Timed
from openrpp.runtime.compiled import PUBLISHED, target_of
from openrpp.runtime.machine_code import Loaded, Part, apart_of, loaded, located, parts

if TYPE_CHECKING:
    from openrpp.runtime.card import Card
    from openrpp.runtime.engines import Call


@dataclass(frozen=True)
class Profiled:
    """A launch that was walked. `engine` ran it ("none": it was walked without data).

    `lines` are the source lines of the column of a word, the main one first; `scratch` counts the accesses to spilled
    values in the column that is entered at a word.
    """

    name: str
    kernel: Kernel
    launches: tuple[Timed, ...]
    lines: Mapping[int, Sequence[Location]]
    scratch: Mapping[int, int]
    engine: str
    merge: int = 1
    notes: tuple[str, ...] = ()


def profiled(card: Card, call: Call, run: bool = False) -> Profiled:
    """Walk a launch without data; where its control depends on data, or if `run`, run it as machine code first.

    Raises what such a run raises.
    """
    if target_of(card.arch) == PUBLISHED:
        from openrpp.runtime.staging import needs_staging

        if needs_staging(card, call):
            raise LaunchError(
                f"kernel {call.name}: a profile takes buffers in SRAM on {card.arch.name} (FILE.npy:sram); "
                "those in DDR are staged through SRAM"
            )
    with loaded(card, call) as found:
        engine, walked = "none", list[Timed]()
        for part in parts(card, call, found):
            timed = None if run else _foreseen(card, found, part)
            if timed is None:
                engine, timed = "reference", _ran(card, call, found, part)
            walked.append(timed)
        program = found.program
        scratch = _scratch(walked[0], found)
        return Profiled(
            call.name, program.machine, tuple(walked), program.lines, scratch, engine, found.merge, found.notes
        )


def _foreseen(card: Card, found: Loaded, part: Part) -> Timed | None:
    try:
        return card.device.walk(found.program.machine, part.grid, found.block, part.params, apart=apart_of(found))
    except LaunchError:
        return None


def _ran(card: Card, call: Call, found: Loaded, part: Part) -> Timed:
    try:
        card.device.launch(found.program.machine, part.grid, found.block, part.params)
    except Fault as fault:
        raise located(fault, call, found.program) from None
    timed = card.device.timed
    assert timed is not None
    return timed


def _scratch(timed: Timed, found: Loaded) -> dict[int, int]:
    """Accesses to planes by the word that a column is entered at: sequential ones whose address lies there."""
    launch, counts = timed.launch, dict[int, int]()
    words = [half for value in launch.params for half in (value & 0xFFFF, value >> 16)]
    try:
        flow = Flow(code_of(launch.kernel), words)
    except CodeError:
        return counts
    end = found.planes + found.program.planes_bytes
    for pc, column in flow.columns.items():
        for op in column.port:
            base = next((register for name, register, _ in op.captured if name == "base"), None)
            if op.form.slot is not Slot.SEQUENTIAL or base is None:
                continue
            low, high = flow.known[pc][base], flow.known[pc][(base + 1) & 31]
            if low is not None and high is not None and found.planes <= (low | high << 16) < end:
                counts[pc] = counts.get(pc, 0) + 1
    return counts
