"""Accesses to shared memory whose lanes are a constant distance apart: one lane after the other.

The CPU's gathers and scatters are slower than that where addresses are known (Zen 4, 16 lanes: 6 ns for a gather
against 2.5), and what a scatter has written reaches a gather late. Under a mask all lanes are read, and on a store
written back, if they lie in the shared memory of the worker, which has guards of `GUARD` bytes at both ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrpp.codegen.host.frame import GUARD
from openrpp.codegen.host.writer import memory_type
from openrpp.kir.ir import Value
from openrpp.kir.types import Space, Type

if TYPE_CHECKING:
    from openrpp.codegen.host.access import Access

_MOST_LANES = 64


def suits(to: Access, pointer: Value, size: int) -> bool:
    """Whether an access of `size` bytes is of this kind."""
    shape = to.address_shape(pointer)
    if to.space(pointer) is not Space.SHARED or abs(shape.stride) <= size or to.geometry.lanes > _MOST_LANES:
        return False
    return to.mask is None or (shape.level == 0 and to.geometry.rows == 1)


def load(to: Access, pointer: Value, kind: Type, align: int) -> str:
    """All lanes of a load; what lanes outside the mask hold does not matter."""
    element, count = memory_type(kind), to.geometry.lanes
    if to.mask is None:
        return _replicated(to, element, _read(to, pointer, kind, align))
    writer, vector = to.writer, f"<{count} x {element}>"
    slot, inside, outside, behind = (
        writer.alloca(vector),
        *(writer.label(hint) for hint in ("inside", "outside", "end")),
    )
    writer.do(f"br i1 {_fits(to, pointer, kind.bytes)}, label %{inside}, label %{outside}")
    writer.place(inside)
    writer.do(f"store {vector} {_read(to, pointer, kind, align)[0]}, ptr {slot}")
    writer.jump(behind)
    writer.place(outside)
    to.push()
    writer.do(f"store {vector} {to.gather_at(to.pointers(pointer, 2), element, align, count, to.mask)}, ptr {slot}")
    to.pop()
    writer.jump(behind)
    writer.place(behind)
    return writer.load(vector, slot)


def store(to: Access, text: str, pointer: Value, kind: Type, align: int) -> None:
    """A store of all lanes in ascending order, of those of the mask."""
    element, count = memory_type(kind), to.geometry.lanes
    if to.mask is None:
        _write(to, text, pointer, kind, align)
        return
    writer, vector = to.writer, f"<{count} x {element}>"
    inside, outside, behind = (writer.label(hint) for hint in ("inside", "outside", "end"))
    writer.do(f"br i1 {_fits(to, pointer, kind.bytes)}, label %{inside}, label %{outside}")
    writer.place(inside)
    old = _read(to, pointer, kind, align)[0]
    mixed = writer(f"select <{count} x i1> {to.mask}, {vector} {text}, {vector} {old}")
    _write(to, mixed, pointer, kind, align)
    writer.jump(behind)
    writer.place(outside)
    to.push()
    to.scatter_at(text, to.pointers(pointer, 2), element, align)
    to.pop()
    writer.jump(behind)
    writer.place(behind)


def _fits(to: Access, pointer: Value, size: int) -> str:
    """Whether all lanes, active or not, lie in shared memory or its guards."""
    writer = to.writer
    offset = writer(f"sub i64 {to.base(pointer)[0]}, {to.window(pointer, Space.SHARED)}")
    last = to.address_shape(pointer).stride * (to.geometry.columns - 1)
    low = writer(f"add i64 {offset}, {min(0, last)}")
    high = writer(f"add i64 {offset}, {max(0, last) + size}")
    ends = [writer(f"ptrtoint ptr {root} to i64") for root in ("%frame", "%shared")]
    room = writer(f"sub i64 {ends[0]}, {ends[1]}")
    above = writer(f"icmp sge i64 {low}, -{GUARD}")
    return writer(f"and i1 {above}, {writer(f'icmp sle i64 {high}, {room}')}")


def _read(to: Access, pointer: Value, kind: Type, align: int) -> list[str]:
    """The columns of each row, or those of the only address that all rows share."""
    element, columns = memory_type(kind), to.geometry.columns
    stride, found = to.address_shape(pointer).stride, list[str]()
    for start in to.row_pointers(pointer, to.address_shape(pointer).level):
        text = "poison"
        for lane in range(columns):
            item = to.writer(f"load {element}, ptr {to.writer.byte(start, lane * stride)}, align {align}")
            text = to.writer(f"insertelement <{columns} x {element}> {text}, {element} {item}, i64 {lane}")
        found.append(text)
    return found


def _replicated(to: Access, element: str, parts: list[str]) -> str:
    columns, lanes = to.geometry.columns, to.geometry.lanes
    if len(parts) == 1 and columns < lanes:
        return to.shuffle(element, columns, parts[0], [lane % columns for lane in range(lanes)])
    return to.join(element, parts, columns)


def _write(to: Access, text: str, pointer: Value, kind: Type, align: int) -> None:
    element, columns, lanes = memory_type(kind), to.geometry.columns, to.geometry.lanes
    shape = to.address_shape(pointer)
    starts = to.row_pointers(pointer, shape.level)
    for lane in range(lanes):
        item = to.writer(f"extractelement <{lanes} x {element}> {text}, i64 {lane}")
        at = to.writer.byte(starts[lane // columns % len(starts)], lane % columns * shape.stride)
        to.writer.do(f"store {element} {item}, ptr {at}, align {align}")
