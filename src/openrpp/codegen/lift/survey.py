"""What is looked up in a whole program before it is lifted."""

from __future__ import annotations

from openrpp.codegen.lift.graph import VECTOR, Graph
from openrpp.isa.form import Kind

_VECTOR_PAIRS = (Kind.V32, Kind.A32, Kind.LOAD32, Kind.STORE32)


def wide_registers(graph: Graph) -> set[int]:
    """Items of liveness that start a pair which some operation of the program uses as one value."""
    found: set[int] = set()
    for node in graph.nodes.values():
        if node.op is not None:
            scalars = [(kind.kind, node.op.values[name]) for name, kind in node.op.form.operands.items()]
            found |= {number for kind, number in scalars if kind is Kind.S32}
        if node.column is not None:
            column = node.column
            found |= {number for number, width in column.captured if width > 16}
            found |= {number + 2 for number, width in column.captured if width > 32}
            for op in (*column.port, column.pe) if column.pe else column.port:
                for name, operand in op.form.operands.items():
                    if operand.kind in _VECTOR_PAIRS:
                        found.add(VECTOR + op.op.values[name])
            if column.pe is not None and column.pe.form.width == 32:
                found.add(VECTOR + 4)
    return found


def words_read(graph: Graph) -> set[int]:
    """16-bit words of parameter memory that the program reads."""
    found: set[int] = set()
    for node in graph.nodes.values():
        if node.op is not None and node.op.form.effect == "load-parameter":
            word = node.op.values["p"] // 2
            found |= {word, word + node.op.form.width // 16 - 1}
    return found
