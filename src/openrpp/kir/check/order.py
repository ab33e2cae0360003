"""What happens before what: by barriers, warp barriers, and fences followed by atomics.

The accesses of a thread fall into segments, which end where the thread may become ordered with others. Knowledge is a
map: of (block, -1) it says before which epoch all accesses of the block are known to be done, of (block, thread) up to
which clock those of a thread are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from openrpp.kir.interp.state import BlockState, Place, ThreadState
from openrpp.kir.ops.threads import WARP, Triple

Known = Mapping[tuple[int, int], int]
_WHOLE: Final = -1


@dataclass(slots=True, eq=False)
class Segment:
    """Accesses of one thread between two points at which it may become ordered with others.

    `epoch` counts the barriers of the block, `clock` the segments of the thread; `seen` says up to which clock the
    accesses of each lane of the warp come before, as far as warp barriers of this epoch tell.
    """

    block: int
    number: int
    epoch: int
    clock: int
    index: Triple
    tid: Triple
    seen: tuple[int, ...] = ()
    known: Known | None = None

    def before(self, other: Segment) -> bool:
        """Whether all accesses of this segment come before those of `other`, which runs now."""
        if self.block == other.block:
            if self.epoch < other.epoch or self.number == other.number:
                return True
            if other.seen and self.number // WARP == other.number // WARP:
                return other.seen[self.number % WARP] >= self.clock
        known = other.known
        return known is not None and (
            known.get((self.block, _WHOLE), 0) > self.epoch or known.get((self.block, self.number), -1) >= self.clock
        )


@dataclass(slots=True, eq=False)
class ThreadNote:
    """What the checks keep for a thread.

    `released` is what fences made known, the last of them in the epoch `fenced`; `written` says which bytes of its
    private memory were written; `pending` holds the places of loads whose value is not needed yet, `copied` says of
    loads of which bytes only a part was written, which.
    """

    segment: Segment
    written: bytearray
    released: Known | None = None
    fenced: int = -1
    pending: dict[object, tuple[Place, int]] = field(default_factory=dict[object, tuple[Place, int]])
    copied: dict[object, bytes] = field(default_factory=dict[object, bytes])


def note(thread: ThreadState) -> ThreadNote:
    """The note of a thread of a checked launch."""
    found: ThreadNote = thread.note
    return found


def joined(maps: Iterable[Known | None]) -> Known | None:
    """What is known if all of the maps are; None for nothing."""
    given = list({id(item): item for item in maps if item}.values())
    if len(given) < 2:
        return given[0] if given else None
    result = dict(given[0])
    for item in given[1:]:
        for key, value in item.items():
            if value > result.get(key, -1):
                result[key] = value
    return result


def begin(thread: ThreadState, block: int, private: int) -> None:
    """A thread starts."""
    segment = Segment(block, thread.number, thread.owner.epoch, 0, thread.owner.index, thread.tid)
    thread.note = ThreadNote(segment, bytearray(private))


def follow(thread: ThreadState, seen: tuple[int, ...], known: Known | None) -> None:
    """A thread starts its next segment."""
    old = note(thread).segment
    note(thread).segment = Segment(
        old.block, old.number, thread.owner.epoch, old.clock + 1, old.index, old.tid, seen, known
    )


def fence(thread: ThreadState) -> None:
    """What a thread did, and what it knows to be done, can be made known from here on."""
    segment = note(thread).segment
    mine = {(segment.block, _WHOLE): segment.epoch, (segment.block, segment.number): segment.clock}
    warp = segment.number // WARP * WARP
    mates = {(segment.block, warp + lane): clock for lane, clock in enumerate(segment.seen) if clock >= 0}
    note(thread).released = joined([mates, mine, segment.known])
    note(thread).fenced = segment.epoch
    follow(thread, segment.seen, segment.known)


def meet_warp(members: Sequence[ThreadState]) -> None:
    """Lanes pass a warp barrier together."""
    segments = [note(thread).segment for thread in members]
    seen = list(segments[0].seen) or [-1] * WARP
    for other in {id(item.seen): item.seen for item in segments[1:] if item.seen is not segments[0].seen}.values():
        seen = list(map(max, seen, other or seen))
    for segment in segments:
        seen[segment.number % WARP] = segment.clock
    known, released = joined(item.known for item in segments), joined(note(thread).released for thread in members)
    shared = tuple(seen)
    for thread in members:
        note(thread).released = released
        follow(thread, shared, known)


def meet_block(block: BlockState) -> None:
    """All threads of a block that are left pass a barrier."""
    threads = [thread for thread in block.threads if not thread.done]
    notes = [note(thread) for thread in threads]
    known = joined(item.segment.known for item in notes)
    released = _released(block, notes)
    for thread in threads:
        note(thread).released = released
        follow(thread, (), known)


def _released(block: BlockState, notes: Sequence[ThreadNote]) -> Known | None:
    """Where all threads had a fence in front of the barrier, it makes known all that the block did."""
    released = joined(item.released for item in notes)
    if released is None or len(notes) < len(block.threads) or any(item.fenced < item.segment.epoch for item in notes):
        return released
    ordinal = notes[0].segment.block
    return {**{key: value for key, value in released.items() if key[0] != ordinal}, (ordinal, _WHOLE): block.epoch}
