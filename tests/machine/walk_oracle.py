"""A plain scalar sequencer: every word of every block, one after another, nothing compressed.

It knows the instruction definitions and nothing of the walk, so that the two can be compared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from openrpp.isa.form import Kind
from openrpp.isa.fram import BUILTINS
from openrpp.machine import Device, Kernel
from openrpp.machine.code import PRINT_WORDS
from openrpp.machine.items import BlockItem, ColumnItem, Item, Repeat, SyncItem, TransferItem, WordsItem
from openrpp.machine.launch import Launch, prepare, write_parameters
from openrpp.machine.walk import Walk

WIDTH = {Kind.S16: 16, Kind.S32: 32}
BUDGET = 400_000
FLAT = 150_000
Event = tuple[Any, ...]


class OverBudget(Exception):
    """The program runs for too long, perhaps for ever."""


@dataclass
class Oracle:
    """Runs a launch's scalar words; `events` is what it did, in order, in the terms of `flat`."""

    device: Device
    launch: Launch
    budget: int = BUDGET
    loaded: tuple[int, ...] = ()
    registers: list[int] = field(default_factory=lambda: [0] * 32)
    events: list[Event] = field(default_factory=list[Event])
    fetch: int = 0
    words: int = 0
    compared: list[int] = field(default_factory=list[int])

    def __post_init__(self) -> None:
        self.fram = [int(value) for value in self.device.memory.fram[0].data.view("<u2")]
        self.shape = (self.launch.block[0], self.launch.block[1], self.launch.threads)

    def run(self) -> Oracle:
        gx, gy, gz = self.launch.grid
        for z in range(gz):
            for y in range(gy):
                for x in range(gx):
                    self.events.append(("block",))
                    self.registers[28:32] = [x, y, z, (x + gx * (y + gy * z)) & 0xFFFF]
                    self.block()
        return self

    def block(self) -> None:
        code, pc = self.launch.code, 0
        while True:
            if code.is_print(pc):
                pc += PRINT_WORDS
                continue
            op = code.scalar(pc)
            if op is None:
                pc = self.column(pc)
                continue
            self.count(1)
            if op.form.effect == "end":
                self.rest()
                return
            if op.form.effect == "jump":
                taken = "a" not in op.values or (self.registers[op.values["a"]] != 0) == (op.form.name == "JMPC")
                target = op.values["target"]
                if taken and target <= pc:
                    self.rest()
                pc = target if taken else pc + 1
            elif op.form.effect == "repeat":
                pc = self.repeat(op.values["k"], self.registers[op.values["a"]], pc + 1)
            else:
                self.scalar(op)
                pc += 1

    def count(self, words: int) -> None:
        self.fetch += words
        self.words += max(words, 1)
        if self.words > self.budget:
            raise OverBudget

    def rest(self) -> None:
        if self.fetch:
            self.event("words")

    def event(self, *parts: Any) -> None:
        self.events.append((*parts, self.fetch))
        self.fetch = 0

    def get(self, register: int, width: int) -> int:
        high = self.registers[(register + 1) % 32] << 16 if width == 32 else 0
        return self.registers[register] | high

    def set(self, register: int, width: int, value: int) -> None:
        self.registers[register] = value & 0xFFFF
        if width == 32:
            self.registers[(register + 1) % 32] = value >> 16 & 0xFFFF

    def parameter(self, offset: int, width: int) -> int:
        low = self.fram[offset // 2]
        return low if width == 16 else low | self.fram[offset // 2 + 1] << 16

    def scalar(self, op: Any) -> None:
        values, operands = op.values, op.form.operands
        match op.form.effect:
            case "":
                sources = [
                    self.get(values[name], WIDTH[operands[name].kind]) if operands[name].kind in WIDTH else values[name]
                    for name in op.form.sources
                ]
                if op.form.name.startswith("CMP"):
                    self.compared += sources
                self.set(values["d"], WIDTH[operands["d"].kind], op.form.define(*sources))
            case "load-parameter":
                self.set(values["d"], op.form.width, self.parameter(values["p"], op.form.width))
            case "store-parameter":
                self.store(values["p"], op.form.width, self.get(values["a"], op.form.width))
            case "shape":
                self.shape = tuple(self.registers[values[name]] for name in "xyn")
            case "poll" | "barrier":
                self.event("sync", op.form.effect)
            case _:
                pass

    def store(self, offset: int, width: int, value: int) -> None:
        self.fram[offset // 2] = value & 0xFFFF
        if width == 32:
            self.fram[offset // 2 + 1] = value >> 16
        if offset == BUILTINS["dma_ch0_mod1_len"]:
            names = [
                self.parameter(BUILTINS[f"dma_ch0_mod1_{end}_hi"], 32) << 32
                | self.parameter(BUILTINS[f"dma_ch0_mod1_{end}_lo"], 32)
                for end in ("src", "dst")
            ]
            nbytes = self.parameter(offset, 32)
            if nbytes:
                self.event("transfer", nbytes, *(self.memory_at(address, nbytes) for address in names))

    def memory_at(self, address: int, nbytes: int) -> str:
        found = self.device.memory.region(address, nbytes)
        return found[0].name.split()[0] if found else "outside"

    def column(self, pc: int, fetched: bool = True) -> int:
        column = self.launch.code.column(pc)
        self.count(column.words if fetched else 0)
        lanes = self.shape[2]
        self.event("column", pc, lanes, -(-lanes // 32))
        return column.next

    def repeat(self, columns: int, times: int, first: int) -> int:
        code, pc = self.launch.code, first
        for time in range(max(times, 1)):
            pc = first
            for _ in range(columns):
                while (op := code.scalar(pc)) is not None:
                    self.count(1)
                    if times:
                        self.scalar(op)
                    pc += 1
                if times:
                    pc = self.column(pc, fetched=time == 0)
                else:
                    self.count(code.column(pc).words)
                    pc = code.column(pc).next
        return pc

    @property
    def total(self) -> Counter[Event]:
        """How often each event happened."""
        return Counter(self.events)


def event_of(item: Item) -> Event:
    """An item in the oracle's terms."""
    match item:
        case ColumnItem():
            return ("column", item.code.start, item.lanes, item.warps, item.fetch)
        case TransferItem():
            return ("transfer", item.nbytes, item.source, item.target, item.fetch)
        case SyncItem():
            return ("sync", item.what, item.fetch)
        case WordsItem():
            return ("words", item.fetch)
        case _:
            assert isinstance(item, BlockItem)
            return ("block",)


def flat(items: tuple[Item, ...]) -> list[Event]:
    """All events of a tree, repeats written out."""
    events: list[Event] = []
    for item in items:
        if isinstance(item, Repeat):
            events += flat(item.items) * item.count
        else:
            events.append(event_of(item))
    return events


def prepared(
    device: Device,
    kernel: Kernel,
    grid: tuple[int, ...] = (1,),
    block: tuple[int, ...] = (64,),
    params: tuple[int, ...] = (),
) -> Launch:
    """A launch whose parameters stand in bank 0, not made."""
    launch = prepare(device.card, kernel, grid, block, params, None)
    write_parameters(device.memory, launch, 0)
    return launch


def walked(device: Device, launch: Launch, **options: Any) -> tuple[tuple[Item, ...], Walk]:
    """The item tree of a launch, and the walk that made it."""
    walk = Walk(device.card, device.memory, launch, 0, **options)
    return walk.run(), walk


def compare(device: Device, launch: Launch, budget: int = BUDGET) -> tuple[Oracle, tuple[Item, ...]]:
    """Walk and oracle must agree: every event in order, the final registers, the stored parameter words.

    Raises OverBudget if the oracle cannot follow, AssertionError where they differ.
    """
    oracle = Oracle(device, launch, budget).run()
    items, walk = walked(device, launch)
    events = flat(items)
    if events != oracle.events:
        place = next(
            (i for i, (a, b) in enumerate(zip(events, oracle.events, strict=False)) if a != b),
            min(len(events), len(oracle.events)),
        )
        raise AssertionError(
            f"{len(events)} events, {len(oracle.events)} expected; at {place}: "
            f"{events[place : place + 3]} instead of {oracle.events[place : place + 3]}"
        )
    assert list(walk.registers()) == oracle.registers
    assert [walk.parameters.word(2 * i) for i in range(len(oracle.fram))] == oracle.fram
    return oracle, items
