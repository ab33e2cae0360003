"""CUDA C++ source to LLVM IR of its device code, through the cache."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from openrpp.cuda import diagnostics
from openrpp.cuda.clang import Clang, find_clang, standard_library
from openrpp.cuda.errors import CompileError, CudaError, Diagnostic, Location, UnsupportedError
from openrpp.cuda.launches import joined
from openrpp.cuda.options import Options
from openrpp.storage import Cache, digest

INCLUDE: Final = Path(__file__).parent / "include"
PRELUDE: Final = "cuda_runtime.h"  # nvcc includes it in front of every source, so do we

FORMAT: Final = "1"  # of cache entries

_TARGET: Final = (
    "--cuda-device-only",
    "--cuda-gpu-arch=sm_80",
    "-nocudainc",
    "-nocudalib",
    "--cuda-path=/nonexistent",  # an installed SDK must not be picked up
    "-Xclang",
    "-target-sdk-version=12.8",
    # A clang that has the NVPTX back end dies without it.
    "-Xclang",
    "-target-feature",
    "-Xclang",
    "+ptx70",
)
_CODE: Final = (
    "-O1",
    "-finline-functions",
    "-mllvm",
    "-inline-threshold=1000000",  # all of a kernel becomes one function
    "-fno-vectorize",
    "-fno-slp-vectorize",
    "-fno-unroll-loops",
    "-gline-tables-only",
    "-fno-discard-value-names",
    "-fdeclspec",
    "-fno-strict-float-cast-overflow",  # float to integer saturates
    # What older programs do and nvcc lets pass: "..."MACRO without a blank, `register` variables.
    "-Wno-reserved-user-defined-literal",
    "-Wno-register",
)


_INCLUDES: Final = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"]([\w/.]+)[>\"]", re.MULTILINE)
_UNAVAILABLE: Final = re.compile(r"^'(?P<name>.+)' is unavailable: (?P<reason>.*)$")


@dataclass(frozen=True)
class DeviceCode:
    """The LLVM IR of a source's device code.

    `key` names the content that it was made from and `warnings` are clang's.
    """

    name: str
    ir: str
    key: str
    warnings: tuple[Diagnostic, ...] = ()


def compile_file(path: str | Path, options: Options | None = None, store: Cache | None = None) -> DeviceCode:
    """Compile a file; messages and debug lines carry `path` as given. Raises as `compile_source` does, and OSError."""
    file = Path(path)
    text = file.read_text(encoding="utf-8", errors="surrogateescape")
    return _cached(_Job(str(file), text, options or Options(), Path.cwd(), in_place=True), store or Cache())


def compile_source(
    source: str, name: str = "kernel.cu", options: Options | None = None, store: Cache | None = None
) -> DeviceCode:
    """Compile source text, called `name` in messages and debug lines.

    Raises CompileError for source that clang refuses, UnsupportedError for what our headers name as missing,
    ToolchainError where there is no clang to use.
    """
    if not name or os.sep in name:
        raise CudaError(f"a source is called like a file without a directory, not {name!r}")
    return _cached(_Job(name, source, options or Options(), Path.cwd(), in_place=False), store or Cache())


@dataclass(frozen=True)
class _Job:
    name: str
    text: str
    options: Options
    cwd: Path
    in_place: bool  # the text is that of the file `name`, seen from `cwd`

    def key(self, clang: Clang) -> str:
        """What decides the result, apart from the content of included files."""
        options = self.options
        flags = [*_TARGET, *_CODE, *options.arguments(), options.definitions(), *options.pre_included()]
        place = str(self.cwd) if self.in_place or self.options.include_dirs or self.options.pre_includes else ""
        return digest(FORMAT, clang.identity, own_headers(), *flags, place, self.name, self.text)


# --- the cache ---------------------------------------------------------------------------------------------------
#
# Which files a source includes is known only after it was compiled. So there are two entries: `sources/KEY` lists the
# sets of included files, with a digest of each, that were seen for one source; `ir/KEY` holds the result for one such
# set. A header that newly appears in front of another one on the search path is the one change that goes unseen.


def _cached(job: _Job, store: Cache) -> DeviceCode:
    clang = find_clang()
    key = job.key(clang)
    found = _known(job, key, store)
    if found is not None:
        return found
    with store.lock(f"sources-{key}"):
        found = _known(job, key, store)
        return found or _compiled(job, clang, key, store)


def _known(job: _Job, key: str, store: Cache) -> DeviceCode | None:
    for files in _manifest(store, key):
        if all(_file_digest(path) == known for path, known in files.items()):
            result = _result_key(key, files)
            data = store.read("ir", result)
            if data is not None:
                return _unpacked(job.name, result, data)
    return None


def _compiled(job: _Job, clang: Clang, key: str, store: Cache) -> DeviceCode:
    ir, warnings, included = _run(job, clang)
    files = {path: _file_digest(path) for path in included}
    result = _result_key(key, files)
    packed = json.dumps({"warnings": [asdict(warning) for warning in warnings]}) + "\n" + ir
    store.write("ir", result, packed.encode("utf-8", "surrogateescape"))
    others = [known for known in _manifest(store, key) if known != files]
    store.write("sources", key, json.dumps([files, *others[:7]]).encode())
    return DeviceCode(job.name, ir, result, warnings)


def _manifest(store: Cache, key: str) -> list[dict[str, str]]:
    data = store.read("sources", key)
    return json.loads(data) if data else []


def _result_key(key: str, files: dict[str, str]) -> str:
    return digest(key, *(part for item in sorted(files.items()) for part in item))


def _file_digest(path: str) -> str:
    try:
        return digest(Path(path).read_bytes())
    except OSError:
        return ""


@cache
def own_headers() -> str:
    """A digest of our device headers."""
    parts: list[str | bytes] = []
    for path in sorted(INCLUDE.rglob("*.h*")):
        parts += [str(path.relative_to(INCLUDE)), path.read_bytes()]
    return digest(*parts)


def _unpacked(name: str, key: str, data: bytes) -> DeviceCode:
    head, _, ir = data.decode("utf-8", "surrogateescape").partition("\n")
    warnings = tuple(_diagnostic(warning) for warning in json.loads(head)["warnings"])
    return DeviceCode(name, ir, key, warnings)


def _diagnostic(data: dict[str, Any]) -> Diagnostic:
    location = Location(**data["location"]) if data["location"] else None
    return Diagnostic(data["severity"], data["message"], location, tuple(_diagnostic(note) for note in data["notes"]))


# --- the compiler ------------------------------------------------------------------------------------------------


def _run(job: _Job, clang: Clang) -> tuple[str, tuple[Diagnostic, ...], list[str]]:
    """(LLVM IR, warnings, included files other than our own headers)."""
    with tempfile.TemporaryDirectory(prefix="rpp-cuda-") as folder:
        output, listing = Path(folder, "out.ll"), Path(folder, "out.d")
        copied = Path(folder, Path(job.name).name)
        text = joined(job.text)
        if text != job.text or not job.in_place:
            copied.write_text(text, encoding="utf-8", errors="surrogateescape")
        source = job.name if job.in_place else str(copied)
        overlay = _overlay(Path(job.cwd, job.name), copied) if job.in_place and text != job.text else []
        done = clang.run(
            [*_arguments(clang, job, folder), *overlay, "-MD", "-MF", str(listing), source, "-o", str(output)], job.cwd
        )
        messages = _renamed(diagnostics.parse(done.stderr), f"{folder}{os.sep}")
        if done.returncode:
            raise _failure(messages or (Diagnostic("error", done.stderr.strip() or f"exit code {done.returncode}"),))
        included = sorted(
            _included(listing.read_text(encoding="utf-8", errors="surrogateescape"), {source, str(INCLUDE)})
        )
        return (
            output.read_text(encoding="utf-8", errors="surrogateescape"),
            messages,
            [
                path
                for path in included
                if not path.startswith(folder) and Path(job.cwd, path).resolve() != Path(job.cwd, source).resolve()
            ],
        )


def _overlay(path: Path, copied: Path) -> list[str]:
    """Arguments that make clang read `copied` where it opens `path`."""
    root = {"name": str(path), "type": "file", "external-contents": str(copied)}
    listing = copied.with_name("overlay.json")
    listing.write_text(json.dumps({"version": 0, "use-external-names": False, "roots": [root]}), encoding="utf-8")
    return ["-ivfsoverlay", str(listing)]


def _failure(messages: tuple[Diagnostic, ...]) -> CudaError:
    """The error for clang's messages. Our headers mark what there is not, with the reason."""
    errors = [message for message in messages if message.is_error]
    missing = _UNAVAILABLE.match(errors[0].message) if errors else None
    if missing:
        return UnsupportedError(missing["name"].partition("<")[0], missing["reason"], errors[0].location)
    return CompileError(messages)


def _arguments(clang: Clang, job: _Job, folder: str) -> list[str]:
    names = [f"-ffile-prefix-map={folder}{os.sep}=", "-fdebug-compilation-dir=."]
    headers = ["-isystem", str(INCLUDE), "-idirafter", str(INCLUDE / "fallback"), "-include", str(INCLUDE / PRELUDE)]
    messages = [*diagnostics.FLAGS, *standard_library(clang)]
    flags = ["-x", "cuda", *_TARGET, *_CODE, *messages, *names, *headers, *job.options.arguments()]
    definitions = job.options.definitions()
    if definitions:
        macros = Path(folder, "<command line>")
        macros.write_text(definitions, encoding="utf-8", errors="surrogateescape")
        for header in (*_asked_for(job.text), macros):
            flags += ["-include", str(header)]
    return [*flags, *job.options.pre_included(), "-S", "-emit-llvm"]


def _asked_for(text: str) -> list[Path]:
    """Those of our headers that a source includes: they stand before its macros, which may be called as their names."""
    names = dict.fromkeys(_INCLUDES.findall(text))
    return [path for name in names if (path := INCLUDE / name).is_file()]


def _renamed(messages: Iterable[Diagnostic], prefix: str) -> tuple[Diagnostic, ...]:
    """Messages whose places no longer name the temporary folder."""
    found: list[Diagnostic] = []
    for message in messages:
        place = message.location
        if place is not None and place.file.startswith(prefix):
            place = Location(place.file.removeprefix(prefix), place.line, place.column)
        text = message.message.replace(prefix, "")
        found.append(Diagnostic(message.severity, text, place, _renamed(message.notes, prefix)))
    return tuple(found)


def _included(listing: str, without: set[str]) -> set[str]:
    """Files of a dependency list in Make's syntax, except those that are, or lie below, the paths given."""
    _, _, names = listing.replace("\\\n", " ").partition(": ")
    found = {re.sub(r"\\([ #\\])", r"\1", name).replace("$$", "$") for name in re.findall(r"(?:\\.|[^\s\\])+", names)}
    return {name for name in found if not any(name == path or name.startswith(path + os.sep) for path in without)}
