"""Every atomic on every type and in every memory: what the interpreter leaves and finds, from both back ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.codegen import card
from openrpp.kir.interp import Memory, launch
from openrpp.kir.ir import Module
from openrpp.kir.ops import OPS
from openrpp.kir.ops.form import Effect
from openrpp.kir.parser import parse_module
from openrpp.kir.types import BF16, F16, F32, F64, I64, Type

from .support import Board, expanded

ATOMICS = [op for op in OPS.values() if op.effect is Effect.ATOMIC]
FORMS = [(op.name, kind) for op in ATOMICS for kind in op.where["T"]]
CELLS, LANES = 4, 40
CASES = [
    *((*form, "pointer", True) for form in FORMS),
    *((*form, place, False) for form in FORMS for place in ("root", "pointer", "shared")),
    *((name, I64, "generic", naive) for name in ("atomic_add", "atomic_cas") for naive in (True, False)),
]

TEXT = """module "m"
global @near shared size 64 align 8

kernel @k(%values: ptr.global, %cells: ptr.global, %old: ptr.global, %table: ptr.global) {{
^entry:
  %t = tid axis=x : i32
  %few = icmp pred=ult %t, {cells}:i32 : i1
  %at = mul %t, {size}:i32 : i32
  %value.at = ptr_add %values, %at : ptr.global
  %old.at = ptr_add %old, %at : ptr.global
  %shared = global_addr symbol="near" : ptr.shared
  %near.at = ptr_add %shared, %at : ptr.shared
  %far.at = ptr_add %cells, %at : ptr.global
  cbr %few, ^fill, ^filled
^fill:
  %initial = load %far.at : {kind}
  store %initial, %near.at
  br ^filled
^filled:
  barrier
  %loaded = load %table : ptr.global
  %turn = mul %t, 7:i32 : i32
  %cell = urem %turn, {cells}:i32 : i32
  %offset = mul %cell, {size}:i32 : i32
  %root.place = ptr_add %cells, %offset : ptr.global
  %pointer.place = ptr_add %loaded, %offset : ptr.global
  %shared.place = ptr_add %shared, %offset : ptr.shared
  %as.near = space_cast %shared.place : ptr.generic
  %as.far = space_cast %root.place : ptr.generic
  %even = icmp pred=ult %cell, 2:i32 : i1
  %generic.place = select %even, %as.near, %as.far : ptr.generic
  %rest = urem %t, 3:i32 : i32
  %on = icmp pred=ne %rest, 1:i32 : i1
  %value = load %value.at : {kind}
  %bits = trunc %t : i8
  cbr %on, ^update, ^done
^update:
  %found = {name} %{place}.place, {operands} : {kind}
  store %found, %old.at
  br ^done
^done:
  barrier
  cbr %few, ^back, ^end
^back:
  %final = load %near.at : {kind}
  %result = ptr_add %old.at, {back}:i32 : ptr.global
  store %final, %result
  br ^end
^end:
  ret
}}
"""


def module(name: str, kind: Type, place: str) -> Module:
    operands = f"0:{kind}, %value" if name == "atomic_cas" else "%value"
    size = kind.bytes
    return parse_module(
        TEXT.format(name=name, kind=kind, place=place, operands=operands, size=size, cells=CELLS, back=LANES * size)
    )


def _data(kind: Type, rng: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """(values, cells): small numbers of every sign, some of the cells zero."""
    whole = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}[kind.bits]
    if not kind.is_float:
        values = rng.integers(0, 1 << min(kind.bits, 63), LANES).astype(whole)
        values[::4] = ~values[::4]
        return values, np.array([0, 5, (1 << kind.bits) - 1, 0], whole)
    numbers = rng.integers(-9, 9, LANES).astype(np.float64)
    cells = np.array([0.0, 1.5, -2.0, 0.25])
    if kind is BF16:
        return tuple((x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16) for x in (numbers, cells))  # type: ignore[return-value]
    floats = {F16: np.float16, F32: np.float32, F64: np.float64}[kind]
    return numbers.astype(floats), cells.astype(floats)


@pytest.mark.parametrize(("name", "kind", "place", "naive"), CASES)
def test_atomics_do_what_the_interpreter_does(name: str, kind: Type, place: str, naive: bool) -> None:
    made = module(name, kind, place)
    values, cells = _data(kind, np.random.default_rng(3))
    old = np.zeros(2 * LANES, values.dtype)
    memory = Memory()
    held = [item.copy() for item in (values, cells, old)]
    table = np.array([memory.bind(held[1], "cells")], np.uint64)
    launch(made, "k", 1, LANES, [*held, table], memory=memory)

    board = Board()
    places = [board.place(item) for item in (values, cells, old)]
    program = card.compile(expanded(made), "k", (LANES, 1, 1), naive=naive)
    board.launch(program, (1, 1, 1), [*places, board.place(np.array([places[1]], np.uint64))], {})
    assert board.read(places[1], cells).tobytes() == held[1].tobytes()
    assert board.read(places[2], old).tobytes() == held[2].tobytes()
