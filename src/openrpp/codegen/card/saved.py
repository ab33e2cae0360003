"""Programs as JSON-able data, for files and for the cache: what their dataclasses hold, field by field.

Types are told by the fields' annotations, so a new field of `Program` is kept without a word here. Source locations,
which most words repeat, are numbered. The kernel itself is not kept: whoever reads has its kernel IR.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from openrpp.codegen.card.program import Program
from openrpp.kir.ir import Kernel
from openrpp.kir.location import Location
from openrpp.kir.passes.copying import clone_kernel

Data = Any
"""What `json` takes."""


class BadProgram(ValueError):
    """Data that is no program."""


def to_data(program: Program) -> Data:
    """A program as JSON-able data."""
    places: dict[Location, int] = {}
    made = _Writer(places).data(program)
    return {"merge": program.kernel.merge, "program": made, "places": [_flat(place) for place in places]}


def from_data(data: Data, kernel: Kernel) -> Program:
    """The program of `to_data`; `kernel` is the kernel that it was compiled from. Raises BadProgram."""
    try:
        copy = clone_kernel(kernel)
        copy.merge = data["merge"]
        places = [_location(place) for place in data["places"]]
        return cast("Program", _Reader(places, copy).value(Program, data["program"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadProgram(f"its machine code cannot be read ({type(error).__name__}: {error})") from None


def _flat(place: Location) -> Data:
    inner = None if place.inlined_at is None else _flat(place.inlined_at)
    return [place.file, place.line, place.column, inner]


def _location(data: Data) -> Location:
    file, line, column, inner = data
    return Location(file, line, column, None if inner is None else _location(inner))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


class _Writer:
    def __init__(self, places: dict[Location, int]) -> None:
        self.places = places

    def data(self, value: object) -> Data:
        """A value as JSON-able data."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, Location):
            return self.places.setdefault(value, len(self.places))
        if isinstance(value, Kernel):
            return None
        if isinstance(value, Enum):
            return value.name
        if is_dataclass(value):
            return {item.name: self.data(getattr(value, item.name)) for item in fields(value)}
        if isinstance(value, Mapping):
            return [[self.data(key), self.data(item)] for key, item in cast("Mapping[Any, Any]", value).items()]
        if isinstance(value, frozenset):
            return sorted(self.data(item) for item in cast("frozenset[Any]", value))
        if isinstance(value, tuple):
            return [self.data(item) for item in cast("tuple[Any, ...]", value)]
        raise TypeError(f"a {type(value).__name__} cannot be kept")


class _Reader:
    def __init__(self, places: list[Location], kernel: Kernel) -> None:
        self.places = places
        self.kernel = kernel

    def value(self, kind: Any, data: Data) -> Any:
        """The value of a type."""
        origin: Any = get_origin(kind)
        inner = get_args(kind)
        if origin in (Union, types.UnionType):
            return None if data is None else self.value(next(item for item in inner if item is not type(None)), data)
        if origin is tuple:
            kinds: Iterable[Any] = [inner[0]] * len(data) if inner[-1] is Ellipsis else inner
            return tuple(self.value(item, part) for item, part in zip(kinds, data, strict=True))
        if origin is frozenset:
            items: Iterable[Any] = data
            return frozenset(self.value(inner[0], item) for item in items)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            pairs: Iterable[tuple[Any, Any]] = data
            return {self.value(inner[0], key): self.value(inner[1], item) for key, item in pairs}
        return self._plain(kind, data)

    def _plain(self, kind: Any, data: Data) -> Any:
        if kind is Location:
            number: int = data
            return self.places[number]
        if kind is Kernel:
            return self.kernel
        if kind is bytes:
            return bytes.fromhex(data)
        plain: type[Any] = kind
        if issubclass(plain, Enum):
            found: Any = plain[data]
            return found
        if is_dataclass(plain):
            hints = _hints(plain)
            return plain(**{name: self.value(hints[name], data[name]) for name in hints if name in data})
        if not isinstance(data, plain):
            raise TypeError(f"{data!r} is no {plain.__name__}")
        return data
