"""The folder of weights: `<root>/<name>/<file>`, checked before a file gets its name.

Files stay until the user removes them; the cap of the cache of compiled kernels does not concern them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from openrpp.storage import Cache, default_root
from openrpp.weights.catalogue import Entry, Local, Wheel, entry
from openrpp.weights.errors import WeightsError
from openrpp.weights.fetch import Progress, download
from openrpp.weights.sources import address, unpack

VARIABLE = "RPP_WEIGHTS"
OFFLINE = "RPP_OFFLINE"
FOLDER = "weights"


def root() -> Path:
    """$RPP_WEIGHTS, else `weights` in the cache's folder."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else default_root() / FOLDER


def place(item: Entry) -> Path:
    """Where the file of an entry lies, or will lie."""
    return item.source.path if isinstance(item.source, Local) else root() / item.name / item.file


def is_here(item: Entry) -> bool:
    """Whether the file is there, by its length; `pull` looks at the sum as well."""
    path = place(item)
    return path.is_file() and item.bytes in (None, path.stat().st_size)


def find(name: str, catalogues: Sequence[Path] = ()) -> Path:
    """The file of a model that has been pulled. Never asks the network.

    Raises WeightsError for an unknown name, and for a file that is not here, with the command that brings it.
    """
    item = entry(name, *catalogues)
    if is_here(item):
        return place(item)
    if isinstance(item.source, Local):
        _checked(item, place(item))
    raise WeightsError(f"{item.name} is not here; 'rpp pull {item.name}' fetches it{_size(item)}")


def pull(
    name: str,
    progress: Progress | None = None,
    catalogues: Sequence[Path] = (),
    given: Path | None = None,
) -> Path:
    """The file of a model, fetched where it is missing, its sum checked in any case.

    `given` is the file, or the wheel around it, that was fetched by other means. Several processes may pull at once.
    Raises WeightsError for an unknown name, a source that cannot be reached and a sum that differs, OSError for a
    folder that cannot be written.
    """
    item = entry(name, *catalogues)
    target = place(item)
    if is_here(item) and given is None:
        return _checked(item, target)
    if isinstance(item.source, Local):
        return _checked(item, target)
    with Cache().lock(f"weights-{item.name}"):
        if given is not None:
            _take(item, given, target)
        elif not is_here(item):
            _fetch(item, target, progress or _silent)
    return target


def remove(name: str, catalogues: Sequence[Path] = ()) -> int:
    """Remove what was fetched for a model; the bytes that this frees. A file of one's own stays."""
    item = entry(name, *catalogues)
    folder = root() / item.name
    if isinstance(item.source, Local) or not folder.is_dir():
        return 0
    freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return freed


def _fetch(item: Entry, target: Path, progress: Progress) -> None:
    if os.environ.get(OFFLINE):
        raise WeightsError(f"{item.name} is not here, and {OFFLINE} forbids to fetch it")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.parent / f"{_arriving(item)}.part"
    _check_room(item, target.parent, part)
    found = address(item)
    download(found.url, part, found.size, progress, found.token)
    if found.sha256 and (real := checksum(part)) != found.sha256:
        part.unlink()
        raise WeightsError(
            f"{item.name}: what {item.source} sends has sha256 {real}, not {found.sha256}; it was removed, pull again"
        )
    _accept(item, part, target)
    part.unlink(missing_ok=True)


def _take(item: Entry, given: Path, target: Path) -> None:
    """Use a file, or a wheel, that the user gives."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(item.source, Wheel) and given.suffix == ".whl":
        _accept(item, given, target)
        return
    fresh = target.with_name(f"{target.name}.new")
    shutil.copyfile(given, fresh)
    _finish(item, fresh, target, str(given))


def _accept(item: Entry, archive: Path, target: Path) -> None:
    """Take the file out of what was downloaded."""
    fresh = target.with_name(f"{target.name}.new")
    unpack(item, archive, fresh)
    _finish(item, fresh, target, f"{item.file} from {item.source}")


def _finish(item: Entry, fresh: Path, target: Path, what: str) -> None:
    """Check a complete file, then give it its name in one step."""
    if wrong := _wrong(item, fresh):
        fresh.unlink()
        raise WeightsError(f"{item.name}: {what} {wrong}; it was not taken")
    fresh.replace(target)


def _checked(item: Entry, path: Path) -> Path:
    """The path, if length and sum are right. Raises WeightsError."""
    if wrong := _wrong(item, path):
        hint = "" if isinstance(item.source, Local) else "; remove it and pull again"
        raise WeightsError(f"{item.name}: {path} {wrong}{hint}")
    return path


def _wrong(item: Entry, path: Path) -> str:
    """What is wrong with a file, empty for nothing."""
    if not path.is_file():
        return "does not exist"
    size = path.stat().st_size
    if item.bytes not in (None, size):
        return f"has {size:,} bytes, the catalogue says {item.bytes:,}"
    if item.sha256 and (real := checksum(path)) != item.sha256:
        return f"has sha256 {real}, the catalogue says {item.sha256}"
    return ""


def checksum(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arriving(item: Entry) -> str:
    """Name of what is downloaded: the file, or the wheel around it."""
    wheel = item.source
    return f"{wheel.package}-{wheel.version}.whl" if isinstance(wheel, Wheel) else item.file


def _check_room(item: Entry, folder: Path, part: Path) -> None:
    """Refuse at once what the disk has no room for: a wheel and its file lie side by side for a moment."""
    if item.bytes is None:
        return
    there = part.stat().st_size if part.exists() else 0
    needed = item.bytes * (2 if isinstance(item.source, Wheel) else 1) - there
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WeightsError(f"{item.name} needs {needed:,} bytes in {folder}, where {free:,} are free")


def _size(item: Entry) -> str:
    return f" ({item.bytes / 1e6:.0f} MB)" if item.bytes else ""


def _silent(have: int, total: int | None) -> None:
    """No progress."""
