"""How numbers lie in the tensors of a model file: one row per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Format:
    """A format of the GGUF file format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).

    Attributes:
        name: GGUF's name.
        code: its number in the file.
        values: numbers per block.
        bytes: bytes per block.
        word: NumPy type of a stored row: bytes for blocks, else the number itself ("bf16" is uint16).
    """

    name: str
    code: int
    values: int
    bytes: int
    word: type[np.generic]

    @property
    def blocks(self) -> bool:
        """Whether numbers share a scale."""
        return self.values > 1

    def row(self, columns: int) -> int:
        """Words of a row with so many numbers; `columns` is a multiple of `values`."""
        return columns // self.values * self.bytes // np.dtype(self.word).itemsize


FORMATS: Final = (
    Format("F32", 0, 1, 4, np.float32),
    Format("F16", 1, 1, 2, np.float16),
    Format("BF16", 30, 1, 2, np.uint16),
    Format("Q4_0", 2, 32, 18, np.uint8),
    Format("Q4_1", 3, 32, 20, np.uint8),
    Format("Q8_0", 8, 32, 34, np.uint8),
)
"""Formats that kernels read as they are; others become F32 when a file is opened."""
BY_NAME: Final = {row.name: row for row in FORMATS}
BY_CODE: Final = {row.code: row for row in FORMATS}


@dataclass(frozen=True, eq=False)
class Weight:
    """A matrix [rows][columns] or a vector of `columns` (rows = 0) as it lies in the file.

    Attributes:
        data: `format.word` [rows][words of a row], or [columns] for a vector. It may be a view of the file.
    """

    name: str
    format: Format
    rows: int
    columns: int
    data: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of the values."""
        return (self.rows, self.columns) if self.rows else (self.columns,)

    def values(self) -> NDArray[np.float32]:
        """All values as float32, exactly."""
        return VALUES[self.format.name](self.data).reshape(self.shape)

    def take(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """Values of some rows of a matrix: float32 [count][columns]."""
        return VALUES[self.format.name](self.data[list(rows)]).reshape(len(rows), self.columns)


def _bf16(data: NDArray[Any]) -> NDArray[np.float32]:
    return (data.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _blocks(data: NDArray[Any], format: Format, numbers: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """(float16 words of each block [blocks][numbers] as float32, its quants)."""
    blocks = np.ascontiguousarray(data).reshape(-1, format.bytes)
    words = np.ascontiguousarray(blocks[:, : 2 * numbers]).view(np.float16).astype(np.float32)
    return words, blocks[:, 2 * numbers :]


def _nibbles(quants: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([quants & np.uint8(15), quants >> np.uint8(4)], axis=1).astype(np.float32)


def _q4_0(data: NDArray[Any]) -> NDArray[np.float32]:
    words, quants = _blocks(data, BY_NAME["Q4_0"], 1)
    return (_nibbles(quants) - np.float32(8)) * words


def _q4_1(data: NDArray[Any]) -> NDArray[np.float32]:
    words, quants = _blocks(data, BY_NAME["Q4_1"], 2)
    return _nibbles(quants) * words[:, :1] + words[:, 1:]


def _q8_0(data: NDArray[Any]) -> NDArray[np.float32]:
    words, quants = _blocks(data, BY_NAME["Q8_0"], 1)
    return quants.view(np.int8).astype(np.float32) * words


def _f32(data: NDArray[Any]) -> NDArray[np.float32]:
    return data.astype(np.float32, copy=False)


VALUES: Final[Mapping[str, Callable[[NDArray[Any]], NDArray[np.float32]]]] = {
    "F32": _f32, "F16": _f32, "BF16": _bf16, "Q4_0": _q4_0, "Q4_1": _q4_1, "Q8_0": _q8_0,
}  # fmt: skip
"""Format -> float32 values of its stored words."""
