"""NumPy definitions of the extensions that couple lanes: votes, shuffles, atomic updates.

Votes and ballots take the predicate of every lane of the block, shuffles take arrays of shape (warps, 32), with lanes
outside the block read as zero. Atomic updates give the new word of memory for one lane's turn; lanes take turns in
ascending order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from openrpp.isa.numeric import Bits, Numerics, bits32, f32

WARP = 32
Update = Callable[..., Bits]


# --- votes -----------------------------------------------------------------------------------------------------


def any_lane(n: Numerics, p: Bits) -> Bits:
    """1 if the predicate of any lane is not zero, else 0."""
    return np.asarray(np.any(p != 0), np.uint16)


def all_lanes(n: Numerics, p: Bits) -> Bits:
    """1 if the predicate of every lane is not zero, else 0."""
    return np.asarray(np.all(p != 0), np.uint16)


def count_lanes(n: Numerics, p: Bits) -> Bits:
    """How many lanes have a predicate that is not zero."""
    return np.asarray(np.count_nonzero(p), np.uint16)


def ballot(n: Numerics, p: Bits) -> Bits:
    """For every lane of a warp, the 32 predicates of the warp: bit k is lane k. Shape (warps, 32) in and out."""
    weights = np.uint32(1) << np.arange(WARP, dtype=np.uint32)
    words = np.bitwise_or.reduce(np.where(p != 0, weights, np.uint32(0)), axis=-1)
    return np.broadcast_to(words[..., None], p.shape).astype(np.uint32)


# --- shuffles --------------------------------------------------------------------------------------------------


def shuffle(source: Callable[[Any, Any], Any]) -> Callable[[Numerics, Bits, Bits], Bits]:
    """Each lane reads `a` of the lane that `source(lane, b)` names; its own value where that is no lane of the warp."""

    def define(n: Numerics, a: Bits, b: Bits) -> Bits:
        lane = np.arange(WARP, dtype=np.int64)
        wanted = np.broadcast_to(source(lane, np.asarray(b, np.int64)), a.shape)
        chosen = np.where((wanted >= 0) & (wanted < WARP), wanted, lane)
        return np.take_along_axis(a, chosen, axis=-1)

    return define


def indexed(lane: Any, b: Any) -> Any:
    """Lane b mod 32."""
    return b % WARP


def from_below(lane: Any, b: Any) -> Any:
    """Lane - b."""
    return lane - b


def from_above(lane: Any, b: Any) -> Any:
    """Lane + b."""
    return lane + b


def crossed(lane: Any, b: Any) -> Any:
    """Lane xor (b mod 32)."""
    return lane ^ (b % WARP)


# --- atomic updates --------------------------------------------------------------------------------------------


def add_u32(n: Numerics, old: Bits, r: Bits) -> Bits:
    """Wrap-around sum."""
    with np.errstate(over="ignore"):
        return np.asarray(old, np.uint32) + np.asarray(r, np.uint32)


def add_f32(n: Numerics, old: Bits, r: Bits) -> Bits:
    """float32 sum."""
    with np.errstate(all="ignore"):
        return bits32(f32(old) + f32(r))


def extremum(larger: bool, signed: bool) -> Update:
    """The larger or smaller value."""
    kind = np.int32 if signed else np.uint32
    pick = np.maximum if larger else np.minimum

    def update(n: Numerics, old: Bits, r: Bits) -> Bits:
        a, b = np.asarray(old, np.uint32).view(kind), np.asarray(r, np.uint32).view(kind)
        return np.asarray(pick(a, b)).view(np.uint32)

    return update


def bitwise(operation: Callable[[Any, Any], Any]) -> Update:
    """and, or, xor."""

    def update(n: Numerics, old: Bits, r: Bits) -> Bits:
        return operation(np.asarray(old, np.uint32), np.asarray(r, np.uint32))

    return update


def exchange(n: Numerics, old: Bits, r: Bits) -> Bits:
    """The operand."""
    return np.asarray(r, np.uint32)


def compare_and_swap(n: Numerics, old: Bits, r: Bits, k: Bits) -> Bits:
    """r if the old word equals k, else the old word."""
    return np.where(np.asarray(old) == np.asarray(k), np.asarray(r, np.uint32), np.asarray(old, np.uint32))


def add_u64(n: Numerics, old: Bits, r: Bits) -> Bits:
    """Wrap-around sum of 64 bits."""
    with np.errstate(over="ignore"):
        return np.asarray(old, np.uint64) + np.asarray(r, np.uint64)


def add_f64(n: Numerics, old: Bits, r: Bits) -> Bits:
    """float64 sum."""
    with np.errstate(all="ignore"):
        total = np.asarray(old, np.uint64).view(np.float64) + np.asarray(r, np.uint64).view(np.float64)
    return np.asarray(total).view(np.uint64)


def extremum64(larger: bool, signed: bool) -> Update:
    """The larger or smaller value of 64 bits."""
    kind = np.int64 if signed else np.uint64
    pick = np.maximum if larger else np.minimum

    def update(n: Numerics, old: Bits, r: Bits) -> Bits:
        a, b = np.asarray(old, np.uint64).view(kind), np.asarray(r, np.uint64).view(kind)
        return np.asarray(pick(a, b)).view(np.uint64)

    return update


def exchange64(n: Numerics, old: Bits, r: Bits) -> Bits:
    """The operand of 64 bits."""
    return np.asarray(r, np.uint64)


def compare_and_swap64(n: Numerics, old: Bits, r: Bits, k: Bits) -> Bits:
    """r if the old 64 bits equal k, else the old ones."""
    return np.where(np.asarray(old) == np.asarray(k), np.asarray(r, np.uint64), np.asarray(old, np.uint64))


def dot_int8(lane_words: Bits, warp_words: Bits) -> Bits:
    """Sum over the last axis of the products of both bytes of each 16-bit word, signed; exact in 32 bits."""
    total = np.zeros(np.broadcast_shapes(lane_words.shape, warp_words.shape)[:-1], np.int32)
    for shift in (0, 8):
        a = (lane_words >> np.uint16(shift)).astype(np.uint8).view(np.int8).astype(np.int32)
        b = (warp_words >> np.uint16(shift)).astype(np.uint8).view(np.int8).astype(np.int32)
        total += np.sum(a * b, axis=-1, dtype=np.int32)
    return total.view(np.uint32)
