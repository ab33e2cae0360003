"""The arguments of a CUDA kernel on the command line: what `--arg` says, and which parameter each one is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeVar, cast

import click

from openrpp.cli.errors import InputError
from openrpp.cli.values import DTYPES, Input, Memory, Output, Param, Reference, parse_memory, parse_value
from openrpp.isa.suggest import did_you_mean

T = TypeVar("T")
_MOST = 1 << 40
FILLS = ("zeros", "ones", "arange", "random", "empty")
"""What an array can be made of."""
_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<rest>.*)", re.DOTALL)
_SHAPE = re.compile(r"\d+(x\d+)*")
_SUFFIX = re.compile(r"(?P<number>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)[fF]")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "nullptr": None}


@dataclass(frozen=True)
class FileArray:
    """The array of a .npy file, converted to `dtype` unless that is empty."""

    file: str
    dtype: str
    memory: Memory


@dataclass(frozen=True)
class FilledArray:
    """An array that is made: `fill` is one of FILLS; `empty` ones are zero and count as not initialised."""

    fill: str
    dtype: str
    shape: tuple[int, ...]
    memory: Memory


@dataclass(frozen=True)
class KernelArg:
    """One argument; the name is empty where none is given."""

    name: str
    value: int | float | bool | bytes | Reference | FileArray | FilledArray | None

    @property
    def is_array(self) -> bool:
        """Whether it is an array of its own."""
        return isinstance(self.value, FileArray | FilledArray)


def kernel_arg(text: str) -> KernelArg:
    """[NAME=]VALUE. Raises BadParameter."""
    named = _NAME.fullmatch(text)
    name, rest = (named["name"], named["rest"]) if named else ("", text)
    try:
        return KernelArg(name, _parsed(rest))
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}") from None


def _parsed(text: str) -> int | float | bool | bytes | Reference | FileArray | FilledArray | None:
    if text in _WORDS:
        return cast("bool | None", _WORDS[text])
    if suffixed := _SUFFIX.fullmatch(text):
        return float(suffixed["number"])
    if text.startswith("bytes:"):
        try:
            return bytes.fromhex(text.removeprefix("bytes:"))
        except ValueError:
            raise ValueError("bytes: is followed by pairs of hexadecimal digits") from None
    number = parse_value(text)
    if number is not None:
        return number
    rest, memory = parse_memory(text)
    fill, colon, sizes = rest.partition(":")
    if fill in FILLS and colon:
        return _filled(fill, sizes, memory)
    file, _, dtype = rest.rpartition(":")
    if file and dtype in DTYPES:
        return FileArray(file, dtype, memory)
    if rest.endswith(".npy"):
        return FileArray(rest, "", memory)
    raise ValueError(
        f"neither a number, a .npy file, @NAME, null nor FILL:DTYPE:SHAPE, where FILL is one of {', '.join(FILLS)}"
    )


def _filled(fill: str, text: str, memory: Memory) -> FilledArray:
    dtype, _, shape = text.partition(":")
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r} is not known{did_you_mean(dtype, DTYPES)}; there are {', '.join(DTYPES)}")
    if not _SHAPE.fullmatch(shape):
        raise ValueError(f"a shape follows the dtype, such as {fill}:{dtype}:1024 or {fill}:{dtype}:16x32")
    return FilledArray(fill, dtype, tuple(int(part) for part in shape.split("x")), memory)


# --- which parameter gets which argument -------------------------------------------------------------------------


@dataclass(frozen=True)
class Placed:
    """One argument per parameter, in order, each with a name: its own, or that of its parameter."""

    args: tuple[KernelArg, ...]
    saves: dict[str, Output]
    """Argument name -> the file that gets its array afterwards."""


def place(
    kernel: str,
    declared: Sequence[str],
    args: Sequence[KernelArg],
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    params: Sequence[Param],
) -> Placed:
    """Give each argument its parameter: by name where the name is a parameter's, else the first that is left.

    Raises InputError for too many or too few, names given twice, and outputs of what is no array.
    """
    given = [
        *args,
        *(KernelArg(item.name, FileArray(item.file, item.dtype, item.memory)) for item in inputs),
        *(KernelArg(item.name, item.value) for item in params),
    ]
    _check_twice([arg.name for arg in given if arg.name])
    names = {arg.name for arg in given}
    made = [item for item in outputs if item.dtype]
    for item in made:
        if item.name in names:
            raise InputError(f"--out {item.name}: its array has a dtype and shape already; leave them out")
    given += [KernelArg(item.name, FilledArray("empty", item.dtype, item.shape, item.memory)) for item in made]
    slots = _slots(kernel, declared, given)
    placed = tuple(arg if arg.name else replace(arg, name=name) for name, arg in zip(declared, slots, strict=True))
    _check_references(placed)
    return Placed(placed, _saves(placed, outputs))


def _slots(kernel: str, declared: Sequence[str], given: Sequence[KernelArg]) -> list[KernelArg]:
    listed = ", ".join(declared) or "none"
    slots: dict[str, KernelArg] = {arg.name: arg for arg in given if arg.name in declared}
    rest = [arg for arg in given if arg.name not in declared]
    free = [name for name in declared if name not in slots]
    if len(given) != len(declared):
        few = f"; no value for {', '.join(free[len(rest) :])}" if len(given) < len(declared) else ""
        raise InputError(f"kernel {kernel} takes {len(declared)} arguments ({listed}), {len(given)} given{few}")
    slots |= dict(zip(free, rest, strict=True))
    return [slots[name] for name in declared]


def _check_twice(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"argument {name} is given twice")


def _check_references(args: Sequence[KernelArg]) -> None:
    arrays = [arg.name for arg in args if arg.is_array]
    for arg in args:
        if isinstance(arg.value, Reference) and arg.value.name not in arrays:
            raise InputError(f"@{arg.value.name}: no array has that name; arrays are {', '.join(arrays) or 'none'}")


def _saves(args: Sequence[KernelArg], outputs: Sequence[Output]) -> dict[str, Output]:
    arrays = [arg.name for arg in args if arg.is_array]
    saves: dict[str, Output] = {}
    for output in outputs:
        name = output.name
        if not name:
            if len(arrays) != 1:
                several = f"there are {', '.join(arrays)}" if arrays else "there is none"
                raise InputError(f"--out {output.file}: say of which array, as NAME={output.file}; {several}")
            name = arrays[0]
        if name not in arrays:
            near = did_you_mean(name, arrays)
            raise InputError(f"--out {name}: no array has that name{near}; arrays are {', '.join(arrays) or 'none'}")
        if name in saves:
            raise InputError(f"--out {name} is given twice")
        saves[name] = output
    return saves


# --- arrays --------------------------------------------------------------------------------------------------------


def host_array(value: FileArray | FilledArray) -> Any:
    """The NumPy array of an argument. Raises InputError, OSError."""
    import numpy as np

    from openrpp.cli.arrays import read_array, to_bf16

    if isinstance(value, FileArray):
        return read_array(value.file, value.dtype)
    if not all(value.shape):
        raise InputError(f"{value.fill}:{value.dtype}:{'x'.join(map(str, value.shape))}: an extent is 0")
    count = prod(value.shape)
    if count > _MOST:
        raise InputError(f"{value.fill}:{value.dtype}:{'x'.join(map(str, value.shape))}: no card holds so many values")
    is_bf16 = value.dtype == "bf16"
    kind: np.dtype[Any] = np.dtype("float32" if is_bf16 else value.dtype)
    makers: dict[str, Callable[[], Any]] = {
        "zeros": lambda: np.zeros(count, kind),
        "empty": lambda: np.zeros(count, kind),
        "ones": lambda: np.ones(count, kind),
        "arange": lambda: np.arange(count).astype(kind),
        "random": lambda: _random(count, kind),
    }
    made = makers[value.fill]().reshape(value.shape)
    return to_bf16(made) if is_bf16 else made


def _random(count: int, kind: Any) -> Any:
    """Floats from 0 to 1, whole numbers over all of their type, the same in every run."""
    import numpy as np

    generator = np.random.default_rng(0)
    if kind.kind == "f":
        return generator.random(count).astype(kind)
    limits = np.iinfo(kind)
    return generator.integers(limits.min, limits.max, count, kind, endpoint=True)
