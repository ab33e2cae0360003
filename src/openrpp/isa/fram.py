"""Names of parameter memory: byte offsets inside one bank, as decoded from published LDPARAM and STGLB words."""

from __future__ import annotations

from typing import Final

PARAMETER_BYTES: Final = 4
"""Parameter i lives at byte offset 4 i, whatever its declared type."""
MAX_PARAMETERS: Final = 64
SCRATCH_BASE: Final = 0x800
SCRATCH_WORDS: Final = 256

BUILTINS: Final = {
    "grid_dim_x": 0x102, "grid_dim_y": 0x104, "grid_dim_z": 0x106,
    "grid.x": 0x102, "grid.y": 0x104, "grid.z": 0x106,
    "tbDim.x": 0x108, "tbDim.y": 0x10A, "tbDim.z": 0x10C, "tid_xyz": 0x10E,
    "tid_base": 0x13C, "tid_depack": 0x140,
    "dimx_shadow": 0x14C, "dimy_shadow": 0x14E, "dimz_shadow": 0x150, "xyzcfg_shadow": 0x152,
    "dma_ch0_mod1_src_hi": 0xF18, "dma_ch0_mod1_src_lo": 0xF1C,
    "dma_ch0_mod1_dst_hi": 0xF20, "dma_ch0_mod1_dst_lo": 0xF24, "dma_ch0_mod1_len": 0xF28,
}  # fmt: skip
"""Built-in names; `cfg_fft_w4_n` are the words that the host pokes, at 0x800 + 4 n."""

_NAMES: Final = {offset: name for name, offset in reversed(BUILTINS.items())}


def builtin_offset(name: str) -> int | None:
    """Byte offset of a built-in name, None if there is no such name."""
    if name in BUILTINS:
        return BUILTINS[name]
    head, _, number = name.rpartition("_")
    if head == "cfg_fft_w4" and number.isdigit() and int(number) < SCRATCH_WORDS:
        return SCRATCH_BASE + 4 * int(number)
    return None


def builtin_name(offset: int) -> str | None:
    """The built-in name at a byte offset, None where none stands."""
    if offset in _NAMES:
        return _NAMES[offset]
    if SCRATCH_BASE <= offset < SCRATCH_BASE + 4 * SCRATCH_WORDS and offset % 4 == 0:
        return f"cfg_fft_w4_{(offset - SCRATCH_BASE) // 4}"
    return None
