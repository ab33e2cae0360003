"""Pairs of the card back end."""

from __future__ import annotations

from openrpp.codegen.card.registers import ALL_PAIRS, BANK, HIGH, LOW, PUBLISHED_PAIRS, copy_line
from openrpp.isa.assembler import assemble


def test_every_pair_has_halves_and_a_bank() -> None:
    assert ALL_PAIRS[:4] == PUBLISHED_PAIRS
    assert all(f"I{name[1]}" == LOW[name] and f"I{name[2]}" == HIGH[name] for name in ALL_PAIRS)
    assert [BANK[name] for name in ALL_PAIRS] == [0, 0, 1, 1, 2, 2, 3, 3]
    for pair in ALL_PAIRS:
        copied = assemble(f"MOVE.U32 0, VAB\n##\n{copy_line('VAB', pair)}\n##\n", "k").words[1]
        assert copied >> 24 == (0x71, 0x74, 0x75, 0x76)[BANK[pair]]
