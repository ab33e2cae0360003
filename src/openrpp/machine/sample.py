"""Port passes measured on the addresses that an engine really used."""

from __future__ import annotations

import numpy as np

from openrpp.arch import Card
from openrpp.isa.form import Slot
from openrpp.isa.table.port import Lanes
from openrpp.machine.banks import gather_passes, vector_passes
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
        self.banks = card.sram.banks.value
        self.port_bytes = card.sram.port_bytes.value
        self.datapath = datapath
        self.every = every
        self.executed: dict[int, int] = {}
        self.totals: dict[int, tuple[int, int]] = {}

    def reset(self) -> None:
        """Forget the previous launch."""
        self.executed.clear()
        self.totals.clear()

    def mean(self, start: int) -> float | None:
        """Mean passes over all warps per execution, None where nothing was measured."""
        if start not in self.totals:
            return None
        passes, times = self.totals[start]
        return passes / times

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

    def _passes(self, step: Step, lanes: Lanes, part: slice) -> int:
        paths = {Slot.SEQUENTIAL: 0, Slot.GATHER: 0}
        for op, captured in zip(step.column.port, step.captured, strict=False):
            if op.form.slot not in paths or op.form.effect == "warp-load":
                continue
            addresses = self.datapath.addresses(op, lanes, part, captured)
            if op.form.effect == "dot":
                paths[op.form.slot] += vector_passes(addresses, 2 * captured["l"], self.port_bytes)
                continue
            if op.form.effect == "store-masked":
                addresses = addresses[self.datapath.vectors.halves[op.op.values["c"]][part] != 0]
            paths[op.form.slot] += gather_passes(np.asarray(addresses), self.banks)
        return max(paths.values())
