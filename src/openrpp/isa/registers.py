"""Names and codes of everything an operand can be.

The four-bit vector codes, the names and the fixed scalar registers are those of the published machine code. The upper
registers II to IP (extension `registers`) have a fifth bit, 16, on the codes of IA to IH; `isa/upper.py` says where
words hold it.
"""

from __future__ import annotations

from typing import Final

HALF_CODES: Final = {
    "IA": 0, "IB": 1, "IC": 2, "ID": 3, "VA": 4, "VB": 5, "MA": 6, "MB": 7, "IE": 8, "IF": 9, "IG": 10, "IH": 11,
    "II": 16, "IJ": 17, "IK": 18, "IL": 19, "IM": 24, "IN": 25, "IO": 26, "IP": 27,
}  # fmt: skip
"""16-bit vector registers and their codes."""

PAIR_CODES: Final = {
    "IAB": 0, "ICD": 2, "VAB": 4, "MAB": 6, "IEF": 8, "IGH": 10, "DVA": 14,
    "IIJ": 16, "IKL": 18, "IMN": 24, "IOP": 26,
}  # fmt: skip
"""32-bit vector registers; a pair has the code of its low half (its first letter)."""

HALF_NAMES: Final = {code: name for name, code in HALF_CODES.items()}
PAIR_NAMES: Final = {code: name for name, code in PAIR_CODES.items()}

UPPER: Final = 16
"""The fifth bit of a code: set for II to IP."""

I_HALVES: Final = ("IA", "IB", "IC", "ID", "IE", "IF", "IG", "IH")
I_PAIRS: Final = ("IAB", "ICD", "IEF", "IGH")
UPPER_HALVES: Final = ("II", "IJ", "IK", "IL", "IM", "IN", "IO", "IP")
UPPER_PAIRS: Final = ("IIJ", "IKL", "IMN", "IOP")
ROLE_HALVES: Final = (*I_HALVES, *UPPER_HALVES)
ROLE_PAIRS: Final = (*I_PAIRS, *UPPER_PAIRS)
BANK: Final = 8
"""Codes of a bank start at a multiple of this: COPY writes banks 0 and 2, COPYEXT banks 1 and 3."""

TOKEN_BITS: Final = {
    0: 0, 1: 1, 2: 2, 3: 3, 14: 4, 4: 6, 5: 7, 8: 8, 9: 9, 10: 10, 11: 11,
    16: 16, 17: 17, 18: 18, 19: 19, 24: 20, 25: 21, 26: 22, 27: 23,
}  # fmt: skip
"""Bit of each vector register in the mask of FORWARD and TERM, by code; bit 5 is never seen."""

TOKEN_CODES: Final = {bit: code for code, bit in TOKEN_BITS.items()}

SCALAR_REGISTERS: Final = 32
SCRATCH_PAIR: Final = 26
"""S26,S27 (DS13): where the assembler builds 32-bit immediates of vector instructions."""
SCRATCH_REGISTERS: Final = 6
"""S26 to S31 are not handed out to variables: scratch pair and block indices."""

FIXED_SCALARS: Final = {"blockIdx.x": 28, "blockIdx.y": 29, "blockIdx.z": 30, "blockIdx": 31}


def halves_of(name: str) -> tuple[int, ...]:
    """Codes of the 16-bit registers that a name covers: one for a half, two for a pair, DVA stands for itself."""
    if name == "DVA":
        return (14,)
    if name in PAIR_CODES:
        low = PAIR_CODES[name]
        return (low, low + 1)
    return (HALF_CODES[name],)


def token_mask(codes: set[int] | frozenset[int]) -> int:
    """Mask word bits of a set of register codes (halves and DVA)."""
    return sum(1 << TOKEN_BITS[code] for code in codes)


def token_names(mask: int) -> list[str]:
    """Register names of a FORWARD or TERM mask, pairs where both halves are set, in bit order."""
    codes = [code for bit, code in sorted(TOKEN_CODES.items()) if mask >> bit & 1]
    names: list[str] = []
    while codes:
        code = codes.pop(0)
        if code in PAIR_NAMES and code != 14 and code + 1 in codes:
            codes.remove(code + 1)
            names.append(PAIR_NAMES[code])
        else:
            names.append("DVA" if code == 14 else HALF_NAMES[code])
    return names
