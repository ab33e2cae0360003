"""The register pairs that hold 32-bit words of the lanes, their halves, and how the switch box writes them."""

from __future__ import annotations

from typing import Final

from openrpp.isa.columns import COPY_FORMS, bank_of
from openrpp.isa.form import COPIES
from openrpp.isa.registers import HALF_NAMES, I_PAIRS, PAIR_CODES, ROLE_PAIRS

PUBLISHED_PAIRS: Final[tuple[str, ...]] = I_PAIRS
"""Four pairs, on every card."""
ALL_PAIRS: Final[tuple[str, ...]] = ROLE_PAIRS
"""Eight pairs, on cards with the extension `registers`; a column that reads or loads an upper one has a word more."""
VAB: Final = "VAB"
MAB: Final = "MAB"
LOW: Final[dict[str, str]] = {name: HALF_NAMES[PAIR_CODES[name]] for name in (*ALL_PAIRS, VAB, MAB)}
"""Low half of each pair."""
HIGH: Final[dict[str, str]] = {name: HALF_NAMES[PAIR_CODES[name] + 1] for name in (*ALL_PAIRS, VAB, MAB)}
"""High half of each pair."""
BANK: Final[dict[str, int]] = {name: COPIES[bank_of(PAIR_CODES[name])] for name in ALL_PAIRS}
"""Bank of each pair; a column copies to two pairs of each bank."""
COPIES_PER_BANK: Final = 2
_COPY: Final = {name: COPY_FORMS[bank_of(PAIR_CODES[name])].name for name in ALL_PAIRS}


def copy_line(source: str, pair: str) -> str:
    """The copy of VAB or MAB to a pair."""
    return f"{_COPY[pair]} {source}, {pair}"
