"""Vector-matrix product with 4-bit weights that stream from DDR. Assembly: decode.s, decode_sums.s."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from harness import (
    F32,
    MAX_WARPS,
    U16,
    WARP,
    Launch,
    Outcome,
    bf16,
    ceil_div,
    close,
    ddr,
    f32,
    joined,
    launch_all,
    need,
    same_bits,
    show,
    sram,
    words,
)
from numpy.typing import NDArray

from openrpp.machine import Device

GROUP = 32
ROWS = 10  # zero, eight rows of nibbles, scale
RECORD = 34  # words of a group's activations: its sum, then 32 values
MAX_TILE = 1 << 20
MIN_TILE = 1 << 17
MIN_GROUPS = 64


@dataclass(frozen=True)
class Weights:
    """4-bit weights of a matrix [n][k]: w = q scale + zero.

    Attributes:
        q: [n][k] values 0..15.
        scale: [n][k/32] bf16 bits.
        zero: [n][k/32] bf16 bits.
    """

    q: NDArray[np.uint8]
    scale: U16
    zero: U16

    def dense(self) -> F32:
        """[n][k] float32."""
        return self.q * np.repeat(f32(self.scale), GROUP, 1) + np.repeat(f32(self.zero), GROUP, 1)


@dataclass(frozen=True)
class Plan:
    """Buffers and launches of one product y[n] = W[n][k] x[k]. Outputs are padded to `panels` panels of `width`."""

    n: int
    k: int
    panels: int
    width: int
    tile_groups: int
    weights: int  # DDR address
    x: int
    y_lo: int
    y_hi: int
    launches: tuple[Launch, ...]

    @property
    def stream_bytes(self) -> int:
        """Bytes that come from DDR."""
        return self.panels * (self.k // GROUP) * ROWS * 2 * self.width


def tile_groups(k: int, panels: int, width: int) -> int:
    """Groups in a tile: a divisor of K/32, about a sixteenth of the stream within 128 KB to 1 MB, but at least one.

    Large tiles make the start of each DMA cheap; small ones shorten what is computed after the last DMA.
    """
    groups, group_bytes = k // GROUP, ROWS * 2 * width
    most = min(max(panels * groups * group_bytes // 16, MIN_TILE), MAX_TILE)
    return max((g for g in range(1, groups + 1) if groups % g == 0 and g * group_bytes <= most), default=1)


def plan(n: int, k: int) -> Plan:
    """Plan a product with n outputs and k inputs. Raises ValueError if k is not a multiple of 32."""
    need(n > 0, f"n = {n}: there is nothing to compute")
    need(k > 0 and k % GROUP == 0, f"k = {k} is not a multiple of {GROUP}")
    panels = ceil_div(n, MAX_WARPS * WARP)
    width = max(ceil_div(ceil_div(n, panels), WARP) * WARP, 2 * WARP)
    groups, tile = k // GROUP, tile_groups(k, panels, width)
    tile_bytes = tile * ROWS * 2 * width
    memory = sram()
    weights = ddr().take(panels * groups * ROWS * 2 * width)
    buffers = memory.take(tile_bytes), memory.take(tile_bytes)
    padded = max(ceil_div(groups, WARP) * WARP, MIN_GROUPS)
    x = memory.take(2 * RECORD * padded)
    y_lo, y_hi = (memory.take(2 * panels * width) for _ in range(2))
    sums = Launch("decode_sums", (1, 1, 1), (padded, 1, 1), (x,))
    product = Launch(
        "decode",
        (panels, 1, 1),
        (width, 1, 1),
        (*words(weights), *buffers, x, y_lo, y_hi, tile_bytes, 2 * width, tile, groups // tile),
    )
    return Plan(n, k, panels, width, tile, weights, x, y_lo, y_hi, (sums, product))


# --- layouts ----------------------------------------------------------------------------------------------------------


def packed(weights: Weights, planned: Plan) -> U16:
    """[panel][k/32][zero, 8 rows of nibbles, scale][width]; outputs past n are zeros."""
    groups = planned.k // GROUP
    extra = planned.panels * planned.width - planned.n
    q = np.pad(weights.q, ((0, extra), (0, 0))).astype(np.uint16)
    nibbles = q.reshape(-1, groups, 8, 4)
    rows = nibbles[..., 0] | nibbles[..., 1] << 4 | nibbles[..., 2] << 8 | nibbles[..., 3] << 12
    scale, zero = (np.pad(v, ((0, extra), (0, 0)))[:, :, None] for v in (weights.scale, weights.zero))
    records = np.concatenate([zero, rows, scale], axis=2)  # [n][group][10]
    panels = records.reshape(planned.panels, planned.width, groups, ROWS)
    return np.ascontiguousarray(panels.transpose(0, 2, 3, 1), np.uint16)


def activation_records(x: U16, planned: Plan) -> U16:
    """[groups][34] words with the values in place and room for the sums; padded to the block of decode_sums."""
    records = np.zeros((planned.launches[0].block[0], RECORD), np.uint16)
    records[: planned.k // GROUP, 2:] = x.reshape(-1, GROUP)
    return records


# --- what the card must compute ---------------------------------------------------------------------------------------


def model(weights: Weights, x: U16) -> F32:
    """y in the card's order of operations, bit for bit.

    For each group, in order: S is the float32 sum of its x; y += zero S; a sum that starts from -128 S takes
    x (128 + q), one k after another; y += sum scale.
    """
    values = f32(x).reshape(-1, GROUP)
    sums = np.zeros(len(values), np.float32)
    for j in range(GROUP):
        sums += values[:, j]
    y = np.zeros(len(weights.q), np.float32)
    shifted = (weights.q.astype(np.float32) + np.float32(128)).reshape(len(y), -1, GROUP)
    for group, total in enumerate(sums):
        y += f32(weights.zero[:, group]) * total
        partial = np.full(len(y), np.float32(-128) * total, np.float32)
        for j in range(GROUP):
            partial += shifted[:, group, j] * values[group, j]
        y += partial * f32(weights.scale[:, group])
    return y


def random_weights(rng: np.random.Generator, n: int, k: int) -> Weights:
    """Weights with scales and zeros such as quantisation gives: values within about -1..1, over sqrt(k)."""
    scale = rng.uniform(0.5, 1.5, (n, k // GROUP)) / (8 * np.sqrt(k))
    zero = -8 * scale * rng.uniform(0.9, 1.1, scale.shape)
    return Weights(rng.integers(0, 16, (n, k), np.uint8), bf16(scale), bf16(zero))


def run(device: Device, weights: Weights, x: F32, check: bool = True) -> Outcome:
    """y[n] = W[n][k] x[k] in float32; x is rounded to bf16."""
    n, k = weights.q.shape
    planned = plan(n, k)
    x16 = bf16(x)
    device.write(planned.weights, packed(weights, planned))
    device.write(planned.x, activation_records(x16, planned))
    reports = launch_all(device, planned.launches)
    low, high = (device.read(at, n, np.uint16) for at in (planned.y_lo, planned.y_hi))
    y = joined(low, high)
    checks = ()
    if check:
        exact = weights.dense().astype(np.float64) @ f32(x16).astype(np.float64)
        checks = (
            same_bits(y, model(weights, x16), "the NumPy model"),
            close(y, exact, "a float64 product", 1e-5),
        )
    return Outcome(y, reports, checks, {"B": float(planned.stream_bytes), "weight": float(n * k)})


def main() -> int:
    """A quarter of a Llama-2-7B projection."""
    rng = np.random.default_rng(2)
    weights = random_weights(rng, 4096, 1024)
    x = rng.standard_normal(1024).astype(np.float32)
    return show("decode: y[4096] = W[4096][1024] x, 4-bit weights from DDR", run(Device("ae7100"), weights, x))


if __name__ == "__main__":
    sys.exit(main())
