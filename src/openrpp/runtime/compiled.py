"""Kernels compiled to machine code of the card, kept in the process and in the cache between processes."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from openrpp.arch import Card as Arch
from openrpp.codegen import card
from openrpp.codegen.card import Program
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.card.saved import BadProgram, from_data, to_data
from openrpp.codegen.card.steps import Memory
from openrpp.codegen.errors import CodegenError
from openrpp.kir.ir import Module
from openrpp.kir.layout import symbols
from openrpp.kir.printer import print_kernel
from openrpp.machine.launch import Triple
from openrpp.storage import Cache, digest

PUBLISHED, EXTENDED = TARGETS = ("ae7100", "ae7100x")
"""What kernels are compiled for: the published chip, or the card with all extension instructions."""
_SOURCES = ("kir", "isa", "codegen/card", "codegen/errors.py", "codegen/structure.py")
_PACKAGE = Path(__file__).parents[1]


class Form(NamedTuple):
    """What a kernel is compiled for besides its own text.

    Block shape, merged blocks, target, and which pointer parameters lead to SRAM (on the published chip all do).
    """

    block: Triple
    merge: int = 1
    target: str = EXTENDED
    near: tuple[str, ...] = ()


_known: WeakKeyDictionary[Module, dict[tuple[str, Form], card.Program | CodegenError]] = WeakKeyDictionary()


def target_of(arch: Arch) -> str:
    """The target for a card: the published one unless the card has extension instructions."""
    return EXTENDED if arch.extensions else PUBLISHED


def keep(module: Module, symbol: str, form: Form, program: card.Program) -> None:
    """Use a program that comes from a file."""
    _known.setdefault(module, {})[symbol, form] = program


def compiled(module: Module, symbol: str, form: Form, store: Cache) -> card.Program:
    """A kernel as a program. Raises CodegenError where it cannot be one."""
    kept = _known.setdefault(module, {})
    found = kept.get((symbol, form))
    if found is None:
        try:
            found = _fetched(module, symbol, form, store)
        except CodegenError as error:
            found = error
        kept[symbol, form] = found
    if isinstance(found, CodegenError):
        raise found.with_traceback(None)
    return found


def _fetched(module: Module, symbol: str, form: Form, store: Cache) -> card.Program:
    kernel, made = module.kernels[symbol], list[card.Program]()

    def make() -> bytes:
        made.append(_compile(module, symbol, form))
        return json.dumps(to_data(made[0]), separators=(",", ":")).encode()

    key = _key(module, symbol, form)
    data = store.fetch("card", key, make)
    if made:
        return made[0]
    try:
        return from_data(json.loads(data), kernel)
    except (BadProgram, ValueError):  # a damaged entry
        return _compile(module, symbol, form)


def _compile(module: Module, symbol: str, form: Form) -> card.Program:
    placement = dict.fromkeys(form.near, Memory.SRAM)
    made = prepared(module, symbol, form.merge, form.target)
    return card.compile(made, symbol, form.block, target=form.target, placement=placement)


def _key(module: Module, symbol: str, form: Form) -> str:
    return digest(version_of(_SOURCES), repr(form), content_key(module, symbol))


_contents: WeakKeyDictionary[Module, dict[str, str]] = WeakKeyDictionary()


def content_key(module: Module, symbol: str) -> str:
    """A digest of what a kernel says and of the variables that it uses."""
    known = _contents.setdefault(module, {})
    if symbol not in known:
        kernel = module.kernels[symbol]
        used = [module.globals[name] for name in symbols(kernel)]
        variables = [(item.name, item.space.value, item.size, item.align, item.dynamic) for item in used]
        known[symbol] = digest(print_kernel(kernel), repr(variables))
    return known[symbol]


@cache
def version_of(places: tuple[str, ...]) -> str:
    """A digest of which files of the package make something: their names, sizes and times of change."""
    parts: list[str] = []
    for name in places:
        place = _PACKAGE / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            status = os.stat(path)
            parts.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    return digest(*parts)


def sram_sizes(program: Program, dynamic: int = 0) -> tuple[int, int, int, int]:
    """Bytes of SRAM of a launch: scratch, parameters, shared memory (`dynamic` of each block), private memory."""
    return program.planes_bytes, program.area_bytes, program.shared_for(dynamic), program.private_bytes


def sram_text(program: Program, sizes: tuple[int, int, int, int]) -> str:
    """The same as the start of a sentence."""
    threads = program.block[0] * program.block[1] * program.block[2] * program.kernel.merge
    what = ("of scratch for values", "of parameters", "of shared memory", "of private memory")
    listed = ", ".join(f"{size:,} bytes {name}" for size, name in zip(sizes, what, strict=True) if size)
    return f"a block of {threads} threads takes {listed}"
