"""Every op on 64-bit floats as machine code: what the interpreter gives, on values at every border."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.codegen.errors import Unsupported
from openrpp.kir.interp import launch as interpret
from openrpp.kir.ops import lookup
from openrpp.kir.ops.floating import FLOAT_PREDICATES
from openrpp.kir.parser import parse_module
from openrpp.kir.types import BF16, F16, F32, F64, I1, I8, I16, I32, I64, Type
from tests.kir.expand.harness import op_kernel

from .opcheck import LANES, check, run_card
from .support import Board, expanded

TENTH = 0x3FB9_9999_9999_999A
SAME = [
    *("fadd", "fsub", "fmul", "fdiv", "fma", "frcp", "fsqrt", "fneg", "fabs", "copysign"),
    *("fmin", "fmax", "fminimum", "fmaximum", "ffloor", "fceil", "ftrunc", "frint"),
]
CONVERSIONS: list[tuple[str, Type, Type]] = [
    *(("fptrunc", F64, kind) for kind in (F16, BF16, F32)),
    *(("fpext", kind, F64) for kind in (F16, BF16, F32)),
    *((name, F64, kind) for name in ("fptosi", "fptoui") for kind in (I8, I16, I32, I64)),
    *((name, kind, F64) for name in ("sitofp", "uitofp") for kind in (I8, I16, I32, I64)),
]


@pytest.mark.parametrize("naive", [False, True])
@pytest.mark.parametrize("name", SAME)
def test_ops_on_doubles(name: str, naive: bool) -> None:
    check(name, [F64] * len(lookup(name).operands), F64, naive=naive)


@pytest.mark.parametrize("naive", [False, True])
@pytest.mark.parametrize("pred", FLOAT_PREDICATES)
def test_comparisons(pred: str, naive: bool) -> None:
    check("fcmp", [F64, F64], I1, {"pred": pred}, naive=naive)


@pytest.mark.parametrize("naive", [False, True])
@pytest.mark.parametrize(("name", "source", "target"), CONVERSIONS, ids=str)
def test_conversions(name: str, source: Type, target: Type, naive: bool) -> None:
    check(name, [source], target, naive=naive, rows=300)


@pytest.mark.parametrize("name", ["udiv", "sdiv", "urem", "srem"])
@pytest.mark.parametrize("kind", [I32, I64])
def test_integer_division_in_doubles(name: str, kind: Type) -> None:
    check(name, [kind, kind], kind, rows=200)


@pytest.mark.parametrize("kind", [F16, BF16])
def test_multiply_add_of_16_bits(kind: Type) -> None:
    check("fma", [kind] * 3, kind, rows=100)


def test_a_multiply_add_on_fewer_pairs_than_words() -> None:
    check("fma", [F64] * 3, F64, pairs=4)


@pytest.mark.parametrize(("naive", "pairs"), [(False, None), (False, 4), (True, None)])
@pytest.mark.parametrize("name", ["fsub", "fadd", "fma"])
def test_constants_at_every_place(name: str, naive: bool, pairs: int | None) -> None:
    """They are scalar registers where the machine takes them, else they are put into the lanes."""
    count = len(lookup(name).operands)
    for places in itertools.chain.from_iterable(itertools.combinations(range(count), n) for n in range(1, count)):
        check(name, [F64] * count, F64, constants=dict.fromkeys(places, TENTH), naive=naive, rows=4, pairs=pairs)


HORNER = """
module "horner"
kernel @horner(%a: f64, %b: f64, %x: ptr.global, %n: i32, %out: ptr.global) {
^entry:
  %i = tid axis=x : i32
  %wide = zext %i : i64
  %offset = mul %wide, 8:i64 : i64
  %at = ptr_add %x, %offset : ptr.global
  %v = load %at : f64
  %w = fmul %v, %b : f64
  br ^loop(0:i32, %a, %v, %w)
^loop(%k: i32, %sum: f64, %p: f64, %q: f64):
  %next = fma %sum, %p, %q : f64
  %p2 = fma %p, %b, %a : f64
  %q2 = fma %q, %next, %p : f64
  %large = fcmp pred=ogt %next, %q2 : i1
  %chosen = select %large, %p2, %q : f64
  %k2 = add %k, 1:i32 : i32
  %more = icmp pred=slt %k2, %n : i1
  cbr %more, ^loop(%k2, %next, %chosen, %q2), ^done
^done:
  %to = ptr_add %out, %offset : ptr.global
  store %next, %to
  ret
}
"""


@pytest.mark.parametrize(("naive", "pairs"), [(False, None), (False, 6), (False, 4), (True, None)])
@pytest.mark.parametrize("order", ["warp", "random"])
def test_a_loop_of_multiply_adds_on_more_words_than_there_are_pairs(naive: bool, pairs: int | None, order: str) -> None:
    module = parse_module(HORNER)
    x, out = np.linspace(-0.9, 0.9, LANES), np.zeros(LANES)
    wanted = out.copy()
    interpret(module, "horner", 1, LANES, [0.1, -0.7, x, 5, wanted])
    board = Board(strict=True, order=order)
    program = card.compile(expanded(module), "horner", (LANES, 1, 1), naive=naive, pairs=pairs)
    assert "double" in program.machine.extensions
    places = [board.place(x), board.place(out)]
    board.launch(program, (1, 1, 1), [0.1, -0.7, places[0], 5, places[1]], {})
    assert np.array_equal(board.read(places[1], out).view(np.uint64), wanted.view(np.uint64))


def test_the_published_chip_has_no_doubles_but_divides_integers_without_them() -> None:
    module = op_kernel("fadd", [F64, F64], F64, {}, {})
    with pytest.raises(Unsupported, match=r"no ADD\.F64\.LOW \(extension 'double'\): use float"):
        card.compile(expanded(module, target="ae7100"), "op", (LANES, 1, 1), target="ae7100")
    division = expanded(op_kernel("udiv", [I32, I32], I32, {}, {}), target="ae7100")
    assert not any(value.type is F64 for instr in division.kernels["op"].instructions() for value in instr.operands)


@pytest.mark.parametrize("naive", [False, True])
def test_an_integer_whose_high_word_is_known(naive: bool) -> None:
    text = """
    kernel @op(%in: ptr.global, %out: ptr.global) {
    ^entry:
      %i = tid axis=x : i32
      %wide = zext %i : i64
      %value = sitofp %wide : f64
      %offset = mul %wide, 8:i64 : i64
      %to = ptr_add %out, %offset : ptr.global
      store %value, %to
      ret
    }"""
    module = parse_module(f'module "known"\n{text}')
    assert run_card(module, [(0,)] * LANES, naive) == np.arange(LANES).astype(np.float64).view(np.uint64).tolist()
