"""Where trials come from: random kernel IR, ops with hard operands, our own CUDA sources, the corpora."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.corpora.examine import LIMIT, STORE
from conformance.corpora.programs import Program, Unit
from conformance.equality.arguments import find
from conformance.equality.engines import WARP_BY_WARP, WAYS, Bench, Verdict
from conformance.equality.trial import Trial
from openrpp.cuda import CudaError, Options, compile_file, read
from openrpp.kir import KirError
from openrpp.kir.fuzz import ALL, Features, program
from openrpp.kir.fuzz.program import NAME
from openrpp.kir.interp.faults import Fault
from openrpp.kir.types import Space, Type
from openrpp.storage import Cache
from tests.codegen import op_cases, op_kernels

ROOT: Final = Path(__file__).parents[2]
OWN: Final = ("tests/cuda/kernels", "benchmarks/cuda/kernels", "benchmarks/mapping/kernels")
"""Folders of our CUDA sources."""
SIZES: Final = (2, 4, 6, 9, 12)


@dataclass(frozen=True)
class Random:
    """A random program."""

    seed: int
    group: str = "random"

    @property
    def name(self) -> str:
        """How the job is called."""
        return f"seed {self.seed}"


@dataclass(frozen=True)
class Ops:
    """A batch of typed ops of the table, on operands that are hard for them."""

    index: int
    group: str = "ops"

    @property
    def name(self) -> str:
        """How the job is called."""
        return f"batch {self.index}"


@dataclass(frozen=True)
class Source:
    """A CUDA source file and the name of its program."""

    group: str
    name: str
    unit: Unit
    seed: int


Job = Random | Ops | Source


@dataclass(frozen=True)
class Row:
    """A kernel and what became of it: verdicts per engine, or the reason why there are none."""

    group: str
    program: str
    kernel: str
    verdicts: tuple[Verdict, ...] = ()
    reason: str = ""


def own_sources(seed: int) -> list[Source]:
    """Our CUDA files."""
    files = [path for folder in OWN for path in sorted((ROOT / folder).glob("*.cu"))]
    return [Source("own", str(path.relative_to(ROOT)), Unit(path, Options(), (path,)), seed) for path in files]


def corpus_sources(programs: list[Program], seed: int) -> list[Source]:
    """The translation units of programs."""
    return [Source(item.corpus, item.name, unit, seed) for item in programs for unit in item.units]


@cache
def _batches() -> list[tuple[op_cases.Case, ...]]:
    """Cases that mean something on the card, whose pointers to near memory are one word: wild ones are others there."""
    far = [case for case in op_cases.cases() if not any(_is_near(kind) for kind in (*case.operands, case.result))]
    return op_kernels.batches(far)


def _is_near(kind: Type) -> bool:
    return kind.space in (Space.SHARED, Space.PRIVATE, Space.PARAM)


def op_batches() -> list[Ops]:
    """All ops."""
    return [Ops(index) for index in range(len(_batches()))]


def run(job: Job) -> list[Row]:
    """All kernels of a job on all engines."""
    return list(_rows(job))


def _rows(job: Job) -> Iterator[Row]:
    if isinstance(job, Random):
        yield compared(job.group, job.name, _random(job.seed))
    elif isinstance(job, Ops):
        yield compared(job.group, job.name, _ops(job.index))
    else:
        yield from _source(job)


def _random(seed: int) -> Trial:
    rng = random.Random(seed)
    narrow = Features(ALL.types, wide_atomics=rng.random() < 0.5, barrier_results=rng.random() < 0.5, breaks=True)
    made = program(seed, rng.choice(SIZES), narrow)
    plain = 1 << 30 if seed % 4 == 0 else 150
    return Trial(NAME, made.module, NAME, made.grid, made.block, made.arguments(), plain_limit=plain)


def _ops(index: int) -> Trial:
    batch = _batches()[index]
    way = op_kernels.Way((64, 1, 1), op_kernels.straight, op_kernels.straight)
    made = op_kernels.build(batch, way)
    out = made.output()

    def judge(wanted: NDArray[np.uint8], found: NDArray[np.uint8]) -> str:
        try:
            op_kernels.check(made, found.reshape(out.shape), wanted.reshape(out.shape))
        except AssertionError as error:
            return " ".join(str(error).split("\n")[:3])
        return ""

    args = made.arguments(out, lambda array: array)
    return Trial("ops", made.module, op_kernels.NAME, way.grid, way.block, args, plain_limit=1 << 30, judge=judge)


def _source(job: Source) -> Iterator[Row]:
    try:
        module = read(compile_file(job.unit.path, job.unit.options, Cache(STORE, LIMIT)), strict=False).module
    except (CudaError, KirError) as error:
        yield Row(job.group, job.name, job.unit.path.name, reason="does not compile: " + str(error).partition("\n")[0])
        return
    for symbol in module.kernels:
        trial = find(module, symbol, f"{job.name} {symbol}", job.seed)
        if isinstance(trial, str):
            yield Row(job.group, job.name, symbol, reason=f"no arguments: {trial}")
        else:
            yield compared(job.group, job.name, trial)


def compared(group: str, name: str, trial: Trial) -> Row:
    """A trial on every engine."""
    bench = Bench(trial)
    try:
        _ = bench.wanted
    except Fault as error:
        return Row(group, name, trial.name, reason=f"the interpreter stops it: {error}")
    verdicts = [bench.native(), *(bench.machine(way) for way in WAYS)]
    found = {verdict.way: verdict.figures.get("executed") for verdict in verdicts}
    if found.get("lifted") not in (None, found.get("optimised")):
        verdicts.append(bench.machine(WARP_BY_WARP))
    return Row(group, name, trial.symbol, tuple(verdicts))
