"""The ten kernels by which the first card back end was judged: their columns now, and the bars.

The bars come from `card-backend.md`: columns of the whole kernel at or below that back end's on the published
instructions (with a vote for mandel), loop bodies within 1.3 times of estimates for hand-written code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from openrpp.codegen import card
from openrpp.cuda.compile import compile_file
from openrpp.cuda.reader import read
from openrpp.kir.ir import Module
from openrpp.kir.passes import PassManager
from openrpp.kir.passes.expand import Expand, is_legal

SOURCE = Path(__file__).with_name("kernels") / "prototype.cu"
SLACK = 1.3
"""How far loop bodies may be above estimates for hand-written code, and cycles above those of hand-written programs."""


@dataclass(frozen=True, slots=True)
class Job:
    """A kernel, its block, the most columns that it may take, and the loop bodies of hand-written code."""

    name: str
    block: tuple[int, int, int]
    most: int
    loops: tuple[int, ...] = ()


JOBS = (
    Job("saxpy", (256, 1, 1), 15),
    Job("add2d", (32, 8, 1), 27),
    Job("matmul", (16, 16, 1), 45, (6,)),
    Job("stencil", (32, 8, 1), 50),
    Job("mandel", (32, 8, 1), 82, (13,)),
    Job("tiled", (16, 16, 1), 63, (14, 5)),
    Job("reduce", (256, 1, 1), 33, (8,)),
    Job("unrolled", (16, 16, 1), 87, (16,)),
    Job("twobytwo", (16, 16, 1), 82, (18,)),
    Job("nested", (256, 1, 1), 70),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What a job measured: columns of the kernel and of each loop, outer ones first."""

    job: Job
    columns: int
    loops: tuple[int, ...]
    spills: int

    @property
    def met(self) -> bool:
        """Whether the kernel and its loops are within the bars."""
        fits = all(now <= SLACK * hand for now, hand in zip(self.loops, self.job.loops, strict=False))
        return self.columns <= self.job.most and fits


@cache
def module() -> Module:
    """The kernels, with nothing in them that the card lacks."""
    made = read(compile_file(SOURCE)).module
    PassManager([Expand(is_legal)]).run(made)
    return made


def program(job: Job) -> card.Program:
    """A kernel, compiled."""
    return card.compile(module(), job.name, job.block)


def prototype() -> list[Row]:
    """Compile all ten."""
    found: list[Row] = []
    for job in JOBS:
        made = program(job)
        found.append(Row(job, made.columns, tuple(loop.columns for loop in made.loops), made.spills))
    return found


if __name__ == "__main__":
    for row in prototype():
        print(f"{row.job.name:10}{row.columns:4} / {row.job.most:<4}{row.loops} / {row.job.loops}  {row.spills} spills")
