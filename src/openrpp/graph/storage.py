"""Which values share memory: parts of a concat and of a split are views of its slabs, reshapes are the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openrpp.kernels.slabs import SLAB

if TYPE_CHECKING:
    import onnx_ir as ir

EIGHT: Final = 8
"""Channels at whose multiples a part of a larger tensor may begin, where all kernels that touch it allow that."""


@dataclass(frozen=True)
class Form:
    """How a value may lie.

    Attributes:
        border: zero pixels around it.
        loose: whether it may begin, and end, within a slab that it shares with others.
        lanes: channels of a slab.
    """

    border: int = 0
    loose: bool = False
    lanes: int = SLAB


@dataclass(frozen=True)
class View:
    """A part that could be channels `first` on of a whole.

    Attributes:
        made: the one of the two that the node makes: a concat the whole, a split the part.
        relabel: both have the same pixels under other extents.
    """

    part: ir.Value
    whole: ir.Value
    first: int
    made: ir.Value
    relabel: bool = False


class _Pool:
    """Storage of one or several values: where each lies, which channels are written, the border."""

    def __init__(self, value: ir.Value, count: int, form: Form) -> None:
        self.members: dict[ir.Value, tuple[int, int]] = {value: (0, count)}
        self.loose: set[ir.Value] = {value} if form.loose else set()
        self.written: list[tuple[int, int]] = []
        self.border = form.border
        self.lanes = form.lanes
        self.relabelled = False

    @property
    def span(self) -> tuple[int, int]:
        """First and last channel."""
        return min(lo for lo, _ in self.members.values()), max(hi for _, hi in self.members.values())


class Storage:
    """Values join pools as long as nothing overlaps that is written twice and borders agree."""

    def __init__(self) -> None:
        self._pools: dict[ir.Value, _Pool] = {}
        self.granted: set[View] = set()

    def add(self, value: ir.Value, channels: int, form: Form, pieces: Sequence[int] = ()) -> None:
        """A value with storage of its own; whoever makes it writes it whole, or in pieces of so many channels."""
        pool = self._pools[value] = _Pool(value, channels, form)
        start = 0
        for count in pieces or (channels,):
            pool.written.append((start, start + count))
            start += count

    def __contains__(self, value: ir.Value) -> bool:
        return value in self._pools

    def share(self, views: Sequence[View]) -> None:
        """Let parts be channels of wholes, where they can be; then the node that makes one has nothing to write there.

        Views of one node are looked at together: parts that share storage already join a whole at once.
        """
        for view in views:
            if view in self.granted or view.part not in self._pools or view.whole not in self._pools:
                continue
            together = [other for other in views if self._moves_with(other, view)]
            if self._shared(view, together):
                self.granted.update(together)

    def _moves_with(self, other: View, view: View) -> bool:
        """Whether another part of the same whole lies in the same storage, and just where it belongs beside this."""
        if other.part not in self._pools or other.whole is not view.whole or other in self.granted:
            return False
        pool = self._pools[view.part]
        if self._pools[other.part] is not pool:
            return False
        return pool.members[other.part][0] - pool.members[view.part][0] == other.first - view.first

    def _shared(self, view: View, together: Sequence[View]) -> bool:
        one, other = self._pools[view.whole], self._pools[view.part]
        shift = one.members[view.whole][0] + view.first - other.members[view.part][0]
        if one is other:
            return shift == 0
        if one.lanes != SLAB or other.lanes != SLAB:
            return False
        if (view.relabel or one.relabelled or other.relabelled) and (one.border or other.border):
            return False
        maker = one if view.made is view.whole else other
        pieces = [self._piece(item) for item in together]
        if any(piece not in maker.written for piece in pieces):
            return False
        kept = list(maker.written)
        for piece in pieces:
            maker.written.remove(piece)
        if not _compatible(one, other, shift):
            maker.written = kept
            return False
        self._join(one, other, shift, view.relabel)
        return True

    def _piece(self, view: View) -> tuple[int, int]:
        """The channels that the node of a view would write otherwise, in the storage of what it makes."""
        low, high = self._pools[view.part].members[view.part]
        if view.made is view.part:
            return low, high
        start = self._pools[view.whole].members[view.whole][0] + view.first
        return start, start + high - low

    def _join(self, one: _Pool, other: _Pool, shift: int, relabel: bool) -> None:
        one.members |= {value: (lo + shift, hi + shift) for value, (lo, hi) in other.members.items()}
        one.loose |= other.loose
        one.written += [(lo + shift, hi + shift) for lo, hi in other.written]
        one.border = max(one.border, other.border)
        one.relabelled |= other.relabelled or relabel
        for value in other.members:
            self._pools[value] = one

    def pool(self, value: ir.Value) -> int:
        """A number that values in the same storage have in common."""
        return id(self._pools[value])

    def lanes(self, value: ir.Value) -> int:
        """Channels of its slabs."""
        return self._pools[value].lanes

    def last(self, value: ir.Value) -> bool:
        """Whether nothing of its storage lies behind a value."""
        pool = self._pools[value]
        return pool.members[value][1] == pool.span[1]

    def border(self, value: ir.Value) -> int:
        """Zero pixels around a value."""
        return self._pools[value].border

    def channels(self, value: ir.Value) -> int:
        """Channels of the whole storage that a value lies in."""
        first, last = self._pools[value].span
        return last - first

    def first(self, value: ir.Value) -> int:
        """The channel of its storage at which a value begins."""
        pool = self._pools[value]
        return pool.members[value][0] - pool.span[0]


def _compatible(one: _Pool, other: _Pool, shift: int) -> bool:
    """Whether two pools may be one: written parts do not meet, and each member begins and ends where it may."""
    moved = [(lo + shift, hi + shift) for lo, hi in other.written]
    if any(lo < end and start < hi for lo, hi in moved for start, end in one.written):
        return False
    members = one.members | {value: (lo + shift, hi + shift) for value, (lo, hi) in other.members.items()}
    start, end = min(lo for lo, _ in members.values()), max(hi for _, hi in members.values())
    loose = one.loose | other.loose
    for value, (low, high) in members.items():
        step = EIGHT if value in loose else SLAB
        if (low - start) % step or (high != end and (high - start) % step):
            return False
    return True
