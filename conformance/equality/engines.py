"""One trial on every engine: the memory that each leaves, and how machine code ran."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.equality.trial import Trial, Triple, place
from openrpp.codegen import card, host
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.card.program import Program
from openrpp.codegen.card.records import RECORDS
from openrpp.codegen.errors import Unsupported
from openrpp.codegen.lift import LiftedDevice
from openrpp.kir.interp import Memory, launch
from openrpp.kir.interp.memory import BASE
from openrpp.machine import Device, LaunchError
from openrpp.machine.reference import Order
from tests.codegen.twins import differences

EQUAL, DIFFERS, REFUSED, FAILED = "equal", "differs", "refused", "failed"
_SRAM: Final = 0x0400_0000 + 0x1000
_MOST_THREADS: Final = 8160
_MOST_WORDS: Final = 1 << 24
_GAP: Final = 1 << 20


@dataclass(frozen=True)
class Way:
    """How machine code is made and run; `lifted` means back in kernel IR, on the native engine."""

    name: str
    naive: bool = False
    merged: bool = False
    order: Order = "column"
    lifted: bool = False


WAYS: Final = (
    Way("naive", naive=True),
    Way("optimised"),
    Way("merged", merged=True),
    Way("random order", order="random"),
    Way("lifted", lifted=True),
)
WARP_BY_WARP: Final = Way("warp by warp", order="warp")
"""The order of lifted code. It matters where a thread decides by what an atomic found, which the order decides."""
NOT_MERGED: Final = "nothing to merge"
TOO_LARGE: Final = "too large to be run by the plain back end each time"
APART: Final = (NOT_MERGED, TOO_LARGE)
"""Reasons for which a way does not apply; they count for nothing."""


@dataclass
class Verdict:
    """What became of a way: equal, differs, refused or failed, and why; figures of the program and its run."""

    way: str
    outcome: str
    why: str = ""
    figures: dict[str, float] = field(default_factory=dict[str, float])


@dataclass
class Image:
    """Device memory from BASE on, and what was printed."""

    data: NDArray[np.uint8]
    output: str


class Bench:
    """A trial with its memory as it is before a launch."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.memory = Memory()
        self.args, self.widths = place(trial.args, self.memory)
        self.symbols: Mapping[str, int] = self.memory.load(trial.module)
        self.before = self._image()
        self.programs: dict[tuple[bool, int], tuple[Program, float]] = {}

    def _image(self) -> NDArray[np.uint8]:
        items = self.memory.allocations
        end = max((item.base + len(item.data) for item in items), default=BASE)
        found = np.zeros(end - BASE + 256, np.uint8)
        for item in items:
            found[item.base - BASE : item.base - BASE + len(item.data)] = np.frombuffer(item.data, np.uint8)
        return found

    @cached_property
    def wanted(self) -> Image:
        """What the scalar interpreter leaves."""
        trial = self.trial
        result = launch(
            trial.module, trial.symbol, trial.grid, trial.block, self.args, memory=self.memory,
            shared_bytes=trial.shared_bytes,
        )  # fmt: skip
        return Image(self._image(), result.output)

    def native(self) -> Verdict:
        """The native engine."""

        def run() -> tuple[Image, dict[str, float]]:
            trial, image = self.trial, self.before.copy()
            compiled = host.compile(trial.module, trial.symbol, trial.block)
            done = compiled.launch(
                trial.grid, self.args, host.HostMemory([(BASE, image)]), symbols=self.symbols,
                shared_bytes=trial.shared_bytes, workers=1,
            )  # fmt: skip
            return Image(image, done.text), {}

        return self._judged("native", run)

    def machine(self, way: Way) -> Verdict:
        """Machine code under the reference engine."""
        return self._judged(way.name, lambda: _machine(self, way))

    def _judged(self, name: str, run: Callable[[], tuple[Image, dict[str, float]]]) -> Verdict:
        wanted = self.wanted
        try:
            image, figures = run()
        except Unsupported as error:
            return Verdict(name, REFUSED, error.sentence)
        except Exception as error:  # whatever an engine does is part of what is measured
            return Verdict(name, FAILED, f"{type(error).__name__}: {error}".partition("\n")[0])
        apart = self._apart(wanted, image)
        if apart:
            return Verdict(name, DIFFERS, apart, figures)
        if image.output != wanted.output:
            return Verdict(name, DIFFERS, f"printed {image.output[:60]!r}, not {wanted.output[:60]!r}", figures)
        return Verdict(name, EQUAL, "", figures)

    @cached_property
    def _adds_floats(self) -> bool:
        """Whether what it leaves depends on the order of its threads: sums of floats are rounded at each step."""
        return any(
            instr.op.name == "atomic_fadd" for instr in self.trial.module.kernels[self.trial.symbol].instructions()
        )

    @cached_property
    def decides_by_order(self) -> bool:
        """Whether threads go on by what an atomic found, so that their order decides lanes and addresses."""
        kernel = self.trial.module.kernels[self.trial.symbol]
        used = {id(operand) for instr in kernel.instructions() for operand in instr.operands}
        used |= {id(operand) for block in kernel.blocks for operand in block.terminator.operands()}
        return any(instr.op.name.startswith("atomic") and id(instr) in used for instr in kernel.instructions())

    def _apart(self, wanted: Image, image: Image) -> str:
        """What differs, empty if nothing does."""
        first = min((address for address in self.widths), default=0)
        for item in self.memory.allocations:
            part = slice(item.base - BASE, item.base - BASE + len(item.data))
            if self.trial.judge is not None and item.base == first:
                if sentence := self.trial.judge(wanted.data[part], image.data[part]):
                    return sentence
                continue
            width = self.widths.get(item.base, 4)
            apart = differences(wanted.data[part], image.data[part], width)
            if self._adds_floats and apart.size:
                apart = _beyond_rounding(wanted.data[part], image.data[part], width, apart)
            if apart.size:
                at = int(apart[0]) * width
                mine, theirs = (one.data[part][at : at + width].tobytes()[::-1].hex() for one in (wanted, image))
                place = f"{apart.size} elements of {item.name or hex(item.base)}, first at byte {at}"
                return f"{place}: {theirs}, not {mine}"
        return ""


def _beyond_rounding(
    mine: NDArray[np.uint8], theirs: NDArray[np.uint8], width: int, apart: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Of the places that differ those that no order of adding explains: by more than a few units in the last place."""
    if width not in (4, 8):
        return apart
    kind, size = np.dtype(f"f{width}"), mine.size // width * width
    a, b = (item[:size].view(kind)[apart].astype(np.float64) for item in (mine, theirs))
    near = np.abs(a - b) <= 64 * float(np.finfo(kind).eps) * np.maximum(np.abs(a), np.abs(b))
    return apart[~near]


# --- machine code ------------------------------------------------------------------------------------------------


def _compiled(bench: Bench, way: Way) -> tuple[Program, float]:
    """(program, host seconds that compiling took)."""
    trial = bench.trial
    threads = trial.block[0] * trial.block[1] * trial.block[2]
    merge = min(trial.grid[0], _MOST_THREADS // threads) if way.merged else 1
    if way.merged and merge < 2:
        raise Unsupported(NOT_MERGED, trial.symbol, None)
    if way.naive and sum(1 for _ in trial.module.kernels[trial.symbol].instructions()) > trial.plain_limit:
        raise Unsupported(TOO_LARGE, trial.symbol, None)
    if (way.naive, merge) not in bench.programs:
        begun = time.process_time()
        module = prepared(trial.module, trial.symbol, merge)
        program = card.compile(module, trial.symbol, trial.block, naive=way.naive)
        bench.programs[way.naive, merge] = program, time.process_time() - begun
    return bench.programs[way.naive, merge]


def _machine(bench: Bench, way: Way) -> tuple[Image, dict[str, float]]:
    trial = bench.trial
    program, seconds = _compiled(bench, way)
    merge, records = program.kernel.merge, BASE + bench.before.size + _GAP & -_GAP
    device = LiftedDevice("ae7100x") if way.lifted else Device("ae7100x", order=way.order, max_words=_MOST_WORDS)
    device.write(BASE, bench.before)
    area = program.area(trial.grid, bench.args, {**bench.symbols, RECORDS: records}, dynamic=trial.shared_bytes)
    places, end = list[int](), _SRAM
    sizes = (program.planes_bytes, len(area), program.shared_for(trial.shared_bytes), program.private_bytes)
    for size in sizes:
        places.append(end)
        end = -(-(end + size + 512) // 512) * 512
    device.write(places[1], np.frombuffer(area, np.uint8))
    words = [int(word) for word in np.frombuffer(area, np.uint32)[: program.places.direct]]
    blocks = program.blocks(trial.grid)
    threads, params = math.prod(trial.block) * merge, [*places, *words]
    figures: dict[str, float] = {"compile": seconds, "columns": program.columns, "words": len(program.machine.words)}
    if way.name == "optimised":
        apart = [(start, start + size) for start, size in zip(places, (program.planes_bytes, len(area)), strict=False)]
        figures |= _timed(device, program, blocks, threads, params, apart)
    report = device.launch(program.machine, blocks, (threads, 1, 1), params)
    figures |= {"executed": report.columns, "cycles": report.cycles, "by order": float(bench.decides_by_order)}
    output = ""
    if program.records is not None:
        content = device.read(records, program.records.bytes, np.uint8).tobytes()
        output = program.records.read(content, trial.grid, trial.block, bench.memory.text).output
    return Image(device.read(BASE, bench.before.size, np.uint8), output), figures


def _timed(
    device: Device, program: Program, blocks: Triple, threads: int, params: list[int], apart: list[tuple[int, int]]
) -> dict[str, float]:
    """Columns and cycles without data; nothing for a program whose control depends on data."""
    try:
        report = device.time(program.machine, blocks, (threads, 1, 1), params, apart=apart)
    except LaunchError:
        return {}
    return {"walked": report.columns, "cycles without data": report.cycles}
