"""What `--param`, `--in`, `--out`, `--grid` and `--block` say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import click

Memory = Literal["sram", "ddr", ""]
"""Where a buffer lies; empty where it was not said."""
DTYPES = (
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64", "bf16",
)  # fmt: skip
_WHOLE = re.compile(r"[+-]?(0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[+-]?((\d+\.\d*|\.\d+)([eE][+-]?\d+)?|\d+[eE][+-]?\d+|inf|nan)")
_COUNT = re.compile(r"\d+(x\d+)*")
_REFERENCE = re.compile(r"@(?P<name>[^+.@]+)(\.(?P<part>high|low))?(\+(?P<offset>0[xX][0-9a-fA-F]+|\d+))?")


@dataclass(frozen=True)
class Reference:
    """`@NAME`, `@NAME+BYTES`, `@NAME.high`, `@NAME.low`: the address of a buffer, or a half of it."""

    name: str
    part: str
    offset: int


@dataclass(frozen=True)
class Param:
    """A `--param`: its name (empty: by position) and its value."""

    name: str
    value: int | float | Reference


@dataclass(frozen=True)
class Input:
    """An `--in`: buffer NAME (empty: by position) gets the array of FILE, converted to `dtype` unless that is empty."""

    name: str
    file: str
    dtype: str
    memory: Memory


@dataclass(frozen=True)
class Output:
    """An `--out`: FILE gets buffer NAME afterwards. Without dtype and shape it is an input's buffer, as it is."""

    name: str
    file: str
    dtype: str
    shape: tuple[int, ...]
    memory: Memory


def parameter(text: str) -> Param:
    """[NAME=]VALUE. Raises BadParameter."""
    name, equals, value = text.rpartition("=")
    found = parse_value(value)
    if found is None or (equals and not name):
        wanted = "VALUE is a whole number, a float such as 1.0, bf16:1.0, or @BUFFER"
        raise click.BadParameter(f"{text!r} is no parameter; write NAME=VALUE or VALUE, where {wanted}")
    return Param(name, found)


def input_buffer(text: str) -> Input:
    """[NAME=]FILE[:DTYPE][:MEMORY]. Raises BadParameter."""
    name, rest = _named(text)
    file, memory = parse_memory(rest)
    head, colon, last = file.rpartition(":")
    file, dtype = (head, last) if colon and last in DTYPES else (file, "")
    if not file:
        raise click.BadParameter(f"{text!r} is no input; write NAME=FILE.npy, NAME=FILE.npy:bf16 or NAME=FILE.npy:ddr")
    return Input(name, file, dtype, memory)


def output_buffer(text: str) -> Output:
    """[NAME=]FILE[:DTYPE:COUNT][:MEMORY]. Raises BadParameter."""
    name, rest = _named(text)
    file, memory = parse_memory(rest)
    parts = file.rsplit(":", 2)
    dtype, shape = "", ()
    if len(parts) == 3 and parts[1] in DTYPES and _COUNT.fullmatch(parts[2]):
        file, dtype, shape = parts[0], parts[1], tuple(int(part) for part in parts[2].split("x"))
    elif parts[-1] in DTYPES or (len(parts) > 1 and _COUNT.fullmatch(parts[-1])):
        what = f"such as b.npy:uint16:256 or b.npy:bf16:16x32; dtypes are {', '.join(DTYPES)}"
        raise click.BadParameter(f"{text!r} needs FILE:DTYPE:COUNT, {what}")
    if not file:
        raise click.BadParameter(
            f"{text!r} is no output; write NAME=FILE.npy:DTYPE:COUNT, or NAME=FILE.npy of an input"
        )
    return Output(name, file, dtype, shape, memory)


def extent(text: str) -> tuple[int, ...]:
    """X[,Y[,Z]]. Raises BadParameter."""
    parts = text.split(",")
    if len(parts) > 3 or not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"{text!r} is no extent; write one to three whole numbers, such as 256 or 32,8")
    return tuple(int(part) for part in parts)


def _named(text: str) -> tuple[str, str]:
    """(name, rest) of NAME=REST; the name is empty where there is none."""
    name, equals, rest = text.partition("=")
    return (name, rest) if equals and name else ("", text.removeprefix("="))


def parse_memory(text: str) -> tuple[str, Memory]:
    """(what stands before the memory, memory)."""
    for memory in ("sram", "ddr"):
        if text.endswith(f":{memory}"):
            return text.removesuffix(f":{memory}"), memory
    return text, ""


def parse_value(text: str) -> int | float | Reference | None:
    """A number or a reference to a buffer, None for anything else."""
    if found := _REFERENCE.fullmatch(text):
        return Reference(found["name"], found["part"] or "", int(found["offset"] or "0", 0))
    if _WHOLE.fullmatch(text):
        digits = text.replace("_", "")
        return int(digits, 10 if digits.lstrip("+-").isdigit() else 0)
    if text.startswith("bf16:") and (_FLOAT.fullmatch(text[5:]) or _WHOLE.fullmatch(text[5:])):
        return bf16_bits(float(text[5:]))
    return float(text) if _FLOAT.fullmatch(text) else None


def bf16_bits(value: float) -> int:
    """Bit pattern of the nearest bf16, ties to even."""
    import numpy as np

    from openrpp.cli.arrays import to_bf16

    return int(to_bf16(np.array(value, np.float32)))
