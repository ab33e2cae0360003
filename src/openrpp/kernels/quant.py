"""Matrices in DDR as vector products stream them: GGUF's numbers, kept exactly and laid out in panels.

A matrix W[n][k] is cut in panels of `width` outputs, and a panel is [k/32][words][width] words of 16 bits: what 32
values of k of an output take, a word of each output side by side. In order:

    q4_0: 8 words of nibbles (k = 4 i in the lowest of word i), f16 scale;         w = (q - 8) scale
    q4_1: 8 words of nibbles, f16 scale, f16 minimum;                               w = q scale + minimum
    q8_0: 16 words of bytes (k = 2 i in the lower of word i), f16 scale;           w = q scale, q of two's complement
    bf16: 32 words;                                                                w

Outputs beyond the last are zero. Several matrices of the same shape may share panels, their groups of words in turn:
the two halves of a gated product. GGUF's blocks (ggml's `block_q4_0`, `block_q4_1`, `block_q8_0`): f16 scale, f16
minimum if there is one, then 16 bytes with values j and j + 16 in the low and the high nibble of byte j, or 32 signed
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.launch import At, Region
from openrpp.kernels.slabs import bf16, f32

Format = Literal["q4_0", "q4_1", "q8_0", "bf16"]
GROUP: Final = 32
"""Values of k that share a scale."""
WORDS: Final[dict[Format, int]] = {"q4_0": 9, "q4_1": 10, "q8_0": 17, "bf16": 32}
"""Words of 16 bits that a group of an output takes in a panel."""
BLOCK_BYTES: Final[dict[Format, int]] = {"q4_0": 18, "q4_1": 20, "q8_0": 34}
"""Bytes of a block of GGUF."""
MOST_OUTPUTS: Final = 8160
"""Threads of a block of the card."""

Words = NDArray[np.uint16]


@dataclass(frozen=True)
class Panels:
    """Where a matrix, or several that share panels, lies in DDR.

    Attributes:
        region, offset: its place, offset in bytes.
        format: of its numbers.
        outputs, inputs: n and k.
        matrices: how many share the panels: 1, or 2 for a gated product.
    """

    region: Region
    offset: int
    format: Format
    outputs: int
    inputs: int
    matrices: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for extents that have no panels."""
        if self.outputs < 1 or self.inputs < 1 or self.inputs % GROUP:
            raise ValueError(f"W[{self.outputs}][{self.inputs}] has no groups of {GROUP} values of k")

    @property
    def panels(self) -> int:
        """Number of panels."""
        return -(-self.outputs // MOST_OUTPUTS)

    @property
    def width(self) -> int:
        """Outputs of a panel: a multiple of 32, so that panels are as wide as each other."""
        return -(-self.outputs // (self.panels * GROUP)) * GROUP

    @property
    def groups(self) -> int:
        """Groups of k."""
        return self.inputs // GROUP

    @property
    def group_words(self) -> int:
        """Words of a group of k, all outputs of a panel and all matrices."""
        return WORDS[self.format] * self.width * self.matrices

    @property
    def bytes(self) -> int:
        """Bytes of the panels."""
        return 2 * self.panels * self.groups * self.group_words

    @property
    def start(self) -> At:
        """Its address."""
        return At(self.region, self.offset)


def panels_bytes(format: Format, outputs: int, inputs: int, matrices: int = 1) -> int:
    """Bytes that panels take, to make a region. Raises ValueError as `Panels` does."""
    return Panels(Region("", 0, "ddr"), 0, format, outputs, inputs, matrices).bytes


def pack(panels: Panels, *blocks: NDArray[Any]) -> Words:
    """The words of panels. `blocks` are bytes of GGUF tensors [n][k], or float values [n][k] for bf16, a matrix each.

    Raises ValueError for other sizes.
    """
    if len(blocks) != panels.matrices:
        raise ValueError(f"{len(blocks)} matrices for panels of {panels.matrices}")
    rows = [_rows(panels, content) for content in blocks]  # [n][k/32][words] each
    padded = np.zeros((panels.panels * panels.width, panels.groups, panels.matrices, WORDS[panels.format]), np.uint16)
    for number, content in enumerate(rows):
        padded[: panels.outputs, :, number] = content
    cut = padded.reshape(panels.panels, panels.width, panels.groups, -1)
    return np.ascontiguousarray(cut.transpose(0, 2, 3, 1)).reshape(-1)


def dequantised(panels: Panels, words: Words) -> list[NDArray[np.float32]]:
    """The numbers that panels stand for: [n][k] of each matrix."""
    shape = (panels.panels, panels.groups, panels.matrices, WORDS[panels.format], panels.width)
    cut = words.reshape(shape).transpose(2, 0, 4, 1, 3)
    rows = cut.reshape(panels.matrices, -1, panels.groups, shape[3])[:, : panels.outputs]
    return [_numbers(panels.format, content).reshape(panels.outputs, panels.inputs) for content in rows]


def _rows(panels: Panels, content: NDArray[Any]) -> Words:
    """A matrix as [n][k/32][words]."""
    shape = (panels.outputs, panels.groups)
    if panels.format == "bf16":
        if content.shape != (panels.outputs, panels.inputs):
            raise ValueError(f"values of shape {content.shape} are no W[{panels.outputs}][{panels.inputs}]")
        words = content.view(np.uint16) if content.dtype == np.uint16 else bf16(content)
        return words.reshape(*shape, GROUP)
    size, data = BLOCK_BYTES[panels.format], np.ascontiguousarray(content).view(np.uint8).reshape(-1)
    if data.size != shape[0] * shape[1] * size:
        raise ValueError(
            f"{data.size:,} bytes are no {panels.format} W[{panels.outputs}][{panels.inputs}], "
            f"which takes {shape[0] * shape[1] * size:,}"
        )
    blocks = data.reshape(*shape, size)
    if panels.format == "q8_0":
        scales, packed = _words(blocks[..., :2]), _words(blocks[..., 2:])
        return np.concatenate([packed, scales], axis=2)
    scales, bytes_ = _words(blocks[..., : size - 16]), blocks[..., size - 16 :]
    nibbles = np.concatenate([bytes_ & 15, bytes_ >> 4], axis=2).astype(np.uint16).reshape(*shape, 8, 4)
    packed: Words = nibbles[..., 0].copy()
    for place in (1, 2, 3):
        packed |= nibbles[..., place] << np.uint16(4 * place)
    return np.concatenate([packed, scales], axis=2)


def _words(bytes_: NDArray[np.uint8]) -> Words:
    return np.ascontiguousarray(bytes_).view(np.uint16)


def _numbers(format: Format, rows: Words) -> NDArray[np.float32]:
    """[n][k/32][words] as [n][k/32][32] values."""
    if format == "bf16":
        return f32(rows)
    if format == "q8_0":
        scale = _half(rows[..., 16:17])
        return np.ascontiguousarray(rows[..., :16]).view(np.int8).astype(np.float32) * scale
    nibbles = np.stack([rows[..., :8] >> shift & 15 for shift in (0, 4, 8, 12)], axis=-1)
    values, scale = nibbles.reshape(*rows.shape[:2], GROUP).astype(np.float32), _half(rows[..., 8:9])
    return (values - np.float32(8)) * scale if format == "q4_0" else values * scale + _half(rows[..., 9:10])


def _half(words: Words) -> NDArray[np.float32]:
    return np.ascontiguousarray(words).view(np.float16).astype(np.float32)
