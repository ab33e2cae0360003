"""Runs one op as it is and expanded, on rows of operands, one thread per row."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from openrpp.kir import Module, verify_kernel
from openrpp.kir.build import Builder
from openrpp.kir.floats import FORMATS, is_nan
from openrpp.kir.interp import Memory, launch
from openrpp.kir.ir import Constant, Instr, Kernel, Parameter, Value
from openrpp.kir.ops import lookup
from openrpp.kir.ops.form import Attrs
from openrpp.kir.passes import clone_kernel
from openrpp.kir.passes.expand import Expand, is_legal
from openrpp.kir.types import I64, PTR_GLOBAL, Type

Row = tuple[int, ...]
THREADS: Final = 256
IsLegal = Callable[[Instr], bool]


def op_kernel(name: str, kinds: Sequence[Type], result: Type | None, attrs: Attrs, constants: dict[int, int]) -> Module:
    """out[i] = op(in[i]...), each value in 8 bytes; operands in `constants` are literals."""
    module = Module("op")
    kernel = module.add_kernel(Kernel("op", [Parameter(PTR_GLOBAL, "in"), Parameter(PTR_GLOBAL, "out")]))
    b = Builder(kernel)
    row = b.global_index()
    operands: list[Value] = []
    for place, kind in enumerate(kinds):
        if place in constants:
            operands.append(Constant(kind, constants[place]))
            continue
        address = b("ptr_add", b.element(kernel.params[0], b("mul", row, len(kinds)), I64), 8 * place)
        bits = b("load", address, kind=I64)
        operands.append(_narrowed(b, bits, kind))
    op = lookup(name)
    made = b.append(Instr(op, operands, result if op.needs_type() else None, attrs))
    shown = b("ptrtoint", made, kind=I64) if made.type.is_pointer else made
    b("store", shown, b.element(kernel.params[1], row, I64))
    b.ret()
    return module


def _narrowed(b: Builder, bits: Value, kind: Type) -> Value:
    if kind.is_pointer:
        return b("inttoptr", bits, kind=kind)
    whole = {1: "i1", 8: "i8", 16: "i16", 32: "i32"}.get(kind.bits)
    if whole is None:
        return bits if kind.is_int else b("bitcast", bits, kind=kind)
    from openrpp.kir.types import parse_type

    low = b("trunc", bits, kind=parse_type(whole))
    return low if kind.is_int else b("bitcast", low, kind=kind)


def run_rows(module: Module, rows: Sequence[Row], bits: int) -> list[int]:
    """The results of a kernel of `op_kernel`."""
    count = -(-len(rows) // THREADS) * THREADS
    given = np.zeros((count, len(rows[0])), np.uint64)
    given[: len(rows)] = np.array(rows, np.uint64)
    out = np.zeros(count, np.uint64)
    launch(module, "op", count // THREADS, THREADS, [given, out], memory=Memory())
    return [int(value) & ((1 << bits) - 1) for value in out[: len(rows)]]


def expanded(module: Module, legal: IsLegal = is_legal) -> Module:
    """A copy with every kernel expanded, verified, and with nothing illegal left."""
    made = Module(module.name)
    made.globals = dict(module.globals)
    for kernel in module.kernels.values():
        copied = made.add_kernel(clone_kernel(kernel))
        Expand(legal)(copied, made)
        verify_kernel(copied, made)
        assert [instr.op.name for instr in copied.instructions() if not legal(instr)] == []
    return made


def check(
    name: str,
    kinds: Sequence[Type],
    result: Type | None,
    rows: Sequence[Row],
    attrs: Attrs | None = None,
    constants: dict[int, int] | None = None,
    legal: IsLegal = is_legal,
    exact: bool = False,
) -> None:
    """Expanded and original give the same on all rows; a NaN is a NaN unless `exact`."""
    module = op_kernel(name, kinds, result, attrs or {}, constants or {})
    kind = next(i.type for i in module.kernels["op"].instructions() if i.op.name == name)
    wanted, found = run_rows(module, rows, kind.bits), run_rows(expanded(module, legal), rows, kind.bits)
    for row, a, b in zip(rows, wanted, found, strict=True):
        same = a == b or (kind.is_float and not exact and is_nan(kind, a) and is_nan(kind, b))
        assert same, f"{name} {attrs} {[k.name for k in kinds]} {[hex(v) for v in row]}: {a:#x} became {b:#x}"


def int_edges(kind: Type) -> list[int]:
    """Values at the borders of a width."""
    width = kind.bits
    values = [0, 1, 2, 3, 7, 10, -1, -2, -7, 1 << (width - 1), (1 << (width - 1)) - 1, (1 << (width - 1)) + 1]
    values += [
        width,
        width - 1,
        width + 1,
        31,
        32,
        33,
        1 << (width // 2),
        (1 << (width // 2)) - 1,
        0x5555_5555_5555_5555,
    ]
    return sorted({value & kind.mask for value in values})


def float_edges(kind: Type) -> list[int]:
    """Zeros, denormals, limits, infinities, NaNs, halves, powers of two and their neighbours."""
    form = FORMATS[kind]
    top, one = form.infinity, (((1 << (form.exponent - 1)) - 1) << form.fraction)
    unit = 1 << form.fraction
    values = [0, 1, 2, unit - 1, unit, unit + 1, one, one - 1, one + 1, top - 1, top, form.nan, top | 1]
    values += [one - unit, one - unit + 1, one + unit // 2, one + unit + unit // 4]
    for exponent in (4, 7, 8, 15, 16, 23, 24, 31, 32, 52, 53, 62, 63, 64):
        bits = one + exponent * unit
        if bits < top:
            values += [bits - 1, bits, bits + 1, bits + unit // 2]
    return [value | sign for value in values for sign in (0, form.sign)]


def edges(kind: Type) -> list[int]:
    """Values worth trying."""
    if kind.is_pointer:
        return int_edges(I64)
    return float_edges(kind) if kind.is_float else int_edges(kind)


def _random(rng: random.Random, kind: Type) -> int:
    choice = rng.randrange(4)
    bits = rng.getrandbits(kind.bits)
    if kind.is_float:
        form = FORMATS[kind]
        if choice == 0:  # few bits of significand, moderate exponent
            low = rng.randrange(min(kind.bits - 3, form.fraction))
            middle = (1 << (form.exponent - 1)) - 1 + rng.randrange(-12, 13)
            return (
                (bits & form.sign)
                | (middle << form.fraction)
                | (bits & (form.sign - 1) & (1 << form.fraction) - 1) >> low << low
            )
        return bits
    if choice == 0:
        return bits >> rng.randrange(kind.bits)
    if choice == 1:
        return -(bits >> rng.randrange(kind.bits)) & kind.mask
    return bits


def core(kind: Type) -> list[int]:
    """A few values that are always crossed."""
    if not kind.is_float:
        return [0, 1, kind.mask, 1 << kind.bits - 1]
    form = FORMATS[kind]
    one = ((1 << (form.exponent - 1)) - 1) << form.fraction
    return [value | sign for value in (0, 1, one, form.infinity, form.nan) for sign in (0, form.sign)]


def rows_of(kinds: Sequence[Type], seed: int, count: int = 300, most: int = 500) -> list[Row]:
    """The cross of a core, that of edges, cut down at random, and random bits. A failing test shows the seed."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    always = list(itertools.product(*[core(kind) for kind in kinds])) if len(kinds) <= 3 else []
    lists = [edges(kind) for kind in kinds]
    size = 1
    for values in lists:
        size *= len(values)
    if size <= most:
        crossed = list(itertools.product(*lists))
    else:
        crossed = [tuple(rng.choice(values) for values in lists) for _ in range(most)]
    return always + crossed + [tuple(_random(rng, kind) for kind in kinds) for _ in range(count)]
