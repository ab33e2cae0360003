"""Matrices in DDR as products stream them: GGUF's numbers, kept exactly and laid out in panels.

A matrix W[n][k] is cut in panels of `width` outputs, and a panel is [k/32][words][width] words of 16 bits: what 32
values of k of an output take, a word of each output side by side. In order:

    q4_0: 8 words of nibbles (k = 4 i in the lowest of word i), f16 scale;     w = (q - 8) scale
    q4_1: 8 words of nibbles, f16 scale, f16 minimum;                           w = q scale + minimum
    q8_0: 16 words of bytes (k = 2 i in the lower of word i), f16 scale;       w = q scale, q of two's complement
    bf16, f16: 32 words;                                                        w
    f32: 64 words, low and high half of each value in turn;                     w

Outputs beyond the last are zero, values of k up to the end of the last group too. Several matrices of the same shape
may share panels, their groups of words in turn: the two halves of a gated product. GGUF's blocks (ggml's `block_q4_0`,
`block_q4_1`, `block_q8_0`): f16 scale, f16 minimum if there is one, then 16 bytes with values j and j + 16 in the low
and the high nibble of byte j, or 32 signed bytes.

A panel takes 1.25 MB at most, so that two lie in SRAM as a whole beside much else. Its width is chosen with `parts`,
how many threads share an output in a vector product: panels should waste nothing, and be worked off faster than they
come.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.launch import At, Region
from openrpp.kernels.slabs import bf16, f32

Format = Literal["q4_0", "q4_1", "q8_0", "bf16", "f16", "f32"]
GROUP: Final = 32
"""Values of k that share a scale."""
WORDS: Final[dict[Format, int]] = {"q4_0": 9, "q4_1": 10, "q8_0": 17, "bf16": 32, "f16": 32, "f32": 64}
"""Words of 16 bits that a group of an output takes in a panel."""
BLOCK_BYTES: Final[dict[Format, int]] = {"q4_0": 18, "q4_1": 20, "q8_0": 34}
"""Bytes of a block of GGUF."""
MOST_THREADS: Final = 8160
"""Of a block of the card."""
MOST_BYTES: Final = 5 << 18
"""Of a panel, if that leaves it 32 outputs."""
_LANES, _FULL = 32, 128
"""Lanes of a warp; warps that fill the ring: columns times stage latency."""
_COLUMNS: Final[dict[Format, int]] = {"q4_0": 90, "q4_1": 105, "q8_0": 300, "bf16": 35, "f16": 500, "f32": 130}
"""About what a group of k takes in a vector product, for the choice of widths."""
_FIXED, _JOINED = 100, 5
"""Columns of a panel besides, and of each part that is added."""
_DDR: Final = 52
"""Bytes that come in a cycle."""

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
        if self.outputs < 1 or self.inputs < 1 or (self.format in BLOCK_BYTES and self.inputs % GROUP):
            raise ValueError(f"W[{self.outputs}][{self.inputs}] has no groups of {GROUP} values of k")

    @property
    def width(self) -> int:
        """Outputs of a panel, a multiple of 32."""
        return _shape(self.format, self.outputs, self.groups, self.matrices)[0]

    @property
    def parts(self) -> int:
        """Threads that share an output in a vector product; they divide the groups."""
        return _shape(self.format, self.outputs, self.groups, self.matrices)[1]

    @property
    def panels(self) -> int:
        """Number of panels."""
        return -(-self.outputs // self.width)

    @property
    def groups(self) -> int:
        """Groups of k."""
        return -(-self.inputs // GROUP)

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


@lru_cache(maxsize=4096)
def _shape(format: Format, outputs: int, groups: int, matrices: int) -> tuple[int, int]:
    """Width and parts of panels: those with which a vector product takes least time, a wide panel where equal."""
    each = 2 * WORDS[format] * groups * matrices
    slabs = -(-outputs // _LANES)
    most = max(min(MOST_BYTES // (each * _LANES), slabs, MOST_THREADS // _LANES), 1)

    def cycles(shape: tuple[int, int]) -> tuple[float, float]:
        """Cycles of all panels, DDR being as fast as it is, and of computing alone."""
        warps, parts = shape
        rounds = matrices * _COLUMNS[format] * groups / parts + _FIXED + _JOINED * parts
        computed = rounds * max(warps * parts, _FULL) / _LANES
        count = -(-slabs // warps)
        return count * max(computed * 1.25, each * _LANES * warps / _DDR), count * computed

    shapes = [
        (warps, parts)
        for warps in range(1, most + 1)
        for parts in range(1, min(groups, MOST_THREADS // _LANES // warps) + 1)
        if groups % parts == 0
    ]
    warps, parts = min(shapes, key=lambda shape: (cycles(shape), -shape[0], shape[1]))
    return warps * _LANES, parts


def panels_bytes(format: Format, outputs: int, inputs: int, matrices: int = 1) -> int:
    """Bytes that panels take, to make a region. Raises ValueError as `Panels` does."""
    return Panels(Region("", 0, "ddr"), 0, format, outputs, inputs, matrices).bytes


def pack(panels: Panels, *blocks: NDArray[Any]) -> Words:
    """The words of panels. `blocks` are bytes of GGUF tensors [n][k], or values [n][k] for bf16, f16 and f32, a
    matrix each.

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
    whole = [_numbers(panels.format, content).reshape(panels.outputs, -1) for content in rows]
    return [values[:, : panels.inputs] for values in whole]


def _rows(panels: Panels, content: NDArray[Any]) -> Words:
    """A matrix as [n][k/32][words]."""
    shape = (panels.outputs, panels.groups)
    if panels.format not in BLOCK_BYTES:
        return _values(panels, content).reshape(*shape, WORDS[panels.format])
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


def _values(panels: Panels, content: NDArray[Any]) -> Words:
    """Values [n][k] as words, with zeros up to the end of the last group."""
    if content.shape != (panels.outputs, panels.inputs):
        raise ValueError(f"values of shape {content.shape} are no W[{panels.outputs}][{panels.inputs}]")
    if panels.format == "bf16":
        words = content.view(np.uint16) if content.dtype == np.uint16 else bf16(content)
    else:
        kind = np.float16 if panels.format == "f16" else np.float32
        words = np.ascontiguousarray(content, kind).view(np.uint16)
    missing = (panels.groups * GROUP - panels.inputs) * words.shape[1] // panels.inputs
    return np.pad(words, ((0, 0), (0, missing)))


def _words(bytes_: NDArray[np.uint8]) -> Words:
    return np.ascontiguousarray(bytes_).view(np.uint16)


def _numbers(format: Format, rows: Words) -> NDArray[np.float32]:
    """[n][k/32][words] as [n][k/32][32] values."""
    if format == "bf16":
        return f32(rows)
    if format == "f16":
        return _half(rows)
    if format == "f32":
        return np.ascontiguousarray(rows).view(np.float32)
    if format == "q8_0":
        scale = _half(rows[..., 16:17])
        return np.ascontiguousarray(rows[..., :16]).view(np.int8).astype(np.float32) * scale
    nibbles = np.stack([rows[..., :8] >> shift & 15 for shift in (0, 4, 8, 12)], axis=-1)
    values, scale = nibbles.reshape(*rows.shape[:2], GROUP).astype(np.float32), _half(rows[..., 8:9])
    return (values - np.float32(8)) * scale if format == "q4_0" else values * scale + _half(rows[..., 9:10])


def _half(words: Words) -> NDArray[np.float32]:
    return np.ascontiguousarray(words).view(np.float16).astype(np.float32)
