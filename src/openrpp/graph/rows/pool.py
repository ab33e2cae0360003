"""Pools over images, and images drawn larger."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from openrpp.graph.facts import Facts, Refused, integer, ints, text
from openrpp.graph.lowering import Lowering
from openrpp.graph.rows.conv import border_for, window_of
from openrpp.graph.rows.structure import on_card
from openrpp.graph.table import Key, Op, Row
from openrpp.kernels import pool
from openrpp.kernels.window import Window

if TYPE_CHECKING:
    import onnx_ir as ir


class Pool(Row):
    """MaxPool and AveragePool over two axes."""

    keys: ClassVar[tuple[Key, ...]] = (("", "MaxPool"), ("", "AveragePool"))

    def _window(self, op: Op, facts: Facts) -> Window:
        return window_of(op.node, ints(op.node, "kernel_shape", ()), len(facts.shape(op.inputs[0])))

    def accepts(self, op: Op, facts: Facts) -> int:
        """Axis 1."""
        value = on_card(op.inputs[0], facts)
        self._window(op, facts)
        if integer(op.node, "ceil_mode", 0):
            raise Refused("ceil_mode 1")
        padded = any(ints(op.node, "pads", (0,))) and not integer(op.node, "count_include_pad", 0)
        if op.node.op_type == "AveragePool" and padded:
            raise Refused("pads that do not count")
        if len(op.outputs) > 1 and op.outputs[1].uses():
            raise Refused("indices are asked for")
        facts.batch(facts.shape(value))
        facts.channel(value, 1)
        return 1

    def pads(self, op: Op, facts: Facts) -> dict[int, int]:
        """Means count zeros around the image; a maximum asks only for pixels of the image."""
        if op.node.op_type == "MaxPool":
            return {}
        return {0: border_for(self._window(op, facts), facts.shape(op.inputs[0]), facts.shape(op.outputs[0]))}

    def lower(self, op: Op, into: Lowering) -> None:
        """One launch."""
        x, y = into.read(op.inputs[0], 1), into.write(op.outputs[0], 1)
        run = pool.max_pool if op.node.op_type == "MaxPool" else pool.mean_pool
        tail = into.storage.last(op.outputs[0])
        into.emit(run(x.slabs, y.slabs, self._window(op, into.facts), tail=tail, node=op.name))


class GlobalAverage(Row):
    """GlobalAveragePool, and ReduceMean over the axes of an image."""

    keys: ClassVar[tuple[Key, ...]] = (("", "GlobalAveragePool"),)

    def accepts(self, op: Op, facts: Facts) -> int:
        """Axis 1."""
        value = on_card(op.inputs[0], facts)
        if len(facts.shape(value)) != 4:
            raise Refused(f"{len(facts.shape(value)) - 2} spatial axes")
        facts.batch(facts.shape(value))
        facts.channel(value, 1)
        return 1

    def lower(self, op: Op, into: Lowering) -> None:
        """One launch."""
        x, y = into.read(op.inputs[0], 1), into.write(op.outputs[0], 1)
        into.emit(pool.global_mean(x.slabs, y.slabs, op.name))


class Resize(Row):
    """Nearest by whole numbers."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Resize"), ("", "Upsample"))

    def accepts(self, op: Op, facts: Facts) -> int:
        """Axis 1."""
        value = on_card(op.inputs[0], facts)
        before, after = facts.shape(value), facts.shape(op.outputs[0])
        if text(op.node, "mode", "nearest") != "nearest":
            raise Refused(f"mode {text(op.node, 'mode', 'nearest')}")
        if len(before) != 4 or before[:2] != after[:2] or any(y % x for x, y in zip(before, after, strict=True)):
            raise Refused(f"{list(before)} to {list(after)} is not by whole numbers over two axes")
        if not self._is_plain(op.node, max(y // x for x, y in zip(before, after, strict=True))):
            raise Refused("the coordinates are not those of an image drawn larger")
        facts.batch(before)
        facts.channel(value, 1)
        return 1

    def _is_plain(self, node: ir.Node, factor: int) -> bool:
        """Whether result i comes from i // factor for every factor of the node.

        asymmetric: floor(i / n). half_pixel: (i + 1/2) / n - 1/2 rounded to the nearest, for all roundings but of ties,
        which need an odd n to be met, and then are none.
        """
        if node.op_type == "Upsample":
            return True
        mode = text(node, "coordinate_transformation_mode", "half_pixel")
        rounding = text(node, "nearest_mode", "round_prefer_floor")
        if mode == "asymmetric":
            return rounding == "floor" or (rounding == "round_prefer_floor" and factor == 2)
        return mode in ("half_pixel", "pytorch_half_pixel") and rounding.startswith("round")

    def lower(self, op: Op, into: Lowering) -> None:
        """One launch."""
        x, y = into.read(op.inputs[0], 1), into.write(op.outputs[0], 1)
        into.emit(pool.enlarge(x.slabs, y.slabs, tail=into.storage.last(op.outputs[0]), node=op.name))
