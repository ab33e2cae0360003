"""The operator table: one row for each ONNX operator that the card carries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from openrpp.graph.epilogue import Epilogue
from openrpp.graph.facts import Facts, Refused
from openrpp.graph.storage import View
from openrpp.kernels.slabs import Element

if TYPE_CHECKING:
    import onnx_ir as ir

    from openrpp.graph.lowering import Lowering

Key = tuple[str, str]
"""Domain ("" is ONNX) and operator."""


@dataclass(frozen=True, eq=False)
class Op:
    """A node with what it carries out besides itself."""

    node: ir.Node
    epilogue: Epilogue

    @property
    def inputs(self) -> Sequence[ir.Value | None]:
        """The node's own operands."""
        return self.node.inputs

    @property
    def outputs(self) -> Sequence[ir.Value]:
        """What comes out in the end."""
        return (self.epilogue.made,) if self.epilogue.nodes else self.node.outputs

    @property
    def name(self) -> str:
        """Of the node."""
        return self.node.name or self.node.outputs[0].name or self.node.op_type

    @property
    def nodes(self) -> tuple[ir.Node, ...]:
        """The node and those that it absorbs."""
        return (self.node, *self.epilogue.nodes)


class Row:
    """How one operator becomes launches. Subclasses are entered into the table when they are defined."""

    keys: ClassVar[tuple[Key, ...]] = ()

    def __init_subclass__(cls) -> None:
        row = cls()
        for key in cls.keys:
            TABLE[key] = row

    def accepts(self, op: Op, facts: Facts) -> int:
        """The channel axis of the node's outputs. Raises Refused with a reason where the kernels do not take it."""
        raise NotImplementedError

    def lower(self, op: Op, into: Lowering) -> None:
        """Emit the node's launches. Raises Refused where it cannot be done after all."""
        raise NotImplementedError

    def element(self, op: Op, facts: Facts) -> Element:
        """What its outputs consist of: the same as its operands. Raises Refused for operands of two kinds."""
        operands = [value for value in (*op.inputs, op.epilogue.residual) if value is not None]
        found: list[Element] = [facts.element_of(value) for value in operands if facts.constant(value) is None]
        if len(set(found)) > 1:
            raise Refused("some operands are float32, others bfloat16")
        return found[0] if found else facts.element

    def absorbs(self, node: ir.Node, facts: Facts) -> list[Epilogue]:
        """Epilogues of a node that its kernels carry out as well, the best first."""
        return []

    def pads(self, op: Op, facts: Facts) -> dict[int, int]:
        """Zero pixels that it wants around its inputs, by their index."""
        return {}

    def views(self, op: Op, facts: Facts) -> list[View]:
        """Values that could share memory, so that the node has less to do or nothing."""
        return []

    def loose(self, op: Op, value: ir.Value) -> bool:
        """Whether a value that it reads or writes may begin within a slab, at a multiple of eight channels."""
        return False

    def narrow(self, op: Op, value: ir.Value) -> bool:
        """Whether an image that it reads may have slabs of fewer lanes."""
        return False

    def pieces(self, op: Op, facts: Facts) -> tuple[int, ...]:
        """Channels that it writes to its output one after another, where it writes them in several steps."""
        return ()


TABLE: Final[dict[Key, Row]] = {}


def row_of(node: ir.Node) -> Row | None:
    """The row for a node."""
    from openrpp.graph import rows as _  # noqa: F401  (fills the table)

    return TABLE.get((node.domain, node.op_type))


def supported() -> list[Key]:
    """All operators that have a row, in order."""
    from openrpp.graph import rows as _  # noqa: F401

    return sorted(TABLE)
