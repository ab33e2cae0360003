"""Operators that only say where data lies: reshapes, transposes, concat, split, slice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from openrpp.graph.facts import Facts, Refused, axis_of, integer, ints
from openrpp.graph.storage import View
from openrpp.graph.table import Key, Op, Row

if TYPE_CHECKING:
    import onnx_ir as ir

    from openrpp.graph.lowering import Lowering


class Relabel(Row):
    """Another shape for the same slabs: the pixels keep their order, the channels are one axis before and after."""

    keys: ClassVar[tuple[Key, ...]] = tuple(
        ("", name) for name in ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity")
    )

    def accepts(self, op: Op, facts: Facts) -> int:
        """The axis of the output that the channels become."""
        value, made = op.inputs[0], op.outputs[0]
        assert value is not None
        if value not in facts.channels:
            raise Refused("its input is on the host")
        before, after, channel = facts.shape(value), facts.shape(made), facts.channels[value]
        if op.node.op_type == "Transpose":
            return _transposed(op.node, before, channel)
        return _reshaped(before, after, channel)

    def views(self, op: Op, facts: Facts) -> list[View]:
        """The output is the input."""
        value, made = op.inputs[0], op.outputs[0]
        assert value is not None
        return [View(made, value, 0, made, relabel=True)]

    def lower(self, op: Op, into: Lowering) -> None:
        """Nothing, where the storage is shared."""
        value, made = op.inputs[0], op.outputs[0]
        assert value is not None
        if not into.shared(self.views(op, into.facts)[0]):
            raise Refused("its input has a border, which a copy would have to take off")
        into.read(value, into.facts.channels[value])
        into.write(made, into.facts.channels[made])


def _transposed(node: ir.Node, shape: tuple[int, ...], channel: int) -> int:
    order = ints(node, "perm", tuple(reversed(range(len(shape)))))
    rest = [axis for axis in order if axis != channel and shape[axis] > 1]
    if rest != sorted(rest):
        raise Refused(f"it changes the order of pixels: perm {list(order)}")
    return order.index(channel)


def _reshaped(before: tuple[int, ...], after: tuple[int, ...], channel: int) -> int:
    """The axis of `after` that is the channels of `before`, if there is one with the same extents in front and behind.

    Channels may move over axes of 1, and over all others where they are in front of or behind everything as before.
    """
    lead, count = math.prod(before[:channel]), before[channel]
    for axis, extent in enumerate(after):
        if extent == count and math.prod(after[:axis]) == lead:
            return axis
    raise Refused(f"it divides or joins channels: {list(before)} to {list(after)}")


class Concat(Row):
    """Parts behind each other along the channels: each is written to its place by whoever makes it."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Concat"),)

    def accepts(self, op: Op, facts: Facts) -> int:
        """The concatenated axis."""
        axis = axis_of(integer(op.node, "axis", 0), len(facts.shape(op.outputs[0])))
        if not any(value in facts.channels for value in op.inputs if value is not None):
            raise Refused("its inputs are on the host")
        for value in op.inputs:
            if facts.constant(value) is not None:
                raise Refused("an input is a constant")
            facts.channel(value, axis)
        return axis

    def pieces(self, op: Op, facts: Facts) -> tuple[int, ...]:
        """Channels of the inputs."""
        axis = facts.channels[op.outputs[0]]
        return tuple(facts.shape(value)[axis] for value in op.inputs)

    def views(self, op: Op, facts: Facts) -> list[View]:
        """Inputs are parts of the output."""
        made, start, found = op.outputs[0], 0, list[View]()
        for value, count in zip(op.inputs, self.pieces(op, facts), strict=True):
            assert value is not None
            found.append(View(value, made, start, made))
            start += count
        return found

    def lower(self, op: Op, into: Lowering) -> None:
        """Nothing, where all parts lie in place."""
        made = op.outputs[0]
        axis = into.facts.channels[made]
        for view in self.views(op, into.facts):
            if not into.shared(view):
                raise Refused(f"{view.part.name} cannot be written to its place in the result")
            into.read(view.part, axis)
        into.write(made, axis)


class Split(Row):
    """Parts of the channels: views of the input."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Split"),)

    def accepts(self, op: Op, facts: Facts) -> int:
        """The divided axis."""
        value = op.inputs[0]
        assert value is not None
        if value not in facts.channels:
            raise Refused("its input is on the host")
        axis = axis_of(integer(op.node, "axis", 0), len(facts.shape(value)))
        facts.channel(value, axis)
        return axis

    def views(self, op: Op, facts: Facts) -> list[View]:
        """Outputs are parts of the input."""
        whole, start, found = op.inputs[0], 0, list[View]()
        assert whole is not None
        for made in op.outputs:
            found.append(View(made, whole, start, made))
            start += facts.shape(made)[facts.channels[made]]
        return found

    def lower(self, op: Op, into: Lowering) -> None:
        """Nothing, where all parts are views."""
        for view in self.views(op, into.facts):
            if not into.shared(view):
                raise Refused(f"{view.part.name} cannot be a view of {view.whole.name}")
            into.write(view.part, into.facts.channels[view.part])


class Slice(Row):
    """A range of channels: a view of the input."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Slice"),)

    def accepts(self, op: Op, facts: Facts) -> int:
        """The sliced axis."""
        value = op.inputs[0]
        assert value is not None
        if value not in facts.channels:
            raise Refused("its input is on the host")
        _start(op, facts)
        return facts.channels[value]

    def views(self, op: Op, facts: Facts) -> list[View]:
        """The output is a part of the input."""
        value, made = op.inputs[0], op.outputs[0]
        assert value is not None
        return [View(made, value, _start(op, facts), made)]

    def lower(self, op: Op, into: Lowering) -> None:
        """Nothing, where it is a view."""
        view = self.views(op, into.facts)[0]
        if not into.shared(view):
            raise Refused(f"{view.part.name} cannot be a view of {view.whole.name}")
        into.write(view.part, into.facts.channels[view.part])


def _start(op: Op, facts: Facts) -> int:
    """The first channel of a slice of channels alone. Raises Refused for others."""
    value = op.inputs[0]
    assert value is not None
    shape, made = facts.shape(value), facts.shape(op.outputs[0])
    channel = facts.channels[value]
    changed = [axis for axis, (before, after) in enumerate(zip(shape, made, strict=True)) if before != after]
    starts = facts.needed(op.inputs[1], "the start")
    steps = facts.constant(op.inputs[4]) if len(op.inputs) > 4 else None
    axes = facts.constant(op.inputs[3]) if len(op.inputs) > 3 else None
    if len(starts) != 1 or (steps is not None and int(steps[0]) != 1):
        raise Refused("a slice of several axes, or with steps")
    axis = axis_of(int(axes[0]) if axes is not None else 0, len(shape))
    if changed not in ([channel], []) or axis != channel:
        raise Refused(f"a slice of axis {axis}, which is not the channels")
    start = int(starts[0])
    return min(start + shape[axis] if start < 0 else start, shape[axis])
