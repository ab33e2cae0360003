"""Kernels that apply many typed ops to rows of operands, on the interpreter and on the native engine."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen import host
from openrpp.kir.build import Builder
from openrpp.kir.floats import is_nan
from openrpp.kir.interp import launch
from openrpp.kir.ir import Constant, Instr, Kernel, Module, Parameter, Value
from openrpp.kir.types import I1, I32, I64, PTR_GLOBAL, Type
from openrpp.kir.verify import verify_module
from tests.codegen.op_cases import ROWS, SEED, Case, edges, operands
from tests.codegen.support import Arena

Triple = tuple[int, int, int]
Slot = tuple[Type, int]
Index = Callable[[Builder], Value]
NAME = "ops"
UNTOUCHED = 0xC7
BATCH = 40


@dataclass(frozen=True, slots=True)
class Way:
    """How rows are dealt to threads.

    `row` gives the row of a thread, `place` where its results go, `share` how many places one row has; with `odd` only
    odd places are computed.
    """

    block: Triple
    row: Index
    place: Index
    share: int = 1
    odd: bool = False
    rows: int = ROWS

    @property
    def grid(self) -> Triple:
        """Enough blocks, along the axis that counts rows."""
        threads = self.block[0] * self.block[1] * self.block[2]
        count = -(-self.rows * self.share // threads)
        return (1, count, 1) if self.row is by_line else (count, 1, 1)

    @property
    def places(self) -> NDArray[np.int64]:
        """The row of every place, -1 where nothing is computed."""
        threads, grid = self.block[0] * self.block[1] * self.block[2], self.grid
        found = np.arange(threads * max(grid)) // self.share
        if self.odd:
            found[::2] = -1
        return np.where(found < self.rows, found, -1)


def linear(b: Builder) -> Value:
    """The number of the thread in the grid, for blocks of any shape."""
    inner = b("add", b("mul", b.tid("z"), b("ntid", axis="y")), b.tid("y"))
    inside = b("add", b("mul", inner, b("ntid", axis="x")), b.tid("x"))
    size = b("mul", b("mul", b("ntid", axis="x"), b("ntid", axis="y")), b("ntid", axis="z"))
    return b("add", b("mul", b("ctaid", axis="x"), size), inside)


def straight(b: Builder) -> Value:
    """The same for blocks along x."""
    return b.global_index("x")


def by_line(b: Builder) -> Value:
    """A row for all threads with one y."""
    return b.global_index("y")


def along_lines(b: Builder) -> Value:
    """Places for `by_line`, in blocks of one column of blocks."""
    return b("add", b("mul", b.global_index("y"), b("ntid", axis="x")), b.tid("x"))


def by_block(b: Builder) -> Value:
    """A row for all threads of a block."""
    return b("ctaid", axis="x")


# --- kernels -----------------------------------------------------------------------------------------------------

Take = Callable[[Builder, Case, int, Value], Value]
"""Gives an operand of a case from the value that its array has in the row."""


def as_loaded(b: Builder, case: Case, place: int, value: Value) -> Value:
    """The value of the array."""
    return value


def with_constants(*places: int) -> Take:
    """Operands at some places are edges that are known when the kernel is compiled."""

    def take(b: Builder, case: Case, place: int, value: Value) -> Value:
        if place not in places:
            return value
        return Constant(value.type, random.Random(f"{SEED} {case.name} {place}").choice(edges(value.type)))

    return take


def along_x(*places: int) -> Take:
    """Integer operands at some places grow with threadIdx.x."""

    def take(b: Builder, case: Case, place: int, value: Value) -> Value:
        if place not in places or not value.type.is_int or value.type is I1:
            return value
        step: Value = b("mul", b.tid("x"), (1, 3, -4)[(place + len(case.name)) % 3])
        bits = value.type.bits
        if bits != 32:
            step = b("sext" if bits > 32 else "trunc", step, kind=value.type)
        return b("add", value, step)

    return take


def both(first: Take, second: Take) -> Take:
    """One after the other."""
    return lambda b, case, place, value: second(b, case, place, first(b, case, place, value))


@dataclass(slots=True)
class Made:
    """A kernel for some cases."""

    module: Module
    way: Way
    cases: Sequence[Case]
    slots: list[Slot]

    def arguments(self, out: Any, place: Callable[[NDArray[Any]], Any]) -> list[Any]:
        """What the kernel is launched with."""
        return [out, *(place(operands(*slot).copy()) for slot in self.slots), self.way.rows]

    def output(self) -> NDArray[np.uint8]:
        """Room for results: 8 bytes per place and case."""
        return np.full((len(self.way.places), len(self.cases), 8), UNTOUCHED, np.uint8)


def build(cases: Sequence[Case], way: Way, take: Take = as_loaded) -> Made:
    """A kernel that applies each case to each row."""
    slots = list(dict.fromkeys((kind, place) for case in cases for place, kind in enumerate(case.operands)))
    names = [f"{kind.name.replace('.', '_')}_{place}" for kind, place in slots]
    params = [Parameter(PTR_GLOBAL, name) for name in ("out", *names)]
    kernel, module = Kernel(NAME, [*params, Parameter(I32, "count")]), Module(NAME)
    module.add_kernel(kernel)
    b = Builder(kernel)
    inside, done = b.block("inside"), b.block("done")
    row, place = way.row(b), way.place(b)
    enters = b("icmp", row, kernel.params[-1], pred="slt")
    b.cbr(b("and", enters, b("trunc", place, kind=I1)) if way.odd else enters, inside, done)
    b.at(inside)
    loads = {
        slot: b("load", b.element(base, row, slot[0]), kind=slot[0])
        for slot, base in zip(slots, params[1:], strict=True)
    }
    start = b("ptr_add", params[0], b("mul", b("sext", place, kind=I64), 8 * len(cases)))
    for index, case in enumerate(cases):
        values = [take(b, case, position, loads[kind, position]) for position, kind in enumerate(case.operands)]
        result = b.append(Instr(case.op, values, case.result, dict(case.attrs)))
        b("store", result, b("ptr_add", start, 8 * index))
    b.br(done)
    b.at(done).ret()
    verify_module(module)
    return Made(module, way, cases, slots)


def native(made: Made, **how: Any) -> NDArray[np.uint8]:
    """What the native engine stores."""
    arena, out = Arena(8 << 20), made.output()
    args = made.arguments(arena.place(out), arena.place)
    host.compile(made.module, NAME, made.way.block, **how).launch(made.way.grid, args, arena.memory, workers=1)
    return arena.read(args[0], out)


def interpreted(made: Made) -> NDArray[np.uint8]:
    """What the interpreter stores."""
    out = made.output()
    launch(made.module, NAME, made.way.grid, made.way.block, made.arguments(out, lambda array: array))
    return out


@cache
def _by_row(cases: tuple[Case, ...]) -> NDArray[np.uint8]:
    return interpreted(build(cases, Way((64, 1, 1), straight, straight)))


def expected(cases: tuple[Case, ...], way: Way) -> NDArray[np.uint8]:
    """What the interpreter stores for operands from arrays, dealt in some way."""
    places = way.places
    found = _by_row(cases)[np.maximum(places, 0)]
    found[places < 0] = UNTOUCHED
    return found


def batches(cases: Sequence[Case]) -> list[tuple[Case, ...]]:
    """Cases with one type of first operand together, so that few arrays are read."""
    groups: dict[Type, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.operands[0], []).append(case)
    return [tuple(group[start : start + BATCH]) for group in groups.values() for start in range(0, len(group), BATCH)]


# --- comparison --------------------------------------------------------------------------------------------------


def bits(stored: NDArray[np.uint8]) -> int:
    return int.from_bytes(stored.tobytes(), "little")


def check(made: Made, found: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> None:
    """Equal bits, or NaN for NaN."""
    places, lines = made.way.places, list[str]()
    for place, index in np.argwhere((found != wanted).any(axis=2)).tolist():
        case, width = made.cases[index], made.cases[index].result.bytes
        got, want = found[place, index], wanted[place, index]
        both_nan = case.result.is_float and all(is_nan(case.result, bits(item[:width])) for item in (got, want))
        if both_nan and (got[width:] == want[width:]).all():
            continue
        row = int(places[place])
        given = [f"{int(operands(kind, position)[row]):#x}" for position, kind in enumerate(case.operands)]
        lines.append(f"{case.name}: {bits(got):#x}, not {bits(want):#x} at place {place}, row {', '.join(given)}")
    assert not lines, f"RPP_SEED={SEED}: {len(lines)} results differ:\n" + "\n".join(lines[:12])
