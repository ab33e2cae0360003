"""A content-keyed cache on disk that several processes may use at once.

An entry is a file `KIND/KEY` under the cache's directory. It is written beside its place and renamed, so a reader
never sees half of it; who makes it holds the lock `locks/KIND-KEY`, so the work is done once. Entries are code that
will run: folders are made for the owner alone, and one that others can write is not used. A cache that cannot be used
(read-only home, foreign owner) is no error: everything is then made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "RPP_CACHE"
LIMIT_VARIABLE = "RPP_CACHE_BYTES"
DEFAULT_LIMIT = 1 << 30
LOCKS = "locks"
NO_ENTRIES = (LOCKS, "weights")
"""Folders beside those of the entries; weights that were pulled are kept until the user removes them."""


class CacheError(ValueError):
    """A setting of the cache that means nothing."""


def _limit() -> int:
    given = os.environ.get(LIMIT_VARIABLE) or str(DEFAULT_LIMIT)
    if not given.isdecimal():
        raise CacheError(f"{LIMIT_VARIABLE}={given} is no number of bytes")
    return int(given)


def default_root() -> Path:
    """$RPP_CACHE, else `openrpp` in the platform's directory for caches."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "openrpp"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openrpp"


def digest(*parts: str | bytes) -> str:
    """A key from the parts, which are told apart: ("ab", "c") and ("a", "bc") differ."""
    state = hashlib.blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


@dataclass(frozen=True)
class Entry:
    """One file of a cache; `used` is the time of its last use in seconds since the epoch."""

    kind: str
    key: str
    size: int
    used: float
    path: Path


class Cache:
    """The cache in a directory, of at most `limit` bytes. Raises CacheError for a wrong $RPP_CACHE_BYTES."""

    def __init__(self, root: Path | None = None, limit: int | None = None) -> None:
        self.root = root or default_root()
        self.limit = _limit() if limit is None else limit

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cache) and (self.root, self.limit) == (other.root, other.limit)

    def __hash__(self) -> int:
        return hash((self.root, self.limit))

    def read(self, kind: str, key: str) -> bytes | None:
        """The entry's bytes, or None; reading marks it as used."""
        path = self.root / kind / key
        try:
            _check_private(path.parent)
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        return data

    def write(self, kind: str, key: str, data: bytes) -> None:
        """Store an entry in one step, then evict the least recently used ones beyond the limit."""
        try:
            folder = self._folder(kind)
            handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
        except OSError:
            return
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, folder / key)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            return
        self.trim()

    def fetch(self, kind: str, key: str, make: Callable[[], bytes]) -> bytes:
        """The entry's bytes; where it is missing, what `make` returns, which is stored.

        Of several processes that ask at once one makes it while the others wait.
        """
        found = self.read(kind, key)
        if found is not None:
            return found
        with self.lock(f"{kind}-{key}"):
            found = self.read(kind, key)
            if found is None:
                found = make()
                self.write(kind, key, found)
        return found

    @contextlib.contextmanager
    def lock(self, name: str) -> Generator[None]:
        """Hold a lock that other processes and threads respect; without a usable directory there is none."""
        try:
            path = self._folder(LOCKS) / name
            handle = _locked(path)
        except OSError:
            yield
            return
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(handle)

    def entries(self) -> list[Entry]:
        """All entries, the least recently used first."""
        found: list[Entry] = []
        for folder in self._kinds():
            with contextlib.suppress(OSError), os.scandir(folder) as files:  # far faster than Path.iterdir
                found += [entry for file in files if (entry := _entry(folder, file)) is not None]
        return sorted(found, key=lambda entry: entry.used)

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(entry.size for entry in self.entries())

    def trim(self, limit: int | None = None) -> int:
        """Remove the least recently used entries until at most `limit` bytes are left; how many were removed."""
        allowed = self.limit if limit is None else limit
        entries = self.entries()
        excess = sum(entry.size for entry in entries) - allowed
        removed = 0
        for entry in entries:
            if excess <= 0:
                break
            with contextlib.suppress(OSError):
                entry.path.unlink()
                removed += 1
            excess -= entry.size
        return removed

    def clear(self) -> int:
        """Remove every entry, and what interrupted writers left; how many entries there were."""
        removed = self.trim(-1)
        for folder in self._kinds():
            for path in folder.glob(".new-*"):
                path.unlink(missing_ok=True)
        return removed

    def _kinds(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return sorted(path for path in self.root.iterdir() if path.is_dir() and path.name not in NO_ENTRIES)

    def _folder(self, kind: str) -> Path:
        """The folder of a kind, made if need be. Raises OSError where it cannot be used."""
        folder = self.root / kind
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        _check_private(folder)
        return folder


def _entry(folder: Path, file: os.DirEntry[str]) -> Entry | None:
    """The entry of a file; None for one that is being written, or gone by now."""
    if file.name.startswith("."):
        return None
    try:
        status = file.stat()
    except OSError:
        return None
    return Entry(folder.name, file.name, status.st_size, status.st_mtime, folder / file.name)


def _check_private(folder: Path) -> None:
    """Raise PermissionError where another user can have put something into the folder."""
    status = folder.stat()
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        raise PermissionError(f"{folder} can be written by other users")


def _locked(path: Path) -> int:
    """A descriptor that holds the lock file. A holder removes the file, so one that is gone by then is tried anew."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
