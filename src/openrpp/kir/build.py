"""Building kernels: `b = Builder(kernel); b("add", x, 1, nsw=True)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from openrpp.kir.errors import TypeMismatch
from openrpp.kir.ir import Block, Edge, Exit, Instr, Kernel, Terminator, Value, constant
from openrpp.kir.location import Location
from openrpp.kir.ops import lookup
from openrpp.kir.ops.form import AttrValue, Op
from openrpp.kir.types import I32, I64, Type

Operand = Value | int | float


class Builder:
    """Appends instructions to one block at a time.

    `location` is given to everything that is appended. Python numbers among the operands become constants of the type
    that the op's row asks for there.
    """

    def __init__(self, kernel: Kernel, block: Block | None = None) -> None:
        self.kernel = kernel
        self.current = block or (kernel.blocks[-1] if kernel.blocks else kernel.block("entry"))
        self.location: Location | None = None

    def at(self, block: Block) -> Self:
        """Go on at the end of a block."""
        self.current = block
        return self

    def block(self, name: str = "", *params: Type) -> Block:
        """A new block with parameters of the given types; the builder stays where it is."""
        made = self.kernel.block(name)
        for kind in params:
            made.param(kind)
        return made

    def __call__(
        self, name: str, *operands: Operand, kind: Type | None = None, label: str = "", **attrs: AttrValue
    ) -> Instr:
        """Append an op; `kind` is the result type where the operands do not fix it, `label` a name for printing.

        Raises TypeMismatch where the op's row does not allow this.
        """
        op = lookup(name)
        return self.append(Instr(op, _values(op, operands, kind), kind, attrs, self.location, label))

    def append(self, instr: Instr) -> Instr:
        """Append an instruction that is made already."""
        self.current.body.append(instr)
        return instr

    def br(self, target: Block, *args: Value) -> None:
        """End the block with a jump."""
        self._end(Terminator(Exit.BRANCH, None, [Edge(target, list(args))]))

    def cbr(
        self,
        condition: Value,
        then: Block,
        other: Block,
        then_args: Sequence[Value] = (),
        other_args: Sequence[Value] = (),
    ) -> None:
        """End the block with a jump to `then` where the condition is 1, else to `other`."""
        edges = [Edge(then, list(then_args)), Edge(other, list(other_args))]
        self._end(Terminator(Exit.CONDITIONAL, condition, edges))

    def switch(self, value: Value, default: Edge, cases: Sequence[tuple[int, Edge]]) -> None:
        """End the block with a jump by value; cases are bit patterns."""
        edges = [default, *(edge for _, edge in cases)]
        self._end(Terminator(Exit.SWITCH, value, edges, [case & value.type.mask for case, _ in cases]))

    def ret(self) -> None:
        """End the block and the thread."""
        self._end(Terminator(Exit.RETURN))

    def unreachable(self) -> None:
        """End a block that no thread leaves."""
        self._end(Terminator(Exit.UNREACHABLE))

    def _end(self, terminator: Terminator) -> None:
        terminator.location = self.location
        self.current.terminator = terminator

    def tid(self, axis: str = "x") -> Instr:
        """threadIdx."""
        return self("tid", axis=axis)

    def global_index(self, axis: str = "x") -> Instr:
        """blockIdx * blockDim + threadIdx."""
        return self("add", self("mul", self("ctaid", axis=axis), self("ntid", axis=axis)), self.tid(axis))

    def element(self, base: Value, index: Operand, kind: Type) -> Instr:
        """The address of element `index` (i32 signed, or i64) of an array."""
        place = index if isinstance(index, Value) else constant(I32, index)
        wide = place if place.type.bits == 64 else self("sext", place, kind=I64)
        return self("ptr_add", base, self("mul", wide, kind.bytes, nsw=True), inbounds=True)


def _values(op: Op, operands: Sequence[Operand], kind: Type | None) -> list[Value]:
    words = op.words(len(operands))
    bound = {word: value.type for word, value in zip(words, operands, strict=True) if isinstance(value, Value)}
    if kind is not None:
        bound.setdefault(op.result, kind)
    made: list[Value] = []
    for word, operand in zip(words, operands, strict=True):
        wanted = bound.get(word) or _widest(op, word)
        if isinstance(operand, Value):
            made.append(operand)
        elif wanted is None:
            raise TypeMismatch(f"the type of the number {operand!r} does not follow from the operands of '{op.name}'")
        else:
            made.append(constant(wanted, operand))
    return made


def _widest(op: Op, word: str) -> Type | None:
    """The type of a number where only integers, or one type, may stand."""
    allowed = op.allowed(word)
    return allowed[-1] if len(allowed) == 1 or all(kind.is_int for kind in allowed) else None
