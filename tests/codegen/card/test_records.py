"""Output, assertions and traps of programs on the card, compared with the interpreter and the native engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from openrpp.codegen import card, host
from openrpp.codegen.card.records import FIXED_WORDS, HEADER_BYTES, Told
from openrpp.codegen.errors import KernelStopped
from openrpp.kir.interp import Memory, launch
from openrpp.kir.interp.faults import Fault
from openrpp.kir.parser import parse_module
from tests.codegen.support import Arena

from .support import Board, expanded

WAYS = [(True, 1), (False, 1), (False, 2), (True, 2)]
TYPES = r"""module "types"
global @word constant size 6 align 1 data "68656c6c6f00"

kernel @k(%data: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %u = tid axis=y : i32
  %b = ctaid axis=x : i32
  %o = mul %t, 8:i32 : i32
  %at = ptr_add %data, %o : ptr.global
  %i1 = load %at : i1
  %i8 = load %at : i8
  %i16 = load %at : i16
  %i32 = load %at : i32
  %i64 = load %at : i64
  %f32 = load %at : f32
  %f16 = load %at : f16
  %word = global_addr symbol="word" : ptr.constant
  %odd = and %t, 1:i32 : i32
  %is = icmp pred=ne %odd, 0:i32 : i1
  cbr %is, ^odd, ^all
^odd:
  %p1 = printf format="%d.%d.%d: %d %d %hd %i %lld|" %b, %t, %u, %i1, %i8, %i16, %i32, %i64 : i32
  %p2 = printf format="%u %x %g %g %s %%|" %i32, %i32, %f32, %f16, %word : i32
  %sum = add %p1, %p2 : i32
  %end = printf format="%d\n" %sum : i32
  br ^all
^all:
  barrier
  %p3 = printf format="behind %d %d\n" %b, %t : i32
  barrier
  br ^more(0:i32)
^more(%k: i32):
  %p4 = printf format="[%d]" %k : i32
  %next = add %k, 1:i32 : i32
  barrier
  %again = icmp pred=ult %next, 3:i32 : i1
  cbr %again, ^more(%next), ^out
^out:
  ret
}
"""


@pytest.mark.parametrize(("naive", "merge"), WAYS)
def test_output_stands_in_the_order_of_the_interpreter(naive: bool, merge: int) -> None:
    data = np.random.default_rng(5).integers(0, 1 << 63, 8, np.uint64)
    made = parse_module(TYPES)
    wanted = launch(made, "k", 3, (4, 2, 1), [data.copy()], memory=Memory()).output
    board = Board()
    program = card.compile(expanded(made, merge), "k", (4, 2, 1), naive=naive)
    board.launch(program, (3, 1, 1), [board.place(data)], board.symbols(made))
    assert board.told == Told(wanted)
    assert wanted.count("hello") == 3 * 2 * 2


STOPS = r"""module "stops"
kernel @k(%n: i32, %x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %p = printf format="%d.%d " %b, %t : i32
  %here = icmp pred=uge %t, %n : i1
  cbr %here, ^stop, ^on  !"k.cu":7:3
^stop:
  WHY
  unreachable  !"k.cu":9:1
^on:
  %o = mul %t, 4:i32 : i32
  %at = ptr_add %x, %o : ptr.global
  store 1:i32, %at
  barrier
  ret
}
"""
REASONS = [
    'trap  !"k.cu":8:5',
    'assert_fail message="x > 0" function="f()"  !"k.cu":8:5',
    'assert_fail message="y"  !"k.cu":8:5',
    "",
]


def _stopped(made: Any, n: int) -> tuple[str, str, str]:
    """(sentence, location, output) of the native engine."""
    arena = Arena()
    place = arena.place(np.zeros(32, np.uint32))
    with pytest.raises(KernelStopped) as caught:
        host.compile(made, "k", (32, 1, 1)).launch((2, 1, 1), [n, place], arena.memory, workers=1)
    return caught.value.sentence, str(caught.value.location), caught.value.output


@pytest.mark.parametrize(("naive", "merge"), WAYS)
@pytest.mark.parametrize("reason", REASONS)
def test_a_stop_is_told_as_the_native_engine_tells_it(reason: str, naive: bool, merge: int) -> None:
    made = parse_module(STOPS.replace("WHY", reason))
    with pytest.raises(Fault) as fault:
        launch(made, "k", 2, 32, [20, np.zeros(32, np.uint32)], memory=Memory())
    sentence, location, _ = _stopped(made, 20)
    board = Board()
    program = card.compile(expanded(made, merge), "k", (32, 1, 1), naive=naive)
    x = board.place(np.zeros(32, np.uint32))
    board.launch(program, (2, 1, 1), [20, x], {})
    assert (board.told.stopped, str(board.told.location)) == (sentence, location)
    assert fault.value.reason in board.told.stopped
    assert board.told.output == "".join(f"0.{k} " for k in range(21))
    assert board.read(x, np.zeros(32, np.uint32)).tolist() == [1] * 20 + [0] * 12


@pytest.mark.parametrize("reason", REASONS)
def test_nothing_is_told_where_no_thread_stops(reason: str) -> None:
    made = parse_module(STOPS.replace("WHY", reason))
    board = Board()
    program = card.compile(expanded(made), "k", (32, 1, 1))
    board.launch(program, (1, 1, 1), [32, board.place(np.zeros(32, np.uint32))], {})
    assert board.told == Told("".join(f"0.{k} " for k in range(32)))


def test_calls_that_find_no_room_are_counted() -> None:
    program = card.compile(expanded(parse_module(STOPS.replace("WHY", "trap"))), "k", (32, 1, 1))
    assert program.records is not None
    size = 4 * (FIXED_WORDS + 2)
    room = (program.records.bytes - HEADER_BYTES) // size
    content = np.zeros(program.records.bytes // 4, np.uint32)
    content[:2] = program.records.bytes + 96, 7
    rows: Sequence[Sequence[int]] = [[1, k // 32, 0, 0, 0, k % 32, k // 32, k % 32] for k in range(room)]
    content[2 : 2 + 8 * room] = np.array(rows, np.uint32).reshape(-1)
    told = program.records.read(content.tobytes(), (1 << 20, 1, 1), (32, 1, 1), lambda address: b"")
    assert told.dropped == 7
    assert told.output.count(" ") == room


def test_a_full_buffer_keeps_what_it_has() -> None:
    """More output than there is room for: the rest is counted, the first records stay whole."""
    body = "\n".join(f'  %p{k} = printf format="%lld %lld %lld %lld;" %w, %w, %w, %w : i32' for k in range(2))
    text = f'module "m"\nkernel @k() {{\n^entry:\n  %t = tid axis=x : i32\n  %w = zext %t : i64\n{body}\n  ret\n}}\n'
    made = parse_module(text)
    board = Board()
    program = card.compile(expanded(made, 1), "k", (1024, 1, 1))
    assert program.records is not None
    board.launch(program, (10, 1, 1), [], {})
    each = 4 * FIXED_WORDS + 32
    assert board.told.output.count(";") == (program.records.bytes - HEADER_BYTES) // each
    assert board.told.dropped == 2 * 10240 - board.told.output.count(";")
