"""Order inside blocks: what is computed moves to just before its first use, so that fewer values wait in registers.

Instructions that write memory, that meet other threads or that print keep their order; a load does not move past a
write or a meeting. Whether the new order needs fewer registers is for the caller to measure: a value whose operands all
die with it is better made early.
"""

from __future__ import annotations

from openrpp.kir.ir import Block, Instr, Kernel, Module, Value
from openrpp.kir.ops.form import Effect


def order_for_pressure(kernel: Kernel, module: Module) -> bool:
    """Order every block by demand."""
    changed = False
    for block in kernel.blocks:
        body = _ordered(block)
        changed |= any(a is not b for a, b in zip(body, block.body, strict=True))
        block.body = body
    return changed


def _ordered(block: Block) -> list[Instr]:
    order = _Order(block)
    for instr in block.body:
        order.add(instr)
    order.flush()
    for value in block.terminator.operands():
        if isinstance(value, Instr):
            order.place(value)
    for instr in block.body:  # used in other blocks only
        order.place(instr)
    return order.found


class _Order:
    """The new order of a block. `_held` are writes in a row: what they store is made before the first of them."""

    def __init__(self, block: Block) -> None:
        self.found: list[Instr] = []
        self._inside = set[Value](block.body)
        self._placed: set[Value] = set()
        self._loads: list[Instr] = []
        self._held: list[Instr] = []

    def add(self, instr: Instr) -> None:
        """Take the next instruction of the old order."""
        if instr.effect is Effect.LOAD and instr.is_removable:
            if self._held:
                self.flush()
            self._loads.append(instr)
        elif not instr.is_removable and not instr.type.bits:
            self._held.append(instr)
        elif not instr.is_removable:
            if self._held or instr.effect is not Effect.WARP:
                self.flush()
            self.place(instr)

    def flush(self) -> None:
        """Place the writes held back, with the loads that have to come before them."""
        for instr in self._held:
            for value in instr.operands:
                if isinstance(value, Instr):
                    self.place(value)
        for instr in (*self._loads, *self._held):
            self.place(instr)
        self._loads.clear()
        self._held.clear()

    def place(self, instr: Instr) -> None:
        """Append an instruction behind those that it needs, without recursion."""
        work: list[tuple[Instr, bool]] = [(instr, False)]
        while work:
            item, ready = work.pop()
            if item in self._placed or item not in self._inside:
                continue
            if ready:
                self._placed.add(item)
                self.found.append(item)
                continue
            work.append((item, True))
            work.extend((value, False) for value in reversed(item.operands) if isinstance(value, Instr))
