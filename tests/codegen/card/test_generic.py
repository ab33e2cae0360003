"""Generic pointers that lead to another memory in each lane."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.kir.interp import launch
from openrpp.kir.parser import parse_module
from openrpp.kir.types import F16, I8, I16, I32, I64, Type

from .support import Board, expanded

TEXT = """module "m"
global @near shared size 1024 align 8

kernel @k(%x: ptr.global, %out: ptr.global) {{
^entry:
  %t = tid axis=x : i32
  %at = mul %t, {size}:i32 : i32
  %far = ptr_add %x, %at : ptr.global
  %shared = global_addr symbol="near" : ptr.shared
  %mine = ptr_add %shared, %at : ptr.shared
  %own = local_addr symbol="own" : ptr.private
  %some = ptr_add %own, {size}:i32 : ptr.private
  %value = load %far : {kind}
  store %value, %mine
  store %value, %some
  %a = space_cast %far : ptr.generic
  %b = space_cast %mine : ptr.generic
  %c = space_cast %some : ptr.generic
  %which = urem %t, 3:i32 : i32
  %one = icmp pred=eq %which, 1:i32 : i1
  %two = icmp pred=eq %which, 2:i32 : i1
  %ab = select %one, %b, %a : ptr.generic
  %abc = select %two, %c, %ab : ptr.generic
  %got = load %abc : {kind}
  %is = is_space space=shared %abc : i1
  cbr %is, ^odd, ^rest
^odd:
  store %got, %abc
  br ^rest
^rest:
  %bits = {bits}
  %new = {new}
  store %new, %abc
  barrier
  %end = load %mine : {kind}
  %last = load %some : {kind}
  %place = ptr_add %out, %at : ptr.global
  store %end, %place
  %second = ptr_add %place, {half}:i32 : ptr.global
  store %last, %second
  ret
}}
"""


@pytest.mark.parametrize(("naive", "merge"), [(True, 1), (False, 1), (False, 3)])
@pytest.mark.parametrize("kind", [I8, I16, I32, I64, F16])
def test_loads_and_stores_find_their_memory(kind: Type, naive: bool, merge: int) -> None:
    size, threads = kind.bytes, 40
    whole = f"i{kind.bits}"
    bits = f"bitcast %got : {whole}" if kind.is_float else f"add %got, 0:{whole} : {whole}"
    new = f"fadd %got, %got : {kind}" if kind.is_float else f"xor %bits, 85:{whole} : {whole}"
    text = TEXT.format(size=size, kind=kind, bits=bits, new=new, half=size * threads)
    made = parse_module(text.replace("^entry:", f"  local @own size {2 * size} align {size}\n^entry:"))
    x = np.random.default_rng(9).integers(0, 60, threads * size).astype(np.uint8)
    wanted = [x.copy(), np.zeros(2 * threads * size, np.uint8)]
    launch(made, "k", 1, threads, list(wanted))
    board = Board()
    places = [board.place(x), board.place(np.zeros_like(wanted[1]))]
    grid = (1, 1, 1)
    merged = expanded(made, merge)
    board.launch(card.compile(merged, "k", (threads, 1, 1), naive=naive), grid, places, {})
    for place, item in zip(places, wanted, strict=True):
        assert board.read(place, item).tobytes() == item.tobytes()
