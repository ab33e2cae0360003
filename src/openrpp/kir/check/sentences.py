"""The sentences of findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from openrpp.kir.check.order import Segment
from openrpp.kir.check.regions import Region
from openrpp.kir.check.report import place
from openrpp.kir.interp.state import ThreadState
from openrpp.kir.ir import Instr
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.threads import WARP
from openrpp.kir.types import Space

_DID: Final = {
    "read": "read",
    "write": "wrote",
    "atomic": "changed atomically",
    "stage_in": "moved",
    "stage_out": "moved",
    "transfer": "moved",
}
_VERBS: Final = {"load": "read", "lut": "read", "store": "write"}


def verb(instr: Instr) -> str:
    """What an instruction does to memory: read, write, atomic, or its name."""
    return "atomic" if instr.op.name.startswith("atomic_") else _VERBS.get(instr.op.name, instr.op.name)


def width(instr: Instr) -> int:
    """Bytes that an access takes."""
    return instr.operands[0].type.bytes if instr.op.name == "store" else instr.type.bytes


def acted(kind: str, size: int) -> str:
    """`read of 4 bytes`."""
    what = "atomic update" if kind == "atomic" else kind
    return f"{what} of {size} byte{'s' * (size != 1)}"


def inside(region: Region, address: int) -> str:
    """`at offset 8 of 'x' (32 bytes at 0x1000)`."""
    return f"at offset {address - region.base} of {region.sized}"


def unwritten_bytes(region: Region, address: int, written: bytes | bytearray) -> str:
    """A read of bytes of which some were never written."""
    size, missing = len(written), written.count(0)
    which = "that nothing has written" if missing == size else f"of which nothing has written {missing}"
    return f"{acted('read', size)} {which}, {inside(region, address)}"


def race(kind: str, size: int, where: str, mine: Segment, other: Segment, instr: Instr) -> str:
    """Two accesses without an order; the other one came first in this run."""
    if other.block != mine.block:
        who = f"thread {other.tid} of block {other.index}"
        why = "nothing orders the two blocks"
    elif other.number // WARP == mine.number // WARP:
        who, why = f"thread {other.tid} of the same warp", "no barrier or __syncwarp lies between"
    else:
        who, why = f"thread {other.tid} of the same block", "no barrier lies between"
    what = f"{who} {_DID.get(verb(instr), verb(instr))} the same bytes at {place(instr.location)}"
    return f"{acted(kind, size)} {where}: {what}, and {why}"


def transfer(kind: str, size: int, where: str, instr: Instr) -> str:
    """An access to bytes that a DMA transfer moves."""
    what = f"the '{instr.op.name}' started at {place(instr.location)} is moving these bytes"
    return f"{acted(kind, size)} {where}: {what}, and no 'stage_wait' lies between"


def null(kind: str, size: int, address: int) -> str:
    """An access near address 0."""
    offset = f" with an offset of {address}" if address else ""
    return f"{acted(kind, size)} through a null pointer{offset}"


def outside(kind: str, size: int, address: int, meant: Region | None, hit: Region | None) -> str:
    """An access that misses what it should lie in."""
    at = f" at {address:#x}" if meant is None or meant.space not in (Space.SHARED, Space.PRIVATE) else ""
    where = f", {meant.outside(address, size)}" if meant is not None else ", where nothing is allocated"
    into = f", inside {hit.sized}" if hit is not None and hit is not meant else ""
    return f"{acted(kind, size)}{at}{where}{into}"


def waiting(threads: Sequence[ThreadState]) -> str:
    """Where the threads of a block that is stuck wait, and how many have returned."""
    groups: dict[int, list[ThreadState]] = {}
    for thread in threads:
        if thread.waits is not None:
            groups.setdefault(id(thread.waits), []).append(thread)
    parts = [_group(members) for members in groups.values()]
    done = sum(thread.done for thread in threads)
    if done:
        parts.append(f"{done} {'has' if done == 1 else 'have'} returned")
    return ", ".join(parts)


def _group(members: Sequence[ThreadState]) -> str:
    first, meeting = members[0], members[0].waits
    if meeting is None:
        return ""
    instr, mask = meeting.instr, ""
    if instr.effect is Effect.WARP and meeting.operands:
        mask = f" for the lanes {first.regs[meeting.operands[0]]:#x}"
    where = f"at '{instr.op.name}'{mask} ({place(instr.location)})"
    if len(members) == 1:
        return f"thread {first.tid} waits {where}"
    return f"{len(members)} threads, {first.tid} first, wait {where}"
