"""Operators that only say where data lies: reshapes, transposes, concat, split, slice.

Where storage can be shared there is nothing to do; else boxes are copied.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from openrpp.graph.epilogue import Epilogue
from openrpp.graph.facts import Facts, Refused, axis_of, integer, ints
from openrpp.graph.layout import Tensor, pixels
from openrpp.graph.rows import expectation
from openrpp.graph.storage import EIGHT, View
from openrpp.graph.table import Key, Op, Row
from openrpp.kernels.movement import Box, clear, copy, frame, whole
from openrpp.kernels.slabs import Element, Slabs

if TYPE_CHECKING:
    import onnx_ir as ir

    from openrpp.graph.lowering import Lowering

CHANNEL, ROW, COLUMN = 0, 1, 2
Triple = tuple[int, int, int]


def on_card(value: ir.Value | None, facts: Facts) -> ir.Value:
    """A value that lies on the card. Raises Refused."""
    if value is None or value not in facts.channels:
        raise Refused("an input is on the host")
    return value


class Relabel(Row):
    """Another shape for the same slabs: the pixels keep their order, the channels are one axis before and after."""

    keys: ClassVar[tuple[Key, ...]] = tuple(
        ("", name) for name in ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity")
    )

    def accepts(self, op: Op, facts: Facts) -> int:
        """The axis of the output that the channels become."""
        value = on_card(op.inputs[0], facts)
        if op.epilogue.nodes:
            return expectation.accepts(op, facts)
        before, after, channel = facts.shape(value), facts.shape(op.outputs[0]), facts.channels[value]
        if op.node.op_type == "Transpose":
            return _transposed(op.node, before, channel)
        return _reshaped(before, after, channel)

    def absorbs(self, node: ir.Node, facts: Facts) -> list[Epilogue]:
        """What makes an expectation of distributions of a reshape, where the host may not: the card takes longer."""
        found = expectation.epilogue(node, facts) if facts.no_host else None
        return [] if found is None else [found]

    def element(self, op: Op, facts: Facts) -> Element:
        """An expectation is float32, everything else what it was."""
        return "f32" if op.epilogue.nodes else super().element(op, facts)

    def views(self, op: Op, facts: Facts) -> list[View]:
        """The output is the input."""
        if op.epilogue.nodes:
            return []
        value, made = on_card(op.inputs[0], facts), op.outputs[0]
        return [View(made, value, 0, made, relabel=True)]

    def lower(self, op: Op, into: Lowering) -> None:
        """Nothing, where the storage is shared; else a copy, which puts a border on or takes it off."""
        if op.epilogue.nodes:
            expectation.lower(op, into)
            return
        value, made = on_card(op.inputs[0], into.facts), op.outputs[0]
        x = into.read(value, into.facts.channels[value])
        y = into.write(made, into.facts.channels[made])
        if into.shared(self.views(op, into.facts)[0]):
            return
        one, other = _same_pixels(x.slabs, y.slabs)
        if y.slabs.border:
            into.emit(clear(y.slabs, op.name))
        into.emit(copy(one, other, whole(one), node=op.name))


def _same_pixels(x: Slabs, y: Slabs) -> tuple[Slabs, Slabs]:
    """The two with the same height and width. Raises Refused where borders are in the way."""
    if (x.height, x.width) == (y.height, y.width):
        return x, y
    if not x.border:
        return replace(x, height=y.height, width=y.width), y
    if not y.border:
        return x, replace(y, height=x.height, width=x.width)
    raise Refused("its input and its output have borders around other pixels")


def _transposed(node: ir.Node, shape: tuple[int, ...], channel: int) -> int:
    order = ints(node, "perm", tuple(reversed(range(len(shape)))))
    rest = [axis for axis in order if axis != channel and shape[axis] > 1]
    if rest != sorted(rest):
        raise Refused(f"it changes the order of pixels: perm {list(order)}")
    return order.index(channel)


def _reshaped(before: tuple[int, ...], after: tuple[int, ...], channel: int) -> int:
    """The axis of `after` that is the channels of `before`: with as much in front of it and behind it."""
    lead, count = math.prod(before[:channel]), before[channel]
    for axis, extent in enumerate(after):
        if extent == count and math.prod(after[:axis]) == lead:
            return axis
    raise Refused(f"it divides or joins channels: {list(before)} to {list(after)}")


def role_of(shape: tuple[int, ...], channel: int, axis: int) -> int:
    """What an axis is in slabs: channels, rows or pixels of a row. Raises Refused for others."""
    if axis == channel:
        return CHANNEL
    rest = [index for index in range(len(shape)) if index != channel]
    height, _ = pixels(shape, channel)
    if axis == rest[-1] and (len(rest) == 1 or height == shape[rest[-2]]):
        return COLUMN
    if len(rest) > 1 and axis == rest[-2] and height == shape[axis]:
        return ROW
    raise Refused(f"axis {axis} of {list(shape)} is neither channels nor the last two of the others")


class Concat(Row):
    """Parts behind each other: along the channels, each is written to its place by whoever makes it, if it can be."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Concat"),)

    def accepts(self, op: Op, facts: Facts) -> int:
        """The channel axis of the inputs."""
        shape = facts.shape(op.outputs[0])
        axis = axis_of(integer(op.node, "axis", 0), len(shape))
        channel = facts.channels[on_card(op.inputs[0], facts)]
        for value in op.inputs:
            facts.channel(on_card(value, facts), channel)
            role_of(facts.shape(value), channel, axis)
        role_of(shape, channel, axis)
        return channel

    def _axis(self, op: Op, facts: Facts) -> int:
        return axis_of(integer(op.node, "axis", 0), len(facts.shape(op.outputs[0])))

    def _counts(self, op: Op, facts: Facts) -> list[int]:
        axis = self._axis(op, facts)
        return [facts.shape(value)[axis] for value in op.inputs]

    def pieces(self, op: Op, facts: Facts) -> tuple[int, ...]:
        """Channels of the inputs, where they lie behind each other along them."""
        made = op.outputs[0]
        return tuple(self._counts(op, facts)) if self._axis(op, facts) == facts.channels[made] else ()

    def views(self, op: Op, facts: Facts) -> list[View]:
        """Inputs are parts of the output, if each begins at a slab."""
        made, counts = op.outputs[0], self.pieces(op, facts)
        if any(count % EIGHT for count in counts[:-1]):
            return []
        starts = [sum(counts[:index]) for index in range(len(counts))]
        return [
            View(value, made, start, made)
            for value, start in zip(op.inputs, starts, strict=False)
            if value is not None and facts.element_of(value) == facts.element_of(made)
        ]

    def element(self, op: Op, facts: Facts) -> Element:
        """float32 if any part is."""
        kinds = {facts.element_of(value) for value in op.inputs if value is not None}
        return "f32" if "f32" in kinds else "bf16"

    def lower(self, op: Op, into: Lowering) -> None:
        """Copies of the parts that do not lie in their place."""
        made, facts = op.outputs[0], into.facts
        channel = facts.channels[made]
        role = role_of(facts.shape(made), channel, self._axis(op, facts))
        parts = [into.read(value, channel) for value in op.inputs]
        y = into.write(made, channel)
        shared = {view.first for view in self.views(op, facts) if into.shared(view)}
        complete = role == CHANNEL and len(shared) == len(parts)
        if y.slabs.border and not complete:
            into.emit(frame(y.slabs, op.name) if shared else clear(y.slabs, op.name))
        start = 0
        for part, count in zip(parts, self._counts(op, facts), strict=True):
            if role != CHANNEL or start not in shared:
                self._copy(part, y, role, start, op.name, into)
            start += count

    def _copy(self, x: Tensor, y: Tensor, role: int, start: int, name: str, into: Lowering) -> None:
        to = [0, 0, 0]
        to[role] = start
        into.emit(copy(x.slabs, y.slabs, whole(x.slabs), (to[0], to[1], to[2]), node=name))

    def loose(self, op: Op, value: ir.Value) -> bool:
        """Copies begin anywhere."""
        return True


class Split(Row):
    """Parts of a value: views of its channels, or copies."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Split"),)

    def loose(self, op: Op, value: ir.Value) -> bool:
        """Copies begin anywhere."""
        return True

    def accepts(self, op: Op, facts: Facts) -> int:
        """The channel axis of the input."""
        value = on_card(op.inputs[0], facts)
        shape = facts.shape(value)
        role_of(shape, facts.channels[value], axis_of(integer(op.node, "axis", 0), len(shape)))
        return facts.channels[value]

    def _starts(self, op: Op, facts: Facts) -> tuple[int, list[int]]:
        """The divided axis, and where each part begins."""
        axis = axis_of(integer(op.node, "axis", 0), len(facts.shape(op.outputs[0])))
        counts = [facts.shape(made)[axis] for made in op.outputs]
        return axis, [sum(counts[:index]) for index in range(len(counts))]

    def views(self, op: Op, facts: Facts) -> list[View]:
        """Outputs are parts of the input, along the channels."""
        value, (axis, starts) = on_card(op.inputs[0], facts), self._starts(op, facts)
        if axis != facts.channels[value]:
            return []
        return [View(made, value, start, made) for made, start in zip(op.outputs, starts, strict=True)]

    def lower(self, op: Op, into: Lowering) -> None:
        """Copies of the parts that are not views."""
        value, (axis, starts) = on_card(op.inputs[0], into.facts), self._starts(op, into.facts)
        shared = {view.part for view in self.views(op, into.facts) if into.shared(view)}
        for made, start in zip(op.outputs, starts, strict=True):
            take(op, value, made, {axis: (start, 1)}, made in shared, into)


def take(
    op: Op, value: ir.Value, made: ir.Value, cuts: dict[int, tuple[int, int]], shared: bool, into: Lowering
) -> None:
    """Copy a box of a value, unless it is a view; `cuts` are start and step by axis."""
    channel = into.facts.channels[value]
    x, y = into.read(value, channel), into.write(made, channel)
    if shared:
        return
    begin, step = [0, 0, 0], [1, 1, 1]
    for axis, (start, pace) in cuts.items():
        role = role_of(x.shape, channel, axis)
        begin[role], step[role] = start, pace
    if y.slabs.border:
        into.emit(clear(y.slabs, op.name))
    extents = (y.slabs.channels, y.slabs.height, y.slabs.width)
    box = Box((begin[0], begin[1], begin[2]), extents)
    into.emit(copy(x.slabs, y.slabs, box, step=(step[ROW], step[COLUMN]), node=op.name))


class Slice(Row):
    """A range of each axis, with steps: a view of channels, or a copy."""

    keys: ClassVar[tuple[Key, ...]] = (("", "Slice"),)
    NAMES: Final = ("its data", "the starts", "the ends", "the axes", "the steps")

    def loose(self, op: Op, value: ir.Value) -> bool:
        """Copies begin anywhere."""
        return True

    def accepts(self, op: Op, facts: Facts) -> int:
        """The channel axis of the input."""
        value = on_card(op.inputs[0], facts)
        channel, shape = facts.channels[value], facts.shape(value)
        for axis, (_, step) in self._cuts(op, facts).items():
            if step < 1 or (axis == channel and step > 1):
                raise Refused(f"steps of {step} along axis {axis}")
            role_of(shape, channel, axis)
        return channel

    def _cuts(self, op: Op, facts: Facts) -> dict[int, tuple[int, int]]:
        """Start and step of the axes that are cut."""
        value, made = op.inputs[0], op.outputs[0]
        shape, after = facts.shape(value), facts.shape(made)
        given = [
            facts.needed(item, name) if item is not None else None
            for item, name in zip(op.inputs[1:], self.NAMES[1:], strict=False)
        ]
        starts = [int(start) for start in _row(given[0])]
        axes = [axis_of(int(axis), len(shape)) for axis in _row(given[2])] if len(given) > 2 else []
        steps = [int(step) for step in _row(given[3])] if len(given) > 3 else []
        found: dict[int, tuple[int, int]] = {}
        for index, start in enumerate(starts):
            axis = axes[index] if axes else index
            step = steps[index] if steps else 1
            first = min(max(start + shape[axis] if start < 0 else start, 0), shape[axis])
            if shape[axis] != after[axis]:
                found[axis] = (first, step)
        return found

    def views(self, op: Op, facts: Facts) -> list[View]:
        """The output is a part of the input, if only channels are cut."""
        value, made, cuts = on_card(op.inputs[0], facts), op.outputs[0], self._cuts(op, facts)
        channel = facts.channels[value]
        if set(cuts) - {channel}:
            return []
        return [View(made, value, cuts.get(channel, (0, 1))[0], made)]

    def lower(self, op: Op, into: Lowering) -> None:
        """A copy, where it is no view."""
        views = self.views(op, into.facts)
        shared = bool(views) and into.shared(views[0])
        value = on_card(op.inputs[0], into.facts)
        take(op, value, op.outputs[0], self._cuts(op, into.facts), shared, into)


def _row(content: object) -> list[int]:
    return [] if content is None else [int(item) for item in content.reshape(-1)]  # type: ignore[attr-defined]
