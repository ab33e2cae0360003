"""Votes on the published chip: lanes set a flag in SRAM, a transfer carries it to parameter memory.

Two words behind the grid in the parameter area serve them: a 1, and the flag.
"""

from __future__ import annotations

from typing import Final

from openrpp.arch import load
from openrpp.codegen.card.text import Text

AREA_TAIL: Final = 40
"""Bytes of the parameter area from the geometry on."""
POLL: Final = "POLL.CHN1"
_ONE, _FLAG = 16, 20
_WORD: Final = "cfg_fft_w4_255"
"""The word of parameter memory that receives the flag; the host's own words are the first ones."""
_WORD_OFFSET: Final = 0x800 + 4 * 255
_KEPT: Final = {"src_lo": "cfg_fft_w4_254", "dst_lo": "cfg_fft_w4_253"}
"""Where a kernel that starts transfers of its own keeps the addresses of the flag's."""


def flag_offset(geometry: int) -> int:
    """Where the flag lies in the parameter area."""
    return geometry + _FLAG


def asks(text: Text) -> bool:
    """Whether a program has votes."""
    return any(f"[{_WORD}]" in line for line in text.lines)


def prepare_votes(geometry: int, *, moves: bool = False) -> str:
    """Addresses of the transfer of votes, found once; they are kept for a kernel that `moves` data of its own.

    Kernels use the banks of parameter memory in turn and are not told which is theirs: a 1 goes to the first one, and
    where that is not seen, the other is ours.
    """
    address = load("ae7100").address
    alias, bank = address.alias.value, address.fram.value + _WORD_OFFSET
    high = alias >> 32
    assert not alias & 0xFFFF_FFFF
    source, target = (f"STGLB.U32 DS10, [{word}]\n" if moves else "" for word in _KEPT.values())
    return f"""JMPC S31, $VOTES
MOVE.U32 {high:#x}, DS10
STGLB.U32 DS10, [dma_ch0_mod1_src_hi]
STGLB.U32 DS10, [dma_ch0_mod1_dst_hi]
LDPARAM.U32 [params], DS10
MOVE.U32 {geometry + _ONE:#x}, DS11
ADD.U32 DS10, DS11, DS10
STGLB.U32 DS10, [dma_ch0_mod1_src_lo]
MOVE.U32 {bank:#x}, DS10
STGLB.U32 DS10, [dma_ch0_mod1_dst_lo]
{target}MOVE.U32 0, DS10
STGLB.U32 DS10, [{_WORD}]
MOVE.U32 4, DS10
STGLB.U32 DS10, [dma_ch0_mod1_len]
##
{POLL}
##
LDPARAM.U32 [params], DS10
MOVE.U32 {geometry + _FLAG:#x}, DS11
ADD.U32 DS10, DS11, DS10
STGLB.U32 DS10, [dma_ch0_mod1_src_lo]
{source}LDPARAM.U32 [{_WORD}], DS10
JMPC S20, $VOTES
MOVE.U32 {bank + address.fram_bank.value:#x}, DS10
STGLB.U32 DS10, [dma_ch0_mod1_dst_lo]
{target}##
$VOTES:
"""


def fetch_flag(text: Text, pair: str, *, moves: bool = False) -> None:
    """The flag in a scalar pair: no lane may be on its way to it."""
    if moves:
        for side, word in _KEPT.items():
            text.do(f"LDPARAM.U32 [{word}], DS10", f"STGLB.U32 DS10, [dma_ch0_mod1_{side}]")
        text.do(f"MOVE.U32 {load('ae7100').address.alias.value >> 32:#x}, DS10")
        text.do("STGLB.U32 DS10, [dma_ch0_mod1_src_hi]", "STGLB.U32 DS10, [dma_ch0_mod1_dst_hi]")
    text.column("MOVE.U32 0x4, DS10", "STGLB.U32 DS10, [dma_ch0_mod1_len]", "NOP")
    text.column(POLL, "NOP")
    text.do(f"LDPARAM.U32 [{_WORD}], {pair}")
