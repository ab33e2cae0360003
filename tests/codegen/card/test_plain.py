"""Where the plain back end stands in for the optimising one, and that it merges blocks."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.codegen.errors import Unsupported
from openrpp.kir.interp import launch
from openrpp.kir.parser import parse_module

from .support import Board, expanded

LOOP = """module "m"
kernel @k(%x: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %first = mul %b, 32:i32 : i32
  %i = add %t, %first : i32
  %at = mul %i, 4:i32 : i32
  %place = ptr_add %x, %at : ptr.global
  %odd = and %i, 1:i32 : i32
  %is = icmp pred=ne %odd, 0:i32 : i1
  cbr %is, ^one(%i), ^two(%i)
^one(%a: i32):
  %more = add %a, 3:i32 : i32
  br ^two(%more)
^two(%c: i32):
  %again = icmp pred=ult %c, 100:i32 : i1
  %twice = mul %c, 2:i32 : i32
  %next = add %twice, 1:i32 : i32
  cbr %again, ^one(%next), ^out
^out:
  store %c, %place
  ret
}
"""


@pytest.mark.parametrize("merge", [1, 3])
def test_a_jump_into_a_loop_goes_to_the_plain_back_end(merge: int) -> None:
    made = parse_module(LOOP)
    wanted = np.zeros(160, np.uint32)
    launch(made, "k", 5, 32, [wanted])
    board = Board()
    x = board.place(np.zeros(160, np.uint32))
    program = card.compile(expanded(made, merge), "k", (32, 1, 1))
    assert program.notes == (
        "compiled by the plain back end, which keeps all values in memory: a jump leads into a loop",
    )
    board.launch(program, (5, 1, 1), [x], {})
    assert board.read(x, wanted).tolist() == wanted.tolist()


def test_the_published_chip_has_no_plain_back_end() -> None:
    made = parse_module(LOOP)
    with pytest.raises(Unsupported, match="a jump leads into a loop"):
        card.compile(expanded(made), "k", (32, 1, 1), target="ae7100")
