"""Copies and fills of memory: single accesses for few bytes, loops for many or for a computed number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.cuda.reader.context import Context
from openrpp.cuda.reader.memory import aligned, writable
from openrpp.kir import Constant, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.types import Space

UNROLLED: Final = 128
"""Bytes up to which a copy or fill of known size becomes single accesses; beyond, a loop."""


def copy(
    context: Context, target: Value, source: Value, size: Value, align: int, overlaps: bool, volatile: bool
) -> None:
    """memcpy and memmove. A copy of few bytes loads all of them before it stores any."""
    target = writable(context, target)
    if isinstance(size, Constant) and size.bits <= UNROLLED:
        steps = _steps(size.bits, align)
        loaded = [
            context.emit("load", context.moved(source, place), kind=kind, volatile=volatile, attrs=aligned(kind, align))
            for place, kind in steps
        ]
        for (place, kind), value in zip(steps, loaded, strict=True):
            context.emit("store", value, context.moved(target, place), volatile=volatile, attrs=aligned(kind, align))
        return
    backward = _starts_inside(context, target, source) if overlaps else None
    kind = _chunk(size, align)

    def step(place: Value) -> None:
        value = context.emit("load", context.emit("ptr_add", source, place), kind=kind, volatile=volatile)
        context.emit("store", value, context.emit("ptr_add", target, place), volatile=volatile)

    _loop(context, size, kind.bytes, backward, step)


def _starts_inside(context: Context, target: Value, source: Value) -> Value:
    """Whether a copy must go from the end: the target lies above the source."""
    pair = [context.in_space(address, Space.GENERIC) for address in (target, source)]
    return context.emit("icmp", *pair, pred="ugt")


def fill(context: Context, target: Value, byte: Value, size: Value, align: int, volatile: bool) -> None:
    """memset."""
    target = writable(context, target)
    if isinstance(size, Constant) and size.bits <= UNROLLED:
        for place, kind in _steps(size.bits, align):
            address = context.moved(target, place)
            context.emit(
                "store", _repeated(context, byte, kind), address, volatile=volatile, attrs=aligned(kind, align)
            )
        return
    kind = _chunk(size, align)
    pattern = _repeated(context, byte, kind)

    def step(place: Value) -> None:
        context.emit("store", pattern, context.emit("ptr_add", target, place), volatile=volatile)

    _loop(context, size, kind.bytes, None, step)


def _steps(size: int, align: int) -> list[tuple[int, kir.Type]]:
    """(offset, type) of accesses of at most four bytes that cover some bytes."""
    found: list[tuple[int, kir.Type]] = []
    place = 0
    while place < size:
        kind = next(k for k in (kir.I32, kir.I16, kir.I8) if k.bytes <= size - place and k.bytes <= max(align, 1))
        found.append((place, kind))
        place += kind.bytes
    return found


def _chunk(size: Value, align: int) -> kir.Type:
    if not isinstance(size, Constant):
        return kir.I8
    return next(k for k in (kir.I32, kir.I16, kir.I8) if size.bits % k.bytes == 0 and k.bytes <= max(align, 1))


def _repeated(context: Context, byte: Value, kind: kir.Type) -> Value:
    if isinstance(byte, Constant):
        return Constant(kind, int.from_bytes(bytes([byte.bits]) * kind.bytes, "little"))
    if kind is kir.I8:
        return byte
    wide = context.resized(byte, kind.bits)
    return context.emit("mul", wide, constant(kind, int.from_bytes(b"\1" * kind.bytes, "little")))


def _loop(context: Context, size: Value, step: int, backward: Value | None, body: Callable[[Value], None]) -> None:
    """`body` at offsets 0, step, ... below the size, or from the end down where `backward` is 1."""
    builder = context.builder
    end = context.resized(size, 64)
    head, inside, after = builder.block("copy"), builder.block("step"), builder.block("copied")
    place = head.param(kir.I64)
    builder.br(head, constant(kir.I64, 0))
    builder.at(head)
    builder.cbr(context.emit("icmp", place, end, pred="ult"), inside, after)
    builder.at(inside)
    at: Value = place
    if backward is not None:
        mirrored = context.emit("sub", context.emit("sub", end, place), constant(kir.I64, step))
        at = context.emit("select", backward, mirrored, place)
    body(at)
    builder.br(head, context.emit("add", place, constant(kir.I64, step)))
    builder.at(after)
