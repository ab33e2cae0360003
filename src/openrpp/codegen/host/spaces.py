"""Where pointers lead, from where they come: a generic pointer of known origin is as good as any other."""

from __future__ import annotations

from openrpp.kir.ir import BlockParam, Instr, Kernel, Parameter, Value
from openrpp.kir.types import Space


class Spaces:
    """The address space of every pointer of a kernel. Generic pointers among its parameters lead to device memory."""

    def __init__(self, kernel: Kernel) -> None:
        self._known: dict[Value, Space] = {}
        changed = True
        while changed:
            changed = False
            for block in kernel.blocks:
                for instr in block.body:
                    changed |= instr.type.is_pointer and self._add(instr, self._sources(instr))
                for edge in block.edges:
                    for param, arg in zip(edge.target.params, edge.args, strict=True):
                        changed |= param.type.is_pointer and self._add(param, [arg])

    def of(self, pointer: Value) -> Space:
        """The space, GENERIC if it may be any."""
        return self._of(pointer) or Space.GENERIC

    def _of(self, pointer: Value) -> Space | None:
        space = pointer.type.space
        if space is not Space.GENERIC:
            return space
        if isinstance(pointer, Parameter):
            return Space.GLOBAL
        return self._known.get(pointer) if isinstance(pointer, Instr | BlockParam) else Space.GENERIC

    def _sources(self, instr: Instr) -> list[Value] | None:
        if instr.op.name in ("ptr_add", "space_cast"):
            return instr.operands[:1]
        return instr.operands[1:] if instr.op.name == "select" else None

    def _add(self, value: Value, sources: list[Value] | None) -> bool:
        before = self._known.get(value)
        spaces = [Space.GENERIC] if sources is None else [self._of(source) for source in sources]
        after = before
        for space in spaces:
            if space is not None:
                after = space if after in (None, space) else Space.GENERIC
        if after is None or after is before:
            return False
        self._known[value] = after
        return True
