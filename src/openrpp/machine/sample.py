"""What the ports did at the addresses that an engine really used."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card
from openrpp.isa.form import Cost, Slot
from openrpp.isa.numeric import mask_selects
from openrpp.isa.table.port import Lanes
from openrpp.machine.banks import WARP, Access, Ports, lines
from openrpp.machine.code import VectorOp
from openrpp.machine.observe import Observer
from openrpp.machine.pipeline import Traffic
from openrpp.machine.reference import Step
from openrpp.machine.vectors import Datapath

EAGER = 4
STRIDE = 32
"""The first EAGER executions of a column are measured, then every STRIDE-th."""


@dataclass
class Total:
    """Sums over the measured executions of a column."""

    executed: int = 0
    measured: int = 0
    passes: int = 0
    ddr_read: int = 0
    ddr_written: int = 0

    @property
    def mean(self) -> Traffic:
        """Per execution."""
        times = self.measured
        return Traffic(self.passes / times, self.ddr_read / times, self.ddr_written / times)


class Seen(NamedTuple):
    """An access as it happened: addresses of all lanes, those that took part (None for all), words of a dot."""

    op: VectorOp
    addresses: NDArray[Any]
    chosen: NDArray[np.bool_] | None
    length: int


def is_seen(op: VectorOp) -> bool:
    """Whether the addresses of a port operation decide passes."""
    in_banks = op.form.cost not in (Cost.WARP_VECTOR, Cost.ADDRESS)
    return in_banks and op.form.slot in (Slot.SEQUENTIAL, Slot.GATHER)


class PassSamples(Observer):
    """Mean port passes and DDR bytes of the gather columns of one launch, by their first word and number of lanes.

    Exact for columns that run at most four times; a sample otherwise (`every=1` measures all).
    """

    def __init__(self, card: Card, datapath: Datapath, every: int = STRIDE) -> None:
        self.ports = Ports.of(card)
        self.line = card.ddr.line.value
        self.datapath = datapath
        self.every = every
        self.totals: dict[tuple[int, int], Total] = {}
        self.supposed: set[tuple[int, int]] = set()
        """Those for which some addresses are supposed."""

    def reset(self) -> None:
        """Forget the previous launch."""
        self.totals.clear()
        self.supposed.clear()

    def mean(self, start: int, lanes: int) -> Traffic | None:
        """What a column did on average over all its warps, None where nothing was measured."""
        total = self.totals.get((start, lanes))
        return total.mean if total else None

    def before(self, step: Step, lanes: Lanes, part: slice, unknown: Collection[VectorOp] = ()) -> None:
        """Measure a column that is about to run for all its lanes.

        Operations whose addresses are `unknown` are supposed to have neighbouring lanes at neighbouring addresses.
        """
        count = step.lanes.i.size
        if part.stop - part.start != count or not any(op.form.slot is Slot.GATHER for op in step.column.port):
            return
        total = self.totals.setdefault((step.column.start, count), Total())
        total.executed += 1
        if unknown:
            self.supposed.add((step.column.start, count))
        if total.executed <= EAGER or total.executed % self.every == 0:
            self._measure(total, step, lanes, part, unknown)

    def _measure(self, total: Total, step: Step, lanes: Lanes, part: slice, unknown: Collection[VectorOp]) -> None:
        seen: list[Seen] = []
        for op, captured in zip(step.column.port, step.captured, strict=False):
            if is_seen(op):
                addresses = (
                    np.arange(lanes.i.size, dtype=np.int64) * (op.form.width // 8)
                    if op in unknown
                    else self.datapath.addresses(op, lanes, part, captured)
                )
                seen.append(Seen(op, addresses, self._chosen(op, lanes, part, captured), captured.get("l", 0)))
        self.add(total, seen)

    def add(self, total: Total, seen: Iterable[Seen]) -> None:
        """Count the accesses of one execution of a column."""
        paths = {Slot.SEQUENTIAL: 0, Slot.GATHER: 0}
        total.measured += 1
        for op, addresses, chosen, length in seen:
            if op.form.cost is Cost.DIRECT:
                moved = lines(addresses, self.line, chosen) * self.line
                total.ddr_read += moved if op.form.effect != "store-ddr" else 0
                total.ddr_written += moved if op.form.effect != "load-ddr" else 0
            paths[op.form.slot] += self.ports.passes(Access.of(op.form), addresses, length, chosen)
        total.passes += max(paths.values())

    def _chosen(self, op: VectorOp, lanes: Lanes, part: slice, captured: dict[str, int]) -> NDArray[np.bool_] | None:
        """Lanes that take part in a masked access, None for all."""
        if op.form.effect == "load-masked":
            return mask_selects(self.datapath.numerics, captured["m"], lanes.i % WARP)
        if "c" in op.form.operands:
            return self.datapath.vectors.halves[op.op.values["c"]][part] != 0
        return None
