"""Buffers in DDR on the published chip, whose vector code reaches SRAM only: a grid runs in parts, each with its bytes.

What a part may touch (`openrpp.codegen.card.footprints`) is fetched to SRAM before it and what it may have written is
stored behind it. The grid is halved until a part fits one of two slots of the free SRAM, so that the transfers of one
part overlap the work of another; where one block needs more than that, parts follow each other in all of it. A buffer
with addresses of which nothing is known is there as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from openrpp.codegen.card.footprints import Footprints, Touch, uses_of
from openrpp.machine.faults import Fault, LaunchError
from openrpp.machine.launch import Triple
from openrpp.machine.report import LaunchReport, Span
from openrpp.runtime.card_time import CardTime, Stage
from openrpp.runtime.costs import Plan, copy_plan, kernel_plan
from openrpp.runtime.engines import Call, Ran
from openrpp.runtime.machine_code import Loaded, loaded, located
from openrpp.runtime.schedule import Schedule, Work

if TYPE_CHECKING:
    from openrpp.runtime.card import Card
    from openrpp.runtime.costs import LaunchKind

_ALIGN = 512
"""Of pieces in SRAM, and the guard behind each."""
_UNIT = 16
"""Pieces start at multiples of this, so that elements stay aligned."""


@dataclass(frozen=True)
class Box:
    """Blocks of a grid: from `first` to `last`, that excluded, along each axis."""

    first: Triple
    last: Triple

    def halves(self, axis: int, unit: int) -> tuple[Box, Box] | None:
        """Two boxes, cut at a multiple of `unit` blocks; None where there is nothing to cut."""
        low, high = self.first[axis], self.last[axis]
        middle = low + -(-(high - low) // (2 * unit)) * unit
        if middle >= high:
            return None
        last, first = list(self.last), list(self.first)
        last[axis] = first[axis] = middle
        return Box(self.first, (last[0], last[1], last[2])), Box((first[0], first[1], first[2]), self.last)


@dataclass(frozen=True)
class Piece:
    """Bytes of DDR from `low` to `high` for the arguments `params`; those that may be written are `stored`."""

    low: int
    high: int
    params: tuple[int, ...]
    stored: tuple[int, int] | None

    @property
    def nbytes(self) -> int:
        """Its size."""
        return self.high - self.low

    @property
    def room(self) -> int:
        """Bytes of SRAM that it takes, guard included."""
        return -(-self.nbytes // _ALIGN) * _ALIGN + _ALIGN


class NoRoom(Exception):
    """A box that cannot be cut and does not fit."""

    def __init__(self, box: Box) -> None:
        self.box = box
        super().__init__()


def needs_staging(card: Card, call: Call) -> bool:
    """Whether lanes follow an argument to DDR. Raises LaunchError where a transfer moves the same buffer."""
    return bool(_pointers(card, call))


def _pointers(card: Card, call: Call) -> dict[int, int]:
    """Argument index -> address, of those in DDR that lanes follow; what only transfers move stays where it is."""
    ddr, kernel = card.device.memory.ddr, call.module.kernels[call.symbol]
    used = uses_of(kernel)
    found = {
        index: value
        for index, (param, value) in enumerate(zip(kernel.params, call.values, strict=True))
        if param.type.is_pointer and isinstance(value, int) and ddr.base <= value < ddr.end and param in used.followed
    }
    for index in found:
        if kernel.params[index] in used.moved:
            raise LaunchError(
                f"kernel {call.name}: argument {index + 1} ({kernel.params[index].name}) lies in DDR, and both "
                f"transfers and lanes use it; lanes of {card.arch.name} reach SRAM only"
            )
    return found


def run_staged(card: Card, call: Call) -> Ran:
    """Run a kernel for the published chip whose buffers are in DDR.

    Raises CodegenError for a kernel that cannot be compiled, LaunchError where a block's bytes do not fit SRAM.
    """
    with loaded(card, call) as found:
        pool = card.pools["sram"]
        room = max(pool.largest - pool.guard, 0) // pool.alignment * pool.alignment
        if not room:
            raise LaunchError(f"kernel {call.name}: SRAM has no room for what it takes from DDR")
        arena = pool.allocate(room)
        try:
            return _Staging(card, call, found, arena, room).run()
        finally:
            pool.release(arena)


class _Staging:
    def __init__(self, card: Card, call: Call, found: Loaded, arena: int, room: int) -> None:
        self.card, self.call, self.found = card, call, found
        self.arena, self.room = arena, room
        kernel = call.module.kernels[call.symbol]
        self.pointers = _pointers(card, call)
        self.places = {param: index for index, param in enumerate(kernel.params)}
        numbers = {
            param.name: _signed(value, param.type.bits)
            for param, value in zip(kernel.params, call.values, strict=True)
            if param.type.is_int and isinstance(value, int)
        }
        self.footprints = Footprints(kernel, call.block, call.grid, numbers)
        self.known: dict[Box, tuple[Piece, ...]] = {}

    # --- parts ------------------------------------------------------------------------------------------------------

    def pieces(self, box: Box) -> tuple[Piece, ...]:
        """What a box of blocks touches: arguments whose bytes may overlap share a piece."""
        if box not in self.known:
            self.known[box] = self._pieces(box)
        return self.known[box]

    def _pieces(self, box: Box) -> tuple[Piece, ...]:
        reached: dict[int, list[tuple[int, int, bool]]] = {}
        for touch in self.footprints.of(box.first, box.last):
            index = self.places[touch.param]
            if index in self.pointers:
                low, high = self._bytes(index, touch)
                if low < high:
                    reached.setdefault(index, []).append((low, high, touch.is_store))
        found: list[Piece] = []
        for index in sorted(reached, key=lambda item: min(reached[item])):
            touches = reached[index]
            low, high = min(item[0] for item in touches), max(item[1] for item in touches)
            written = [item for item in touches if item[2]]
            stored = (min(item[0] for item in written), max(item[1] for item in written)) if written else None
            piece = Piece(low // _UNIT * _UNIT, high, (index,), stored)
            if found and found[-1].high > piece.low:
                piece = _joined(found.pop(), piece)
            found.append(piece)
        return tuple(found)

    def _bytes(self, index: int, touch: Touch) -> tuple[int, int]:
        """Addresses of a touch, within the buffer that the argument points to."""
        address = self.pointers[index]
        low, high = self._buffer(address)
        if touch.low is None or touch.high is None:
            return low, high
        return max(address + touch.low, low), min(address + touch.high, high)

    def _buffer(self, address: int) -> tuple[int, int]:
        """The buffer around an address; all of DDR where there is none."""
        for start, size in self.card.pools["ddr"].pieces.items():
            if start <= address < start + size:
                return start, start + size
        return self.card.device.memory.ddr.base, self.card.device.memory.ddr.end

    def fits(self, box: Box, room: int) -> bool:
        """Whether a launch takes the box and its bytes fit."""
        groups = -(-(box.last[0] - box.first[0]) // self.found.merge)
        most = self.card.arch.limits.grid.value
        return groups <= most and sum(piece.room for piece in self.pieces(box)) <= room

    def boxes(self, box: Box, room: int) -> Iterator[Box]:
        """Boxes that fit, in the order of the blocks. Raises NoRoom."""
        if self.fits(box, room):
            yield box
            return
        cuts = [cut for axis in (2, 1, 0) if (cut := box.halves(axis, self.found.merge if axis == 0 else 1))]
        if not cuts:
            raise NoRoom(box)
        best = min(cuts, key=lambda cut: sum(piece.room for piece in self.pieces(cut[0])))
        for half in best:
            yield from self.boxes(half, room)

    def parts(self) -> tuple[list[Box], int]:
        """The boxes of the grid, and how many slots of SRAM they take in turn."""
        whole = Box((0, 0, 0), self.call.grid)
        if self.fits(whole, self.room):
            return [whole], 1
        half = self.room // 2 // _ALIGN * _ALIGN
        for slots, room in ((2, half), (1, self.room)):
            try:
                return list(self.boxes(whole, room)), slots
            except NoRoom as none:
                box = none.box
        raise self._too_much(box)

    def _too_much(self, box: Box) -> LaunchError:
        """The error for a part that cannot be cut, with the access that reaches farthest."""
        kernel, sizes = self.call.module.kernels[self.call.symbol], list[tuple[int, Touch]]()
        for touch in self.footprints.of(box.first, box.last):
            index = self.places[touch.param]
            if index in self.pointers:
                low, high = self._bytes(index, touch)
                sizes.append((high - low, touch))
        size, touch = max(sizes, key=lambda item: item[0])
        index = self.places[touch.param]
        where = f"{touch.location}: " if touch.location else ""
        blocks = f"{self.found.merge} blocks" if self.found.merge > 1 else "one block"
        reach = "may reach any byte of" if touch.low is None else "reaches"
        what = f"the access {reach} {size:,} bytes of argument {index + 1} ({kernel.params[index].name})"
        total = sum(piece.nbytes for piece in self.pieces(box))
        room = f"{blocks} of the kernel {'take' if self.found.merge > 1 else 'takes'} {total:,} bytes from DDR"
        return LaunchError(
            f"kernel {self.call.name}: {where}{what}; {room}, and SRAM has {self.room:,} left; index by blockIdx and "
            "threadIdx, use smaller buffers, or use ae7100x, which reads DDR directly"
        )

    # --- running ------------------------------------------------------------------------------------------------

    def run(self) -> Ran:
        """All parts, one after another; their transfers overlap on the card's clock."""
        begun = time.perf_counter()
        boxes, slots = self.parts()
        launches: list[LaunchReport] = []
        stages: list[Stage] = []
        written: list[tuple[int, int]] = []
        for number, box in enumerate(boxes):
            pieces = self.pieces(box)
            waits = any(_overlap((piece.low, piece.high), part) for piece in pieces for part in written)
            launches.append(self._part(box, pieces, number % slots * (self.room // slots // _ALIGN * _ALIGN)))
            written = [piece.stored for piece in pieces if piece.stored]
            stored = tuple(high - low for low, high in written)
            stages.append(Stage(tuple(piece.nbytes for piece in pieces), stored, waits))
        taken = CardTime(
            tuple(launches), merge=self.found.merge, notes=self.found.notes, stages=tuple(stages), slots=slots
        )
        taken = replace(taken, staged=_seconds(self.card, taken))
        return Ran("", 0, time.perf_counter() - begun, taken)

    def _part(self, box: Box, pieces: Sequence[Piece], start: int) -> LaunchReport:
        memory, place = self.card.device.memory, self.arena + start
        values, places = list(self.call.values), list[int]()
        for piece in pieces:
            self.card.device.write(place, memory.view(piece.low, piece.nbytes))
            for index in piece.params:
                values[index] = place + self.pointers[index] - piece.low & 0xFFFF_FFFF
            places.append(place)
            place += piece.room
        report = self._launch(box, values)
        for piece, there in zip(pieces, places, strict=True):
            if piece.stored:
                low, high = piece.stored
                self.card.device.write(low, memory.view(there + low - piece.low, high - low))
        return report

    def _launch(self, box: Box, values: list[int | float | bytes]) -> LaunchReport:
        program, merge = self.found.program, self.found.merge
        x, y, z = box.first
        area = program.area(self.call.grid, values, self.call.variables, x // merge, y, z, self.call.shared_bytes)
        self.card.device.write(self.found.area, np.frombuffer(area, np.uint8))
        words = [int(word) for word in np.frombuffer(area, np.uint32)[: program.places.direct]]
        params = [self.found.planes, self.found.area, self.found.shared, self.found.private, *words]
        grid = (-(-(box.last[0] - x) // merge), box.last[1] - y, box.last[2] - z)
        try:
            return self.card.device.launch(program.machine, grid, self.found.block, params)
        except Fault as fault:
            raise located(fault, self.call, program) from None


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> (bits - 1) << bits)


def _joined(a: Piece, b: Piece) -> Piece:
    stored = [part for part in (a.stored, b.stored) if part]
    both = (min(low for low, _ in stored), max(high for _, high in stored)) if stored else None
    return Piece(min(a.low, b.low), max(a.high, b.high), (*a.params, *b.params), both)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


# --- time --------------------------------------------------------------------------------------------------------


def submit_stages(
    schedule: Schedule, taken: CardTime, name: str, stream: str, kind: LaunchKind | None, before: Sequence[Work]
) -> tuple[Work, ...]:
    """Queue the transfers and launches of a staged kernel; without a kind launches cost nothing but their own time.

    A slot is filled again when what was stored from it is away.
    """
    kernels: list[Work] = []
    ends: list[tuple[Work, ...]] = []
    for number, (stage, launch) in enumerate(zip(taken.stages, taken.launches, strict=True)):
        after = ends[number - taken.slots] if number >= taken.slots else tuple(before)
        if stage.waits:
            after = (*after, *ends[-1])
        fetched = _transfers(schedule, name, stream, stage.fetched, after, inward=True)
        plan = kernel_plan(schedule.costs, launch, kind or "graph", schedule.hertz)
        if kind is None:
            low, nominal, high = (phases[1:] for phases in plan)
            plan = low, nominal, high
        kernels.append(schedule.submit(name, stream, plan, (*fetched, *after, *kernels[-1:])))
        stored = _transfers(schedule, name, stream, stage.stored, kernels[-1:], inward=False)
        ends.append((kernels[-1], *stored))
    return tuple(work for end in ends[-taken.slots :] for work in end)


def _transfers(
    schedule: Schedule, name: str, stream: str, sizes: Sequence[int], after: Sequence[Work], *, inward: bool
) -> tuple[Work, ...]:
    plans: list[Plan] = [
        copy_plan(schedule.costs, "ddr", "sram", size) if inward else copy_plan(schedule.costs, "sram", "ddr", size)
        for size in sizes
    ]
    return tuple(schedule.submit(name, stream, plan, after) for plan in plans)


def _seconds(card: Card, taken: CardTime) -> Span:
    """Time from the first transfer to the last on a card that does nothing else."""
    schedule = Schedule(card.arch, lambda _: None)
    submit_stages(schedule, taken, "", "", None, ())
    return schedule.drain()
