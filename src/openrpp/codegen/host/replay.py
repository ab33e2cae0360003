"""Launches that run one after another in compiled code, again and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen.errors import HostLaunchError, KernelStopped
from openrpp.codegen.host import llvm, pool
from openrpp.codegen.host.context import Context
from openrpp.codegen.host.driver import WORDS, Header, Item, driver
from openrpp.codegen.host.prepared import Prepared
from openrpp.codegen.host.tiers import Tier

_LINE = 8  # words of a cache line


class Replay:
    """A list of launches that are plain (`Prepared.is_plain`).

    Everything that the code reads lies in one array of words: a header, an item per launch, their contexts. A launch
    costs about a tenth of a microsecond besides what its kernel does.

    Raises HostLaunchError for launches that print or wait for the whole grid.
    """

    def __init__(self, launches: Sequence[Prepared], tier: Tier, store: llvm.ObjectStore | None = None) -> None:
        if odd := [item.kernel for item in launches if not item.is_plain]:
            raise HostLaunchError("a launch that prints or waits for the whole grid cannot be replayed", odd[0])
        self._driver = driver(tier, store)
        self._launches = list(launches)
        self._starts: list[int] = []
        end = WORDS * (1 + len(launches))
        for item in launches:
            self._starts.append(end)
            end += -(-item.context.size // _LINE) * _LINE
        room = np.zeros(end + _LINE, np.uint64)
        self._words: NDArray[np.uint64] = room[-(room.ctypes.data // 8) % _LINE :][:end]
        self._words[Header.COUNT] = len(launches)
        self._address = self._words.ctypes.data
        for index, item in enumerate(launches):
            self._place(index, item)
        starts = np.array(self._starts, np.int64)
        items = WORDS * np.arange(1, 1 + len(launches), dtype=np.int64)
        self._stops = starts + Context.STOP
        self._cleared = np.concatenate([starts + Context.NEXT, self._stops, items + Item.STATE, items + Item.LEFT])
        self._begins = items + Item.BEGIN
        self._scratch = max((item.scratch for item in launches), default=0)

    def __len__(self) -> int:
        return len(self._launches)

    def change(self, index: int, launch: Prepared) -> bool:
        """Put another launch in the place of one, or one whose arguments have changed.

        False if the list has no room for it and must be made anew.
        """
        if launch is self._launches[index]:
            start = self._starts[index]
            self._words[start + launch.params : start + launch.context.size] = launch.context[launch.params :]
            return True
        fits = launch.is_plain and launch.context.size == self._launches[index].context.size
        if fits:
            self._launches[index] = launch
            self._scratch = max(self._scratch, launch.scratch)
            self._place(index, launch)
        return fits

    def _place(self, index: int, launch: Prepared) -> None:
        start, item = self._starts[index], WORDS * (1 + index)
        context = self._words[start : start + launch.context.size]
        context[:] = launch.context
        launch.settle(context)
        self._words[item + Item.WORK] = launch.variant.code.address
        self._words[item + Item.CONTEXT] = context.ctypes.data
        self._words[item + Item.SHARED] = launch.workers > 1

    def run(self, workers: int | None = None) -> None:
        """Run all launches in order, each on up to `workers` threads (None: one per core).

        Raises ReplayStopped where a launch is stopped; a KeyboardInterrupt ends the list.
        """
        words = self._words
        words[self._cleared] = 0
        words[Header.OPEN] = words[Header.STOP] = 0
        most = max((item.workers for item in self._launches), default=1)
        helpers = min(workers or pool.cores(), most) - 1
        drive, help_ = self._driver.drive, self._driver.help
        reached = pool.lead(
            lambda scratch: drive(self._address, scratch),
            lambda scratch: help_(self._address, scratch),
            self._scratch,
            helpers,
            self._halt,
        )
        if reached < len(self._launches):
            self._raise(reached)

    def _halt(self) -> None:
        self._words[Header.STOP] = 1
        self._words[self._stops] = 1

    def _raise(self, reached: int) -> None:
        launch, start = self._launches[reached], self._starts[reached]
        try:
            launch.check(context=self._words[start : start + launch.context.size])
        except KernelStopped as stopped:
            raise ReplayStopped(reached, stopped) from None

    @property
    def ticks(self) -> NDArray[np.int64]:
        """What each launch took in the last run, in ticks of the host's counter."""
        return (self._words[self._begins + 1] - self._words[self._begins]).astype(np.int64)


class ReplayStopped(Exception):
    """Launch number `index` was stopped, as `stopped` says; those before it ran."""

    def __init__(self, index: int, stopped: KernelStopped) -> None:
        super().__init__(str(stopped))
        self.index = index
        self.stopped = stopped
