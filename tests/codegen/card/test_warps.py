"""Warp ops on the card: whole and partial warps, lanes that have returned, masks; what the interpreter gives."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.kir.interp import launch
from openrpp.kir.ops.threads import SOURCES
from openrpp.kir.parser import parse_module
from openrpp.kir.types import BF16, F16, F32, F64, I1, I8, I16, I32, I64, Type

from .support import Board, expanded

KINDS = (I1, I8, I16, I32, I64, F16, BF16, F32, F64)
TEXT = """module "m"
kernel @k(%x: ptr.global, %out: ptr.global, %by: i32, %n: i32) {{
^entry:
  %t = tid axis=x : i32
  %in = mul %t, 8:i32 : i32
  %at = ptr_add %x, %in : ptr.global
  %value = load %at : {kind}
  %o = mul %t, {size}:i32 : i32
  %place = ptr_add %out, %o : ptr.global
  %gone = icmp pred=uge %t, %n : i1
  cbr %gone, ^end, ^rest
^rest:
  %all = {name} -1:i32, %value, %by, 32:i32 : {kind}
  store %all, %place
  %p1 = ptr_add %place, 8:i32 : ptr.global
  %few = {name} -1:i32, %value, 3:i32, 32:i32 : {kind}
  store %few, %p1
  %p2 = ptr_add %place, 16:i32 : ptr.global
  %part = {name} -1:i32, %value, %by, 8:i32 : {kind}
  store %part, %p2
  %lane = laneid : i32
  %odd = and %lane, 1:i32 : i32
  %is = icmp pred=ne %odd, 0:i32 : i1
  cbr %is, ^odd, ^end
^odd:
  %p3 = ptr_add %place, 24:i32 : ptr.global
  %some = {name} 0xaaaaaaaa:i32, %value, %by, 32:i32 : {kind}
  store %some, %p3
  %members = activemask : i32
  %p4 = ptr_add %place, 32:i32 : ptr.global
  store %members, %p4
  br ^end
^end:
  ret
}}
"""
ROW = 40


def check(name: str, kind: Type, threads: int, n: int, by: int, naive: bool, merge: int = 1) -> None:
    made = parse_module(TEXT.format(name=name, kind=kind, size=ROW).replace("0xaaaaaaaa", str(0xAAAA_AAAA - (1 << 32))))
    x = np.random.default_rng(4).integers(0, 1 << 62, threads, np.uint64)
    wanted = np.zeros(ROW * threads, np.uint8)
    launch(made, "k", 1, threads, [x, wanted, by, n])
    board = Board()
    places = [board.place(x), board.place(np.zeros_like(wanted))]
    program = card.compile(expanded(made, merge), "k", (threads, 1, 1), naive=naive)
    board.launch(program, (1, 1, 1), [*places, by, n], {})
    assert board.read(places[1], wanted).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("kind", KINDS)
def test_shuffles_of_every_type(name: str, kind: Type) -> None:
    check(name, kind, 64, 64, 5, naive=False)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("by", [0, 1, 31, 32, 40, 65536 + 1, (1 << 32) - 1])
def test_shuffles_by_any_distance(name: str, by: int) -> None:
    check(name, I32, 32, 32, by, naive=False)


@pytest.mark.parametrize("naive", [True, False], ids=["plain", "optimised"])
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(("threads", "n"), [(40, 40), (64, 50), (7, 7)])
def test_shuffles_where_lanes_are_missing(name: str, threads: int, n: int, naive: bool) -> None:
    """The last warp is not whole, or some threads have returned."""
    check(name, I64, threads, n, 4, naive)


def test_whole_warps_shuffle_in_one_column() -> None:
    text = """module "m"
kernel @k(%x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %in = mul %t, 4:i32 : i32
  %at = ptr_add %x, %in : ptr.global
  %v0 = load %at : f32
  BODY
  store %v5, %at
  ret
}
"""
    lines = [
        f"%s{k} = shfl_down -1:i32, %v{k}, {16 >> k}:i32, 32:i32 : f32\n%v{k + 1} = fadd %v{k}, %s{k} : f32"
        for k in range(5)
    ]
    made = parse_module(text.replace("BODY", "\n".join(lines)))
    whole, part = (card.compile(expanded(made), "k", (threads, 1, 1)) for threads in (64, 40))
    assert whole.columns < 20
    assert part.columns > 2 * whole.columns
    merged = card.compile(expanded(made, 4), "k", (64, 1, 1))
    assert merged.columns < 35
