"""The memory plan: where transient regions lie, by the time that they are needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from openrpp.graph.errors import GraphError
from openrpp.graph.plan import Step, touched
from openrpp.kernels.launch import MemoryName, Region


@dataclass(frozen=True)
class Life:
    """The steps from which to which a region holds something, both included."""

    first: int
    last: int

    def meets(self, other: Life) -> bool:
        """Whether both hold something at one time."""
        return self.first <= other.last and other.first <= self.last


def lives(steps: Sequence[Step], apart: Collection[Region]) -> dict[Region, Life]:
    """From the first step that touches a region to the last; regions `apart` are not planned."""
    found: dict[Region, Life] = {}
    for index, step in enumerate(steps):
        for region in touched(step):
            if region not in apart:
                found[region] = Life(found[region].first if region in found else index, index)
    return found


@dataclass(frozen=True)
class Rules:
    """Pieces of a memory start at multiples of `alignment`, are rounded up to it and followed by `guard` bytes."""

    alignment: int
    guard: int

    def footprint(self, region: Region) -> int:
        """Bytes that a region takes."""
        return -(-max(region.bytes, 1) // self.alignment) * self.alignment + self.guard


def place(lived: Mapping[Region, Life], memory: MemoryName, rules: Rules) -> tuple[dict[Region, int], int]:
    """Offsets of the regions of a memory, and the bytes that all take: the largest first, each in the smallest gap that
    is free for its life."""
    wanted = [region for region in lived if region.memory == memory]
    order = sorted(wanted, key=lambda region: (-rules.footprint(region), lived[region].first, region.name))
    offsets: dict[Region, int] = {}
    total = 0
    for region in order:
        size = rules.footprint(region)
        taken = sorted(
            (offsets[other], offsets[other] + rules.footprint(other))
            for other in offsets
            if lived[other].meets(lived[region])
        )
        offsets[region] = _best_gap(taken, size)
        total = max(total, offsets[region] + size)
    return offsets, total


def _best_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The start of the smallest gap of at least `size` between taken ranges, or behind them all."""
    best: tuple[int, int] | None = None
    end = 0
    for start, stop in taken:
        room = start - end
        if room >= size and (best is None or room < best[0]):
            best = (room, end)
        end = max(end, stop)
    return end if best is None else best[1]


def most(lived: Mapping[Region, Life], rules: Rules, step: int) -> int:
    """Bytes of SRAM that hold something at a step."""
    return sum(
        rules.footprint(region) for region, life in lived.items()
        if region.memory == "sram" and life.first <= step <= life.last
    )  # fmt: skip


def check_fits(total: int, room: int, lived: Mapping[Region, Life], rules: Rules) -> None:
    """Raises GraphError, with the step's regions, where the plan needs more SRAM than there is."""
    if total <= room:
        return
    steps = sorted({life.first for life in lived.values()})
    worst = max(steps, key=lambda step: most(lived, rules, step))
    held = sorted(
        (region for region, life in lived.items() if region.memory == "sram" and life.first <= worst <= life.last),
        key=lambda region: -region.bytes,
    )
    names = ", ".join(f"{region.name} {region.bytes}" for region in held[:4])
    raise GraphError(f"the model needs {total} bytes of SRAM at a time, {room} are there; the largest: {names}")
