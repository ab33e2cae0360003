"""Pairs of the card back end."""

from __future__ import annotations

from openrpp.codegen.card.registers import ALL_PAIRS, BANK, HIGH, LOW, PUBLISHED_PAIRS, copy_line, wipe
from openrpp.isa.assembler import assemble


def test_every_pair_has_halves_and_a_bank() -> None:
    assert ALL_PAIRS[:4] == PUBLISHED_PAIRS
    assert all(f"I{name[1]}" == LOW[name] and f"I{name[2]}" == HIGH[name] for name in ALL_PAIRS)
    assert [BANK[name] for name in ALL_PAIRS] == [0, 0, 1, 1, 2, 2, 3, 3]
    for pair in ALL_PAIRS:
        copied = assemble(f"MOVE.U32 0, VAB\n##\n{copy_line('VAB', pair)}\n##\n", "k").words[1]
        assert copied >> 24 == (0x71, 0x74, 0x75, 0x76)[BANK[pair]]


def test_a_wipe_is_one_column_and_takes_what_it_is_given() -> None:
    for pairs in (PUBLISHED_PAIRS, ALL_PAIRS, ("IAB", "IOP")):
        kernel = assemble("MOVE.U32 0, VAB\n##\n" + wipe(pairs), "k")
        moves = sum((word >> 20 & 3) + 1 for word in kernel.words if word >> 24 in (0x71, 0x74, 0x75, 0x76))
        assert moves == 2 * len(pairs)
        assert bool(kernel.extensions) == (not set(pairs) <= set(PUBLISHED_PAIRS))
