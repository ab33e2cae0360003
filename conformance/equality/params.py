"""What a kernel does with its parameters: which are buffers, of what type, and which numbers bound its loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from openrpp.kir.ir import BlockParam, Instr, Kernel, Parameter, Value
from openrpp.kir.types import Type

Source = tuple[Parameter, int]
"""A parameter; for a struct by value the field at an offset in bytes, otherwise offset 0."""

_PASSES = ("ptr_add", "space_cast", "select", "inttoptr", "ptrtoint", "add")


@dataclass(frozen=True)
class Roles:
    """`buffers`: type of the elements behind each pointer; `fields`: types of the fields of structs by value.

    `nested` are pointers that were loaded from a buffer; their kernels get no arguments.
    """

    buffers: Mapping[Source, Type]
    fields: Mapping[Source, Type]
    nested: bool = False
    axes: frozenset[str] = field(default_factory=frozenset[str])


def roles(kernel: Kernel) -> Roles:
    """Follow every pointer from the parameters to the accesses through it."""
    origin: dict[Value, Source] = {}
    fields: dict[Source, Type] = {}
    for param in kernel.params:
        if not param.is_by_value and param.type.is_pointer:
            origin[param] = (param, 0)
    structs = {param: 0 for param in kernel.params if param.is_by_value}
    _fields(kernel, dict[Value, tuple[Parameter, int]]((p, (p, at)) for p, at in structs.items()), origin, fields)
    _flow(kernel, origin)
    seen: dict[Source, Counter[Type]] = {}
    nested = False
    for instr, pointer, kind in _accesses(kernel):
        source = origin.get(pointer)
        if source is None:
            continue
        seen.setdefault(source, Counter())[kind] += 1
        nested |= kind.is_pointer and instr.op.name == "load"
    buffers = {source: max(types, key=lambda kind, types=types: types[kind]) for source, types in seen.items()}
    asked = ("tid", "ctaid")
    axes = frozenset(
        f"{instr.op.name}.{instr.attr('axis')}" for instr in kernel.instructions() if instr.op.name in asked
    )
    return Roles(buffers, fields, nested, axes)


def _fields(
    kernel: Kernel, places: dict[Value, Source], origin: dict[Value, Source], fields: dict[Source, Type]
) -> None:
    """Fields of structs by value that are read at constant offsets."""
    for instr in kernel.instructions():
        first = instr.operands[0] if instr.operands else None
        if first is None or first not in places:
            continue
        param, at = places[first]
        if instr.op.name == "ptr_add" and hasattr(instr.operands[1], "signed"):
            places[instr] = param, at + instr.operands[1].signed  # pyright: ignore[reportAttributeAccessIssue]
        elif instr.op.name == "space_cast":
            places[instr] = param, at
        elif instr.op.name == "load":
            fields[param, at] = instr.type
            if instr.type.is_pointer:
                origin[instr] = param, at


def _flow(kernel: Kernel, origin: dict[Value, Source]) -> None:
    """What is computed from a pointer belongs to its parameter."""
    changed = True
    while changed:
        changed = False
        for value, operands in _definitions(kernel):
            if value in origin:
                continue
            found = next((origin[item] for item in operands if item in origin), None)
            if found is not None:
                origin[value] = found
                changed = True


def _definitions(kernel: Kernel) -> Iterator[tuple[Value, list[Value]]]:
    incoming: dict[BlockParam, list[Value]] = {}
    for block in kernel.blocks:
        for edge in block.terminator.edges:
            for param, arg in zip(edge.target.params, edge.args, strict=True):
                incoming.setdefault(param, []).append(arg)
        for instr in block.body:
            if instr.op.name in _PASSES:
                yield instr, instr.operands
    yield from incoming.items()


def _accesses(kernel: Kernel) -> Iterator[tuple[Instr, Value, Type]]:
    """(instruction, pointer, type) of loads, stores and atomics."""
    for instr in kernel.instructions():
        name = instr.op.name
        if name == "store":
            yield instr, instr.operands[1], instr.operands[0].type
        elif name in ("load", "lut") or name.startswith("atomic"):
            yield instr, instr.operands[0], instr.type
