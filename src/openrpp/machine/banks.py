"""Port passes of a warp's accesses: how often a memory port must go to the banks for 32 addresses.

Banks are interleaved by 16-bit word. Lanes that want the same word share it (broadcast), so a warp needs as many passes
as the busiest bank has distinct words. A common offset rotates the banks and changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WARP = 32


def warp_rows(addresses: NDArray[Any]) -> NDArray[np.int64]:
    """Addresses as one row per warp; missing lanes of the last warp repeat its first address."""
    count = addresses.size
    padded = np.empty(-(-count // WARP) * WARP, np.int64)
    padded[:count] = addresses
    padded[count:] = addresses[(count - 1) // WARP * WARP] if count else 0
    return padded.reshape(-1, WARP)


def gather_passes(addresses: NDArray[Any], banks: int, bank_bytes: int = 2) -> int:
    """Port passes of a 16-bit access, summed over the warps."""
    rows = np.sort(warp_rows(addresses) // bank_bytes, axis=1)
    fresh = np.ones(rows.shape, bool)
    fresh[:, 1:] = rows[:, 1:] != rows[:, :-1]
    bank = rows % banks + banks * np.arange(rows.shape[0], dtype=np.int64)[:, None]
    counts = np.bincount(bank[fresh], minlength=rows.shape[0] * banks)
    return int(counts.reshape(-1, banks).max(axis=1).sum())


def vector_passes(addresses: NDArray[Any], nbytes: int, port_bytes: int) -> int:
    """Port passes of an access of `nbytes` per lane, summed over the warps; equal addresses are fetched once."""
    rows = np.sort(warp_rows(addresses), axis=1)
    distinct = 1 + (rows[:, 1:] != rows[:, :-1]).sum(axis=1)
    return int((-(-distinct * nbytes // port_bytes)).sum())
