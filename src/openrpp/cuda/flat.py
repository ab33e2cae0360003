"""Kernel IR as tuples of plain values, which `marshal` writes and reads far faster than the text form is parsed.

Only for caches: the form has no version of its own, so a key must name the code that wrote it (`code_version`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from openrpp.kir.ir import (
    Block,
    BlockParam,
    Constant,
    Edge,
    Exit,
    Global,
    Instr,
    Kernel,
    Local,
    Module,
    Parameter,
    Terminator,
    Value,
)
from openrpp.kir.location import Location
from openrpp.kir.ops import lookup
from openrpp.kir.types import Space, parse_type
from openrpp.storage import digest

Flat = tuple[Any, ...]
_PACKAGE: Final = Path(__file__).parents[1]


@cache
def code_version() -> str:
    """A digest of which files make kernel IR: their names, sizes and times of change."""
    parts = [sys.implementation.cache_tag or sys.version]
    for folder in ("kir", "cuda"):
        for place, _, files in sorted(os.walk(_PACKAGE / folder)):
            if place.endswith(("__pycache__", "include")) or f"{os.sep}include{os.sep}" in place:
                continue
            for name in sorted(files):
                status = os.stat(os.path.join(place, name))
                parts.append(f"{place}/{name} {status.st_size} {status.st_mtime_ns}")
    return digest(*parts)


def flatten(module: Module) -> Flat:
    """A module as tuples."""
    variables = [
        (item.name, item.space.value, item.size, item.align, item.data, item.relocations, item.dynamic)
        for item in module.globals.values()
    ]
    return module.name, tuple(variables), tuple(_Writer(kernel).flat() for kernel in module.kernels.values())


def restore(flat: Flat) -> Module:
    """The module of `flatten`, equal in every respect."""
    name, variables, kernels = flat
    module = Module(name)
    for label, space, *rest in variables:
        module.add_global(Global(label, Space(space), *rest))
    for kernel in kernels:
        module.add_kernel(_Reader().kernel(kernel))
    return module


def _flat_location(location: Location | None) -> Flat | None:
    if location is None:
        return None
    return location.file, location.line, location.column, _flat_location(location.inlined_at)


def _location(flat: Flat | None) -> Location | None:
    if flat is None:
        return None
    file, line, column, inlined_at = flat
    return Location(file, line, column, _location(inlined_at))


class _Writer:
    """Values are numbered: parameters, then block by block; constants count down from -1."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.numbers: dict[Value, int] = {value: index for index, value in enumerate(_values(kernel))}
        self.blocks = {block: index for index, block in enumerate(kernel.blocks)}
        self.constants: list[tuple[str, int]] = []
        self.places: dict[Location, int] = {}

    def flat(self) -> Flat:
        kernel = self.kernel
        params = tuple((param.type.name, param.name, param.size, param.align) for param in kernel.params)
        slots = tuple((item.name, item.size, item.align) for item in kernel.locals.values())
        where = self._place(kernel.location)
        blocks = tuple(self._block(block) for block in kernel.blocks)
        places = tuple(_flat_location(place) for place in self.places)
        head = (kernel.name, params, slots, kernel.max_threads, kernel.merge, where)
        return *head, tuple(self.constants), places, blocks

    def _block(self, block: Block) -> Flat:
        params = tuple((param.type.name, param.name) for param in block.params)
        body = tuple(
            (
                instr.op.name,
                self._operands(instr.operands),
                instr.type.name,
                tuple(instr.attrs.items()),
                self._place(instr.location),
                instr.name,
            )
            for instr in block.body
        )
        return block.name, params, body, self._terminator(block.terminator)

    def _terminator(self, end: Terminator) -> Flat:
        value = None if end.value is None else self._operand(end.value)
        edges = tuple((self.blocks[edge.target], self._operands(edge.args)) for edge in end.edges)
        return end.kind.value, value, edges, tuple(end.cases), self._place(end.location)

    def _operands(self, values: Sequence[Value]) -> tuple[int, ...]:
        return tuple(self._operand(value) for value in values)

    def _operand(self, value: Value) -> int:
        number = self.numbers.get(value)
        if number is None:
            assert isinstance(value, Constant)
            self.constants.append((value.type.name, value.bits))
            number = self.numbers[value] = -len(self.constants)
        return number

    def _place(self, location: Location | None) -> int:
        return -1 if location is None else self.places.setdefault(location, len(self.places))


def _values(kernel: Kernel) -> Iterable[Value]:
    yield from kernel.params
    for block in kernel.blocks:
        yield from block.params
        yield from block.body


class _Reader:
    def __init__(self) -> None:
        self.values: list[Value] = []
        self.constants: list[Constant] = []
        self.places: list[Location | None] = []

    def kernel(self, flat: Flat) -> Kernel:
        name, params, slots, bound, merge, where, constants, places, blocks = flat
        self.places = [_location(place) for place in places]
        self.constants = [Constant(parse_type(kind), bits) for kind, bits in constants]
        made = Kernel(name, [Parameter(parse_type(kind), *rest) for kind, *rest in params], self._place(where))
        made.locals = {item[0]: Local(*item) for item in slots}
        made.max_threads, made.merge = bound, merge
        self.values = list(made.params)
        # Operands may be defined in later blocks, so all values are there before any refers to another.
        for label, arguments, body, _ in blocks:
            block = made.block(label)
            block.params = [BlockParam(parse_type(kind), hint) for kind, hint in arguments]
            block.body = [Instr.__new__(Instr) for _ in body]
            self.values += [*block.params, *block.body]
        for block, (_, _, body, end) in zip(made.blocks, blocks, strict=True):
            for instr, content in zip(block.body, body, strict=True):
                self._fill(instr, content)
            block.terminator = self._terminator(made, end)
        return made

    def _fill(self, instr: Instr, flat: Flat) -> None:
        """What `Instr` sets, without its checks: they were made when the instruction was."""
        op, operands, kind, attrs, where, instr.name = flat
        instr.op = lookup(op)
        instr.operands = self._operands(operands)
        instr.type = parse_type(kind)
        instr.attrs = dict(attrs)
        instr.location = self._place(where)

    def _terminator(self, kernel: Kernel, flat: Flat) -> Terminator:
        kind, value, edges, cases, where = flat
        ways: Iterable[tuple[int, tuple[int, ...]]] = edges
        made = [Edge(kernel.blocks[target], self._operands(args)) for target, args in ways]
        chosen = None if value is None else self._operands((value,))[0]
        return Terminator(Exit(kind), chosen, made, list(cases), self._place(where))

    def _operands(self, numbers: Sequence[int]) -> list[Value]:
        return [self.values[number] if number >= 0 else self.constants[-number - 1] for number in numbers]

    def _place(self, number: int) -> Location | None:
        return None if number < 0 else self.places[number]
