"""Which value leaves the sequencer for the lanes when its registers run out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from openrpp.codegen.card import program
from openrpp.codegen.card.allocate import NoRoom
from openrpp.codegen.card.scalar_registers import OutOfScalars
from openrpp.codegen.card.steps import Word
from openrpp.kir import parse_kernel

TEXT = """
kernel @k(%p: ptr.global, %n: i32) {
^start:
  %a = load %p : i32
  %b = add %a, %n : i32
  store %b, %p
  ret
}
"""


def test_a_value_that_has_moved_is_not_chosen_again() -> None:
    kernel = parse_kernel(TEXT)
    load, add, _ = kernel.instructions()
    words = [Word(), Word(), Word()]
    flow = cast(Any, SimpleNamespace(origin={words[0]: load, words[1]: add}))
    out = OutOfScalars(words)
    choose = program._least_needed  # pyright: ignore[reportPrivateUsage]
    assert choose(kernel, flow, out, set()) is load
    assert choose(kernel, flow, out, {load}) is add
    with pytest.raises(NoRoom, match="more scalar values are alive at once than there are registers"):
        choose(kernel, flow, out, {load, add})
