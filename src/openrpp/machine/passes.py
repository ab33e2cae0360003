"""Port passes of columns whose addresses the sequencer alone decides: contiguous, strided, by a known pattern in DVA.

The addresses of a pattern are known up to an offset that all lanes share, which changes no pass.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.isa.form import Cost, Kind, Slot
from openrpp.isa.numeric import Numerics, mask_selects
from openrpp.isa.table.port import Lanes, aligned, lane_address
from openrpp.machine.banks import WARP, Access, Ports
from openrpp.machine.code import DVA, ColumnCode, VectorOp
from openrpp.machine.vectors import lanes_of

Shape = tuple[int, int, int]
"""Block shape as CFGXYZ sets it: X, Y, number of lanes."""
Pattern = tuple[int, int, Shape] | None
"""DVA is y sy + z sz + something that all lanes of this shape share: (sy, sz, shape); None where data decides."""
Scalars = dict[tuple[int, int], int]
"""(register, width) -> value."""

_SHAPING = {"LOADALN": ("sy", "sz"), "STOREALN": ("sy", "sz"), "GLANEADDR": ("sy", "sz"), "LOADMASK": ("m",)}
_ADDENDS = (Kind.S16, Kind.S32, Kind.IMM)
_PORT = (Slot.SEQUENTIAL, Slot.GATHER)


def uniform(lanes: int) -> Pattern:
    """All lanes have the same address."""
    return (0, 0, (1, 1, lanes))


@lru_cache(maxsize=4096)
def _lanes(shape: Shape) -> Lanes:
    return lanes_of(*shape)


@lru_cache(maxsize=65536)
def _strided(access: Access, ports: Ports, shape: Shape, sy: int, sz: int) -> int:
    return ports.passes(access, _offsets(aligned, shape, sy, sz))


@lru_cache(maxsize=4096)
def _contiguous(access: Access, ports: Ports, lanes: int) -> int:
    return ports.passes(access, np.arange(lanes) * (access.width // 8))


@lru_cache(maxsize=65536)
def _by_pattern(
    access: Access, ports: Ports, numerics: Numerics, pattern: tuple[int, int, Shape], lanes: int, extra: int
) -> int:
    """Passes of an access at DVA; `extra` is the length of a dot or the mask of LOADMASK."""
    sy, sz, shape = pattern
    addresses = _offsets(lane_address, shape, sy, sz)[:lanes]
    if access.effect == "load-masked":
        return ports.passes(access, addresses, chosen=mask_selects(numerics, extra, np.arange(lanes) % WARP))
    return ports.passes(access, addresses, extra)


def _offsets(define: Any, shape: Shape, sy: int, sz: int) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        return define(Numerics(), _lanes(shape), np.uint32(0), np.uint32(sy), np.uint32(sz))


class ColumnPasses:
    """What the port of one column does, as far as the sequencer decides it."""

    def __init__(self, column: ColumnCode, ports: Ports, numerics: Numerics) -> None:
        self.accesses = tuple(
            op for op in column.port if op.form.slot in _PORT and op.form.cost not in (Cost.WARP_VECTOR, Cost.ADDRESS)
        )
        self.addressing = tuple(op for op in column.port if op.form.slot is Slot.ADDRESS)
        self.ports = ports
        self.numerics = numerics

    @cached_property
    def needs(self) -> tuple[tuple[int, int], ...]:
        """(register, width) of the scalars that decide passes or the pattern in DVA."""
        found: list[tuple[int, int]] = []
        for op in (*self.accesses, *self.addressing):
            names = ("l",) if op.form.cost is Cost.LANE_VECTOR else _SHAPING.get(op.form.name.split(".")[0], ())
            found += [(register, width) for name, register, width in op.captured if name in names]
        return tuple(found)

    def terms(self, scalars: Scalars) -> int:
        """Length of the column's dot product in words, 0 if it has none."""
        return next((_taken(op, "l", scalars) for op in self.accesses if op.form.cost is Cost.LANE_VECTOR), 0)

    def passes(self, shape: Shape, pattern: Pattern, scalars: Scalars) -> int | None:
        """Passes over all warps, None where data decides; sequential and gather path work side by side."""
        paths = {Slot.SEQUENTIAL: 0, Slot.GATHER: 0}
        for op in self.accesses:
            found = self._access(op, shape, pattern, scalars)
            if found is None:
                return None
            paths[op.form.slot] += found
        return max(paths.values())

    def _access(self, op: VectorOp, shape: Shape, pattern: Pattern, scalars: Scalars) -> int | None:
        form, access = op.form, Access.of(op.form)
        if form.cost is Cost.SEQUENTIAL:
            return _contiguous(access, self.ports, shape[2])
        if form.cost is Cost.STRIDED:
            return _strided(access, self.ports, shape, _taken(op, "sy", scalars), _taken(op, "sz", scalars))
        known = form.sources in (("DVA",), ("DVA", "offset")) and "c" not in form.operands
        if not known or form.cost is Cost.DIRECT or pattern is None or pattern[2][2] < shape[2]:
            return None
        extra = _taken(op, "l", scalars) if form.cost is Cost.LANE_VECTOR else 0
        extra = _taken(op, "m", scalars) if form.effect == "load-masked" else extra
        return _by_pattern(access, self.ports, self.numerics, pattern, shape[2], extra)

    def after(self, shape: Shape, pattern: Pattern, scalars: Scalars) -> Pattern:
        """The pattern in DVA behind the column."""
        for op in self.addressing:
            pattern = _moved(op, shape, pattern, scalars)
        return pattern


def _taken(op: VectorOp, name: str, scalars: Scalars) -> int:
    """Value of an operand: a captured scalar or an immediate."""
    for operand, register, width in op.captured:
        if operand == name:
            return scalars[register, width]
    return op.op.values[name]


def _moved(op: VectorOp, shape: Shape, pattern: Pattern, scalars: Scalars) -> Pattern:
    form, values = op.form, op.op.values
    addends = [form.operands[name].kind for name in form.sources if name != "DVA"]
    if form.name.startswith("GLANEADDR"):
        return (_taken(op, "sy", scalars), _taken(op, "sz", scalars), shape)
    if form.name == "MMOV":
        return uniform(shape[2]) if addends[0] in _ADDENDS else None
    from_dva = form.sources[0] == "DVA" or values.get("a") == DVA  # MADD.SCA32 takes any pair
    if not from_dva or addends[-1] not in _ADDENDS or pattern is None:
        return None
    sy, sz, (x, y, n) = pattern
    return (sy, sz, (x, y, min(n, shape[2])))  # lanes beyond the present shape stay behind
