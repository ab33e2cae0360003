"""Steps that touch memory, with every check that can be made: bounds, alignment, constant memory."""

from __future__ import annotations

from collections.abc import Callable

from openrpp.kir.interp.faults import Misaligned, OutOfBounds, ReadOnly
from openrpp.kir.interp.memory import PRIVATE_WINDOW, SHARED_WINDOW, WINDOW, Unreachable
from openrpp.kir.interp.state import Access, Guard, Place, Placer, Step, ThreadState
from openrpp.kir.ir import Instr
from openrpp.kir.types import Space

Reach = Callable[[ThreadState, int, int], Place]


def _shared(thread: ThreadState, address: int, size: int) -> Place:
    return _inside(thread.owner.shared, address, size, Space.SHARED)


def _private(thread: ThreadState, address: int, size: int) -> Place:
    return _inside(thread.private, address, size, Space.PRIVATE)


def _param(thread: ThreadState, address: int, size: int) -> Place:
    return _inside(memoryview(thread.owner.launch.params), address, size, Space.PARAM)


def _inside(data: memoryview, address: int, size: int, space: Space) -> Place:
    if address + size > len(data):
        raise Unreachable(f"{size} bytes at offset {address} do not lie in {space.value} memory of {len(data)} bytes")
    return data, address, space


def _device(thread: ThreadState, address: int, size: int) -> Place:
    found = thread.owner.launch.memory.find(address, size)
    return found.data, address - found.base, found.space


def _generic(thread: ThreadState, address: int, size: int) -> Place:
    if SHARED_WINDOW <= address < SHARED_WINDOW + WINDOW:
        return _shared(thread, address - SHARED_WINDOW, size)
    if PRIVATE_WINDOW <= address < PRIVATE_WINDOW + WINDOW:
        return _private(thread, address - PRIVATE_WINDOW, size)
    return _device(thread, address, size)


_REACH: dict[Space, Reach] = {
    Space.GENERIC: _generic,
    Space.GLOBAL: _device,
    Space.CONSTANT: _device,
    Space.SHARED: _shared,
    Space.PRIVATE: _private,
    Space.PARAM: _param,
}


def _placer(instr: Instr, pointer: int, kind: str, operands: tuple[int, ...], guard: Guard | None) -> Placer:
    """Finds the bytes at an address of a thread, with checks: those of the guard, if there is one."""
    found = _checked(instr, pointer, kind)
    return found if guard is None else guard.place(instr, kind, operands, found)


def _checked(instr: Instr, pointer: int, kind: str) -> Placer:
    value = instr.operands[0] if kind == "write" and instr.op.name == "store" else instr
    size = value.type.bytes
    space = instr.operands[pointer].type.space or Space.GENERIC
    reach = _REACH[space]
    align = int(instr.attr("align")) or size

    def place(thread: ThreadState, address: int) -> Place:
        if address % align:
            raise Misaligned(f"{kind} of {size} bytes at {address:#x}, not a multiple of {align}", thread.at(instr))
        try:
            data, offset, found = reach(thread, address, size)
        except Unreachable as error:
            raise OutOfBounds(f"{kind} out of bounds: {error}", thread.at(instr)) from None
        if kind != "read" and found is Space.CONSTANT:
            raise ReadOnly(f"{kind} of constant memory at {address:#x}", thread.at(instr))
        observe = thread.owner.launch.observe
        if observe is not None:
            where = offset if found in (Space.SHARED, Space.PRIVATE, Space.PARAM) else address
            observe(Access(kind, found, where, size, thread, thread.owner.epoch, instr))
        return data, offset, found

    return place


def load_step(instr: Instr, result: int, operands: tuple[int, ...], guard: Guard | None = None) -> Step:
    """A load."""
    place, size, mask = _placer(instr, 0, "read", operands, guard), instr.type.bytes, instr.type.mask
    pointer = operands[0]

    def step(thread: ThreadState) -> None:
        data, offset, _ = place(thread, thread.regs[pointer])
        thread.regs[result] = int.from_bytes(data[offset : offset + size], "little") & mask

    return step


def lut_step(instr: Instr, result: int, operands: tuple[int, ...], guard: Guard | None = None) -> Step:
    """A load from a table of 16-bit entries."""
    place, (pointer, index) = _placer(instr, 0, "read", operands, guard), operands

    def step(thread: ThreadState) -> None:
        data, offset, _ = place(thread, thread.regs[pointer] + 2 * thread.regs[index])
        thread.regs[result] = int.from_bytes(data[offset : offset + 2], "little")

    return step


def store_step(instr: Instr, operands: tuple[int, ...], guard: Guard | None = None) -> Step:
    """A store."""
    place, size = _placer(instr, 1, "write", operands, guard), instr.operands[0].type.bytes
    value, pointer = operands

    def step(thread: ThreadState) -> None:
        data, offset, _ = place(thread, thread.regs[pointer])
        data[offset : offset + size] = thread.regs[value].to_bytes(size, "little")

    return step


def atomic_step(instr: Instr, result: int, operands: tuple[int, ...], guard: Guard | None = None) -> Step:
    """An atomic update by the definition of the op."""
    place, size = _placer(instr, 0, "atomic", operands, guard), instr.type.bytes
    pointer, *values = operands
    update = instr.op.definition([value.type for value in instr.operands], instr.type, instr.attrs)

    def step(thread: ThreadState) -> None:
        regs = thread.regs
        data, offset, _ = place(thread, regs[pointer])
        old = int.from_bytes(data[offset : offset + size], "little")
        data[offset : offset + size] = update(old, *[regs[value] for value in values]).to_bytes(size, "little")
        regs[result] = old

    return step


def _window(space: Space) -> int:
    return {Space.SHARED: SHARED_WINDOW, Space.PRIVATE: PRIVATE_WINDOW}.get(space, 0)


def _space_of(thread: ThreadState, address: int) -> Space:
    if SHARED_WINDOW <= address < SHARED_WINDOW + WINDOW:
        return Space.SHARED
    if PRIVATE_WINDOW <= address < PRIVATE_WINDOW + WINDOW:
        return Space.PRIVATE
    try:
        return thread.owner.launch.memory.find(address, 1).space
    except Unreachable:
        return Space.GENERIC


def space_step(instr: Instr, result: int, operands: tuple[int, ...]) -> Step:
    """`space_cast` and `is_space`."""
    source, mask = operands[0], (1 << 64) - 1
    origin = _window(instr.operands[0].type.space or Space.GENERIC)
    if instr.op.name == "space_cast":
        move = origin - _window(instr.type.space or Space.GENERIC)

        def cast(thread: ThreadState) -> None:
            thread.regs[result] = (thread.regs[source] + move) & mask

        return cast
    wanted = Space(instr.attr("space"))

    def test(thread: ThreadState) -> None:
        thread.regs[result] = int(_space_of(thread, thread.regs[source] + origin) is wanted)

    return test
