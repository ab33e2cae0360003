"""Which addresses a column went to: the first executions and every so many after them, as `machine.sample` wants them.

Each thread counts the executions of a column on its own, in memory, so that nothing passes between threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen.lift.emit import Emitter
from openrpp.codegen.lift.port import Port
from openrpp.isa.form import Cost, Slot
from openrpp.kir.ir import Parameter, Value
from openrpp.kir.types import I32, I64
from openrpp.machine.code import ColumnCode, VectorOp
from openrpp.machine.memory import Memory
from openrpp.machine.sample import EAGER, STRIDE, PassSamples, Seen, Total, is_seen

_ABSENT = (1 << 64) - 1
MOST_BYTES = 1 << 26
"""Room for addresses; executions that find none are counted but not measured."""


@dataclass(frozen=True)
class Site:
    """A column in a block of `lanes` lanes; its accesses have places from `first` on."""

    column: ColumnCode
    lanes: int
    number: int
    first: int

    @property
    def accesses(self) -> tuple[VectorOp, ...]:
        """Operations whose addresses are kept."""
        return tuple(op for op in self.column.port if is_seen(op))


class Sampling:
    """Emission of the records; `wanted` are the first words of the columns to watch, None all that gather."""

    def __init__(self, to: Emitter, wanted: frozenset[int] | None, named: dict[str, Parameter]) -> None:
        self.to = to
        self.wanted = wanted
        self.named = named
        self.sites: dict[tuple[int, int], Site] = {}

    def watches(self, column: ColumnCode) -> bool:
        """Whether a column is to be watched."""
        if self.wanted is None:
            return any(op.form.slot is Slot.GATHER for op in column.port)
        return column.start in self.wanted

    def record(self, column: ColumnCode, port: Port, lanes: int, thread: Value, threads: int) -> None:
        """Count an execution, and keep its addresses where it is one to be measured."""
        site = self.sites.get((column.start, lanes))
        if site is None:
            first = sum(len(other.accesses) for other in self.sites.values())
            site = self.sites[column.start, lanes] = Site(column, lanes, len(self.sites), first)
        to, slots = self.to, self.named["slots"]
        wide = to.resized(thread, I64)
        place = to.op("add", to.op("shl", wide, 2), 4 * threads * site.number)
        counter = to("ptr_add", self.named["counts"], place)
        before = to("load", counter, kind=I32)
        count = to.op("add", before, 1)
        to("store", count, counter)
        eager = to.test("ule", count, EAGER)
        slot = to.chosen(eager, before, to.op("add", to.op("udiv", count, STRIDE), EAGER - 1))
        taken = to.op("or", eager, to.test("eq", to.op("urem", count, STRIDE), 0))
        taken = to.op("and", taken, to.test("ult", slot, slots))
        inside, behind = to.block(), to.block()
        to.cbr(taken, inside, behind)
        to.at(inside)
        for index, op in enumerate(site.accesses):
            row = to.op("add", to.op("mul", slots, site.first + index), slot)
            at = to.op("add", to.op("mul", to.resized(row, I64), threads), wide)
            address = to.op("ptrtoint", port.pointers[op.word], kind=I64)
            condition = port.conditions[op.word]
            if condition is not None:
                address = to.chosen(condition, address, to.number(I64, _ABSENT))
            to("store", address, to("ptr_add", self.named["addresses"], to.op("shl", at, 3)))
        to.br(behind)
        to.at(behind)


@dataclass
class Records:
    """Room for the records of a launch."""

    sites: tuple[Site, ...]
    threads: int
    slots: int
    counts: NDArray[np.uint32]
    addresses: NDArray[np.uint64]

    @classmethod
    def room(cls, sites: tuple[Site, ...], threads: int, most: int) -> Records:
        """For columns that run `most` times at most."""
        accesses = sum(len(site.accesses) for site in sites)
        slots = EAGER + most // STRIDE
        slots = max(min(slots, MOST_BYTES // (8 * threads * max(accesses, 1))), EAGER) if sites else 0
        counts = np.zeros(max(len(sites), 1) * threads, np.uint32)
        return cls(sites, threads, slots, counts, np.zeros(max(accesses * slots, 1) * threads, np.uint64))

    def read(self, samples: PassSamples, memory: Memory, pointers: dict[str, int], terms: int) -> None:
        """Give the records to `samples`; `pointers` are those that the kernel got, dots have `terms` words."""
        bases = {"sram": memory.sram.base - pointers["sram"], "ddr": memory.ddr.base - pointers["ddr"]}
        kept = self.addresses.reshape(-1, self.threads)
        for site in self.sites:
            executed = int(self.counts[site.number * self.threads])
            if not executed:
                continue
            total = samples.totals[site.column.start, site.lanes] = Total(executed)
            measured = min(executed, EAGER) + max(executed // STRIDE, 0)
            for slot in range(min(measured, self.slots)):
                seen: list[Seen] = []
                for index, op in enumerate(site.accesses):
                    row = kept[(site.first + index) * self.slots + slot, : site.lanes]
                    chosen = row != np.uint64(_ABSENT)
                    base = bases["ddr" if op.form.cost is Cost.DIRECT else "sram"]
                    addresses = (row + np.uint64(base & _ABSENT)).astype(np.uint64)
                    length = terms if op.form.cost is Cost.LANE_VECTOR else 0
                    seen.append(Seen(op, addresses, None if chosen.all() else chosen, length))
                samples.add(total, seen)
