"""Loading a card by preset name or from a user's architecture file."""

from __future__ import annotations

import functools
import importlib.resources
import os
import tomllib
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

from openrpp.arch.card import Card, section_fields
from openrpp.arch.check import check
from openrpp.arch.errors import ArchError, suggestion
from openrpp.arch.extensions import EXTENSIONS
from openrpp.arch.read import Table, Where, as_table, as_text, check_keys, missing, read_section, shown

_TOP_KEYS = ("name", "title", "inherits", "extensions")


@dataclass(frozen=True)
class _File:
    """A file to read: a preset inside the package, or a user's."""

    path: Traversable | Path
    label: str  # as complaints and references show it

    @property
    def identity(self) -> str:
        """The same for two ways of writing one path."""
        return str(self.path.resolve()) if isinstance(self.path, Path) else str(self.path)

    def beside(self, name: str) -> _File:
        """The file that `inherits = name` in this one means."""
        if name in presets():
            return _preset(name)
        folder = self.path.parent if isinstance(self.path, Path) else Path()
        path = folder / name
        return _File(path, str(path))


def presets() -> tuple[str, ...]:
    """Names of the cards that come with the package."""
    folder = importlib.resources.files("openrpp.arch")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


def load(name_or_path: str | os.PathLike[str]) -> Card:
    """The card that a preset name or the path of a TOML file stands for.

    A file may say `inherits = "ae7100"`, or the path of another file relative to itself, and give only the keys that
    differ: a number, or a table with `value`, or any of `low`, `nominal` and `high`. A changed figure counts as
    assumed, with the file as its reference, unless the file gives its own `source` and `reference`.

    Raises:
        ArchError: no such preset or file; not TOML; a cycle of inheritance; an unknown or missing key; a wrong unit,
            type or range; figures that contradict each other. The text names the file and the dotted key.
    """
    given = os.fspath(name_or_path)
    if given in presets():
        return _load_preset(given)
    if not given.endswith(".toml") and os.sep not in given and not Path(given).is_file():
        raise ArchError("", given, f"no such preset or file; {suggestion(given, presets())}")
    return _load(_File(Path(given), given), ())


@functools.cache
def _load_preset(name: str) -> Card:
    return _load(_preset(name), ())


def _preset(name: str) -> _File:
    return _File(importlib.resources.files("openrpp.arch") / f"{name}.toml", f"{name}.toml")


def _load(file: _File, chain: tuple[_File, ...]) -> Card:
    raw = _parse(file)
    where = Where(file.label)
    check_keys(raw, (*_TOP_KEYS, *(item.name for item in section_fields())), where)
    base = _base(raw, file, chain, where)
    values: dict[str, Any] = _identity(raw, base, file, where)
    for item in section_fields():
        below = where.at(item.name)
        inherited = None if base is None else getattr(base, item.name)
        if base is None and item.name not in raw:
            raise missing(below)
        table = as_table(raw.get(item.name, {}), below)
        values[item.name] = read_section(item.type, table, inherited, below)  # pyright: ignore[reportArgumentType]
    card = Card(**values)
    check(card, file.label)
    return card


def _parse(file: _File) -> Table:
    try:
        return tomllib.loads(file.path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArchError("", file.label, "no such file") from None
    except OSError as error:
        raise ArchError("", file.label, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ArchError(
            "", file.label, f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ArchError("", file.label, f"is not TOML: {error}") from None


def _base(raw: Table, file: _File, chain: tuple[_File, ...], where: Where) -> Card | None:
    """The card that the file inherits from."""
    if "inherits" not in raw:
        return None
    at = where.at("inherits")
    parent = file.beside(as_text(raw["inherits"], at))
    chain = (*chain, file)
    if parent.identity in (item.identity for item in chain):
        raise at.error("inheritance runs in a circle: " + " -> ".join(item.label for item in (*chain, parent)))
    if not parent.path.is_file():
        raise at.error(f"{parent.label!r} is neither a preset nor a file; presets are {', '.join(presets())}")
    return _load(parent, chain)


def _identity(raw: Table, base: Card | None, file: _File, where: Where) -> dict[str, Any]:
    """Name, title, parent and extensions."""
    stem = file.label.replace(os.sep, "/").rsplit("/", 1)[-1].removesuffix(".toml")
    values: dict[str, Any] = {"name": stem, "title": stem if base is None else f"{base.title}, changed by {file.label}"}
    for key in ("name", "title"):
        if key in raw:
            values[key] = as_text(raw[key], where.at(key))
    inherited = () if base is None else base.extensions
    values["inherits"] = raw.get("inherits")
    values["extensions"] = _extensions(raw["extensions"], where.at("extensions")) if "extensions" in raw else inherited
    return values


def _extensions(raw: object, where: Where) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise where.error(f"expected a list of extension names, got {shown(raw)}")
    names = [as_text(item, where) for item in cast("list[object]", raw)]
    for name in names:
        if name not in EXTENSIONS:
            raise where.error(f"{name!r} is not an extension; {suggestion(name, EXTENSIONS)}")
        if names.count(name) > 1:
            raise where.error(f"{name!r} is listed twice")
    return tuple(sorted(names, key=list(EXTENSIONS).index))
