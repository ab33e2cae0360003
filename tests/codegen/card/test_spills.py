"""Values that leave their registers come back whole."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.kir.interp import launch
from openrpp.kir.parser import parse_module

from .support import Board, expanded

TWO_NAMES = """module "two names"
kernel @k(%in: ptr.global, %out: ptr.global, %x: f32) max_threads 32 {
^entry:
  %0 = tid axis=x : i32
  %1 = tid axis=y : i32
  %2 = tid axis=z : i32
  %3 = ntid axis=x : i32
  %4 = ntid axis=y : i32
  %5 = mul %4, %2 : i32
  %6 = add %1, %5 : i32
  %7 = mul %3, %6 : i32
  %8 = add %0, %7 : i32
  %9 = ctaid axis=x : i32
  %10 = ctaid axis=y : i32
  %11 = ctaid axis=z : i32
  %12 = nctaid axis=x : i32
  %13 = nctaid axis=y : i32
  %14 = mul %13, %11 : i32
  %15 = add %10, %14 : i32
  %16 = mul %12, %15 : i32
  %17 = add %9, %16 : i32
  %18 = mul %17, 32:i32 : i32
  %thread = add %18, %8 : i32
  %48 = and %thread, 63:i32 : i32
  %49 = sext %48 : i64
  %50 = mul nsw %49, 4:i64 : i64
  %51 = ptr_add inbounds %in, %50 : ptr.global
  %52 = load align=4 %51 : i32
  %59 = ntid axis=x : i32
  %60 = sitofp %52 : f32
  %68 = icmp pred=uge %8, 30:i32 : i1
  cbr %68, ^gone, ^rest
^gone:
  %69 = mul %thread, 8:i32 : i32
  %70 = sext %69 : i64
  %71 = mul nsw %70, 8:i64 : i64
  %72 = ptr_add inbounds %out, %71 : ptr.global
  %73 = ptr_add %72, 0:i64 : ptr.global
  store %59, %73
  ret
^rest:
  %90 = frint %x : f32
  %91 = and %8, 7:i32 : i32
  switch %91, ^casedefault, 1 ^case1, 6 ^case6
^join(%92: f32):
  %100 = mul %thread, 8:i32 : i32
  %101 = sext %100 : i64
  %102 = mul nsw %101, 8:i64 : i64
  %103 = ptr_add inbounds %out, %102 : ptr.global
  %110 = fcmp pred=uno %90, %90 : i1
  %111 = bitcast %90 : i32
  %112 = select %110, 2143289344:i32, %111 : i32
  %113 = ptr_add %103, 24:i64 : ptr.global
  store %112, %113
  %114 = fcmp pred=uno %92, %92 : i1
  %115 = bitcast %92 : i32
  %116 = select %114, 2143289344:i32, %115 : i32
  %117 = ptr_add %103, 32:i64 : ptr.global
  store %116, %117
  ret
^case1:
  br ^join(%90)
^case6:
  br ^join(%60)
^casedefault:
  br ^join(%60)
}
"""


@pytest.mark.parametrize("pairs", [4, 5, 6, 8])
def test_a_value_under_two_names_is_stored_for_both(pairs: int) -> None:
    """Where an argument that lives on is passed to a parameter, one register holds two words."""
    module = parse_module(TWO_NAMES)
    given, wanted = np.arange(64, dtype=np.int32), np.zeros(96 * 16, np.int32)
    launch(module, "k", (3, 1, 1), (8, 4, 1), [given, wanted, 2.75])
    board = Board(strict=True)
    a, b = board.place(given), board.place(np.zeros_like(wanted))
    board.launch(card.compile(expanded(module), "k", (8, 4, 1), pairs=pairs), (3, 1, 1), [a, b, 2.75], {})
    assert np.array_equal(board.read(b, wanted), wanted)
