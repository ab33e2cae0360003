"""Card times kept in the cache between processes: a walk of a long launch takes longer than reading what it found."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, cast

from openrpp.machine.report import LaunchReport, Roofline, Span
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.compiled import content_key, version_of
from openrpp.runtime.engines import Call
from openrpp.storage import digest

if TYPE_CHECKING:
    from openrpp.runtime.card import Card

_MAKERS: Final = ("arch", "kir", "isa", "codegen", "machine", "runtime")
"""Packages whose change could change a time."""
_ENDS: Final = Span(0, 0, 0).__dict__.keys()


def kept_time(card: Card, call: Call, key: tuple[Hashable, ...], make: Callable[[], CardTime]) -> CardTime:
    """The card time that is kept for a launch, else what `make` finds, which is kept if the time is known.

    `key` is that of `memo.key_of`; the card's figures and the kernel's text stand in for the objects.
    """
    content = content_key(call.module, call.symbol)
    name = digest(version_of(_MAKERS), card.times.figures, content, repr(key[1:]))
    data = call.store.read("times", name)
    if data is not None:
        try:
            return _from_data(json.loads(data))
        except (ValueError, KeyError, TypeError):
            pass  # a damaged entry
    taken = make()
    if taken.launches and not taken.stages:
        document = {
            "launches": [launch.as_dict() for launch in taken.launches],
            "merge": taken.merge,
            "notes": taken.notes,
        }
        call.store.write("times", name, json.dumps(document, separators=(",", ":")).encode())
    return taken


def _from_data(data: dict[str, Any]) -> CardTime:
    launches = tuple(_launch(item) for item in data["launches"])
    return CardTime(launches, merge=data["merge"], notes=tuple(data["notes"]))


def _launch(data: dict[str, Any]) -> LaunchReport:
    return LaunchReport(**{name: _field(name, value) for name, value in data.items()})


def _field(name: str, value: Any) -> Any:
    """A field of a report as it was: JSON has neither tuples nor dataclasses."""
    if isinstance(value, list):
        return tuple(cast("list[Any]", value))
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        if found.keys() == _ENDS:
            return Span(**found)
        return Roofline(**found) if name == "roofline" else found
    return value
