"""The convolutions of YOLOv8 n and s one by one, derived from the architecture, and what each takes on the card.

`python -m benchmarks.slice.yolov8` prints the tables; the models as a whole are in `yolo.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from rich.console import Console
from rich.table import Table

from openrpp.kernels.activation import NONE, SILU
from openrpp.kernels.conv import convolution
from openrpp.kernels.launch import Launch, Region
from openrpp.kernels.placed import Placed
from openrpp.kernels.slabs import Slabs
from openrpp.kernels.window import Window
from openrpp.machine.report import Span
from openrpp.runtime.card import Card

SIZE = 640
CLASSES = 80
WIDTHS = {"n": 0.25, "s": 0.5}
DEPTH = 1 / 3


@dataclass(frozen=True)
class Layer:
    """A convolution: channels, taps along an axis, stride, pixels of the result's edge; a head's last has no SiLU."""

    name: str
    inputs: int
    outputs: int
    taps: int
    stride: int
    edge: int
    is_last: bool = False
    has_residual: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.edge**2 * self.inputs * self.outputs * self.taps**2


def layers(width: float) -> Iterator[Layer]:
    """All convolutions of a model, in order."""
    channels = [ceil(base * width / 8) * 8 for base in (64, 128, 256, 512, 1024)]
    edge, inputs = SIZE, 3
    sizes: list[int] = []
    for number, outputs in enumerate(channels):
        edge //= 2
        yield Layer(f"backbone {number}", inputs, outputs, 3, 2, edge)
        if number:
            yield from _c2f(
                f"backbone c2f {number}", outputs, outputs, round((3, 6, 6, 3)[number - 1] * DEPTH), edge, True
            )
        inputs, sizes = outputs, [*sizes, edge]
    small, middle, large = sizes[2:]
    yield Layer("sppf 0", channels[4], channels[4] // 2, 1, 1, large)
    yield Layer("sppf 1", channels[4] * 2, channels[4], 1, 1, large)
    yield from _c2f("neck 0", channels[4] + channels[3], channels[3], 1, middle, False)
    yield from _c2f("neck 1", channels[3] + channels[2], channels[2], 1, small, False)
    yield Layer("neck down 0", channels[2], channels[2], 3, 2, middle)
    yield from _c2f("neck 2", channels[2] + channels[3], channels[3], 1, middle, False)
    yield Layer("neck down 1", channels[3], channels[3], 3, 2, large)
    yield from _c2f("neck 3", channels[3] + channels[4], channels[4], 1, large, False)
    for scale, (inputs, edge) in enumerate(zip(channels[2:], (small, middle, large), strict=True)):
        for kind, hidden, outputs in (
            ("box", max(16, channels[2] // 4, 64), 64),
            ("class", max(channels[2], min(CLASSES, 100)), CLASSES),
        ):
            yield Layer(f"{kind} {scale}.0", inputs, hidden, 3, 1, edge)
            yield Layer(f"{kind} {scale}.1", hidden, hidden, 3, 1, edge)
            yield Layer(f"{kind} {scale}.2", hidden, outputs, 1, 1, edge, is_last=True)


def _c2f(name: str, inputs: int, outputs: int, count: int, edge: int, adds: bool) -> Iterator[Layer]:
    hidden = outputs // 2
    yield Layer(f"{name} in", inputs, outputs, 1, 1, edge)
    for number in range(count):
        yield Layer(f"{name} {number}.0", hidden, hidden, 3, 1, edge)
        yield Layer(f"{name} {number}.1", hidden, hidden, 3, 1, edge, has_residual=adds)
    yield Layer(f"{name} out", (2 + count) * hidden, outputs, 1, 1, edge)


def launches(layer: Layer) -> list[Launch]:
    """The launches of a layer with tensors of its own."""
    window = Window((layer.taps,) * 2, (layer.stride,) * 2, (layer.taps // 2,) * 2)
    x = _tensor("x", layer.inputs, layer.edge * layer.stride, layer.taps // 2, 4 if layer.inputs < 4 else 32)
    y = _tensor("y", layer.outputs, layer.edge, 0 if layer.is_last else 1)
    slabs = ceil(layer.inputs / 8)
    weights = Region("weights", 2 * 32 * y.slabs * (2 + 8 * slabs * layer.taps**2), "sram")
    table = None if layer.is_last else Region("table", 2 << 16, "sram")
    residual = _tensor("residual", layer.outputs, layer.edge, 1) if layer.has_residual else None
    act = NONE if layer.is_last else SILU
    return convolution(x, weights, y, window, activation=act, table=table, residual=residual, node=layer.name)


def _tensor(name: str, channels: int, edge: int, border: int, lanes: int = 32) -> Slabs:
    made = Slabs(Region(name, 0, "sram"), 0, channels, edge, edge, border, lanes=lanes)
    return replace(made, region=Region(name, made.bytes, "sram"))


@dataclass(frozen=True)
class Timed:
    """A layer with the card time of its kernel, the cost of the launch not counted."""

    layer: Layer
    launch: Launch
    seconds: Span
    columns: int


def timed(layer: Layer) -> Timed:
    """Card time of a layer by a walk of its machine code; nothing runs."""
    card = Card("ae7100", engine="native")
    placed, stream = Placed(card), card.stream()
    (launch,) = launches(layer)
    with card.capture(stream) as graph:
        placed.run([launch], stream)
    (taken,) = graph.time().taken
    if taken.seconds is None:
        raise RuntimeError(f"{layer.name}: {taken.reason}")
    return Timed(layer, launch, taken.seconds, taken.columns)


def table_of(model: str, rows: Sequence[Timed]) -> Table:
    """The per-layer table."""
    rate = peak()
    made = Table(title=f"convolutions of YOLOv8{model} at {SIZE}, bf16, ae7100 nominal, launch costs not counted")
    for head in (
        "layer",
        "channels",
        "taps",
        "pixels",
        "MMAC",
        "kernel",
        "blocks",
        "warps",
        "columns",
        "us",
        "of peak",
    ):
        made.add_column(head, justify="left" if head in ("layer", "kernel") else "right")
    for row in rows:
        layer, (_, x, y), grid = row.layer, row.launch.block, row.launch.grid
        made.add_row(
            *(layer.name, f"{layer.inputs} > {layer.outputs}", f"{layer.taps} / {layer.stride}", f"{layer.edge}^2"),
            *(f"{layer.macs / 1e6:.1f}", row.launch.kernel, str(grid[0] * grid[1] * grid[2]), str(x * y)),
            *(str(row.columns), f"{row.seconds.nominal * 1e6:.1f}"),
            f"{layer.macs / rate / row.seconds.nominal:.1%}",
        )
    total, work = sum(row.seconds.nominal for row in rows), sum(row.layer.macs for row in rows)
    made.add_section()
    made.add_row("all", *[""] * 3, f"{work / 1e6:.1f}", *[""] * 4, f"{total * 1e6:.1f}", f"{work / rate / total:.1%}")
    return made


def peak() -> float:
    """Multiply-accumulates per second of the card's dot units."""
    arch = Card("ae7100", engine="native").arch
    lanes = arch.array.columns.value * arch.array.lanes.value * arch.array.bf16_macs_per_lane.value
    return lanes * arch.clock.core.value * 1e6


def main() -> None:
    """Print the tables."""
    console = Console(width=180)
    for model, width in WIDTHS.items():
        console.print(table_of(model, [timed(layer) for layer in layers(width)]))


if __name__ == "__main__":
    main()
