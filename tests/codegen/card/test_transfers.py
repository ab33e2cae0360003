"""Transfers that a kernel starts for its block, aligned and not, with blocks merged and not."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.codegen import card
from openrpp.isa.table import decode_form
from openrpp.kir.interp import launch
from openrpp.kir.parser import parse_module

from .support import Board, expanded

TEXT = """module "m"
global @tile shared size 300 align 4

kernel @k(%x: ptr.global, %out: ptr.global, %n: KIND, %skip: i32) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %tile = global_addr symbol="tile" : ptr.shared
  %inside = ptr_add %tile, %skip : ptr.shared
  %first = mul %b, 256:i32 : i32
  %from = ptr_add %x, %first : ptr.global
  %source = ptr_add %from, %skip : ptr.global
  stage_in %inside, %source, %n
  stage_wait
  %last = sub 63:i32, %t : i32
  %mine = ptr_add %tile, %last : ptr.shared
  %v = load %mine : i8
  %w = add %v, 1:i8 : i8
  barrier
  %own = ptr_add %tile, %t : ptr.shared
  store %w, %own
  %to = ptr_add %out, %first : ptr.global
  %as = space_cast %to : ptr.generic
  stage_out %as, %tile, %n
  stage_wait
  ret
}
"""


@pytest.mark.parametrize(("naive", "merge"), [(True, 1), (False, 1), (False, 2)])
@pytest.mark.parametrize(("size", "skip", "kind"), [(256, 0, "i32"), (200, 0, "i64"), (64, 1, "i32"), (63, 4, "i64")])
def test_transfers_do_what_the_interpreter_does(size: int, skip: int, kind: str, naive: bool, merge: int) -> None:
    made = parse_module(TEXT.replace("KIND", kind))
    x = np.random.default_rng(1).integers(0, 256, 3 * 256 + 64).astype(np.uint8)
    wanted = np.zeros(3 * 256 + 64, np.uint8)
    launch(made, "k", 3, 64, [x.copy(), wanted, size, skip])
    board = Board()
    places = [board.place(x), board.place(np.zeros_like(wanted))]
    program = card.compile(expanded(made, merge), "k", (64, 1, 1), naive=naive)
    board.launch(program, (3, 1, 1), [*places, size, skip], {})
    # What is read from shared memory that nothing has written stands in the last bytes.
    for block in range(3):
        part = slice(256 * block, 256 * block + 56)
        assert board.read(places[1], wanted)[part].tolist() == wanted[part].tolist()


def test_the_sequencer_starts_transfers_where_it_knows_them() -> None:
    """Blocks alone: the program starts a transfer of each kind and waits for it. A size from memory is copied."""
    made = parse_module(TEXT.replace("KIND", "i32"))
    program = card.compile(expanded(made), "k", (64, 1, 1))
    forms = [decode_form(word) for word in program.machine.words]
    assert sum(form is not None and form.effect == "poll" for form in forms) == 4
    loaded = TEXT.replace("KIND", "i32").replace("stage_in %inside, %source, %n", LOADED)
    program = card.compile(expanded(parse_module(loaded)), "k", (64, 1, 1))
    forms = [decode_form(word) for word in program.machine.words]
    assert not any(form is not None and form.effect == "poll" for form in forms)


LOADED = "%m = load %x : i32\n  %less = and %m, 63:i32 : i32\n  stage_in %inside, %source, %less"
