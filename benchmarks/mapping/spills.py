"""Spills of compiled programs: accesses to scratch per useful operation, over the kernels of the corpora."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.corpora.examine import LIMIT, STORE
from conformance.corpora.programs import Program, Unit
from openrpp.codegen import card
from openrpp.codegen.card import Program as Compiled
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.errors import Unsupported
from openrpp.cuda import CudaError, compile_file, read
from openrpp.isa.columns import NOP
from openrpp.isa.form import Slot
from openrpp.isa.table import decode_form
from openrpp.kir import KirError
from openrpp.kir.ir import Module
from openrpp.storage import Cache

BLOCK = 256
_WORK = (Slot.PE, Slot.SEQUENTIAL, Slot.GATHER)


@dataclass(frozen=True)
class Sized:
    """A compiled kernel: columns, accesses to planes, useful operations, host seconds; or why there is none."""

    program: str
    kernel: str
    columns: int = 0
    spills: int = 0
    useful: int = 0
    seconds: float = 0
    refused: str = ""

    @property
    def per_operation(self) -> float:
        """Spill accesses per useful operation."""
        return self.spills / max(self.useful, 1)


def useful(program: Compiled) -> int:
    """Operations of the processing element and accesses, without those to planes."""
    count = 0
    for word in program.machine.words:
        form = decode_form(word)
        count += form is not None and form.slot in _WORK and form is not NOP
    return count - program.spills


def sized(programs: Sequence[Program]) -> Iterator[Sized]:
    """All kernels of programs, compiled for blocks of up to 256 threads."""
    for program in programs:
        for unit in program.units:
            yield from _unit(program.name, unit)


def _unit(name: str, unit: Unit) -> Iterator[Sized]:
    try:
        module = read(compile_file(unit.path, unit.options, Cache(STORE, LIMIT)), strict=False).module
    except (CudaError, KirError):
        return
    for symbol in module.kernels:
        yield size(name, module, symbol)


def size(name: str, module: Module, symbol: str) -> Sized:
    """A kernel, compiled."""
    most = module.kernels[symbol].max_threads or BLOCK
    begun = time.perf_counter()
    try:
        made = card.compile(prepared(module, symbol), symbol, (min(most, BLOCK), 1, 1))
    except Unsupported as error:
        return Sized(name, symbol, refused=error.sentence)
    seconds = time.perf_counter() - begun
    return Sized(name, symbol, made.columns, made.spills, useful(made), seconds)
