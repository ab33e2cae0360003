"""Columns know which source lines they stem from."""

from __future__ import annotations

import pytest

from openrpp.codegen import card
from openrpp.kir.parser import parse_module

from .support import expanded

TEXT = """\
module "scale.cu"

kernel @scale(%x: ptr.global, %y: ptr.global, %f: f32) {
^entry:
  %t = tid axis=x : i32  !"scale.cu":2:11
  %o = shl %t, 2:i32 : i32  !"scale.cu":2:11
  %from = ptr_add %x, %o : ptr.global  !"scale.cu":3:5
  %v = load align=4 %from : f32  !"scale.cu":3:5
  %p = fmul %v, %f : f32  !"scale.cu":4:5
  %to = ptr_add %y, %o : ptr.global  !"scale.cu":5:5
  store align=4 %p, %to  !"scale.cu":5:5
  ret
}
"""


@pytest.mark.parametrize("naive", [False, True])
def test_each_source_line_has_its_columns(naive: bool) -> None:
    program = card.compile(expanded(parse_module(TEXT)), "scale", (32, 1, 1), naive=naive)
    lines = {place.line for places in program.lines.values() for place in places}
    assert lines == {2, 3, 4, 5}
    assert set(program.lines) <= set(program.machine.lines)
    first = {
        line: min(word for word, places in program.lines.items() if line in {p.line for p in places}) for line in lines
    }
    assert first[2] <= first[3] <= first[4] <= first[5]
