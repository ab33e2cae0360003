"""Source text or file to kernel IR, instances of templates included."""

from __future__ import annotations

import marshal
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from openrpp.codegen.card import Program
from openrpp.cuda.compile import DeviceCode, compile_file, compile_source
from openrpp.cuda.errors import Diagnostic, Location, UnsupportedError
from openrpp.cuda.flat import code_version, flatten, restore
from openrpp.cuda.options import Options
from openrpp.cuda.reader import DeviceModule, read
from openrpp.runtime.bundle import Bundle, Refused, read_bundle
from openrpp.runtime.compiled import Form
from openrpp.storage import Cache, digest

_PROBE = "__rpp_expression_"
_PROBED = re.compile(rf'^@{_PROBE}(?P<index>\d+) = .*?\bptr @(?P<symbol>"[^"]*"|[-\w.$]+).*\n', re.MULTILINE)


@dataclass(frozen=True)
class Unit:
    """A compiled source: what messages call it, its kernels and variables, the symbols of its name expressions."""

    label: str
    device: DeviceModule
    expressions: Mapping[str, str]
    warnings: tuple[Diagnostic, ...]


def build(text: str, path: Path | None, name: str, options: Options, expressions: Sequence[str], store: Cache) -> Unit:
    """Compile a text, or a file where `path` is given. Raises as `compile_source` and `read` do, and OSError."""
    label = name if path is None else str(path)
    if not expressions:
        code = compile_source(text, name, options, store) if path is None else compile_file(path, options, store)
        return Unit(label, _read(code, store), {}, code.warnings)
    if path is not None:
        path.open("rb").close()  # an OSError says more than a failed #include
        text, name = f'#include "{path.resolve()}"\n', f"instances of {path.name}"
    code = compile_source(text + _probes(expressions), name, options, store)
    found = {expressions[int(match["index"])]: match["symbol"].strip('"') for match in _PROBED.finditer(code.ir)}
    code = replace(code, ir=_PROBED.sub("", code.ir))
    return Unit(label, _read(code, store), found, code.warnings)


def load(path: Path) -> Unit:
    """A file of compiled programs, for which no compiler is needed. Raises BundleError and OSError."""
    bundle = read_bundle(path)
    refused = {
        item.symbol: UnsupportedError(
            item.name, item.reason, Location(*item.place) if item.place else None, item.kernel
        )
        for item in bundle.refused
    }
    return Unit(bundle.label, DeviceModule(bundle.module, dict(bundle.names), refused), bundle.expressions, ())


def bundled(unit: Unit, target: str, programs: Mapping[tuple[str, Form], Program]) -> Bundle:
    """What a file of compiled programs holds."""
    device = unit.device
    refused = tuple(
        Refused(symbol, error.name, error.reason, _flat(error.location), error.kernel)
        for symbol, error in device.refused.items()
    )
    return Bundle(unit.label, target, device.module, device.names, unit.expressions, refused, programs)


def _probes(expressions: Sequence[str]) -> str:
    """Variables that hold the kernels' addresses: that makes clang compile them, and names their symbols."""
    kind = 'extern "C" __device__ const void *const'
    lines = [
        f'\n#line 1 "name_expressions"\n{kind} {_PROBE}{index} = (const void *)&{text};\n'
        for index, text in enumerate(expressions)
    ]
    return "".join(lines)


@lru_cache(maxsize=64)
def _read(code: DeviceCode, store: Cache) -> DeviceModule:
    """The kernels of a source; one object per content, so that what is compiled from it is shared."""
    key = digest(code.key, code.name, code_version())
    data = store.read("kir", key)
    if data is not None:
        return _unpacked(data)
    device = read(code, strict=False)
    store.write("kir", key, _packed(device))
    return device


def _packed(device: DeviceModule) -> bytes:
    refused = tuple(
        (symbol, error.name, error.reason, _flat(error.location), error.kernel)
        for symbol, error in device.refused.items()
    )
    return marshal.dumps((flatten(device.module), tuple(device.names.items()), refused))


def _unpacked(data: bytes) -> DeviceModule:
    """The module of a cache entry, which only this user can have written."""
    module, names, refused = marshal.loads(data)
    errors = {
        symbol: UnsupportedError(name, reason, Location(*place) if place else None, kernel)
        for symbol, name, reason, place, kernel in refused
    }
    return DeviceModule(restore(module), dict(names), errors)


def _flat(place: Location | None) -> tuple[str, int, int] | None:
    return (place.file, place.line, place.column) if place else None
