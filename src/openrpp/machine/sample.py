"""Port passes and DDR lines measured on the addresses that an engine really used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card
from openrpp.isa.form import Cost, Slot
from openrpp.isa.numeric import mask_selects
from openrpp.isa.table.port import Lanes
from openrpp.machine.banks import WARP, Access, Ports, lines
from openrpp.machine.code import VectorOp
from openrpp.machine.observe import Observer
from openrpp.machine.reference import Step
from openrpp.machine.vectors import Datapath

EAGER = 4
STRIDE = 32
"""The first EAGER executions of a column are measured, then every STRIDE-th."""


class PassSamples(Observer):
    """Mean port passes of the gather columns of one launch, by the word at which the column starts.

    Exact for columns that run at most four times; a sample otherwise (`every=1` measures all).
    """

    def __init__(self, card: Card, datapath: Datapath, every: int = STRIDE) -> None:
        self.ports = Ports.of(card)
        self.datapath = datapath
        self.every = every
        self.executed: dict[int, int] = {}
        self.line = card.ddr.line.value
        self.totals: dict[int, tuple[int, int]] = {}
        self.traffic: dict[int, tuple[int, int, int]] = {}  # bytes read and written in DDR, executions

    def reset(self) -> None:
        """Forget the previous launch."""
        self.executed.clear()
        self.totals.clear()
        self.traffic.clear()

    def mean(self, start: int) -> float | None:
        """Mean passes over all warps per execution, None where nothing was measured."""
        if start not in self.totals:
            return None
        passes, times = self.totals[start]
        return passes / times

    def direct(self, start: int) -> tuple[float, float] | None:
        """Mean DDR bytes (read, written) of direct accesses per execution, None where nothing was measured."""
        if start not in self.traffic:
            return None
        read, written, times = self.traffic[start]
        return read / times, written / times

    def before(self, step: Step, lanes: Lanes, part: slice) -> None:
        """Measure a column that is about to run for all its lanes."""
        if part.stop - part.start != step.lanes.i.size or not any(
            op.form.slot is Slot.GATHER for op in step.column.port
        ):
            return
        start = step.column.start
        number = self.executed[start] = self.executed.get(start, 0) + 1
        if number > EAGER and number % self.every:
            return
        passes, times = self.totals.get(start, (0, 0))
        self.totals[start] = (passes + self._passes(step, lanes, part), times + 1)
        if any(op.form.cost is Cost.DIRECT for op in step.column.port):
            self._direct(step, lanes, part)

    def _direct(self, step: Step, lanes: Lanes, part: slice) -> None:
        read, written, times = self.traffic.get(step.column.start, (0, 0, 0))
        for op, captured in zip(step.column.port, step.captured, strict=False):
            if op.form.cost is Cost.DIRECT:
                addresses = self.datapath.addresses(op, lanes, part, captured)
                moved = lines(addresses, self.line, self._chosen(op, lanes, part, captured)) * self.line
                read += moved if op.form.effect != "store-ddr" else 0
                written += moved if op.form.effect != "load-ddr" else 0
        self.traffic[step.column.start] = (read, written, times + 1)

    def _passes(self, step: Step, lanes: Lanes, part: slice) -> int:
        paths = {Slot.SEQUENTIAL: 0, Slot.GATHER: 0}
        for op, captured in zip(step.column.port, step.captured, strict=False):
            if op.form.slot in paths and op.form.cost is not Cost.WARP_VECTOR:
                addresses = self.datapath.addresses(op, lanes, part, captured)
                chosen = self._chosen(op, lanes, part, captured)
                paths[op.form.slot] += self.ports.passes(Access.of(op.form), addresses, captured.get("l", 0), chosen)
        return max(paths.values())

    def _chosen(self, op: VectorOp, lanes: Lanes, part: slice, captured: dict[str, int]) -> NDArray[np.bool_] | None:
        """Lanes that take part in a masked access, None for all."""
        if op.form.effect == "load-masked":
            return mask_selects(self.datapath.numerics, captured["m"], lanes.i % WARP)
        if "c" in op.form.operands:
            return self.datapath.vectors.halves[op.op.values["c"]][part] != 0
        return None
