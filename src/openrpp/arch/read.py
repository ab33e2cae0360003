"""From the tables of one TOML file to sections, on top of an inherited section or from nothing.

Every function takes the raw value, what is inherited (None in a file that inherits nothing) and a `Where`, which
knows the file and the key, so that each complaint names both.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

from openrpp.arch.errors import ArchError, one_of, suggestion
from openrpp.arch.figure import LEVELS, SOURCES, Choice, Fact, Figure, Source
from openrpp.arch.schema import Declared, allowed, declared, is_whole, keys, kind

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    S = TypeVar("S", bound=DataclassInstance)

Number = int | float
Table = Mapping[str, object]

_ORIGIN_KEYS = ("source", "reference", "note")
_FIGURE_KEYS = ("value", *LEVELS, "unit", *_ORIGIN_KEYS)
_VALUE_KEYS = ("value", *_ORIGIN_KEYS)


@dataclass(frozen=True)
class Where:
    """A key of a file, for complaints about it."""

    file: str
    key: str = ""

    def at(self, name: str) -> Where:
        """The place of key `name` below this one."""
        return Where(self.file, f"{self.key}.{name}" if self.key else name)

    def error(self, problem: str) -> ArchError:
        """A complaint about this key."""
        return ArchError(self.file, self.key, problem)


def check_keys(table: Table, known: Iterable[str], where: Where) -> None:
    """Refuse the first key of `table` that is not known."""
    names = list(known)
    for key in table:
        if key not in names:
            raise where.at(key).error(f"unknown key; {suggestion(key, names)}")


def as_table(raw: object, where: Where) -> Table:
    """`raw` if it is a TOML table."""
    if not isinstance(raw, Mapping):
        raise where.error(f"expected a table of keys, got {shown(raw)}")
    return cast(Table, raw)


def as_text(raw: object, where: Where) -> str:
    """`raw` if it is a text with something in it."""
    if not isinstance(raw, str):
        raise where.error(f"expected a text in quotes, got {shown(raw)}")
    if not raw.strip():
        raise where.error("expected a text, got an empty one")
    return raw


def shown(raw: object) -> str:
    """`raw` with the name of its type, for a sentence."""
    match raw:
        case bool():
            return f"the truth value {str(raw).lower()}"
        case int() | float():
            return f"the number {raw}"
        case str():
            return f"the text {raw!r}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"{raw} ({type(raw).__name__})"


def read_section(cls: type[S], raw: Table, inherited: S | None, where: Where) -> S:
    """A section of type `cls` from its table; keys that are not given come from `inherited`.

    Raises:
        ArchError: an unknown or missing key, or a wrong unit, type or range; names the file and the key.
    """
    check_keys(raw, keys(cls), where)
    values: dict[str, Any] = {}
    for field in fields(cls):
        below = where.at(field.name)
        base = None if inherited is None else getattr(inherited, field.name)
        if field.name in raw:
            values[field.name] = _read_field(field, raw[field.name], base, below)
        elif base is not None:
            values[field.name] = base
        else:
            raise missing(below)
    return cls(**values)


def missing(where: Where) -> ArchError:
    """A complaint about a key that a complete file must give."""
    return where.error('missing; give it, or start from a preset with inherits = "ae7100"')


def _read_field(field: Field[Any], raw: object, base: Any, where: Where) -> object:
    match kind(field):
        case "figure":
            return read_figure(field, raw, base, where)
        case "choice":
            return read_choice(field, raw, base, where)
        case "fact":
            return read_fact(raw, base, where)
        case "group":
            return read_section(cast("type[DataclassInstance]", field.type), as_table(raw, where), base, where)


def _long_form(raw: object, known: Iterable[str], where: Where) -> tuple[Table, Where]:
    """The table that `raw` stands for (`key = 3` is short for `key.value = 3`), and where its value stands."""
    if not isinstance(raw, Mapping):
        return {"value": raw}, where
    table = as_table(cast(object, raw), where)
    check_keys(table, known, where)
    return table, where.at("value")


def read_figure(field: Field[Any], raw: object, base: Figure[Any] | None, where: Where) -> Figure[Any]:
    """A figure from `number`, `{ value = number, … }` or `{ low = …, nominal = …, high = …, … }`."""
    table, at = _long_form(raw, _FIGURE_KEYS, where)
    spec = declared(field)
    _check_unit(table, base, spec, where)
    low, nominal, high = _read_interval(field, table, base, where, at)
    if not low <= nominal <= high:
        inherited = [name for name in LEVELS if name not in table and "value" not in table]
        hint = f" ({' and '.join(inherited)} inherited)" if inherited else ""
        raise where.error(f"low {low}, nominal {nominal}, high {high}{hint}; they must not decrease")
    numbers_given = any(name in table for name in ("value", *LEVELS))
    source, reference, note = _read_origin(table, base, numbers_given, where)
    return Figure(low, nominal, high, spec.unit, source, reference, note)


def _check_unit(table: Table, base: Figure[Any] | None, spec: Declared, where: Where) -> None:
    if "unit" not in table:
        if base is None:
            raise missing(where.at("unit"))
        return
    if table["unit"] != spec.unit:
        raise where.at("unit").error(f"{shown(table['unit'])} is not the unit of this figure; give it in {spec.unit!r}")


def _read_interval(
    field: Field[Any], table: Table, base: Figure[Any] | None, where: Where, value_at: Where
) -> tuple[Number, Number, Number]:
    if "value" in table:
        clash = [name for name in LEVELS if name in table]
        if clash:
            raise where.at(clash[0]).error("given beside 'value'; give either 'value' or low, nominal and high")
        value = _read_number(field, table["value"], value_at)
        return value, value, value

    def end(name: str) -> Number:
        if name in table:
            return _read_number(field, table[name], where.at(name))
        if base is not None:
            return base.at(cast(Any, name))
        if any(level in table for level in LEVELS):
            raise where.at(name).error("missing; an interval needs low, nominal and high")
        raise where.error("has no number; give 'value', or low, nominal and high")

    return end("low"), end("nominal"), end("high")


def _read_number(field: Field[Any], raw: object, where: Where) -> Number:
    spec = declared(field)
    wanted = f"a whole number of {spec.unit}" if is_whole(field) else f"a number in {spec.unit}"
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise where.error(f"expected {wanted}, got {shown(raw)}")
    if not abs(raw) <= sys.float_info.max:
        raise where.error(f"expected {wanted}, got {shown(raw)}")
    if is_whole(field) and isinstance(raw, float) and not raw.is_integer():
        raise where.error(f"expected {wanted}, got {shown(raw)}")
    if not spec.admits(raw):
        raise where.error(f"{raw} is out of range; it must be {spec.range_text()}")
    return int(raw) if is_whole(field) else float(raw)


def _read_origin(
    table: Table, base: Figure[Any] | Fact | Choice[Any] | None, value_given: bool, where: Where
) -> tuple[Source, str, str]:
    """Source, reference and note. A new value without them is the file's own assumption."""
    if base is None:
        for name in ("source", "reference"):
            if name not in table:
                raise missing(where.at(name))
    source: Source = "assumed" if base is None or value_given else base.source
    reference = f"user file {where.file}" if base is None or value_given else base.reference
    note = "" if base is None or value_given else base.note
    if "source" in table:
        source = _read_source(table["source"], where.at("source"))
        if source != "assumed" and value_given and "reference" not in table:
            raise where.at("reference").error(f"missing; a value with source = {source!r} must say where that stands")
    if "reference" in table:
        reference = as_text(table["reference"], where.at("reference"))
    if "note" in table:
        note = as_text(table["note"], where.at("note"))
    return source, reference, note


def _read_source(raw: object, where: Where) -> Source:
    for source in SOURCES:
        if raw == source:
            return source
    raise where.error(f"{shown(raw)} is not a source; expected {one_of(SOURCES)}")


def read_fact(raw: object, base: Fact | None, where: Where) -> Fact:
    """A fact from a text or `{ value = text, … }`."""
    table, at = _long_form(raw, _VALUE_KEYS, where)
    if "value" in table:
        value = as_text(table["value"], at)
    elif base is not None:
        value = base.value
    else:
        raise missing(at)
    source, reference, note = _read_origin(table, base, "value" in table, where)
    return Fact(value, source, reference, note)


def read_choice(field: Field[Any], raw: object, base: Choice[Any] | None, where: Where) -> Choice[Any]:
    """A choice from one of its allowed values or `{ value = …, … }`."""
    table, at = _long_form(raw, _VALUE_KEYS, where)
    if "value" in table:
        value = table["value"]
    elif base is not None:
        value = base.value
    else:
        raise missing(at)
    options = allowed(field)
    # True equals 1, so the type is compared as well.
    if not any(value == option and type(value) is type(option) for option in options):
        raise at.error(f"{shown(value)} is not a setting; expected {one_of(options)}")
    source, reference, note = _read_origin(table, base, "value" in table, where)
    return Choice(cast(Any, value), source, reference, note)
