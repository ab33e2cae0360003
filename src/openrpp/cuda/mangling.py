"""What mangled names say of a kernel's parameters: the element type of each pointer.

Kernel IR has no signs and no element types; the symbol of a C++ function (Itanium C++ ABI, section 5.1) has them. Only
what kernels commonly use is understood; of anything else, and of `extern "C"` kernels, nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

BUILTIN: Final = {
    "v": "void", "b": "bool", "c": "char", "a": "signed char", "h": "unsigned char", "s": "short",
    "t": "unsigned short", "i": "int", "j": "unsigned int", "l": "long", "m": "unsigned long", "x": "long long",
    "y": "unsigned long long", "f": "float", "d": "double",
}  # fmt: skip
_DTYPES: Final = {
    "short": "i2", "unsigned short": "u2", "int": "i4", "unsigned int": "u4", "long": "i8", "unsigned long": "u8",
    "long long": "i8", "unsigned long long": "u8", "float": "f4", "double": "f8",
}  # fmt: skip


class _Unknown(Exception):
    """Something that is not understood."""


class Type:
    """A type: a builtin's name, or what a pointer leads to; neither for all others."""

    __slots__ = ("name", "target")

    def __init__(self, name: str = "", target: Type | None = None) -> None:
        self.name = name
        self.target = target


@lru_cache(maxsize=1024)
def elements(symbol: str, count: int) -> tuple[str, ...]:
    """For each of `count` parameters: the builtin type that it points to, empty where it does not or nobody knows."""
    try:
        types = _Reader(symbol).parameters()
    except (_Unknown, IndexError, ValueError, RecursionError):
        return ("",) * count
    if len(types) != count:
        return ("",) * count
    return tuple(kind.target.name if kind.target is not None else "" for kind in types)


def mismatch(element: str, dtype: np.dtype[Any]) -> str:
    """The dtype that a pointer to `element` wants, if an array of `dtype` cannot be meant; else empty.

    Whole numbers of one width may differ in sign, bytes may be anything, complex numbers are pairs.
    """
    wanted = _DTYPES.get(element)
    if wanted is None or dtype.itemsize == 1 or dtype.kind not in "biufc":
        return ""
    kind, width = wanted[0], int(wanted[1])
    fits = {"f": dtype.kind in "fc", "i": dtype.kind in "iu", "u": dtype.kind in "iu"}[kind]
    size = dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize
    return "" if fits and size == width else np.dtype(wanted).name


class _Reader:
    """Reads one symbol from left to right; `seen` are the substitutions that S_, S0_, ... stand for."""

    def __init__(self, symbol: str) -> None:
        if not symbol.startswith("_Z"):
            raise _Unknown
        self.rest = symbol[2:]
        self.seen: list[Type] = []
        self.args: list[Type] = []

    def parameters(self) -> Sequence[Type]:
        """The types of all parameters."""
        self.args = self._function_name()
        if self.args:
            self.type()  # templates carry their result type
        found: list[Type] = []
        while self.rest:
            found.append(self.type())
        return [] if [kind.name for kind in found] == ["void"] else found

    def _take(self, text: str) -> bool:
        if not self.rest.startswith(text):
            return False
        self.rest = self.rest[len(text) :]
        return True

    def _function_name(self) -> list[Type]:
        """Template arguments of the function, none if it is no template."""
        if not self._take("N"):
            self._source_name()
            return self._arguments() if self._starts_arguments() else []
        args: list[Type] = []
        while not self._take("E"):
            args = []
            self._source_name()
            if self._starts_arguments():
                args = self._arguments()
            if not self.rest.startswith("E"):
                self.seen.append(Type())
        return args

    def _starts_arguments(self) -> bool:
        if not self.rest.startswith("I"):
            return False
        self.seen.append(Type())  # the template's name
        return True

    def _source_name(self) -> None:
        self._take("L")
        match = re.match(r"\d+", self.rest)
        if match is None:
            raise _Unknown
        self.rest = self.rest[match.end() + int(match[0]) :]

    def _arguments(self) -> list[Type]:
        """The arguments between I and E; numbers count as types of no kind."""
        self._take("I")
        found: list[Type] = []
        while not self._take("E"):
            if self._take("L"):
                literal = re.match(r"[a-z]n?\d+E", self.rest)
                if literal is None:
                    raise _Unknown
                self.rest = self.rest[literal.end() :]
                found.append(Type())
            else:
                found.append(self.type())
        return found

    def type(self) -> Type:
        """The next type."""
        first = self.rest[0]
        if first in BUILTIN:
            self.rest = self.rest[1:]
            return Type(BUILTIN[first])
        if first in "rVK":
            self.rest = self.rest.lstrip("rVK")
            return self._noted(self.type())
        if first in "PRO":
            self.rest = self.rest[1:]
            target = self.type()
            return self._noted(Type(target=target) if first == "P" else Type())
        if first in "ST":
            return self._again()
        return self._class()

    def _noted(self, kind: Type) -> Type:
        self.seen.append(kind)
        return kind

    def _again(self) -> Type:
        """S_, S0_, ...: a type that was there before. T_, T0_, ...: an argument of the template."""
        match = re.match(r"([ST])([0-9A-Z]*)_", self.rest)
        if match is None:
            raise _Unknown
        self.rest = self.rest[match.end() :]
        index = int(match[2], 36) + 1 if match[2] else 0
        if match[1] == "T":
            return self._noted(self.args[index])
        kind = self.seen[index]
        return self._class_arguments(kind)

    def _class_arguments(self, kind: Type) -> Type:
        if not self.rest.startswith("I"):
            return kind
        self._arguments()
        return self._noted(Type())

    def _class(self) -> Type:
        if self._take("N"):
            while not self._take("E"):
                if self.rest.startswith("S"):
                    self._again()
                    continue
                self._source_name()
                self._noted(Type())
                if self.rest.startswith("I"):
                    self._arguments()
                    self._noted(Type())
            return self.seen[-1]
        if not self.rest[0].isdigit():
            raise _Unknown
        self._source_name()
        self._noted(Type())
        return self._class_arguments(self.seen[-1])
