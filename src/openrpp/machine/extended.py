"""Port accesses of the extension instructions: 8 and 32 bits, direct DDR, atomics, int8 dots.

Each function carries out one operation for the lanes of a part and returns the loaded values, None for stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openrpp.isa.crosslane import dot_int8
from openrpp.isa.form import Cost
from openrpp.machine.banks import WARP
from openrpp.machine.faults import AccessError, Misaligned, OutOfBounds

if TYPE_CHECKING:
    from openrpp.machine.code import VectorOp
    from openrpp.machine.memory import Region
    from openrpp.machine.vectors import Datapath

Offsets = NDArray[np.uint64]
EFFECTS = frozenset({"load32", "store32", "load-u8", "store-u8", "load-u16", "load-ddr", "store-ddr", "atomic"})
_KINDS: dict[int, type[np.unsignedinteger[Any]]] = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}


def access(path: Datapath, op: VectorOp, addresses: NDArray[Any], part: slice) -> NDArray[Any] | None:
    """Load, store or update memory at one address per lane. Raises AccessError outside memory or off alignment."""
    width = op.form.width
    region = path.memory.ddr if op.form.cost is Cost.DIRECT else path.memory.sram
    chosen = path.vectors.halves[op.op.values["c"]][part] != 0 if "c" in op.op.values else None
    lanes = np.flatnonzero(chosen) if chosen is not None else np.arange(addresses.size)
    words = region.data.view(_KINDS[width])
    where = _indices(region, addresses, lanes, width)
    if op.form.effect == "atomic":
        return _update(path, op, words, where, lanes, part)
    if op.form.effect.startswith("store"):
        values = _register(path, op.op.values["r"], width, part)
        words[where] = values[lanes].astype(words.dtype)
        return None
    loaded = np.zeros(addresses.size, np.uint32 if width == 32 else np.uint16)
    loaded[lanes] = words[where]
    return loaded


def _register(path: Datapath, code: int, width: int, part: slice) -> NDArray[Any]:
    return path.vectors.pairs[code][part] if width == 32 else path.vectors.halves[code][part]


def _indices(region: Region, addresses: NDArray[Any], lanes: NDArray[Any], width: int) -> Offsets:
    """Indices of the chosen lanes' words in a region."""
    wanted = addresses[lanes].astype(np.uint64)
    offsets = wanted - np.uint64(region.base)
    outside = offsets > np.uint64(region.data.size - width // 8)
    if bool(outside.any()):
        bad = int(np.argmax(outside))
        limits = f"{region.name} is {region.base:#x} to {region.end - 1:#x}"
        sentence = f"this access reaches {region.name} only; {limits}"
        raise AccessError(OutOfBounds, sentence, int(lanes[bad]), int(wanted[bad]))
    odd = offsets % np.uint64(width // 8) != 0
    if bool(odd.any()):
        bad = int(np.argmax(odd))
        sentence = f"a {width}-bit access needs an address that is a multiple of {width // 8}"
        raise AccessError(Misaligned, sentence, int(lanes[bad]), int(wanted[bad]))
    return offsets // np.uint64(width // 8)


def joined(path: Datapath, op: VectorOp, low: str, high: str, part: slice) -> NDArray[np.uint64]:
    """Two pairs as 64-bit values."""
    words = [path.vectors.pairs[op.op.values[name]][part].astype(np.uint64) for name in (low, high)]
    return words[0] | words[1] << np.uint64(32)


def _operands(path: Datapath, op: VectorOp, part: slice) -> list[NDArray[Any]]:
    """What an update takes besides the old value: the operand, and what is compared."""
    if op.form.width == 32:
        return [path.vectors.pairs[op.op.values[name]][part] for name in ("r", "k") if name in op.op.values]
    given: list[NDArray[Any]] = [joined(path, op, "r", "s", part)]
    if op.form.name.endswith("CAS.U64"):
        assert path.compared is not None, "decoding refuses a 64-bit compare-and-swap without ATOMCMP"
        given.append(path.compared)
    return given


def _update(
    path: Datapath, op: VectorOp, words: NDArray[Any], where: Offsets, lanes: NDArray[Any], part: slice
) -> NDArray[Any]:
    """Atomic updates in ascending lane order; the old value per lane, 0 for lanes that take no part.

    Lanes at different addresses are independent, so the n-th lanes of all addresses take their turns together.
    """
    combine = op.form.combine
    assert combine is not None
    old = np.zeros(part.stop - part.start, words.dtype)
    operands = _operands(path, op, part)
    order = np.argsort(where, kind="stable")
    ordered = where[order]
    first = np.ones(ordered.size, bool)
    first[1:] = ordered[1:] != ordered[:-1]
    starts = np.maximum.accumulate(np.where(first, np.arange(ordered.size), 0))
    turn = np.arange(ordered.size) - starts
    for number in range(int(turn.max(initial=-1)) + 1):
        picked = order[turn == number]
        lane = lanes[picked]
        before = words[where[picked]].copy()
        old[lane] = before
        words[where[picked]] = combine(path.numerics, before, *(values[lane] for values in operands))
    return old


def int8_dot(path: Datapath, addresses: NDArray[Any], warp: NDArray[np.uint16], length: int, first_lane: int) -> Any:
    """LDLANE_I8MAD: two signed byte products per word, summed in 32 bits."""
    if not 0 < length <= warp.shape[0]:
        sentence = f"LDLANE_I8MAD of {length} words; WARPVEC holds 1 to {warp.shape[0]} per lane"
        raise AccessError(OutOfBounds, sentence, 0, int(addresses[0]))
    first = path.indices(addresses)
    path.indices(addresses + np.uint32(2 * (length - 1)))
    words = path.sram16[first[:, None] + np.arange(length, dtype=np.uint32)]
    lane = (np.arange(addresses.size) + first_lane) % WARP
    return dot_int8(words, warp[:length].T[lane])


def by_warp(values: NDArray[Any]) -> NDArray[Any]:
    """Lane values as rows of 32; lanes that the last warp lacks read as zero."""
    missing = -values.size % WARP
    return (np.pad(values, (0, missing)) if missing else values).reshape(-1, WARP)
