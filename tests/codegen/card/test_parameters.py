"""Many parameters, and structs by value that are larger than parameter memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.kir.interp import launch
from openrpp.kir.parser import parse_module

from .support import Board, expanded

WAYS = [(True, 1), (False, 1), (False, 3), (True, 3)]


@pytest.mark.parametrize(("naive", "merge"), WAYS)
def test_more_pointers_than_parameter_memory_holds(naive: bool, merge: int) -> None:
    """Forty buffers, and numbers of every width behind them."""
    count = 40
    params = ", ".join([f"%p{k}: ptr.global" for k in range(count)] + ["%a: i8", "%b: i16", "%c: i64", "%d: f32"])
    lines: list[str] = []
    for k in range(count):
        lines += [f"%a{k} = ptr_add %p{k}, %at : ptr.global", f"%v{k} = load %a{k} : i32"]
        lines.append(f"%s{k} = add %s{k - 1}, %v{k} : i32" if k else "%s0 = add %v0, %n : i32")
    text = f"""module "m"
kernel @k({params}) {{
^entry:
  %t = tid axis=x : i32
  %block = ctaid axis=x : i32
  %first = mul %block, 32:i32 : i32
  %i = add %first, %t : i32
  %at = mul %i, 4:i32 : i32
  %aw = sext %a : i32
  %bw = zext %b : i32
  %cw = trunc %c : i32
  %dw = bitcast %d : i32
  %ab = add %aw, %bw : i32
  %cd = xor %cw, %dw : i32
  %n = add %ab, %cd : i32
  {chr(10).join(lines)}
  store %s{count - 1}, %a0
  store %s3, %a{count - 1}
  ret
}}
"""
    made = parse_module(text)
    rng = np.random.default_rng(2)
    arrays = [rng.integers(0, 1 << 32, 128).astype(np.uint32) for _ in range(count)]
    numbers = [-5, 60000, -(1 << 40) + 3, 1.5]
    wanted = [item.copy() for item in arrays]
    launch(made, "k", 4, 32, [*wanted, *numbers])
    board = Board()
    places = [board.place(item) for item in arrays]
    board.launch(card.compile(expanded(made, merge), "k", (32, 1, 1), naive=naive), (4, 1, 1), [*places, *numbers], {})
    for place, item in zip(places, wanted, strict=True):
        assert board.read(place, item).tolist() == item.tolist()


STRUCT = """module "m"
kernel @k(%out: ptr.global, %s: byval 400 align 8, %small: byval 6 align 2, %n: i32) {
^entry:
  %t = tid axis=x : i32
  %at = mul %t, 4:i32 : i32
  %place = ptr_add %out, %at : ptr.global
  %turn = mul %t, 7:i32 : i32
  %cell = urem %turn, 100:i32 : i32
  %o = mul %cell, 4:i32 : i32
  %where = ptr_add %s, %o : ptr.param
  %v = load %where : i32
  %last = ptr_add %s, 392:i32 : ptr.param
  %w = load %last : i64
  %half = ptr_add %small, 4:i32 : ptr.param
  %h = load %half : i16
  %h32 = sext %h : i32
  %w32 = trunc %w : i32
  %x = add %v, %w32 : i32
  %y = add %x, %h32 : i32
  %z = mul %y, %n : i32
  store %z, %place
  ret
}
"""


@pytest.mark.parametrize(("naive", "merge"), WAYS)
def test_structs_by_value(naive: bool, merge: int) -> None:
    made = parse_module(STRUCT)
    rng = np.random.default_rng(8)
    given: list[Any] = [rng.bytes(400), rng.bytes(6), 3]
    wanted = np.zeros(64, np.uint32)
    launch(made, "k", 1, 64, [wanted, *given])
    board = Board()
    place = board.place(np.zeros_like(wanted))
    program = card.compile(expanded(made, merge), "k", (64, 1, 1), naive=naive)
    board.launch(program, (1, 1, 1), [place, *given], {})
    assert board.read(place, wanted).tolist() == wanted.tolist()
