"""Launches with symbolic memory: what a family of kernels answers, and what a memory plan gives addresses to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MemoryName = Literal["sram", "ddr"]
Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Region:
    """A piece of card memory that has no address yet. Two regions are the same only if they are one object."""

    name: str
    bytes: int
    memory: MemoryName

    def __repr__(self) -> str:
        return f"Region({self.name}, {self.bytes} bytes, {self.memory})"


@dataclass(frozen=True)
class At:
    """An address: a region and an offset in bytes."""

    region: Region
    offset: int = 0


@dataclass(frozen=True)
class Variable:
    """An integer argument that changes from run to run, such as the number of tokens so far; `value` is its first."""

    name: str
    value: int = 0


Argument = At | Variable | int | float | None
"""What a launch passes for a parameter; None is the null pointer."""


@dataclass(frozen=True)
class Launch:
    """One launch of a library kernel.

    Attributes:
        kernel: "source/symbol", such as "elementwise/add_bf16".
        grid, block: as in CUDA; a block may have up to 8160 threads, 255 warps.
        arguments: one per parameter.
        reads, writes: the regions that it touches, for the memory plan; what it prefetches for a later launch counts
            as written.
        shared_bytes: dynamic shared memory.
        macs: multiply-accumulates of the operator (padding not counted), for shares of peak.
        node: name of the graph node it carries out, for reports.
    """

    kernel: str
    grid: Triple
    block: Triple
    arguments: tuple[Argument, ...]
    reads: tuple[Region, ...]
    writes: tuple[Region, ...]
    shared_bytes: int = 0
    macs: int = 0
    node: str = ""
