"""Switches as comparisons: a binary search over the cases, equality tests where few are left."""

from __future__ import annotations

from openrpp.kir.ir import Block, Constant, Edge, Exit, Instr, Kernel, Module, Terminator, Value
from openrpp.kir.ops import lookup

LINEAR = 3
"""Up to so many cases are tested one after another."""

Case = tuple[int, Edge]


def lower_switches(kernel: Kernel, module: Module) -> bool:
    """Replace every switch by conditional branches."""
    switches = [block for block in kernel.blocks if block.terminator.kind is Exit.SWITCH]
    for block in switches:
        if block.terminator.value is not None:
            _Lowering(kernel, block, block.terminator.value).run()
    return bool(switches)


class _Lowering:
    def __init__(self, kernel: Kernel, block: Block, value: Value) -> None:
        self.kernel = kernel
        self.block = block
        self.value = value
        self.end = block.terminator

    def run(self) -> None:
        cases = sorted(zip(self.end.cases, self.end.edges[1:], strict=True), key=lambda case: case[0])
        self._search(self.block, cases)

    def _search(self, block: Block, cases: list[Case]) -> None:
        if not cases:
            block.terminator = Terminator(Exit.BRANCH, None, [self._default()], [], self.end.location)
        elif len(cases) <= LINEAR:
            case, edge = cases[0]
            other = self._next() if len(cases) > 1 else None
            self._branch(block, "eq", case, edge, Edge(other) if other else self._default())
            if other:
                self._search(other, cases[1:])
        else:
            middle = len(cases) // 2
            low, high = self._next(), self._next()
            self._branch(block, "ult", cases[middle][0], Edge(low), Edge(high))
            self._search(low, cases[:middle])
            self._search(high, cases[middle:])

    def _default(self) -> Edge:
        return Edge(self.end.edges[0].target, list(self.end.edges[0].args))

    def _next(self) -> Block:
        made = Block("case")
        self.kernel.blocks.insert(self.kernel.blocks.index(self.block) + 1, made)
        return made

    def _branch(self, block: Block, relation: str, case: int, then: Edge, other: Edge) -> None:
        operands = [self.value, Constant(self.value.type, case)]
        test = Instr(lookup("icmp"), operands, None, {"pred": relation}, self.end.location)
        block.body.append(test)
        block.terminator = Terminator(Exit.CONDITIONAL, test, [then, other], [], self.end.location)
