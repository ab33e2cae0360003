"""GGUF files: metadata and tensors, read as views of the file.

The header is read here and not by the `gguf` package, whose reader makes an array of every string of the tokenizer: two
seconds for a small model, against a tenth. Formats that no kernel reads are turned into float32 by that package.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.llm.errors import ModelError
from openrpp.llm.formats import BY_CODE, BY_NAME, Weight

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
ALIGNMENT: Final = 32
_NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True)
class _Entry:
    """A row of the tensor table: extents as in the file, fastest first, and bytes from the start of the data."""

    extents: tuple[int, ...]
    code: int
    offset: int


class GgufFile:
    """An open GGUF file.

    Attributes:
        metadata: key -> number, string, or list.

    Raises ModelError for what is no GGUF file or ends too early, OSError for a file that cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        content: Any = _mapped(self.path)
        self.bytes: NDArray[np.uint8] = content
        header = _Header(self.path, memoryview(content))
        tensors = header.begin()
        self.metadata: Mapping[str, Any] = header.metadata()
        self._entries = dict(header.tensor() for _ in range(tensors))
        unit = int(self.metadata.get("general.alignment", ALIGNMENT))
        self._start = -(-header.at // unit) * unit

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    @property
    def names(self) -> tuple[str, ...]:
        """All tensors, in the order of the file."""
        return tuple(self._entries)

    def weight(self, name: str) -> Weight:
        """A tensor. Raises ModelError if it is missing, has an unknown type, or is cut off."""
        entry = self._entries.get(name)
        if entry is None:
            raise ModelError(f"{self.path.name}: tensor {name} is missing")
        if not 1 <= len(entry.extents) <= 2:
            raise ModelError(f"{self.path.name}: tensor {name} has {len(entry.extents)} axes; there may be 1 or 2")
        columns, rows = entry.extents[0], entry.extents[1] if len(entry.extents) == 2 else 0
        found = BY_CODE.get(entry.code)
        if found is None:
            return self._converted(name, entry, rows, columns)
        raw = self._raw(name, entry, max(rows, 1), columns, found.values, found.bytes)
        words = raw.view(found.word)
        return Weight(name, found, rows, columns, words.reshape(rows, -1) if rows else words)

    def _raw(self, name: str, entry: _Entry, rows: int, columns: int, values: int, size: int) -> NDArray[np.uint8]:
        if columns % values:
            raise ModelError(f"{self.path.name}: rows of {name} have {columns} numbers, no multiple of {values}")
        begin = self._start + entry.offset
        end = begin + rows * columns // values * size
        if end > len(self.bytes):
            raise ModelError(
                f"{self.path.name} is truncated: tensor {name} ends at byte {end}, the file has {len(self.bytes)}"
            )
        return self.bytes[begin:end]

    def _converted(self, name: str, entry: _Entry, rows: int, columns: int) -> Weight:
        """A tensor of another format as float32."""
        gguf = _package()
        try:
            kind = gguf.GGMLQuantizationType(entry.code)
        except ValueError:
            raise ModelError(
                f"{self.path.name}: tensor {name} has type {entry.code}, which GGUF does not name"
            ) from None
        values, size = gguf.GGML_QUANT_SIZES[kind]
        raw = self._raw(name, entry, max(rows, 1), columns, values, size)
        try:
            data = gguf.quants.dequantize(raw.reshape(max(rows, 1), -1), kind)
        except (NotImplementedError, ValueError):
            known = ", ".join(BY_NAME)
            raise ModelError(
                f"{self.path.name}: tensor {name} has type {kind.name}, which is not supported; use one of {known}"
            ) from None
        floats = np.ascontiguousarray(data, np.float32)
        return Weight(name, BY_NAME["F32"], rows, columns, floats.reshape(rows, -1) if rows else floats.reshape(-1))


def _package() -> Any:
    import importlib

    try:
        package = importlib.import_module("gguf")
        importlib.import_module("gguf.quants")
    except ImportError:
        raise ModelError("gguf is not installed; pip install 'openrpp[llm]'") from None
    return package


def _mapped(path: Path) -> NDArray[np.uint8]:
    if not path.stat().st_size:
        raise ModelError(f"{path.name} is empty; expected a GGUF file")
    return np.memmap(path, np.uint8, "r")


class _Header:
    """A cursor over the header."""

    def __init__(self, path: Path, content: memoryview) -> None:
        self.path = path
        self.content = content
        self.at = 0

    def begin(self) -> int:
        """Magic, version and counts; the number of tensors."""
        if bytes(self.content[:4]) != MAGIC:
            raise ModelError(f"{self.path.name} is not a GGUF file: it begins with {bytes(self.content[:4])!r}")
        self.at = 4
        version = self.number("I")
        if version not in VERSIONS:
            raise ModelError(
                f"{self.path.name} is GGUF version {version}; versions 2 and 3 in little-endian can be read"
            )
        tensors, self._keys = self.number("Q"), self.number("Q")
        return tensors

    def metadata(self) -> dict[str, Any]:
        """All keys."""
        return {self.string(): self.value(self.number("I")) for _ in range(self._keys)}

    def tensor(self) -> tuple[str, _Entry]:
        """A row of the tensor table."""
        name = self.string()
        extents = tuple(self.number("Q") for _ in range(self.number("I")))
        return name, _Entry(extents, self.number("I"), self.number("Q"))

    def number(self, letter: str) -> Any:
        """One number in `struct`'s letter."""
        try:
            (value,) = struct.unpack_from(f"<{letter}", self.content, self.at)
        except struct.error:
            raise self._truncated() from None
        self.at += struct.calcsize(f"<{letter}")
        return value

    def string(self) -> str:
        """A string; bytes that are no UTF-8 become U+FFFD."""
        return self.strings(1)[0]

    def strings(self, count: int) -> list[str]:
        """Strings one behind the other."""
        found: list[str] = []
        content, at, size, length = self.content, self.at, len(self.content), struct.Struct("<Q")
        for _ in range(count):
            begin = at + 8
            if begin > size:
                raise self._truncated()
            at = begin + length.unpack_from(content, at)[0]
            if at > size:
                raise self._truncated()
            found.append(str(content[begin:at], "utf-8", "replace"))
        self.at = at
        return found

    def value(self, kind: int) -> Any:
        """A value of a kind."""
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array()
        if kind not in _NUMBERS:
            raise ModelError(
                f"{self.path.name} has metadata of type {kind} at byte {self.at}, which GGUF does not name"
            )
        return self.number(_NUMBERS[kind])

    def _array(self) -> list[Any]:
        kind, count = self.number("I"), self.number("Q")
        if kind == _STRING:
            return self.strings(count)
        if kind not in _NUMBERS:
            return [self.value(kind) for _ in range(count)]
        end = self.at + count * struct.calcsize(f"<{_NUMBERS[kind]}")
        if end > len(self.content):
            raise self._truncated()
        begin, self.at = self.at, end
        return np.frombuffer(self.content[begin:end], np.dtype(_NUMBERS[kind]).newbyteorder("<")).tolist()

    def _truncated(self) -> ModelError:
        return ModelError(f"{self.path.name} is truncated: it ends inside its header, at byte {len(self.content)}")
