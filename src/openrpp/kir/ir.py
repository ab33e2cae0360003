"""The kernel IR: modules, kernels, blocks with parameters, instructions.

A kernel is what one thread does. Values are in SSA form: each is defined once, before its uses on every path. Where
LLVM has a phi, a block has a parameter, and each edge to it passes an argument. There are no undefined values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from openrpp.kir.floats import ENCODE
from openrpp.kir.location import Location
from openrpp.kir.ops.form import CONVERGENT, READONLY, Attrs, AttrValue, Effect, Op
from openrpp.kir.types import Space, Type, pointer, signed


class Value:
    """Anything that an instruction may take as operand. `name` is a hint for printing; values compare by identity."""

    __slots__ = ("name", "type")

    def __init__(self, kind: Type, name: str = "") -> None:
        self.type = kind
        self.name = name


class Constant(Value):
    """A literal; `bits` is its pattern."""

    __slots__ = ("bits",)

    def __init__(self, kind: Type, bits: int) -> None:
        super().__init__(kind)
        self.bits = bits & kind.mask

    @property
    def signed(self) -> int:
        """The two's complement value."""
        return signed(self.bits, self.type.bits)


def constant(kind: Type, value: float) -> Constant:
    """A literal of a Python number; a float type rounds it."""
    return Constant(kind, ENCODE[kind](float(value)) if kind.is_float else int(value))


class Parameter(Value):
    """A parameter of a kernel. One passed by value has a size and is seen through a pointer of the param space."""

    __slots__ = ("align", "size")

    def __init__(self, kind: Type, name: str, size: int = 0, align: int = 0) -> None:
        super().__init__(kind, name)
        self.size = size
        self.align = align

    @classmethod
    def by_value(cls, name: str, size: int, align: int) -> Parameter:
        """A struct of `size` bytes."""
        return cls(pointer(Space.PARAM), name, size, align)

    @property
    def is_by_value(self) -> bool:
        """Whether this is a struct passed by value."""
        return self.size > 0


class BlockParam(Value):
    """A parameter of a block: the argument of the edge by which the block was entered."""

    __slots__ = ()


class Instr(Value):
    """One op applied to operands. `attrs` holds the attributes that are not at their default."""

    __slots__ = ("attrs", "location", "op", "operands")

    def __init__(
        self,
        op: Op,
        operands: Sequence[Value],
        kind: Type | None = None,
        attrs: Attrs | None = None,
        location: Location | None = None,
        name: str = "",
    ) -> None:
        """Raises TypeMismatch where the op's row does not allow the operands, attributes or result type."""
        super().__init__(op.result_type([value.type for value in operands], kind), name)
        self.op = op
        self.operands = list(operands)
        self.attrs: dict[str, AttrValue] = op.checked_attrs(attrs or {})
        self.location = location

    @property
    def effect(self) -> Effect:
        """The effect of the op."""
        return self.op.effect

    @property
    def is_convergent(self) -> bool:
        """Whether threads meet here."""
        return self.op.effect in CONVERGENT

    @property
    def is_removable(self) -> bool:
        """Whether nothing is lost with the instruction if its result is not used."""
        return self.op.effect in READONLY or (self.op.effect is Effect.LOAD and not self.attr("volatile"))

    def attr(self, name: str) -> AttrValue:
        """An attribute, its default included; False for one that the op does not have."""
        return self.attrs.get(name, self.op.defaults.get(name, False))


@dataclass(slots=True, eq=False)
class Edge:
    """A way into a block, with an argument for each of its parameters."""

    target: Block
    args: list[Value] = field(default_factory=list[Value])


class Exit(Enum):
    """Kinds of terminators."""

    BRANCH = "br"
    CONDITIONAL = "cbr"  # edges[0] where the value is 1, else edges[1]
    SWITCH = "switch"  # edges[i + 1] where the value is cases[i], else edges[0]
    RETURN = "ret"
    UNREACHABLE = "unreachable"


@dataclass(slots=True, eq=False)
class Terminator:
    """The end of a block."""

    kind: Exit
    value: Value | None = None
    edges: list[Edge] = field(default_factory=list[Edge])
    cases: list[int] = field(default_factory=list[int])
    location: Location | None = None

    def operands(self) -> Iterator[Value]:
        """The value that is decided on and all arguments of edges."""
        if self.value is not None:
            yield self.value
        for edge in self.edges:
            yield from edge.args


class Block:
    """Straight code: parameters, instructions, terminator."""

    __slots__ = ("body", "name", "params", "terminator")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.params: list[BlockParam] = []
        self.body: list[Instr] = []
        self.terminator = Terminator(Exit.UNREACHABLE)

    def param(self, kind: Type, name: str = "") -> BlockParam:
        """Append a parameter; every edge to the block needs one more argument."""
        value = BlockParam(kind, name)
        self.params.append(value)
        return value

    @property
    def edges(self) -> list[Edge]:
        """The ways out."""
        return self.terminator.edges

    def successors(self) -> list[Block]:
        """Targets of the ways out, one per edge."""
        return [edge.target for edge in self.terminator.edges]


@dataclass(slots=True)
class Local:
    """A variable of a thread in private memory."""

    name: str
    size: int
    align: int = 1


@dataclass(slots=True)
class Global:
    """A variable of the module: device, constant or (one copy per block) shared memory.

    `data` is the initial content, None for zeros; shared memory has none. `relocations` are (offset, symbol, addend):
    the address of another variable as 8 bytes. A `dynamic` shared variable gets its size at launch; all dynamic ones
    start at the same address.
    """

    name: str
    space: Space
    size: int
    align: int = 1
    data: bytes | None = None
    relocations: tuple[tuple[int, str, int], ...] = ()
    dynamic: bool = False


class Kernel:
    """A kernel. `merge` CUDA blocks along x run as one block of the card: blockIdx.x is then a value per lane."""

    def __init__(self, name: str, params: Sequence[Parameter] = (), location: Location | None = None) -> None:
        self.name = name
        self.params = list(params)
        self.blocks: list[Block] = []
        self.locals: dict[str, Local] = {}
        self.max_threads = 0  # launch bound; 0 if there is none
        self.merge = 1
        self.location = location

    @property
    def entry(self) -> Block:
        """Where every thread starts; no edge leads there."""
        return self.blocks[0]

    def block(self, name: str = "") -> Block:
        """Append an empty block."""
        made = Block(name)
        self.blocks.append(made)
        return made

    def local(self, name: str, size: int, align: int = 1) -> Local:
        """Declare a variable in private memory."""
        self.locals[name] = made = Local(name, size, align)
        return made

    def instructions(self) -> Iterator[Instr]:
        """All instructions in block order."""
        for block in self.blocks:
            yield from block.body

    def substitute(self, replaced: Mapping[Value, Value]) -> None:
        """Put values in place of others in every operand and argument; chains of replacements are followed."""
        if not replaced:
            return

        def final(value: Value) -> Value:
            while value in replaced:
                value = replaced[value]
            return value

        for block in self.blocks:
            for instr in block.body:
                instr.operands = [final(value) for value in instr.operands]
            end = block.terminator
            end.value = final(end.value) if end.value is not None else None
            for edge in end.edges:
                edge.args = [final(value) for value in edge.args]


class Module:
    """Kernels and the variables that they share."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.globals: dict[str, Global] = {}
        self.kernels: dict[str, Kernel] = {}

    def add_global(self, variable: Global) -> Global:
        """Add a variable under its name."""
        self.globals[variable.name] = variable
        return variable

    def add_kernel(self, kernel: Kernel) -> Kernel:
        """Add a kernel under its name."""
        self.kernels[kernel.name] = kernel
        return kernel
