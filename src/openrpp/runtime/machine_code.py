"""The `reference` engine for kernel IR: machine code of the card, executed by the card's reference engine."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from openrpp.codegen.card import Program
from openrpp.codegen.card.records import RECORDS, Told
from openrpp.codegen.card.rows import in_a_row
from openrpp.codegen.errors import CodegenError, Unsupported
from openrpp.kir.ir import Module
from openrpp.machine.faults import Fault, LaunchError
from openrpp.machine.launch import Triple
from openrpp.machine.report import LaunchReport
from openrpp.runtime.allocator import FreeList
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.compiled import PUBLISHED, Form, compiled, sram_sizes, sram_text, target_of
from openrpp.runtime.engines import Call, Ran
from openrpp.runtime.errors import KernelFault, OutOfMemory
from openrpp.runtime.interpreter import CardMemory
from openrpp.runtime.kept_times import kept_time
from openrpp.runtime.memo import key_of
from openrpp.runtime.merging import merges

if TYPE_CHECKING:
    from openrpp.runtime.card import Card


@dataclass(frozen=True)
class Loaded:
    """A program with memory for a launch.

    Addresses of planes, parameter area, shared and private memory in SRAM, of the records in DDR (0 if it has none).
    """

    program: Program
    planes: int
    area: int
    shared: int
    private: int
    records: int
    notes: tuple[str, ...]

    @property
    def merge(self) -> int:
        """CUDA blocks along x in a block of the card."""
        return self.program.kernel.merge

    @property
    def block(self) -> Triple:
        """Threads of a block of the card: one row."""
        x, y, z = self.program.block
        return x * y * z * self.merge, 1, 1


@dataclass(frozen=True)
class Part:
    """A launch of the card: its blocks and its FRAM words."""

    grid: Triple
    params: list[int]


def run_machine_code(card: Card, call: Call) -> Ran:
    """Compile a kernel, run it as machine code, and time it.

    Raises CodegenError for a kernel that cannot be compiled, LaunchError where memory or the card do not suffice.
    """
    if target_of(card.arch) == PUBLISHED:
        from openrpp.runtime.staging import needs_staging, run_staged

        if needs_staging(card, call):
            return run_staged(card, call)
    with loaded(card, call) as found:
        begun, launches = time.perf_counter(), list[LaunchReport]()
        for part in parts(card, call, found):
            try:
                launches.append(card.device.launch(found.program.machine, part.grid, found.block, part.params))
            except Fault as fault:
                raise located(fault, call, found.program) from None
        taken = CardTime(tuple(launches), merge=found.merge, notes=found.notes)
        said = told(card, call, found)
        return Ran(said.output, said.dropped, time.perf_counter() - begun, taken)


def foreseen_time(card: Card, call: Call, effort: int | None = None) -> CardTime:
    """What a launch would take on the card, from its machine code and without data; why that is not known otherwise.

    `effort` limits the columns that are carried out for votes. Launches that must take the same time are walked once,
    and by one process.
    """
    key = key_of(card, call, effort)
    found = card.times.find(key)
    if found is None:
        found = card.times.note(key, kept_time(card, call, key, lambda: _foreseen(card, call, effort)))
    return found


def _foreseen(card: Card, call: Call, effort: int | None) -> CardTime:
    try:
        refuse_staging(card, call)
        with loaded(card, call) as found:
            launches = tuple(
                card.device.time(
                    found.program.machine, part.grid, found.block, part.params, None, apart_of(found), effort
                )
                for part in parts(card, call, found)
            )
            return CardTime(launches, merge=found.merge, notes=found.notes)
    except (LaunchError, CodegenError) as error:
        why = error.sentence if isinstance(error, CodegenError) else str(error)
        return CardTime(reason=f"not known: {why}")


def apart_of(found: Loaded) -> list[tuple[int, int]]:
    """SRAM ranges that hold no data: scratch for values, and the parameter area."""
    program = found.program
    return [(found.planes, found.planes + program.planes_bytes), (found.area, found.area + program.area_bytes)]


def refuse_staging(card: Card, call: Call) -> None:
    """Raises LaunchError for a launch whose buffers are staged."""
    from openrpp.runtime.staging import needs_staging

    if target_of(card.arch) == PUBLISHED and needs_staging(card, call):
        raise LaunchError(f"buffers in DDR are staged through SRAM on {card.arch.name}, which engine 'reference' times")


def told(card: Card, call: Call, found: Loaded) -> Told:
    """What a kernel printed. Raises KernelFault where it stopped."""
    if found.program.records is None:
        return Told("", 0, "", None)
    content = card.device.memory.view(found.records, found.program.records.bytes).tobytes()
    memory = CardMemory(card, call.variables)
    said = found.program.records.read(content, call.grid, call.block, memory.text)
    if said.stopped:
        raise KernelFault(call.name, said.stopped, str(said.location) if said.location else "", said.output)
    return said


def located(fault: Fault, call: Call, program: Program) -> KernelFault:
    """A fault with the source line of the column that it happened in."""
    places = program.lines.get(fault.word, ()) if fault.word is not None else ()
    where = fault.place
    sentence = f"{fault.sentence} (block {where.block} of the card, lane {where.lane})"
    return KernelFault(call.name, sentence, str(places[0]) if places else "")


# --- programs and their memory -----------------------------------------------------------------------------------


@contextmanager
def loaded(card: Card, call: Call) -> Generator[Loaded]:
    """The best program for a launch that fits the free SRAM, which it holds until the end.

    Raises CodegenError for a kernel that cannot be compiled, LaunchError where SRAM has no room or the card lacks an
    extension that the program needs.
    """
    found = _placed(card, call)
    try:
        if found.program.records is not None:
            size = found.program.records.bytes
            found = replace(found, records=card.pools["ddr"].allocate(size))
            card.device.memory.view(found.records, size)[:] = 0
        yield found
    finally:
        for address in (found.planes, found.area, found.shared, found.private):
            card.pools["sram"].release(address)
        if found.records:
            card.pools["ddr"].release(found.records)


def _placed(card: Card, call: Call) -> Loaded:
    call = _as_one_block(call)
    choices, notes = merges(card.arch, call.grid, call.block), list[str]()
    if _is_cooperative(call):
        choices = [call.grid[0]]
    for merge in choices:
        try:
            program = _program(card, call, merge)
            program.blocks(call.grid)
        except Unsupported as error:
            if merge == choices[-1]:
                raise Unsupported(error.sentence, call.name, error.location) from None
            notes.append(f"{merge} blocks are not merged: {error.sentence}")
            continue
        sizes = sram_sizes(program, call.shared_bytes)
        try:
            places = _reserved(card.pools["sram"], sizes)
            return Loaded(program, *places, records=0, notes=(*program.notes, *notes))
        except OutOfMemory as error:
            if merge == choices[-1]:
                raise LaunchError(f"kernel {call.name}: {sram_text(program, sizes)}: {error}") from None
            notes.append(f"{merge} blocks are not merged: SRAM has no room for {sum(sizes)} bytes")
    raise AssertionError("the last choice is made or refused")


def _is_cooperative(call: Call) -> bool:
    """Whether its blocks wait for each other, so that all must run as one block of the card."""
    return any(instr.op.name == "grid_barrier" for instr in call.module.kernels[call.symbol].instructions())


def _as_one_block(call: Call) -> Call:
    """A launch whose blocks can be merged if they must: those that wait for each other lie along x."""
    x, y, z = call.grid
    if y * z == 1 or not _is_cooperative(call):
        return call
    return replace(call, module=_row(call.module, call.symbol, call.grid), grid=(x * y * z, 1, 1))


@lru_cache(maxsize=64)
def _row(module: Module, symbol: str, grid: Triple) -> Module:
    return in_a_row(module, symbol, grid)


def _reserved(pool: FreeList, sizes: Iterable[int]) -> list[int]:
    """Addresses for all sizes. Raises OutOfMemory, with nothing taken."""
    found: list[int] = []
    try:
        for size in sizes:
            found.append(pool.allocate(size))
    except OutOfMemory:
        for address in found:
            pool.release(address)
        raise
    return found


def _near(card: Card, call: Call) -> tuple[str, ...]:
    """Names of the pointer arguments that lead to SRAM."""
    sram, kernel = card.device.memory.sram, call.module.kernels[call.symbol]
    pairs = zip(kernel.params, call.values, strict=True)
    return tuple(
        param.name
        for param, value in pairs
        if param.type.is_pointer and isinstance(value, int) and sram.base <= value < sram.end
    )


def _program(card: Card, call: Call, merge: int) -> Program:
    """The program, with errors that call the kernel as the source does."""
    target = target_of(card.arch)
    form = Form(call.block, merge, target, () if target == PUBLISHED else _near(card, call))
    try:
        program = compiled(call.module, call.symbol, form, call.store)
    except Unsupported as error:
        raise Unsupported(error.sentence, call.name, error.location) from None
    missing = [group for group in program.machine.extensions if group not in card.arch.extensions]
    if missing:
        many = "extensions" if len(missing) > 1 else "extension"
        sentence = f"kernel {call.name} needs the {many} {', '.join(missing)}, which {card.arch.name} lacks"
        raise LaunchError(f"{sentence}; ae7100x has them")
    return program


def parts(card: Card, call: Call, found: Loaded) -> Iterator[Part]:
    """The launches of the card that a grid takes: one, unless it is longer than the card's grids.

    Each finds the parameter area filled for it.
    """
    call = _as_one_block(call)
    program, (columns, rows, layers) = found.program, call.grid
    addresses = {**call.variables, RECORDS: found.records}
    groups, most = -(-columns // found.merge), card.arch.limits.grid.value
    for first in range(0, groups, most):
        area = program.area(call.grid, call.values, addresses, first, dynamic=call.shared_bytes)
        card.device.write(found.area, np.frombuffer(area, np.uint8))
        words = [int(word) for word in np.frombuffer(area, np.uint32)[: program.places.direct]]
        params = [found.planes, found.area, found.shared, found.private, *words]
        yield Part((min(most, groups - first), rows, layers), params)
