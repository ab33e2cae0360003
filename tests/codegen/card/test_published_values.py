"""Every recipe of the published chip on values at the edges, against the interpreter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.kir.build import Builder
from openrpp.kir.interp import launch as interpret
from openrpp.kir.ir import Constant, Kernel, Module, Parameter, Value
from openrpp.kir.ops import lookup
from openrpp.kir.types import BF16, F16, F32, I16, I32, PTR_GLOBAL, Type

from .support import expanded
from .test_published import PublishedBoard

SIGN = 1 << 31
INTEGERS = (0, 1, 2, 3, 31, 32, 255, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 0xFF_FFFF, 0x100_0001, 0x7FFF_FFBF, 0x7FFF_FFFF)
FLOATS = (
    *(0x0000_0000, 0x0000_0001, 0x007F_FFFF, 0x0080_0000, 0x3300_0000, 0x3300_0001, 0x3380_0000, 0x387F_F000),
    *(0x3880_0000, 0x3F00_0000, 0x3F7F_FFFF, 0x3F80_0000, 0x3F80_8000, 0x3F81_8000, 0x4049_0FDB, 0x4B00_0001),
    *(0x477F_EFFF, 0x477F_F000, 0x4780_0000, 0x4EFF_FFFF, 0x4F00_0000, 0x4F7F_FFFF, 0x4F80_0000, 0x7F7F_FFFF),
    *(0x7F80_0000, 0x7F80_0001, 0x7FC0_0000, 0x7FFF_FFFF),
)
HALVES = (0, 1, 0x3FF, 0x400, 0x3C00, 0x3C01, 0x7BFF, 0x7C00, 0x7C01, 0x7E00, 0x0200)
COUNT = 64
Work = Callable[[Builder, Value, Value], Value]


def patterns(kind: Type) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """Bits of values of a type with both signs, over and over."""
    if kind is F16:
        found = [item | sign for sign in (0, 0x8000) for item in HALVES]
    elif kind is F32:
        found = [item | sign for sign in (0, SIGN) for item in FLOATS]
    else:
        found = [value for item in INTEGERS for value in (item, item ^ 2 * SIGN - 1, item ^ SIGN)]
    return np.resize(np.array(found, np.uint32), COUNT)


def typed(b: Builder, bits: Value, kind: Type) -> Value:
    """Bits of a word as a value."""
    if kind.bits == 16:
        bits = b("trunc", bits, kind=I16)
    return bits if kind.is_int else b("bitcast", bits, kind=kind)


def shown(b: Builder, value: Value) -> Value:
    """A value as a word; all NaNs look the same."""
    kind = value.type
    if kind.is_float:
        plain = b("bitcast", value, kind=I16 if kind.bits == 16 else I32)
        value = b("select", b("fcmp", value, value, pred="uno"), Constant(plain.type, 0x7777), plain)
    return value if value.type is I32 else b("zext", value, kind=I32)


def check(kind: Type, work: Work, turn: int = 1) -> None:
    """out[i] = work(a[i], b[i]) on the published chip and on the interpreter; b is a, turned."""
    module = Module("m")
    kernel = module.add_kernel(Kernel("k", [Parameter(PTR_GLOBAL, name) for name in ("a", "b", "out")]))
    build = Builder(kernel)
    index = build.tid()
    loads = [build("load", build.element(param, index, I32), kind=I32, align=4) for param in kernel.params[:2]]
    found = work(build, typed(build, loads[0], kind), typed(build, loads[1], kind))
    build("store", shown(build, found), build.element(kernel.params[2], index, I32), align=4)
    build.ret()
    a, out = patterns(kind), np.zeros(COUNT, np.uint32)
    args = [a, np.roll(a, turn), out]
    board = PublishedBoard(strict=True)
    places = [board.place(item) for item in args]
    program = card.compile(expanded(module, target="ae7100"), "k", (COUNT, 1, 1), target="ae7100")
    board.launch(program, (1, 1, 1), places, {})
    interpret(module, "k", (1, 1, 1), (COUNT, 1, 1), args)
    got = board.read(places[2], out)
    wrong = [f"{x:#x}, {y:#x}: {g:#x}, not {w:#x}" for x, y, g, w in zip(*args[:2], got, out, strict=True) if g != w]
    assert not wrong


def predicates(name: str) -> tuple[str, ...]:
    (attribute,) = lookup(name).attributes
    return tuple(str(choice) for choice in attribute.choices)


@pytest.mark.parametrize("constant", [None, *(0, 1, SIGN, 2 * SIGN - 1, 0x7FFF_FFFF)], ids=str)
@pytest.mark.parametrize("pred", predicates("icmp"))
def test_integers_are_compared(pred: str, constant: int | None) -> None:
    for turn in (0, 1) if constant is None else (0,):
        check(I32, lambda b, x, y: b("icmp", x, y if constant is None else Constant(I32, constant), pred=pred), turn)


@pytest.mark.parametrize("constant", [None, *(0, SIGN, 0x3F80_0000, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000)], ids=str)
@pytest.mark.parametrize("pred", predicates("fcmp"))
def test_floats_are_compared(pred: str, constant: int | None) -> None:
    for turn in (0, 1) if constant is None else (0,):
        check(F32, lambda b, x, y: b("fcmp", x, y if constant is None else Constant(F32, constant), pred=pred), turn)


@pytest.mark.parametrize("name", ["sitofp", "uitofp"])
def test_integers_become_floats(name: str) -> None:
    check(I32, lambda b, x, y: b(name, x, kind=F32))


@pytest.mark.parametrize("name", ["fptosi", "fptoui"])
def test_floats_become_integers(name: str) -> None:
    check(F32, lambda b, x, y: b(name, x, kind=I32))


@pytest.mark.parametrize("kind", [F16, BF16], ids=str)
def test_floats_become_narrow(kind: Type) -> None:
    check(F32, lambda b, x, y: b("fptrunc", x, kind=kind))


def test_halves_become_floats() -> None:
    check(F16, lambda b, x, y: b("fpext", x, kind=F32))


@pytest.mark.parametrize("constant", [None, 1, 0x1234_5678, SIGN, 2 * SIGN - 1], ids=str)
def test_bits_are_flipped(constant: int | None) -> None:
    check(I32, lambda b, x, y: b("xor", x, y if constant is None else constant))


@pytest.mark.parametrize("turn", [1, 2, 7])
@pytest.mark.parametrize("name", ["udiv", "sdiv", "urem", "srem"])
def test_integers_are_divided(name: str, turn: int) -> None:
    """By 0 and -1 too."""
    check(I32, lambda b, x, y: b(name, x, y), turn)


@pytest.mark.parametrize("constant", [None, 1, 16, 31], ids=str)
def test_shifts_keep_the_sign(constant: int | None) -> None:
    check(I32, lambda b, x, y: b("ashr", x, b("and", y, 31) if constant is None else constant))
