"""Reasons why a value should not be used, numbered, so that every lane of a register can carry one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.isa.form import Cost
from openrpp.machine.code import VectorOp

Numbers = NDArray[np.uint32]
Flags = NDArray[np.bool_]
SOUND: Numbers = np.zeros((), np.uint32)
"""No reason against any lane."""

_FIXED = 1 << 16
_KEPT = 1024


@dataclass(frozen=True)
class Access:
    """16-bit words that an operation touches: address and lane of each, ascending by lane.

    `words` are SRAM word indices; outside SRAM it is the extra word at the end of the shadow arrays, since the engine
    refuses such addresses. `direct` accesses go to DDR and have no words.
    """

    op: VectorOp
    number: int  # of the executed column
    addresses: NDArray[Any]
    words: Numbers
    lanes: Numbers

    @property
    def direct(self) -> bool:
        """Whether the access goes to DDR."""
        return self.op.form.cost is Cost.DIRECT


@dataclass(frozen=True)
class Reason:
    """Why a value is doubtful; loads add where they happened and the address of each lane."""

    text: str
    word: int | None = None
    column: int | None = None
    lanes: Numbers | None = None
    addresses: NDArray[Any] | None = None

    @classmethod
    def of_load(cls, text: str, access: Access, where: Flags) -> Reason:
        """The reason of some words of a load."""
        return cls(text, access.op.word, access.number, access.lanes[where], access.addresses[where])

    def address(self, lane: int) -> int | None:
        """The address that a lane loaded from (the last of several)."""
        if self.lanes is None or self.addresses is None:
            return None
        return int(self.addresses[max(int(np.searchsorted(self.lanes, lane, side="right")) - 1, 0)])


class Reasons:
    """All reasons of a launch by number; 0 is none.

    Fixed ones are the same whenever they come up and stay; those of loads stay while a register holds them.
    """

    def __init__(self) -> None:
        self._known: dict[int, Reason] = {}
        self._fixed: dict[str, int] = {}
        self._numbers = count(_FIXED)

    def __getitem__(self, number: int) -> Reason:
        return self._known[number]

    def __len__(self) -> int:
        return len(self._known)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._fixed.clear()

    def fixed(self, text: str) -> int:
        """The number of a fixed reason."""
        if text not in self._fixed:
            number = self._fixed[text] = len(self._fixed) + 1
            self._known[number] = Reason(text)
        return self._fixed[text]

    def add(self, reason: Reason) -> int:
        """Number the reason of a load."""
        number = next(self._numbers)
        self._known[number] = reason
        return number

    def collect(self, registers: Iterable[Any]) -> None:
        """Drop reasons of loads that no register holds, if there are many."""
        if len(self._known) <= _KEPT + len(self._fixed):
            return
        held = {int(number) for values in registers for number in np.unique(values)}
        self._known = {number: kept for number, kept in self._known.items() if number < _FIXED or number in held}
