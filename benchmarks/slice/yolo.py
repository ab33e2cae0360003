"""YOLOv8 n and s as whole models: ONNX graphs of the architecture with random weights, timed by a session.

The architecture is that of the published detection models (80 classes): convolutions with SiLU, C2f blocks, SPPF, a
neck of two ways, a head without objectness whose distances are expectations over 16 bins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from rich.table import Table

from benchmarks.slice.board import CardRow, Found
from openrpp.graph import Session, SessionReport

SIZE = 640
CLASSES = 80
BINS = 16
STRIDES = (8, 16, 32)
WIDTHS = {"n": 0.25, "s": 0.5}
DEPTH = 1 / 3
SLOWEST = 12
"""Rows of the table of nodes."""


@dataclass
class Writer:
    """Nodes and constants of a model in the making; values are named by numbers."""

    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    constants: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(8))

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        number = len(self.nodes)
        made = [f"v{number}.{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), made, f"{op} {number}", **attributes))
        return made

    def constant(self, content: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(content)
        return name

    def conv(self, x: str, inputs: int, outputs: int, taps: int = 1, stride: int = 1, silu: bool = True) -> str:
        weight = self.random.standard_normal((outputs, inputs, taps, taps)) * (1.5 / (inputs * taps * taps) ** 0.5)
        names = [self.constant(array.astype(np.float32)) for array in (weight, np.zeros(outputs))]
        (y,) = self.node("Conv", x, *names, kernel_shape=[taps, taps], strides=[stride, stride], pads=[taps // 2] * 4)
        if not silu:
            return y
        return self.node("Mul", y, self.node("Sigmoid", y)[0])[0]

    def split(self, x: str, counts: tuple[int, ...]) -> list[str]:
        return self.node("Split", x, self.constant(np.array(counts)), outputs=len(counts), axis=1)

    def concat(self, *parts: str, axis: int = 1) -> str:
        return self.node("Concat", *parts, axis=axis)[0]

    def reshape(self, x: str, *shape: int) -> str:
        return self.node("Reshape", x, self.constant(np.array(shape)))[0]

    def c2f(self, x: str, inputs: int, outputs: int, blocks: int, shortcut: bool) -> str:
        half = outputs // 2
        parts = self.split(self.conv(x, inputs, outputs), (half, half))
        for _ in range(blocks):
            y = self.conv(self.conv(parts[-1], half, half, 3), half, half, 3)
            parts.append(self.node("Add", parts[-1], y)[0] if shortcut else y)
        return self.conv(self.concat(*parts), half * (2 + blocks), outputs)

    def sppf(self, x: str, channels: int) -> str:
        parts = [self.conv(x, channels, channels // 2)]
        for _ in range(3):
            parts += self.node("MaxPool", parts[-1], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1])
        return self.conv(self.concat(*parts), channels * 2, channels)

    def larger(self, x: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        kind = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", x, "", scales, **kind)[0]


def model(width: float, size: int = SIZE, classes: int = CLASSES) -> onnx.ModelProto:
    """YOLOv8 of a width, for square images."""
    made = Writer()
    channels = [ceil(base * width / 8) * 8 for base in (64, 128, 256, 512, 1024)]
    levels = _neck(made, _backbone(made, channels), channels)
    output = _head(made, levels, channels[2:], size, classes)
    made.nodes.append(helper.make_node("Identity", [output], ["output"]))
    anchors = sum((size // stride) ** 2 for stride in STRIDES)
    graph = helper.make_graph(
        made.nodes,
        "yolov8",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4 + classes, anchors])],
        [numpy_helper.from_array(content, name) for name, content in made.constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def _backbone(made: Writer, channels: list[int]) -> list[str]:
    """The results at strides 8, 16, 32."""
    x, inputs, found = "images", 3, list[str]()
    for number, outputs in enumerate(channels):
        x = made.conv(x, inputs, outputs, 3, 2)
        if number:
            x = made.c2f(x, outputs, outputs, round((3, 6, 6, 3)[number - 1] * DEPTH), True)
        inputs = outputs
        found.append(x)
    return [*found[2:4], made.sppf(x, channels[4])]


def _neck(made: Writer, levels: list[str], channels: list[int]) -> list[str]:
    """Down to the finest level and back up."""
    fine, middle, coarse = levels
    low, mid, high = channels[2:]
    joined = made.c2f(made.concat(made.larger(coarse), middle), high + mid, mid, 1, False)
    first = made.c2f(made.concat(made.larger(joined), fine), mid + low, low, 1, False)
    second = made.c2f(made.concat(made.conv(first, low, low, 3, 2), joined), low + mid, mid, 1, False)
    third = made.c2f(made.concat(made.conv(second, mid, mid, 3, 2), coarse), mid + high, high, 1, False)
    return [first, second, third]


def _head(made: Writer, levels: list[str], channels: list[int], size: int, classes: int) -> str:
    """Boxes in pixels and scores of all cells."""
    box, score = max(16, channels[0] // 4, BINS * 4), max(channels[0], min(classes, 100))
    parts: list[str] = []
    for x, inputs, stride in zip(levels, channels, STRIDES, strict=True):
        sides = made.conv(made.conv(made.conv(x, inputs, box, 3), box, box, 3), box, 4 * BINS, silu=False)
        kinds = made.conv(made.conv(made.conv(x, inputs, score, 3), score, score, 3), score, classes, silu=False)
        parts.append(made.reshape(made.concat(sides, kinds), 1, 4 * BINS + classes, (size // stride) ** 2))
    sides, kinds = made.split(made.concat(*parts, axis=2), (4 * BINS, classes))
    return made.concat(_boxes(made, sides, size), made.node("Sigmoid", kinds)[0])


def _boxes(made: Writer, sides: str, size: int) -> str:
    """Distances from the cells' middles, as centres and extents."""
    cells = sum((size // stride) ** 2 for stride in STRIDES)
    spread = made.node("Transpose", made.reshape(sides, 1, 4, BINS, cells), perm=[0, 2, 1, 3])[0]
    bins = made.constant(np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1))
    (expected,) = made.node("Conv", made.node("Softmax", spread, axis=1)[0], bins, kernel_shape=[1, 1])
    near, far = made.split(made.reshape(expected, 1, 4, cells), (2, 2))
    middles, scale = _middles(size)
    place = made.constant(middles)
    low, high = made.node("Sub", place, near)[0], made.node("Add", place, far)[0]
    middle = made.node("Div", made.node("Add", low, high)[0], made.constant(np.float32(2)))[0]
    return made.node("Mul", made.concat(middle, made.node("Sub", high, low)[0]), made.constant(scale))[0]


def _middles(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Middles of the cells in cells, and pixels of a cell: [1][2][cells] and [1][cells]."""
    places: list[NDArray[np.float32]] = []
    for stride in STRIDES:
        axis = np.arange(size // stride, dtype=np.float32) + np.float32(0.5)
        y, x = np.meshgrid(axis, axis, indexing="ij")
        places.append(np.stack([x.reshape(-1), y.reshape(-1)]))
    scales = [np.full(part.shape[1], stride, np.float32) for part, stride in zip(places, STRIDES, strict=True)]
    return np.concatenate(places, axis=1)[None], np.concatenate(scales)[None]


def nodes_table(name: str, report: SessionReport) -> Table:
    """The nodes that take longest."""
    table = Table(title=f"YOLOv8{name}, {SIZE} x {SIZE}, bf16: the {SLOWEST} slowest nodes on the card")
    for column in ("node", "kernel", "us", "MMAC", "of peak", "limited by"):
        table.add_column(column, justify="left" if column in ("node", "kernel", "limited by") else "right")
    known = [item for item in report.timed_nodes if item.seconds is not None]
    for item in sorted(known, key=lambda item: -item.seconds.nominal if item.seconds else 0)[:SLOWEST]:
        share = f"{item.peak:.1%}" if item.peak else ""
        seconds = item.seconds.nominal if item.seconds else 0.0
        row = (
            item.name,
            ", ".join(item.kernels),
            f"{seconds * 1e6:.1f}",
            f"{item.macs / 1e6:.0f}",
            share,
            item.limiter,
        )
        table.add_row(*row)
    return table


def measure() -> Found:
    """Card time of both models, launches included, and what the host does beside it."""
    found = Found()
    for name, width in WIDTHS.items():
        report = Session(model(width), dtype="bf16").report()
        assert report.card is not None, report.unknown
        assert report.peak is not None
        hosts = [f"{node.op} {node.name}" for node in report.host_nodes]
        limit = ("dot units", report.peak * report.card.nominal)
        launches, nodes = report.launches, report.launches + report.copies
        rate = f"{1 / report.card.nominal:.0f} pictures/s; {len(hosts)} nodes on the host"
        found.card.append(CardRow(f"YOLOv8{name} {SIZE} bf16", report.card, launches, nodes, limit, rate))
        found.bars[f"yolov8{name}"] = report.peak
        found.tables.append(nodes_table(name, report))
        found.details[f"yolov8{name}"] = {"macs": report.macs, "host_nodes": hosts, "copies": report.copies}
    return found
