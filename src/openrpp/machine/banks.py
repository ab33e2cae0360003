"""Port passes of a warp's accesses: how often a memory port must go to the banks for 32 addresses.

Banks are interleaved by 16-bit word. Lanes that want the same word share it (broadcast), so a warp needs as many passes
as the busiest bank has distinct words. A common offset rotates the banks and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.arch import Card
from openrpp.isa.form import Cost, Form

WARP = 32
BANK_BYTES = 2
ABSENT = -1


@dataclass(frozen=True)
class Access:
    """What decides the passes of a kind of access, of all that a form is."""

    cost: Cost
    width: int
    effect: str

    @classmethod
    def of(cls, form: Form) -> Access:
        """That of a port operation."""
        return cls(form.cost, form.width, form.effect)


@dataclass(frozen=True)
class Ports:
    """What decides the passes of a card's memory ports."""

    banks: int
    port_bytes: int

    @classmethod
    def of(cls, card: Card) -> Ports:
        """The nominal figures of a card."""
        return cls(card.sram.banks.value, card.sram.port_bytes.value)

    def passes(
        self, access: Access, addresses: NDArray[Any], length: int = 0, chosen: NDArray[np.bool_] | None = None
    ) -> int:
        """Passes of an access by all lanes of a block, or the chosen ones; `length` is that of a dot, in words."""
        match access.cost:
            case Cost.LANE_VECTOR:
                return vector_passes(addresses, 2 * length, self.port_bytes)
            case Cost.WARP_VECTOR | Cost.ADDRESS | Cost.DIRECT:
                return 0  # not through the banks lane by lane
            case _:
                words = max(access.width // 16, 1)
                return gather_passes(addresses, self.banks, words, chosen, shared=access.effect != "atomic")


def warp_rows(addresses: NDArray[Any], chosen: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Addresses as one row per warp; lanes that take no part, or that the last warp lacks, are ABSENT."""
    padded = np.full(-(-addresses.size // WARP) * WARP, ABSENT, np.int64)
    padded[: addresses.size] = addresses
    if chosen is not None:
        padded[: addresses.size][~chosen] = ABSENT
    return padded.reshape(-1, WARP)


def gather_passes(
    addresses: NDArray[Any],
    banks: int,
    words: int = 1,
    chosen: NDArray[np.bool_] | None = None,
    shared: bool = True,
) -> int:
    """Passes of an access of one or more 16-bit words per lane, summed over the warps.

    Args:
        addresses: byte address per lane of the block.
        banks: number of banks.
        words: neighbouring words that each lane wants.
        chosen: lanes that take part, all by default.
        shared: lanes that want the same word get it in the same pass.
    """
    first = warp_rows(addresses, chosen)
    there = np.repeat(first != ABSENT, words, axis=1)
    rows = (first // BANK_BYTES)[:, :, None] + np.arange(words)
    rows = np.where(there, rows.reshape(first.shape[0], -1), ABSENT)
    if shared:
        rows = np.sort(rows, axis=1)
        there = rows != ABSENT
        there[:, 1:] &= rows[:, 1:] != rows[:, :-1]
    bank = rows % banks + banks * np.arange(rows.shape[0], dtype=np.int64)[:, None]
    counts = np.bincount(bank[there], minlength=rows.shape[0] * banks)
    return int(counts.reshape(-1, banks).max(axis=1).sum())


def lines(addresses: NDArray[Any], line_bytes: int, chosen: NDArray[np.bool_] | None = None) -> int:
    """Distinct DDR lines of an access, counted warp by warp: no line outlives a warp's access."""
    rows = warp_rows(addresses, chosen)
    rows = np.sort(np.where(rows == ABSENT, ABSENT, rows // line_bytes), axis=1)
    fresh = rows != ABSENT
    fresh[:, 1:] &= rows[:, 1:] != rows[:, :-1]
    return int(fresh.sum())


def vector_passes(addresses: NDArray[Any], nbytes: int, port_bytes: int) -> int:
    """Passes of an access of `nbytes` per lane, summed over the warps; equal addresses are fetched once."""
    rows = np.sort(warp_rows(addresses), axis=1)
    fresh = rows != ABSENT
    fresh[:, 1:] &= rows[:, 1:] != rows[:, :-1]
    distinct = fresh.sum(axis=1)
    return int((-(-distinct * nbytes // port_bytes)).sum())
