"""Reading what observed code has recorded: branches with their masks, gathers with their addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen.host.geometry import Geometry
from openrpp.codegen.host.sides import Branch, Gather, Sites
from openrpp.codegen.host.watch import HEADER_WORDS, mask_words

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Event:
    """One execution of a branch or gather by a group of threads.

    `threads` are the numbers of the active threads in their block (x + bx (y + by z)), ascending. `taken` has, for a
    branch, the edge that each of them takes; `addresses` the device address (shared and private memory: the offset) of
    each in a gather. `epoch` counts the barriers that the block has passed.
    """

    site: Branch | Gather
    block: int
    epoch: int
    threads: NDArray[np.int64]
    taken: NDArray[np.int64] | None = None
    addresses: NDArray[np.uint64] | None = None


@dataclass(frozen=True, slots=True)
class Observations:
    """Events in an order in which those of one thread stand as they happened; `dropped` found no room."""

    events: tuple[Event, ...]
    dropped: int

    def of(self, site: Branch | Gather) -> Iterator[Event]:
        """The events of a place."""
        return (event for event in self.events if event.site == site)

    @property
    def sites(self) -> tuple[Branch | Gather, ...]:
        """Places that have events, as they first come."""
        return tuple(dict.fromkeys(event.site for event in self.events))


def _lanes(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Lanes whose bits are set."""
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))


def observations(sites: Sites, geometry: Geometry, words: NDArray[np.uint64], dropped: int) -> Observations:
    """The events of a buffer of records (layout: `watch`)."""
    found: list[Event] = []
    each, place = mask_words(geometry.lanes), 0
    while place + HEADER_WORDS + each <= words.size:
        number, block, moment = (int(word) for word in words[place : place + HEADER_WORDS])
        if not number:
            break  # the first record that found no room
        site = sites.watched[number - 1]
        start = place + HEADER_WORDS + each
        size = site.edges * each if isinstance(site, Branch) else geometry.lanes
        if start + size > words.size:
            break  # did not fit
        active = _lanes(words[start - each : start])
        threads = active + (moment & 0xFFFF_FFFF) * geometry.lanes
        data = words[start : start + size]
        if isinstance(site, Branch):
            masks = data.reshape(site.edges, each).view(np.uint8)
            taken = np.unpackbits(masks, axis=1, bitorder="little")[:, active].argmax(axis=0)
            found.append(Event(site, block, moment >> 32, threads, taken=taken))
        else:
            found.append(Event(site, block, moment >> 32, threads, addresses=data[active].copy()))
        place = start + size
    return Observations(tuple(found), dropped)
