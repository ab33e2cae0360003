"""Card time of the matrix products of a layer of a 7B model for 512 tokens, as shares of the peak rate."""

from __future__ import annotations

from benchmarks.slice.board import CardRow, Found
from openrpp.kernels.launch import Region
from openrpp.kernels.matmul import matmul
from openrpp.kernels.placed import Placed
from openrpp.kernels.quant import Panels, panels_bytes
from openrpp.kernels.slabs import BYTES, Slabs
from openrpp.runtime.card import Card

ROWS = 512
PRODUCTS = {
    "q, k and v": (4096, 3 * 4096, 1),
    "attention's output": (4096, 4096, 1),
    "gate and up": (4096, 11008, 2),
    "down": (11008, 4096, 1),
}
"""Inputs, outputs, matrices."""
_PEAK = 8192e9
"""Multiply-accumulates per second: 32 columns of 32 lanes with 8 each, at 1 GHz."""


def _tokens(name: str, channels: int) -> Slabs:
    return Slabs(Region(name, channels * ROWS * BYTES["bf16"], "sram"), 0, channels, 1, ROWS)


def product(name: str, inputs: int, outputs: int, matrices: int) -> CardRow:
    """One product with Q4_0 weights on buffers without content. Raises AssertionError where its time is not known."""
    card = Card("ae7100", engine="native", workers=1, keep_timeline=False)
    placed, stream = Placed(card), card.stream()
    region = Region("weights", panels_bytes("q4_0", outputs, inputs, matrices), "ddr")
    weights = Panels(region, 0, "q4_0", outputs, inputs, matrices)
    table = Region("silu", 1 << 17, "sram") if matrices == 2 else None
    launches = matmul(_tokens("x", inputs), _tokens("y", outputs), weights, table=table)
    with card.capture(stream) as graph:
        placed.run(launches, stream)
    time = graph.time()
    assert time.seconds is not None, "; ".join(time.unknown)
    macs = sum(launch.macs for launch in launches)
    return CardRow(
        f"{name}, {ROWS} rows, Q4_0", time.seconds, time.launches, len(graph.nodes), ("peak rate", macs / _PEAK)
    )


def measure() -> Found:
    """All products of a layer."""
    return Found(card=[product(name, *shape) for name, shape in PRODUCTS.items()])
