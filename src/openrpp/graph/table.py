"""The operator table: one row for each ONNX operator that the card carries out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from openrpp.graph.facts import Facts
from openrpp.graph.storage import View

if TYPE_CHECKING:
    import onnx_ir as ir

    from openrpp.graph.lowering import Lowering

Key = tuple[str, str]
"""Domain ("" is ONNX) and operator."""


class Row:
    """How one operator becomes launches. Subclasses are entered into the table when they are defined."""

    keys: ClassVar[tuple[Key, ...]] = ()

    def __init_subclass__(cls) -> None:
        row = cls()
        for key in cls.keys:
            TABLE[key] = row

    def accepts(self, node: ir.Node, facts: Facts) -> int:
        """The channel axis of the node's outputs. Raises Refused with a reason where the kernels do not take it."""
        raise NotImplementedError

    def lower(self, node: ir.Node, into: Lowering) -> None:
        """Emit the node's launches. Raises Refused where it cannot be done after all."""
        raise NotImplementedError

    def pads(self, node: ir.Node, facts: Facts) -> dict[int, int]:
        """Zero pixels that it wants around its inputs, by their index."""
        return {}

    def views(self, node: ir.Node, facts: Facts) -> list[View]:
        """Values that could share memory, so that the node has less to do or nothing."""
        return []

    def pieces(self, node: ir.Node, facts: Facts) -> tuple[int, ...]:
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
