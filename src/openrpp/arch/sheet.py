"""A card's sheet: one row per figure, fact and choice, with where it comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import Field, dataclass, fields
from typing import TYPE_CHECKING, Any

from openrpp.arch.card import Card, section_fields
from openrpp.arch.extensions import EXTENSIONS
from openrpp.arch.figure import Choice, Fact, Figure, Source
from openrpp.arch.schema import allowed, declared, kind

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_BINARY_UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


@dataclass(frozen=True)
class Row:
    """One line of the sheet. `text` is the value as people read it, in `unit`; an interval reads `2 / 4 / 8`."""

    section: str
    key: str
    text: str
    unit: str
    source: Source
    reference: str
    note: str
    meaning: str


@dataclass(frozen=True)
class _Entry:
    """A leaf of a card: its dotted path, its field and what it holds."""

    section: str
    key: str
    field: Field[Any]
    held: Figure[Any] | Fact | Choice[Any]


def _entries(card: Card) -> Iterator[_Entry]:
    for section in section_fields():
        yield from _leaves(section.name, "", getattr(card, section.name))


def _leaves(section: str, prefix: str, node: DataclassInstance) -> Iterator[_Entry]:
    for field in fields(node):
        held = getattr(node, field.name)
        key = prefix + field.name
        if kind(field) == "group":
            yield from _leaves(section, f"{key}.", held)
        else:
            yield _Entry(section, key, field, held)


def sheet(card: Card) -> list[Row]:
    """All rows of `card`, by section, in declaration order."""
    return [_row(entry) for entry in _entries(card)]


def _row(entry: _Entry) -> Row:
    held, spec = entry.held, declared(entry.field)
    text, unit = _number_text(held) if isinstance(held, Figure) else (str(held.value), "")
    return Row(entry.section, entry.key, text, unit, held.source, held.reference, held.note, spec.meaning)


def _number_text(figure: Figure[Any]) -> tuple[str, str]:
    """Value and unit as people read them: addresses in hexadecimal, whole KiB, MiB and GiB as such."""
    numbers = (figure.low, figure.nominal, figure.high) if figure.is_interval else (figure.value,)
    unit = figure.unit
    if unit == "address":
        return " / ".join(_hexadecimal(number) for number in numbers), unit
    if unit == "bytes":
        for name, size in _BINARY_UNITS:
            if all(number >= size and number % size == 0 for number in numbers):
                return " / ".join(str(number // size) for number in numbers), name
    return " / ".join(f"{number:.10g}" for number in numbers), unit


def _hexadecimal(number: int) -> str:
    """`0x0400_0000`: at least eight digits, in groups of four."""
    return f"0x{number:09_x}"


def as_dict(card: Card) -> dict[str, Any]:
    """`card` as what JSON can hold: numbers in the declared units, with interval, source, reference and meaning.

    A choice lists its allowed values; an extension stands with its meaning.
    """
    out: dict[str, Any] = {
        "name": card.name,
        "title": card.title,
        "inherits": card.inherits,
        "extensions": {name: EXTENSIONS[name] for name in card.extensions},
    }
    for entry in _entries(card):
        place = out.setdefault(entry.section, {})
        *groups, key = entry.key.split(".")
        for group in groups:
            place = place.setdefault(group, {})
        place[key] = {**_value_dict(entry), **_origin_dict(entry)}
    return out


def _value_dict(entry: _Entry) -> dict[str, Any]:
    match entry.held:
        case Figure() as figure:
            ends = {"low": figure.low, "nominal": figure.nominal, "high": figure.high}
            return {**ends, "unit": figure.unit}
        case Choice() as choice:
            return {"value": choice.value, "allowed": list(allowed(entry.field))}
        case Fact() as fact:
            return {"value": fact.value}


def _origin_dict(entry: _Entry) -> dict[str, str]:
    held = entry.held
    note = {"note": held.note} if held.note else {}
    return {"source": held.source, "reference": held.reference, **note, "meaning": declared(entry.field).meaning}


def fingerprint(card: Card) -> str:
    """SHA-256, in hexadecimal, over every value, unit, source, reference and note of `card`.

    The declared meanings are left out: rewording one changes no card.
    """
    content = [
        [entry.section, entry.key, {**_value_dict(entry), **_origin_dict(entry), "meaning": ""}]
        for entry in _entries(card)
    ]
    text = json.dumps([card.name, list(card.extensions), content], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
