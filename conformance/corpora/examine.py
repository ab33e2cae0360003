"""One program through the front end and the analyses: every kernel with what became of it."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import openrpp
from conformance.corpora.lists import LIBRARIES
from conformance.corpora.needs import Needs, fingerprint, needs
from conformance.corpora.programs import Program, Unit
from conformance.corpora.sources import kernels
from openrpp.cuda import CompileError, CudaError, compile_file, read
from openrpp.kir import KirError
from openrpp.storage import Cache, digest

REACHED: Final = "reached"
LIBRARY: Final = "library"
MISSED: Final = "missed"

STORE: Final = Path("build/corpora")
"""The command's own cache: what is not in it is compiled, so that times are those of a compilation."""
LIMIT: Final = 2 << 30
_MISSING: Final = re.compile(r"^'([^']+)' file not found")


@dataclass(frozen=True)
class Found:
    """A kernel, or an instance of a template. `outcome`: reached, library or missed; `reason` is empty if reached."""

    name: str
    symbol: str
    outcome: str
    reason: str = ""
    instructions: int = 0
    body: str = ""
    needs: Needs = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Examined:
    """A translation unit: kernels, and what stopped all of it. `seconds`: clang and reading, when they last ran."""

    corpus: str
    program: str
    unit: str
    seconds: float
    kernels: tuple[Found, ...]
    stopped: str = ""


def examine(program: Program, root: Path = STORE) -> list[Examined]:
    """All translation units of a program."""
    store = Cache(root, LIMIT)
    return [_examine(program, unit, store) for unit in program.units]


def _examine(program: Program, unit: Unit, store: Cache) -> Examined:
    place = unit.path.relative_to(program.folder).as_posix()
    begun = time.perf_counter()
    try:
        code = compile_file(unit.path, unit.options, store)
        seconds = _recorded(store, code.key, time.perf_counter() - begun)
        known = store.read("kernels", key := digest(code.key, _versions()))
        if known is None:
            begun = time.perf_counter()
            device = read(code, strict=False)
            reading = time.perf_counter() - begun
            sources = {symbol: name for name, symbols in device.names.items() for symbol in symbols}
            found = [_reached(sources, name, device.module) for name in device.module.kernels]
            found += [
                Found(sources.get(name, name), name, MISSED, str(error)) for name, error in device.refused.items()
            ]
            known = json.dumps({"seconds": reading, "kernels": [asdict(item) for item in found]}).encode()
            store.write("kernels", key, known)
    except (CudaError, KirError) as error:
        seconds = time.perf_counter() - begun
        return Examined(program.corpus, program.name, place, seconds, tuple(_stopped(unit, error)), _sentence(error))
    data: dict[str, Any] = json.loads(known)
    found = tuple(Found(**item) for item in data["kernels"])
    return Examined(program.corpus, program.name, place, seconds + data["seconds"], found)


def _recorded(store: Cache, key: str, measured: float) -> float:
    """What clang took for a source when it was compiled; a result from the cache is there in no time."""
    known = store.read("seconds", key)
    if known is None:
        store.write("seconds", key, known := str(measured).encode())
    return float(known)


def _reached(sources: dict[str, str], symbol: str, module: Any) -> Found:
    kernel = module.kernels[symbol]
    count = sum(1 for _ in kernel.instructions())
    return Found(sources.get(symbol, symbol), symbol, REACHED, "", count, fingerprint(kernel), needs(kernel, module))


def _stopped(unit: Unit, error: Exception) -> list[Found]:
    """The kernels in the sources of a unit that was not compiled: those that use a library, and the others."""
    sources = [path.read_text(encoding="utf-8", errors="replace") for path in unit.files]
    found: list[Found] = []
    for name, namespace in kernels(sources, LIBRARIES.values()):
        if namespace:
            found.append(Found(name, name, LIBRARY, namespace))
        else:
            found.append(Found(name, name, MISSED, _sentence(error)))
    return found


def library(error: Exception) -> str:
    """The library whose header was not found; empty for other errors."""
    if not isinstance(error, CompileError) or not error.errors:
        return ""
    missing = _MISSING.match(error.errors[0].message)
    header = missing[1] if missing else ""
    return next((name for start, name in LIBRARIES.items() if header.startswith(start)), "")


def _sentence(error: Exception) -> str:
    name = library(error)
    return f"its file includes {name}" if name else str(error).partition("\n")[0]


@cache
def _versions() -> str:
    """A digest of what makes kernel IR and its figures."""
    package = Path(openrpp.__file__).parent
    parts = ("kir/analysis", "kir/ops", "kir/passes", "cuda/reader")
    roots = [*(package / part for part in parts), Path(__file__).parent]
    return digest(*(path.read_bytes() for root in roots for path in sorted(root.rglob("*.py"))))
