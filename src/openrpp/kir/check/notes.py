"""What the checks keep for a block."""

from __future__ import annotations

from dataclasses import dataclass, field

from openrpp.kir.check.order import Segment
from openrpp.kir.check.races import Cells
from openrpp.kir.interp.state import ThreadState
from openrpp.kir.ir import Instr


@dataclass(frozen=True, slots=True)
class Transfer:
    """A DMA transfer that has been started and not waited for: into shared memory if `inward`, else out of it."""

    segment: Segment
    instr: Instr
    shared: int
    device: int
    size: int
    inward: bool

    def collides(self, kind: str, where: int, size: int, *, in_shared: bool) -> bool:
        """Whether an access disturbs the transfer, or is disturbed by it."""
        start = self.shared if in_shared else self.device
        overlaps = where < start + self.size and start < where + size
        written = self.inward is in_shared
        return overlaps and (written or kind != "read")


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
