"""Which bytes of each buffer a part of a grid may touch: what has to be in SRAM while that part runs.

The interval of an address follows from the launch: block and grid, the part's block indices, and the values of the
arguments. Where an address is no sum that starts at one argument, any byte behind any of its arguments may be meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from openrpp.codegen.origins import Origins
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.analysis.ranges import Facts, Interval, Ranges
from openrpp.kir.ir import Block, BlockParam, Instr, Kernel, Parameter, Value
from openrpp.kir.location import Location
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.memory import TRANSFERS
from openrpp.kir.types import Space

_ACCESSES = (Effect.LOAD, Effect.STORE, Effect.ATOMIC)
_ELSEWHERE = (Space.SHARED, Space.PRIVATE, Space.PARAM)
Reach = tuple[Parameter, Interval | None]
"""An argument and bytes behind its address; None where nothing is known of them."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Bytes that an access may touch, counted from the address that an argument gives: all of `low` to `high`, that
    excluded, or any byte of its buffer where they are None."""

    param: Parameter
    low: int | None
    high: int | None
    is_store: bool
    location: Location | None

    @property
    def is_known(self) -> bool:
        """Whether it is bounded."""
        return self.low is not None


@dataclass(frozen=True)
class Uses:
    """Pointer parameters that accesses of lanes may follow, and those that transfers may move from or to."""

    followed: frozenset[Parameter]
    moved: frozenset[Parameter]


_uses: WeakKeyDictionary[Kernel, Uses] = WeakKeyDictionary()


def uses_of(kernel: Kernel) -> Uses:
    """How a kernel uses its buffers; kept with the kernel, which must not change any more."""
    if kernel not in _uses:
        origins = Origins(Cfg(kernel))
        followed, moved = set[Value](), set[Value]()
        for instr in kernel.instructions():
            if instr.effect in _ACCESSES:
                followed.update(origins.of(pointer_of(instr)))
            elif instr.op.name in TRANSFERS:
                moved.update(root for side in instr.operands[:2] for root in origins.of(side))
        params = frozenset(item for item in kernel.params if item.type.is_pointer and not item.is_by_value)
        _uses[kernel] = Uses(_params(followed, params), _params(moved, params))
    return _uses[kernel]


def _params(roots: set[Value], params: frozenset[Parameter]) -> frozenset[Parameter]:
    """The parameters among roots: all of them where a root is a pointer of which nothing is known."""
    known = all(
        isinstance(root, Parameter) or (isinstance(root, Instr) and root.op.name in ("global_addr", "local_addr"))
        for root in roots
    )
    return frozenset(param for param in params if param in roots) if known else params


def pointer_of(instr: Instr) -> Value:
    """The address of an access."""
    return instr.operands[1] if instr.effect is Effect.STORE else instr.operands[0]


class Footprints:
    """The touches of a kernel's accesses to its arguments' buffers, for parts of a grid."""

    def __init__(
        self, kernel: Kernel, block: tuple[int, int, int], grid: tuple[int, int, int], numbers: Mapping[str, int]
    ) -> None:
        """`numbers` are the values of integer arguments by name."""
        self._kernel = kernel
        self._cfg = Cfg(kernel)
        self._loops = Loops(self._cfg)
        self._block, self._grid = block, grid
        self._params = {name: Interval(value, value) for name, value in numbers.items()}
        self._accesses = [(instr, home) for home in self._cfg.order for instr in home.body if instr.effect in _ACCESSES]

    def of(self, first: tuple[int, int, int], last: tuple[int, int, int]) -> list[Touch]:
        """Touches of the blocks from `first` to `last`, that excluded."""
        x, y, z = (Interval(low, high - 1) for low, high in zip(first, last, strict=True))
        facts = Facts(block=self._block, grid=self._grid, params=self._params, blocks=(x, y, z))
        ranges = Ranges(self._cfg, self._loops, facts)
        return [touch for instr, home in self._accesses for touch in self._touches(ranges, instr, home)]

    def _touches(self, ranges: Ranges, instr: Instr, home: Block) -> Iterator[Touch]:
        is_store = instr.effect is not Effect.LOAD
        pointer = pointer_of(instr)
        if pointer.type.space in _ELSEWHERE:
            return
        size = (instr.operands[0] if instr.effect is Effect.STORE else instr).type.bytes
        more = Interval(0, 0)
        if instr.op.name == "lut":
            index = ranges.seen(instr.operands[1], home)
            more = Interval(2 * index.low, 2 * index.high) if index.low >= 0 else Interval(0, 2 * 0xFFFF_FFFF)
        for param, offset in self._reached(ranges, pointer, home, frozenset()):
            low = None if offset is None else offset.low + more.low
            high = None if offset is None else offset.high + more.high + size
            yield Touch(param, low, high, is_store, instr.location)

    def _reached(self, ranges: Ranges, pointer: Value, home: Block, around: frozenset[Value]) -> list[Reach]:
        """Where a pointer may lead; `around` are the parameters of blocks that it came through."""
        if isinstance(pointer, Parameter):
            return [] if pointer.is_by_value else [(pointer, Interval(0, 0))]
        if isinstance(pointer, BlockParam):
            return self._from_edges(ranges, pointer, around)
        if isinstance(pointer, Instr):
            match pointer.op.name:
                case "ptr_add":
                    base = self._reached(ranges, pointer.operands[0], home, around)
                    index = ranges.seen(pointer.operands[1], home)
                    return [(param, offset and _sum(offset, index)) for param, offset in base]
                case "space_cast":
                    return self._reached(ranges, pointer.operands[0], home, around)
                case "select":
                    ways = [self._reached(ranges, item, home, around) for item in pointer.operands[1:]]
                    return [*ways[0], *ways[1]]
                case "global_addr" | "local_addr":
                    return []
                case _:
                    pass
        return [(param, None) for param in self._kernel.params if param.type.is_pointer and not param.is_by_value]

    def _from_edges(self, ranges: Ranges, param: BlockParam, around: frozenset[Value]) -> list[Reach]:
        if param in around:
            return []
        block = self._cfg.definitions[param]
        place = block.params.index(param)
        found: dict[Parameter, None] = {}
        for source, edge in self._cfg.incoming[block]:
            reached = self._reached(ranges, edge.args[place], source, around | {param})
            found |= dict.fromkeys(root for root, _ in reached)
        return [(root, None) for root in found]


def _sum(a: Interval, b: Interval) -> Interval:
    return Interval(a.low + b.low, a.high + b.high)
