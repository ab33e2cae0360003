"""Image arrays: the bare words of one kernel, as a little-endian binary file or as an array in C source."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from openrpp.isa.objects import ObjectError
from openrpp.isa.program import Kernel, from_words

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_ARRAY = re.compile(r"(\w+)\s*\[[^\]]*\][^={;]*=\s*\{([^}]*)\}")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)[uUlL]*")
_PER_LINE = 8


def parse_array(text: str) -> tuple[str, tuple[int, ...]]:
    """(name, words) of the first array in C source. Raises ObjectError."""
    found = _ARRAY.search(_COMMENT.sub(" ", text))
    if not found:
        raise ObjectError("no array found; an image in C source is NAME[] = { 0x..., 0x... }")
    words: list[int] = []
    for entry in found[2].replace(",", " ").split():
        number = _NUMBER.fullmatch(entry)
        if not number:
            raise ObjectError(f"array '{found[1]}': '{entry}' is not a number")
        words.append(int(number[1], 0))
    return found[1], tuple(words)


def array_text(kernel: Kernel) -> str:
    """A kernel's words as an array in C source."""
    digits = [f"0x{word:08X}" for word in kernel.words]
    lines = [", ".join(digits[at : at + _PER_LINE]) for at in range(0, len(digits), _PER_LINE)]
    name = re.sub(r"\W", "_", kernel.name)
    return f"static const uint32_t {name}[] = {{\n" + "".join(f"    {line},\n" for line in lines) + "};\n"


def read_image(path: str | Path) -> Kernel:
    """The kernel of a binary image (named after the file) or of the first array of a C file; it declares no parameters.

    Raises:
        ObjectError: the file is missing, no whole number of words, no array, or has no terminator.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ObjectError(f"{path}: {error.strerror or error}") from None
    try:
        return _kernel(path, data)
    except ValueError as error:
        raise ObjectError(f"{path}: {error}") from None


def _kernel(path: Path, data: bytes) -> Kernel:
    if path.suffix in (".c", ".h", ".inc", ".cpp", ".hpp"):
        name, words = parse_array(data.decode("utf-8", "replace"))
        return from_words(words, (), name)
    if len(data) % 4:
        raise ObjectError(f"{len(data)} bytes are not a whole number of 32-bit words")
    return from_words(struct.unpack(f"<{len(data) // 4}I", data), (), path.stem)
