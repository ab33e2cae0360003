"""What the checks keep for a block."""

from __future__ import annotations

from dataclasses import dataclass, field

from openrpp.kir.check.order import Segment
from openrpp.kir.check.races import Cells
from openrpp.kir.interp.state import ThreadState
from openrpp.kir.ir import Instr
from openrpp.kir.types import Space

Side = tuple[Space, int]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A DMA transfer that has been started and not waited for. `target` and `source` are (space, address)."""

    segment: Segment
    instr: Instr
    target: Side
    source: Side
    size: int

    def collides(self, kind: str, where: int, size: int, *, in_shared: bool) -> bool:
        """Whether an access disturbs the transfer, or is disturbed by it."""
        return self._meets(self.target, where, size, in_shared) or (
            kind != "read" and self._meets(self.source, where, size, in_shared)
        )

    def _meets(self, side: Side, where: int, size: int, in_shared: bool) -> bool:
        space, start = side
        return (space is Space.SHARED) is in_shared and where < start + self.size and start < where + size


@dataclass(slots=True, eq=False)
class BlockNote:
    """Which bytes of shared memory were written, accesses to it since the last barrier, transfers under way."""

    ordinal: int
    written: bytearray
    cells: Cells = field(default_factory=Cells)
    transfers: list[Transfer] = field(default_factory=list[Transfer])


def block_note(thread: ThreadState) -> BlockNote:
    """The note of a thread's block."""
    found: BlockNote = thread.owner.note
    return found
