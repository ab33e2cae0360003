"""What rows of the operator table may ask about a node before it is lowered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from openrpp.graph.prepare import constant_of
from openrpp.kernels.slabs import Element

if TYPE_CHECKING:
    import onnx_ir as ir


class Refused(Exception):
    """A row does not take a node; the reason goes into the report."""


@dataclass
class Facts:
    """Shapes, constants, attributes, and which axis of a value on the card is its channels.

    Attributes:
        element: what the card computes in, unless `elements` says otherwise of a value.
        channels: the channel axis of every value that a node on the card makes.
        no_host: whether the card has to take what the host is better at.
        opset: of ONNX, that the model's nodes are of.
        brought: the channel axis that a value from the host gets on the card.
    """

    element: Element
    channels: dict[ir.Value, int] = field(default_factory=dict["ir.Value", int])
    brought: dict[ir.Value, int] = field(default_factory=dict["ir.Value", int])
    opset: int = 17
    no_host: bool = False
    elements: dict[ir.Value, Element] = field(default_factory=dict["ir.Value", Element])

    def element_of(self, value: ir.Value) -> Element:
        """What a value on the card consists of."""
        return self.elements.get(value, self.element)

    def shape(self, value: ir.Value | None) -> tuple[int, ...]:
        """Extents of a value. Raises Refused where they are not known."""
        if value is None:
            raise Refused("an input is left out")
        if value.shape is None or not value.shape.is_static():
            raise Refused(f"the shape of {value.name} depends on data")
        return tuple(int(extent) for extent in value.shape.numpy())

    def constant(self, value: ir.Value | None) -> NDArray[Any] | None:
        """Content of a value that is known now."""
        return None if value is None else constant_of(value)

    def needed(self, value: ir.Value | None, what: str) -> NDArray[Any]:
        """Content of a value that must be known now. Raises Refused."""
        found = self.constant(value)
        if found is None:
            raise Refused(f"{what} is not a constant")
        return found

    def floats(self, *values: ir.Value | None) -> None:
        """Raises Refused unless all values are float32."""
        for value in values:
            if value is not None and (value.dtype is None or value.dtype.name != "FLOAT"):
                raise Refused(f"{value.name} is {value.dtype.name if value.dtype else 'untyped'}, not FLOAT")

    def channel(self, value: ir.Value | None, wanted: int) -> None:
        """Ask for a value with a channel axis. Raises Refused where it lies on the card with another."""
        if value is None or self.constant(value) is not None:
            return
        found = self.channels.get(value)
        if found is None:
            found = self.brought.setdefault(value, wanted)
        if found != wanted:
            raise Refused(f"axis {found} of {value.name} is its channels, not axis {wanted}")

    def batch(self, shape: tuple[int, ...]) -> None:
        """Raises Refused where the first extent of an image is not 1."""
        if shape[0] != 1:
            raise Refused(f"a batch of {shape[0]}")


def ints(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """An attribute of several numbers."""
    found = node.attributes.get(name)
    return default if found is None else tuple(found.as_ints())


def integer(node: ir.Node, name: str, default: int) -> int:
    """An attribute that is a number."""
    found = node.attributes.get(name)
    return default if found is None else found.as_int()


def number(node: ir.Node, name: str, default: float) -> float:
    """An attribute that is a float."""
    found = node.attributes.get(name)
    return default if found is None else found.as_float()


def text(node: ir.Node, name: str, default: str) -> str:
    """An attribute that is a string."""
    found = node.attributes.get(name)
    return default if found is None else found.as_string()


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front."""
    return axis + rank if axis < 0 else axis
