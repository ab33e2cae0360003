"""Rows about threads: their place in the launch, meetings of a warp or a block, output and traps.

A warp is 32 threads of a block in the order x + bx (y + by z). The first operand of a warp op is the mask of the lanes
that meet; lanes that have returned are not waited for. Meeting threads execute the same op of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Final, Protocol

from openrpp.kir.ops.form import Define, Effect, Op, Typing, choice, text
from openrpp.kir.types import ANY, I32, I64, SCALARS, signed

WARP: Final = 32
AXES: Final = ("x", "y", "z")
Triple = tuple[int, int, int]
Lanes = Mapping[int, Sequence[int]]


class Thread(Protocol):
    """What a geometry definition reads."""

    @property
    def tid(self) -> Triple:
        """Thread index in the block."""
        ...

    @property
    def ctaid(self) -> Triple:
        """Block index in the grid."""
        ...

    @property
    def ntid(self) -> Triple:
        """Shape of the block."""
        ...

    @property
    def nctaid(self) -> Triple:
        """Shape of the grid."""
        ...


def linear(index: Triple, shape: Triple) -> int:
    """x + nx (y + ny z)."""
    return index[0] + shape[0] * (index[1] + shape[1] * index[2])


def _along(field: Callable[[Thread], Triple]) -> Define:
    def define(typing: Typing) -> Callable[[Thread], int]:
        axis = AXES.index(str(typing.attrs["axis"]))
        return lambda thread: field(thread)[axis]

    return define


def _shuffle(source: Callable[[int, int, int], int | None]) -> Define:
    """Each lane reads the lane that `source(lane, b, width)` names; its own value where there is none."""

    def exchange(lanes: Lanes) -> dict[int, int]:
        out: dict[int, int] = {}
        for lane, (value, operand, width) in lanes.items():
            wanted = source(lane, operand, width)
            out[lane] = lanes[wanted][0] if wanted is not None and wanted in lanes else value
        return out

    return lambda typing: exchange


def _segment(lane: int, width: int) -> int:
    return lane - lane % width


def _from_index(lane: int, operand: int, width: int) -> int | None:
    return _segment(lane, width) + operand % width


def _from_below(lane: int, operand: int, width: int) -> int | None:
    return lane - operand if lane - operand >= _segment(lane, width) else None


def _from_above(lane: int, operand: int, width: int) -> int | None:
    return lane + operand if lane + operand < _segment(lane, width) + width else None


def _from_crossed(lane: int, operand: int, width: int) -> int | None:
    other = lane ^ operand
    return other if other < _segment(lane, width) + width else None


SOURCES: Final[Mapping[str, Callable[[int, int, int], int | None]]] = {
    "shfl_idx": _from_index,
    "shfl_up": _from_below,
    "shfl_down": _from_above,
    "shfl_xor": _from_crossed,
}
"""The lane that a lane of each shuffle reads, from its own lane, the operand c and the width d; None: its own."""


def _vote(operation: Callable[[list[int]], int]) -> Define:
    """Every lane gets the same function of the predicates."""

    def meet(lanes: Lanes) -> dict[int, int]:
        result = operation([row[0] for row in lanes.values()])
        return dict.fromkeys(lanes, result)

    return lambda typing: meet


def _bits_of(lanes: Lanes, keep: Callable[[int, Sequence[int]], bool]) -> int:
    return sum(1 << lane for lane, row in lanes.items() if keep(lane, row))


def _ballot(typing: Typing) -> Callable[[Lanes], dict[int, int]]:
    return lambda lanes: dict.fromkeys(lanes, _bits_of(lanes, lambda _, row: bool(row[0])))


def _match_any(typing: Typing) -> Callable[[Lanes], dict[int, int]]:
    def meet(lanes: Lanes) -> dict[int, int]:
        return {lane: _bits_of(lanes, lambda _, row, mine=mine: row[0] == mine[0]) for lane, mine in lanes.items()}

    return meet


def _match_all(typing: Typing) -> Callable[[Lanes], dict[int, int]]:
    def meet(lanes: Lanes) -> dict[int, int]:
        same = len({row[0] for row in lanes.values()}) == 1
        return dict.fromkeys(lanes, _bits_of(lanes, lambda _lane, _row: True) if same else 0)

    return meet


def _present(typing: Typing) -> Callable[[Lanes], dict[int, int]]:
    return lambda lanes: dict.fromkeys(lanes, _bits_of(lanes, lambda _lane, _row: True))


def _nothing(typing: Typing) -> Callable[[Lanes], dict[int, int]]:
    return lambda lanes: dict.fromkeys(lanes, 0)


_REDUCTIONS: Final[dict[str, Callable[[int, int], int]]] = {
    "add": lambda a, b: (a + b) & 0xFFFF_FFFF,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "umin": min,
    "umax": max,
    "smin": lambda a, b: min(signed(a, 32), signed(b, 32)) & 0xFFFF_FFFF,
    "smax": lambda a, b: max(signed(a, 32), signed(b, 32)) & 0xFFFF_FFFF,
}


def _redux(typing: Typing) -> Callable[[Lanes], dict[int, int]]:
    operation = _REDUCTIONS[str(typing.attrs["combine"])]
    return lambda lanes: dict.fromkeys(lanes, reduce(operation, [row[0] for row in lanes.values()]))


def _block(operation: Callable[[list[int]], int]) -> Define:
    """Every thread of the block gets the same function of the predicates."""

    def meet(threads: Sequence[Sequence[int]]) -> int:
        return operation([row[0] for row in threads])

    return lambda typing: meet


def rows() -> list[Op]:
    """Geometry, warps, blocks, output."""
    return [*_geometry(), *_warp(), *_barriers(), *_sides()]


def _geometry() -> list[Op]:
    def row(name: str, doc: str, field: Callable[[Thread], Triple]) -> Op:
        return Op(name, "-> i32", doc, Effect.GEOMETRY, _along(field), attributes=(choice("axis", *AXES),))

    def lane(typing: Typing) -> Callable[[Thread], int]:
        return lambda thread: linear(thread.tid, thread.ntid) % WARP

    return [
        row("tid", "Index of the thread in its block (threadIdx).", lambda thread: thread.tid),
        row("ctaid", "Index of the block in the grid (blockIdx).", lambda thread: thread.ctaid),
        row("ntid", "Shape of the block (blockDim).", lambda thread: thread.ntid),
        row("nctaid", "Shape of the grid (gridDim).", lambda thread: thread.nctaid),
        Op("laneid", "-> i32", "Index of the thread in its warp.", Effect.GEOMETRY, lane),
    ]


def _warp() -> list[Op]:
    exchanged = {"T": SCALARS}

    def shuffle(name: str, where: str, source: Callable[[int, int, int], int | None]) -> Op:
        doc = f"The value b of the lane {where}, in segments of d lanes; the own value where no such lane meets."
        return Op(name, "i32 T i32 i32 -> T", doc, Effect.WARP, _shuffle(source), exchanged)

    def vote(name: str, doc: str, operation: Callable[[list[int]], int]) -> Op:
        return Op(name, "i32 i1 -> i1", doc, Effect.WARP, _vote(operation))

    kinds = choice("combine", *_REDUCTIONS)
    return [
        shuffle("shfl_idx", "c mod d of the segment", SOURCES["shfl_idx"]),
        shuffle("shfl_up", "c below, not leaving the segment", SOURCES["shfl_up"]),
        shuffle("shfl_down", "c above, not leaving the segment", SOURCES["shfl_down"]),
        shuffle("shfl_xor", "xor c, not above the segment", SOURCES["shfl_xor"]),
        vote("vote_any", "1 if any predicate is 1.", lambda values: int(any(values))),
        vote("vote_all", "1 if all predicates are 1.", lambda values: int(all(values))),
        vote("vote_uni", "1 if all predicates are equal.", lambda values: int(len(set(values)) == 1)),
        Op("ballot", "i32 i1 -> i32", "Bit k is the predicate of lane k.", Effect.WARP, _ballot),
        Op("match_any", "i32 T -> i32", "The lanes whose value equals mine.", Effect.WARP, _match_any, {"T": ANY}),
        Op(
            "match_all",
            "i32 T -> i32",
            "All meeting lanes if their values are equal, else 0.",
            Effect.WARP,
            _match_all,
            {"T": ANY},
        ),
        Op("redux", "i32 i32 -> i32", "The values of the lanes combined.", Effect.WARP, _redux, attributes=(kinds,)),
        Op("activemask", "-> i32", "The lanes that execute this op together.", Effect.WARP, _present),
        Op(
            "warp_sync",
            "i32 -> void",
            "The lanes of the mask meet; memory is ordered between them.",
            Effect.WARP,
            _nothing,
        ),
    ]


def _barriers() -> list[Op]:
    def counted(name: str, result: str, doc: str, operation: Callable[[list[int]], int]) -> Op:
        return Op(name, f"i1 -> {result}", doc, Effect.BLOCK, _block(operation))

    meets = "All threads of the block that have not returned meet; memory is ordered between them."
    return [
        Op("barrier", "-> void", meets, Effect.BLOCK),
        counted("barrier_count", "i32", "A barrier; the number of threads whose predicate is 1.", sum),
        counted("barrier_and", "i1", "A barrier; 1 if every predicate is 1.", lambda values: int(all(values))),
        counted("barrier_or", "i1", "A barrier; 1 if any predicate is 1.", lambda values: int(any(values))),
        Op("grid_barrier", "-> void", "All threads of the grid meet (cooperative launch).", Effect.BLOCK),
    ]


def _sides() -> list[Op]:
    where = (text("message"), text("function", ""))
    return [
        Op(
            "printf",
            "V* -> i32",
            "Formats its operands as C does and gives the number of them; a pointer for %s is a string in memory.",
            Effect.SIDE,
            where={"V": ANY},
            attributes=(text("format"),),
        ),
        Op(
            "assert_fail",
            "-> void",
            "Stops the launch: an assertion of the program failed.",
            Effect.SIDE,
            attributes=where,
        ),
        Op("trap", "-> void", "Stops the launch.", Effect.SIDE),
        Op("clock", "-> T", "A count of cycles; engines differ.", Effect.SIDE, where={"T": (I32, I64)}),
    ]
