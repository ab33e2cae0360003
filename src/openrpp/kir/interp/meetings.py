"""Meetings of threads: who is waited for, what the meeting computes, and what is wrong when nobody comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from openrpp.kir.interp.faults import DivergentBarrier, DivergentWarp, Fault, NotUniform, OutOfBounds
from openrpp.kir.interp.memory import Unreachable
from openrpp.kir.interp.state import Access, BlockState, Meeting, ThreadState
from openrpp.kir.ir import Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.threads import WARP
from openrpp.kir.types import Space, signed

WarpMeet = Callable[[Mapping[int, Sequence[int]]], Mapping[int, int]]


def release(block: BlockState) -> bool:
    """Let threads go on whose meeting is complete. Raises DivergentWarp, DivergentBarrier, NotUniform, OutOfBounds."""
    waiting = [thread for thread in block.threads if thread.waits is not None]
    at_warp_op = {thread.warp for thread in waiting if _meeting(thread).instr.effect is Effect.WARP}
    released = [_release_warp(block, warp) for warp in sorted(at_warp_op)]
    return _release_block(block, waiting) or any(released)


def at_grid_barrier(block: BlockState) -> bool:
    """Whether all threads that are left wait for the whole grid."""
    left = [thread for thread in block.threads if not thread.done]
    return bool(left) and all(thread.waits and thread.waits.instr.op.name == "grid_barrier" for thread in left)


def pass_barrier(block: BlockState) -> None:
    """Let all waiting threads go on behind a barrier without a result."""
    block.epoch += 1
    for thread in block.threads:
        thread.waits = None


def stuck(block: BlockState) -> Fault:
    """The fault of a block in which no thread can go on."""
    waiting = [thread for thread in block.threads if thread.waits is not None]
    first = waiting[0]
    other = next((thread for thread in waiting if thread.waits is not first.waits), None)
    mine = _described(first)
    if other is not None:
        theirs = f", thread {other.tid} {_described(other)}"
        kinds = {_meeting(thread).instr.effect for thread in (first, other)}
        kind = DivergentBarrier if Effect.BLOCK in kinds else DivergentWarp
        return kind(f"thread {first.tid} {mine}{theirs}", first.at(_meeting(first).instr))
    return DivergentWarp(
        f"thread {first.tid} {mine} with a mask that others do not share", first.at(_meeting(first).instr)
    )


def _meeting(thread: ThreadState) -> Meeting:
    return cast(Meeting, thread.waits)


def _described(thread: ThreadState) -> str:
    instr = _meeting(thread).instr
    where = f" ({instr.location})" if instr.location else ""
    return f"waits at '{instr.op.name}'{where}"


# --- warps -----------------------------------------------------------------------------------------------------


def _release_warp(block: BlockState, warp: int) -> bool:
    lanes = {thread.lane: thread for thread in block.threads[warp * WARP : (warp + 1) * WARP] if not thread.done}
    groups: dict[tuple[int, int], list[ThreadState]] = {}
    for thread in lanes.values():
        if thread.waits is not None and thread.waits.instr.effect is Effect.WARP:
            groups.setdefault((id(thread.waits), _mask(thread)), []).append(thread)
    released = False
    for (_, mask), members in groups.items():
        if _complete(lanes, mask, members):
            if block.launch.guard is not None:
                block.launch.guard.met(_meeting(members[0]), members)
            _meet(members)
            released = True
    return released


def _mask(thread: ThreadState) -> int:
    """The mask operand; 0 for `activemask`, which has none."""
    meeting = _meeting(thread)
    if not meeting.operands:
        return 0
    mask = thread.regs[meeting.operands[0]]
    if not mask >> thread.lane & 1:
        sentence = f"lane {thread.lane} executes '{meeting.instr.op.name}' with mask {mask:#x}, which leaves it out"
        raise DivergentWarp(sentence, thread.at(meeting.instr))
    return mask


def _complete(lanes: Mapping[int, ThreadState], mask: int, members: Sequence[ThreadState]) -> bool:
    if not mask:
        return all(thread.waits is not None for thread in lanes.values())
    return len(members) == sum(mask >> lane & 1 for lane in lanes)


def _meet(members: Sequence[ThreadState]) -> None:
    meeting = _meeting(members[0])
    rows = {thread.lane: [thread.regs[slot] for slot in meeting.operands[1:]] for thread in members}
    results = cast(WarpMeet, meeting.meet)(dict(sorted(rows.items())))
    for thread in members:
        thread.regs[meeting.result] = results[thread.lane]
        thread.waits = None


# --- blocks ----------------------------------------------------------------------------------------------------


def _release_block(block: BlockState, waiting: Sequence[ThreadState]) -> bool:
    left = [thread for thread in block.threads if not thread.done]
    at_barrier = [thread for thread in waiting if thread.waits and thread.waits.instr.effect is Effect.BLOCK]
    if not at_barrier:
        return False
    meeting = _meeting(at_barrier[0])
    other = next((thread for thread in at_barrier if thread.waits is not meeting), None)
    if other is not None:
        first = at_barrier[0]
        sentence = f"thread {first.tid} {_described(first)}, thread {other.tid} {_described(other)}"
        raise DivergentBarrier(sentence, first.at(meeting.instr))
    if len(at_barrier) < len(left) or meeting.instr.op.name == "grid_barrier":
        return False
    if meeting.meet is not None:
        meet = cast(Callable[[list[list[int]]], int], meeting.meet)
        result = meet([[thread.regs[slot] for slot in meeting.operands] for thread in at_barrier])
        for thread in at_barrier:
            thread.regs[meeting.result] = result
    elif meeting.operands:
        _stage(meeting, at_barrier)
    pass_barrier(block)
    if block.launch.guard is not None:
        block.launch.guard.passed(block, meeting.instr)
    return True


def _stage(meeting: Meeting, threads: Sequence[ThreadState]) -> None:
    """The transfer is done at once: a program that is right cannot tell."""
    first = threads[0]
    operands = [first.regs[slot] for slot in meeting.operands]
    for thread in threads:
        if [thread.regs[slot] for slot in meeting.operands] != operands:
            sentence = f"threads {first.tid} and {thread.tid} give different operands to '{meeting.instr.op.name}'"
            raise NotUniform(sentence, thread.at(meeting.instr))
    target, source, bits = operands
    size = signed(bits, meeting.instr.operands[2].type.bits)
    owner = first.owner
    guard = owner.launch.guard
    if guard is not None and not guard.staged(first, meeting.instr, target, source, size):
        return
    to, start = (space_of(value) for value in meeting.instr.operands[:2])
    for space, shared in ((to, target), (start, source)):
        if size < 0 or (space is Space.SHARED and shared + size > len(owner.shared)):
            sentence = f"{size} bytes at offset {shared} do not lie in shared memory of {len(owner.shared)} bytes"
            raise OutOfBounds(sentence, first.at(meeting.instr))
    memory = owner.launch.memory
    try:
        data = bytes(owner.shared[source : source + size] if start is Space.SHARED else memory.read(source, size))
        if to is Space.SHARED:
            owner.shared[target : target + size] = data
        else:
            memory.write(target, data)
    except Unreachable as error:
        raise OutOfBounds(str(error), first.at(meeting.instr)) from None
    observe: Any = owner.launch.observe
    if observe is not None:
        for kind, space, place in (("write", to, target), ("read", start, source)):
            observe(Access(kind, space, place, size, first, owner.epoch, meeting.instr))


def space_of(operand: Value) -> Space:
    """Which of the two memories a side of a transfer lies in: shared or device memory."""
    return Space.SHARED if operand.type.space is Space.SHARED else Space.GLOBAL
