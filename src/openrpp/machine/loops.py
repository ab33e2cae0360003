"""Loops of the timing walk, compressed by proof.

Whenever the walk comes back to the same place (a taken backward jump, the next block of a row), one iteration is
watched: every value is taken to go on by the step that it made the last time, and everything that the iteration decides
is noted. If at its end every value that it started from stands one step further and moves as it was taken to, then all
following iterations are the same until a decision falls otherwise. The proof does not need the place to be the head of
a loop: any path from a place back to itself is an iteration, through inner loops, calls of other loops, or blocks.

Values that an iteration computes anew before it reads them need not move evenly: they are moved by their own slope, or,
where that is not known, one iteration is walked after the skipped ones and computes them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from openrpp.machine.affine import FOREVER, Constraint, Slope, followed
from openrpp.machine.items import Item, Repeat, WalkError
from openrpp.machine.steps import Cells, Snapshot

PERIODS = (1, 1, 2, 2, 4)
"""Arrivals that make one iteration, by attempt: loops that swap buffers repeat every second time only."""


@dataclass
class Level:
    """An iteration that is being watched. `left`: arrivals until it is complete."""

    key: Hashable
    number: int
    start: int  # index of its first item
    left: int
    begun: Snapshot
    steps: dict[int, int]  # cell -> step per iteration
    slopes: tuple[Slope, ...]
    context: Hashable
    constraints: list[Constraint] = field(default_factory=list[Constraint])


@dataclass
class Visits:
    """What was seen at a place since its loop was entered."""

    context: Hashable
    recent: deque[Snapshot]
    head: int = 0
    seen: int = 0
    attempts: int = 0
    anchor: Snapshot | None = None  # state at the last visit whose number is a power of two


@dataclass
class Moves:
    """How the state goes on from iteration to iteration: (cell, width, step); `stale`: some must be recomputed."""

    steps: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    stale: bool = False


class Loops:
    """Watches places, proves iterations, folds items."""

    def __init__(self, cells: Cells, items: list[Item]) -> None:
        self.cells = cells
        self.items = items
        self.levels: list[Level] = []
        self.places: dict[Hashable, Visits] = {}
        self.numbered = 0

    # --- decisions ------------------------------------------------------------------------------------------------

    def hold(self, constraints: list[Constraint]) -> None:
        """What must stay true for the watched iterations to stay what they are."""
        for constraint in constraints:
            for level in self.levels:
                if level.number in constraint.steps:
                    level.constraints.append(constraint)

    def decide(self, constraint: Constraint, slope: Slope) -> None:
        """Something depends on a value; levels in which it is not followed are given up."""
        for level in [level for level in self.levels if slope.get(level.number, 0) is None]:
            self._drop(level)
        if constraint.steps:
            self.hold([constraint])

    def fix(self, *slopes: Slope) -> None:
        """Values must not change from iteration to iteration of any watched level."""
        for level in [level for level in self.levels if any(level.number in slope for slope in slopes)]:
            self._drop(level)

    def give_up(self) -> None:
        """Something happened that is data, or is not followed: no watched iteration can be proved."""
        for level in list(self.levels):
            self._drop(level)

    # --- arrivals -------------------------------------------------------------------------------------------------

    def come_round(self, key: Hashable, head: int, context: Hashable) -> None:
        """The walk is back at a place; `head` is where the loop's body begins, for `left_by`. Raises WalkError."""
        place = self.places.get(key)
        if place is None:
            place = self.places[key] = Visits(context, deque(maxlen=max(PERIODS) + 1), head)
        if place.context != context:
            place.context = context
            place.recent.clear()
            place.anchor = None
        level = next((level for level in self.levels if level.key == key), None)
        if level is not None:
            level.left -= 1
            if level.left == 0:
                self._complete(level, place)
        state = self.cells.snapshot()
        self._refuse_circles(place, state)
        place.recent.append(state)
        place.seen += 1
        if not any(level.key == key for level in self.levels):
            self._watch(key, place)

    def left_by(self, source: int, target: int) -> None:
        """A jump from one word to another leaves the loops that it stood in and does not stay in."""
        for key in [
            key
            for key, place in self.places.items()
            if isinstance(key, int) and place.head <= source <= key and not place.head <= target <= key
        ]:
            self.leave(key)

    def leave(self, key: Hashable) -> None:
        """A loop ends: what was seen of it says nothing about its next start."""
        if self.places.pop(key, None) is not None:
            for level in [level for level in self.levels if level.key == key]:
                self._drop(level)

    def leave_block(self) -> None:
        """A block ends, and with it all loops inside it."""
        for key in [key for key in self.places if isinstance(key, int)]:
            self.leave(key)

    @staticmethod
    def _refuse_circles(place: Visits, state: Snapshot) -> None:
        """The sequencer knows nothing but this state: the same state again is a loop without end (Brent)."""
        if place.anchor == state:
            raise WalkError("a loop never ends")
        if place.seen & (place.seen - 1) == 0:
            place.anchor = state

    # --- levels ---------------------------------------------------------------------------------------------------

    def _watch(self, key: Hashable, place: Visits) -> None:
        attempt = place.attempts
        period = PERIODS[attempt % len(PERIODS)]
        if len(place.recent) <= period or (attempt >= len(PERIODS) and place.seen & (place.seen - 1)):
            return  # nothing to go by yet; or it was tried often: keep trying, ever more rarely
        place.attempts += 1
        self.numbered += 1
        cells = self.cells
        steps = cells.watch(self.numbered, place.recent[-1 - period])
        self.levels.append(
            Level(
                key,
                self.numbered,
                len(self.items),
                period,
                place.recent[-1],
                steps,
                tuple(cells.slopes),
                place.context,
            )
        )

    def _complete(self, level: Level, place: Visits) -> None:
        """A watched iteration is over: skip those that follow and are the same."""
        for inner in [other for other in self.levels if other.start >= level.start and other.number > level.number]:
            self._drop(inner)
        moves = self._moves(level) if level.context == place.context else None
        if moves is not None and self._skip(level, moves):
            place.recent.clear()
            place.attempts = 0
            place.anchor = None
        self._drop(level)

    def _moves(self, level: Level) -> Moves | None:
        """How the state goes on, None if the iteration does not prove that it does."""
        cells, traffic = self.cells, self.cells.watched[level.number]
        if tuple(cells.paired) != level.begun.paired:
            return None
        moves = Moves()
        for cell, width in cells.units():
            step = level.steps.get(cell, 0)
            slope = cells.slopes[cell]
            if cells.change(cell, width, level.begun) == step and slope == level.slopes[cell]:
                if step:
                    moves.steps.append((cell, width, step))
                continue
            touched = {cell} if width == 16 else {cell, cell + 1}
            if touched & traffic.live_in:
                return None
            if touched & traffic.written:
                own = slope.get(level.number, 0)
                if own is None:
                    moves.stale = True
                elif own:
                    moves.steps.append((cell, width, own))
        return moves

    def _skip(self, level: Level, moves: Moves) -> bool:
        """Fold the watched iteration and those that follow alike into one Repeat, and move the state behind them."""
        alike = min((constraint.holds_for(level.number) for constraint in level.constraints), default=FOREVER)
        if alike >= FOREVER:
            raise WalkError("a loop never ends")
        further = alike - 1 - moves.stale
        if further <= 0:
            return False
        body = tuple(self.items[level.start :])
        if body:
            del self.items[level.start :]
            self.items.append(Repeat(1 + further, body))
        for constraint in level.constraints:
            constraint.extents = {**constraint.extents, level.number: 1 + further}
        for cell, width, step in moves.steps:
            self.cells.move(cell, width, step * further)
        return True

    def _drop(self, level: Level) -> None:
        """Stop watching a level."""
        self.levels.remove(level)
        self.cells.unwatch(level.number)


def decided(kind: str, value: int, slope: Slope, width: int = 16, low: int = 0, high: int = 0) -> Constraint:
    """The constraint of a decision by a value."""
    return Constraint(kind, value, followed(slope), width, low, high)
