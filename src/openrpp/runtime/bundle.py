"""Compiled programs in a file (`.rpp`): kernel IR, names, and machine code for the block shapes that were asked for.

A zip archive: `manifest.json` says what is there, `module.kir` is the kernel IR in its text form, from which any other
block shape is compiled later, and each file in `code/` is one program. Nothing in it depends on the compiler of CUDA.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple
from zlib import error as ZlibError

from openrpp.codegen.card import Program
from openrpp.codegen.card.saved import BadProgram, from_data, to_data
from openrpp.kir.errors import KirError
from openrpp.kir.ir import Module
from openrpp.kir.parser import parse_module
from openrpp.kir.printer import print_module
from openrpp.kir.verify import verify_module
from openrpp.runtime.compiled import TARGETS, Form, keep

FORMAT: Final = "openrpp program"
VERSION: Final = 1
SUFFIX: Final = ".rpp"
_MANIFEST, _MODULE = "manifest.json", "module.kir"
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # so that equal content gives equal files


class BundleError(ValueError):
    """A file that is no compiled program, or one that cannot be used; the sentence names file and reason."""


class Refused(NamedTuple):
    """A kernel that has no kernel IR: its symbol, what it uses, why not, where, what messages call it."""

    symbol: str
    name: str
    reason: str
    place: tuple[str, int, int] | None
    kernel: str


@dataclass(frozen=True)
class Bundle:
    """What a file holds.

    `names` are the symbols of each kernel name of the source, `expressions` those of template instances that were asked
    for; `programs` the machine code by symbol and form.
    """

    label: str
    target: str
    module: Module
    names: Mapping[str, tuple[str, ...]]
    expressions: Mapping[str, str] = field(default_factory=dict[str, str])
    refused: tuple[Refused, ...] = ()
    programs: Mapping[tuple[str, Form], Program] = field(default_factory=dict[tuple[str, Form], Program])


def is_bundle(path: str | Path) -> bool:
    """Whether a file is called like a compiled program."""
    return Path(path).suffix == SUFFIX


def target_in(path: str | Path) -> str:
    """The target that a file was compiled for. Raises BundleError and OSError."""
    with _reading(path) as archive:
        return _manifest_of(archive)["target"]


def write_bundle(path: str | os.PathLike[str], bundle: Bundle) -> None:
    """Write a file. Raises OSError."""
    rows: list[dict[str, Any]] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, ((symbol, form), program) in enumerate(bundle.programs.items()):
            name = f"code/{index}.json"
            rows.append({"symbol": symbol, "form": list(form), "file": name})
            _add(archive, name, json.dumps(to_data(program), separators=(",", ":")))
        _add(archive, _MODULE, print_module(bundle.module))
        _add(archive, _MANIFEST, json.dumps(_manifest(bundle, rows), indent=1))


def _manifest(bundle: Bundle, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "label": bundle.label,
        "target": bundle.target,
        "names": {name: list(symbols) for name, symbols in bundle.names.items()},
        "expressions": dict(bundle.expressions),
        "refused": [list(item) for item in bundle.refused],
        "programs": rows,
    }


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, text.encode("utf-8", "surrogateescape"))


def read_bundle(path: str | Path) -> Bundle:
    """Read a file; its machine code is used from then on. Raises BundleError and OSError."""
    with _reading(path) as archive:
        bundle = _read(archive)
    for (symbol, form), program in bundle.programs.items():
        keep(bundle.module, symbol, form, program)
    return bundle


@contextmanager
def _reading(path: str | Path) -> Generator[zipfile.ZipFile]:
    """The archive, with errors that name it."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise BundleError(f"{path} is no compiled program, or a damaged one: {error}") from None
    except (ZlibError, EOFError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"{path} is damaged: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError, KirError) as error:
        raise BundleError(f"{path} cannot be used: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, BadProgram | BundleError):
        return str(error)
    if isinstance(error, KirError):
        return f"its kernel IR is not valid: {error.sentence}"
    return f"its manifest does not say what is needed ({type(error).__name__}: {error})"


def _manifest_of(archive: zipfile.ZipFile) -> dict[str, Any]:
    """What the file says it holds. Raises BundleError and what reading raises."""
    present = set(archive.namelist())
    if _MANIFEST not in present:
        raise BundleError(f"it holds no {_MANIFEST}, so it is no program of 'rpp compile'")
    found = json.loads(archive.read(_MANIFEST))
    if found["format"] != FORMAT:
        raise BundleError(f"its format is {found['format']!r}, not {FORMAT!r}")
    if found["version"] > VERSION:
        raise BundleError(f"it has version {found['version']}; this OpenRPP reads up to version {VERSION}")
    if found["target"] not in TARGETS:
        raise BundleError(f"its target {found['target']!r} is not known; there are {', '.join(TARGETS)}")
    return found


def _read(archive: zipfile.ZipFile) -> Bundle:
    found = _manifest_of(archive)
    module = parse_module(archive.read(_MODULE).decode("utf-8", "surrogateescape"))
    verify_module(module)
    programs: dict[tuple[str, Form], Program] = {}
    for row in found["programs"]:
        symbol, (block, merge, target, near) = row["symbol"], row["form"]
        program = from_data(json.loads(archive.read(row["file"])), module.kernels[symbol])
        programs[symbol, Form(tuple(block), merge, target, tuple(near))] = program
    return Bundle(
        found["label"],
        found["target"],
        module,
        {name: tuple(symbols) for name, symbols in found["names"].items()},
        dict(found["expressions"]),
        tuple(Refused(*item) for item in found["refused"]),
        programs,
    )
