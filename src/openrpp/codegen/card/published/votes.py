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


def flag_offset(geometry: int) -> int:
    """Where the flag lies in the parameter area."""
    return geometry + _FLAG


def prepare_votes(geometry: int) -> str:
    """Addresses of the transfer of votes, found once.

    Kernels use the banks of parameter memory in turn and are not told which is theirs: a 1 goes to the first one, and
    where that is not seen, the other is ours.
    """
    address = load("ae7100").address
    alias, bank = address.alias.value, address.fram.value + _WORD_OFFSET
    high = alias >> 32
    assert not alias & 0xFFFF_FFFF
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
MOVE.U32 0, DS10
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
LDPARAM.U32 [{_WORD}], DS10
JMPC S20, $VOTES
MOVE.U32 {bank + address.fram_bank.value:#x}, DS10
STGLB.U32 DS10, [dma_ch0_mod1_dst_lo]
##
$VOTES:
"""


def fetch_flag(text: Text, pair: str) -> None:
    """The flag in a scalar pair: no lane may be on its way to it."""
    text.column("MOVE.U32 0x4, DS10", "STGLB.U32 DS10, [dma_ch0_mod1_len]", "NOP")
    text.column(POLL, "NOP")
    text.do(f"LDPARAM.U32 [{_WORD}], {pair}")
