"""Values as linear forms of thread and block indices, loop trips and uniform values.

A value is *affine* if its form has lane symbols only singly: base + sum of uniform coefficient x lane symbol. The lane
symbols are threadIdx and, where blocks are merged, the slice (which of the merged blocks a lane belongs to), so that
blockIdx.x = merge x group + slice stays affine. Affine values need no register: they are made anew where they are used.

Forms of 32-bit values hold modulo 2^32; they pass through a widening only where ranges or `nsw` flags prove that the
form is the exact value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.forms import Form, Monomial, Symbol
from openrpp.kir.analysis.loops import Loop, Loops
from openrpp.kir.analysis.ranges import Facts, Interval, Ranges, whole
from openrpp.kir.analysis.uniformity import Shape, Uniformity
from openrpp.kir.ir import Block, BlockParam, Constant, Instr, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.threads import AXES
from openrpp.kir.types import Space

GROUP: Final = Symbol("group")
SLICE: Final = Symbol("slice", lane=True)
SHARED_BYTES: Final = Symbol("memory", "shared_bytes")
"""Bytes of shared memory of one CUDA block: the distance between the slices of merged blocks."""
TID: Final = {axis: Symbol("tid", axis, lane=True) for axis in AXES}


class Pattern(Enum):
    """How the addresses of an access run over neighbouring threads (tid.x)."""

    CONTIGUOUS = "contiguous"  # one element apart
    STRIDED = "strided"  # a fixed number of bytes apart
    RUNTIME_STRIDED = "runtime strided"  # a uniform number of bytes apart
    ROW = "row"  # no dependence on tid.x, but on another lane symbol
    BROADCAST = "broadcast"  # the same address in all lanes
    GATHER = "gather"  # anything else
    PRIVATE = "private"  # a variable of the thread


@dataclass(frozen=True, slots=True)
class Split:
    """An address as uniform part + part per lane."""

    uniform: Form
    lane: Form


class Affine:
    """Forms of the integer and pointer values of a kernel."""

    def __init__(
        self,
        cfg: Cfg,
        loops: Loops | None = None,
        uniformity: Uniformity | None = None,
        facts: Facts | None = None,
    ) -> None:
        self.cfg: Final = cfg
        self.loops: Final = loops or Loops(cfg)
        self.uniformity: Final = uniformity or Uniformity(cfg, self.loops)
        self.ranges: Final = Ranges(cfg, self.loops, facts)
        self._forms: dict[Value, Form] = {}
        self._numbers: Final = {value: f"#{place}" for place, value in enumerate(cfg.definitions)}
        for value in cfg.definitions:
            self.form(value)

    # --- questions ---------------------------------------------------------------------------------------------

    def form(self, value: Value) -> Form:
        """The form of a value where it is defined."""
        found = self._forms.get(value)
        if found is None:
            self._forms[value] = self._leaf(value)  # what a cycle sees of itself
            self._forms[value] = found = self._computed(value)
        return found

    def seen(self, value: Value, block: Block) -> Form:
        """The form of a value as a block sees it: opaque behind a loop that lanes leave at different times."""
        if self.uniformity.seen(value, block) is not self.uniformity.of(value):
            return self._leaf(value, lane=self.uniformity.seen(value, block) is Shape.LANE)
        return self._leaf(value, lane=True) if self.is_left(value, block) else self.form(value)

    def is_affine(self, value: Value) -> bool:
        """Whether the value is described by single thread and slice indices and values that the sequencer holds."""
        return value.type.bits > 1 and not value.type.is_float and is_affine(self.form(value))

    def is_left(self, value: Value, block: Block) -> bool:
        """Whether the form counts trips of a loop that lanes left at different times before they came to a block."""
        return any(self._left(symbol, block) for symbol in self.form(value).symbols())

    def split(self, form: Form) -> Split:
        """Uniform terms, and terms with a lane symbol."""
        return Split(form.select(lambda key: not _has_lane(key)), form.select(_has_lane))

    def stride(self, form: Form, axis: str = "x") -> Form | None:
        """What the form grows by from a thread to the next along an axis; None if that is not uniform."""
        if any(symbol.kind == "value" and symbol.lane for symbol in form.symbols()):
            return None
        step = form.coefficient(TID[axis])
        return None if step is None or any(symbol.lane for symbol in step.symbols()) else step

    def trip_stride(self, form: Form, loop: Loop) -> Form | None:
        """What the form grows by from one trip of a loop to the next."""
        return form.coefficient(_trip(loop))

    def pattern(self, instr: Instr) -> Pattern:
        """The pattern of a load, store or atomic."""
        value = instr.operands[1] if instr.effect is Effect.STORE else instr.operands[0]
        if value.type.space is Space.PRIVATE:
            return Pattern.PRIVATE
        form = self.seen(value, self.cfg.definitions[instr])
        size = (instr.operands[0] if instr.effect is Effect.STORE else instr).type.bytes
        if instr.op.name == "lut":
            return Pattern.GATHER
        if not any(symbol.lane for symbol in form.symbols()):
            return Pattern.BROADCAST
        step = self.stride(form)
        if step is None:
            return Pattern.GATHER
        if not step.terms:
            return Pattern.ROW
        if not step.is_number:
            return Pattern.RUNTIME_STRIDED
        return Pattern.CONTIGUOUS if step.constant == size else Pattern.STRIDED

    # --- forms -------------------------------------------------------------------------------------------------

    def _left(self, symbol: Symbol, block: Block) -> bool:
        """Whether a symbol differs between lanes in a block only because they left its loop at different times."""
        if symbol.value is not None:
            return self.uniformity.seen(symbol.value, block) is not self.uniformity.of(symbol.value)
        loop = symbol.loop
        return loop is not None and block not in loop.blocks and self.uniformity.parting(loop) is not Shape.SEQUENCER

    def _leaf(self, value: Value, lane: bool | None = None) -> Form:
        lanes = self.uniformity.of(value) is Shape.LANE if lane is None else lane
        return Form.of(Symbol("value", value.name or self._numbers.get(value, ""), value, lane=lanes))

    def _computed(self, value: Value) -> Form:
        if isinstance(value, Constant):
            return Form.number(self.ranges.of(value).low)
        if isinstance(value, BlockParam):
            return self._counter(value)
        if not isinstance(value, Instr) or value.type.is_float:
            return self._leaf(value)
        return self._checked(value, self._result(value))

    def _checked(self, value: Instr, form: Form | None) -> Form:
        """A form whose exactness is decided: promised by a flag, or proved by intervals."""
        if form is None:
            return self._leaf(value)
        if value.op.name not in ("add", "sub", "mul", "shl", "ptr_add") or not form.exact or self.ranges.keeps(value):
            return form
        return Form(form.terms, self.bounds(form).within(whole(value.type)))

    def bounds(self, form: Form) -> Interval:
        """The interval of a form from the intervals of its symbols."""
        low = high = 0
        for monomial, factor in form.terms.items():
            corners = [factor]
            for symbol in monomial:
                reach = self._symbol_range(symbol)
                corners = [corner * edge for corner in corners for edge in (reach.low, reach.high)]
            low, high = low + min(corners), high + max(corners)
        return Interval(low, high)

    def _symbol_range(self, symbol: Symbol) -> Interval:
        facts = self.ranges.facts
        if symbol.value is not None:
            return self.ranges.of(symbol.value)
        axis = AXES.index(symbol.name) if symbol.name in AXES else 0
        if symbol.kind == "tid":
            return Interval(0, (facts.block[axis] if facts.block else 1024) - 1)
        merge = self.cfg.kernel.merge
        if symbol.kind == "slice":
            return Interval(0, merge - 1)
        if symbol.kind == "group":
            return Interval(0, -(-(facts.grid or facts.most_blocks)[0] // merge) - 1)
        return Interval(0, (1 << 32) - 1)

    def _operand(self, instr: Instr, place: int) -> Form:
        value = instr.operands[place]
        return self.seen(value, self.cfg.definitions[instr])

    def _result(self, instr: Instr) -> Form | None:
        match instr.op.name:
            case "add" | "ptr_add":
                return self._operand(instr, 0) + self._operand(instr, 1)
            case "sub":
                return self._operand(instr, 0) - self._operand(instr, 1)
            case "mul":
                return self._operand(instr, 0).times(self._operand(instr, 1))
            case "shl":
                return self._shifted(instr)
            case "or":
                return self._joined(instr)
            case "sext" | "zext":
                return self._widened(instr)
            case "trunc":
                return self._narrowed(instr)
            case "ptrtoint" | "inttoptr":
                return self._operand(instr, 0) if instr.type.bits == 64 == instr.operands[0].type.bits else None
            case "tid":
                return Form.of(TID[str(instr.attr("axis"))])
            case "ctaid":
                return self._block_index(instr)
            case "global_addr":
                return self._shared_base(instr)
            case _:
                return None

    def _shifted(self, instr: Instr) -> Form | None:
        count = instr.operands[1]
        if not isinstance(count, Constant) or count.bits >= instr.type.bits:
            return None
        return self._operand(instr, 0).scaled(1 << count.bits)

    def _joined(self, instr: Instr) -> Form | None:
        """`a | c` is a + c where a is a multiple of a power of two above c."""
        constant = instr.operands[1]
        form = self._operand(instr, 0)
        if not isinstance(constant, Constant) or constant.bits >> (instr.type.bits - 1):
            return None
        unit = 1 << constant.bits.bit_length()
        return form + Form.number(constant.bits) if all(f % unit == 0 for f in form.terms.values()) else None

    def _widened(self, instr: Instr) -> Form | None:
        form = self._operand(instr, 0)
        if not form.exact or instr.operands[0].type.bits == 1:
            return None
        if instr.op.name == "sext":
            return form
        positive = self.ranges.of(instr.operands[0]).low >= 0 or self.bounds(form).low >= 0
        return form if positive else None

    def _narrowed(self, instr: Instr) -> Form | None:
        form = self._operand(instr, 0)
        fits = form.exact and self.bounds(form).within(whole(instr.type))
        return Form(form.terms, fits) if instr.type.bits > 1 else None

    def _block_index(self, instr: Instr) -> Form | None:
        merge = self.cfg.kernel.merge
        if merge == 1 or instr.attr("axis") != "x":
            return None
        return Form.of(GROUP, merge) + Form.of(SLICE)

    def _shared_base(self, instr: Instr) -> Form | None:
        if self.cfg.kernel.merge == 1 or instr.type.space is not Space.SHARED:
            return None
        base = Form.of(Symbol("memory", str(instr.attr("symbol"))))
        distance = Form.of(SLICE).times(Form.of(SHARED_BYTES))
        return base + distance if distance is not None else None

    def _counter(self, param: BlockParam) -> Form:
        """start + step x trips for a counter whose start and step have forms."""
        counter = self.ranges.counters.get(param)
        if counter is None:
            return self._leaf(param)
        header = counter.loop.header
        start, step = self.seen(counter.start, header), self.seen(counter.step, header)
        moved = step.times(Form.of(_trip(counter.loop)))
        if moved is None:
            return self._leaf(param)
        form = start + moved
        bounded = counter.keeps or self.ranges.of(param) != whole(param.type)
        return Form(form.terms, form.exact and bounded)


def _trip(loop: Loop) -> Symbol:
    return Symbol("trip", loop.header.name, loop=loop)


def _has_lane(monomial: Monomial) -> bool:
    return any(symbol.lane for symbol in monomial)


def is_affine(form: Form) -> bool:
    """Whether lane symbols are thread or slice indices and occur singly."""
    return all(
        sum(symbol.lane for symbol in monomial) <= 1
        and not any(symbol.lane and symbol.kind == "value" for symbol in monomial)
        for monomial in form.terms
    )
