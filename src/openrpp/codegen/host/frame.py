"""What a block keeps while its groups wait at a barrier: masks and values of each group, in the scratch of a worker.

Scratch of a worker: shared memory first (the launch knows its size), then the frame: a header, then one record per
group, then private memory of all threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrpp.codegen.host.analysis import Analysis
from openrpp.kir.ir import Value
from openrpp.kir.types import VOID

if TYPE_CHECKING:
    from openrpp.codegen.host.compute import Computing

TICKS = 1 << 14
"""Turns of loops between two looks at the stop flag."""
GUARD = 4096
"""Bytes before and behind shared memory that hold nothing."""
HEADER = 64
"""Bytes of the header: i32 count of a barrier (0), i32 threads at it (4), staging target, source, bytes (8, 16, 24).

While the block waits for the whole grid: i32 piece to go on with (32) and i32 barriers passed (36).
"""
COUNT, PRESENT, TARGET, SOURCE, BYTES, PIECE, EPOCH = 0, 4, 8, 16, 24, 32, 36


def _aligned(size: int, align: int = 64) -> int:
    return -(-size // align) * align


class Frame:
    """Offsets of the records."""

    def __init__(self, analysis: Analysis, private_size: int) -> None:
        geometry = analysis.geometry
        self.analysis = analysis
        self.offsets: dict[Value, int] = {}
        end = 64  # the mask of lanes that came to the barrier
        for piece in analysis.pieces:
            for value in piece.live:
                if value not in self.offsets and not analysis.again(value):
                    self.offsets[value] = end
                    end += _aligned(self._bytes(value))
        self.record = end if len(analysis.pieces) > 1 else 0
        self.private = HEADER + self.record * geometry.groups
        self.private_size = private_size
        self.size = _aligned(self.private + private_size * geometry.groups * geometry.lanes)

    def _bytes(self, value: Value) -> int:
        geometry = self.analysis.geometry
        lanes = (1, geometry.rows, geometry.lanes)[self.analysis.crossing(value).level]
        return value.type.bytes * lanes

    def _place(self, to: Computing, offset: int) -> str:
        writer = to.writer
        start = writer(f"mul i32 %g, {self.record}")
        moved = writer(f"add i32 {start}, {HEADER + offset}")
        return writer(f"getelementptr i8, ptr %frame, i32 {moved}")

    def load_alive(self, to: Computing) -> str:
        """The mask of lanes that came to the barrier before this piece."""
        return to.writer(f"load {to.mask_type}, ptr {self._place(to, 0)}, align 16")

    def store_alive(self, to: Computing, mask: str) -> None:
        """Keep the mask of lanes that came to a barrier."""
        to.writer.do(f"store {to.mask_type} {mask}, ptr {self._place(to, 0)}, align 16")

    def load(self, to: Computing, value: Value) -> str:
        """A value that an earlier piece has left."""
        if value.type is VOID:
            return ""
        if self.analysis.again(value):
            return to.compute_again(value)
        if value in to.results:
            return to.results[value]
        kind = to.type_at(value.type, self.analysis.crossing(value).level)
        return to.writer(f"load {kind}, ptr {self._place(to, self.offsets[value])}, align 64")

    def store(self, to: Computing, value: Value) -> None:
        """Leave a value for later pieces."""
        if value not in self.offsets:
            return
        shape = self.analysis.crossing(value)
        kind = to.type_at(value.type, shape.level)
        text = to.base(value)[0] if shape.stride else to.at(value, shape.level)
        to.writer.do(f"store {kind} {text}, ptr {self._place(to, self.offsets[value])}, align 64")
