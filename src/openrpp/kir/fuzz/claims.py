"""What analyses claim, held against what threads do: ranges, forms, classes of uniformity."""

from __future__ import annotations

from collections.abc import Iterable

from openrpp.kir.analysis.affine import Affine
from openrpp.kir.analysis.forms import Form, Symbol
from openrpp.kir.analysis.loops import Loop
from openrpp.kir.analysis.uniformity import Shape
from openrpp.kir.interp.state import Read, ThreadState
from openrpp.kir.ir import Block, Instr, Value
from openrpp.kir.layout import shared_layout
from openrpp.kir.ops.threads import AXES
from openrpp.kir.types import signed

Instance = tuple[Value, tuple[int, ...], tuple[int, ...]]


class BrokenClaim(AssertionError):
    """An analysis said something that is not so."""


class Claims:
    """A watch of the interpreter that raises BrokenClaim at the first wrong claim of the analyses of one kernel."""

    def __init__(self, affine: Affine) -> None:
        self.affine = affine
        self._block: dict[ThreadState, Block] = {}
        self._trips: dict[ThreadState, dict[Loop, int]] = {}
        self._uniform: dict[Instance, int] = {}
        self.checked = 0

    def entered(self, read: Read, thread: ThreadState, block: Block) -> None:
        """Count trips, then check the parameters of the block."""
        before = self._block.get(thread)
        self._block[thread] = block
        trips = self._trips.setdefault(thread, {})
        loop = self.affine.loops.innermost(block)
        if loop is not None and loop.header is block:
            trips[loop] = trips[loop] + 1 if before in loop.blocks else 0
        self._check(read, thread, block.params)

    def made(self, read: Read, thread: ThreadState, instr: Instr) -> None:
        """Check a result."""
        self._check(read, thread, [instr] if instr.type.bits else [])

    def _check(self, read: Read, thread: ThreadState, values: Iterable[Value]) -> None:
        for value in values:
            self.checked += 1
            self._check_uniform(read, thread, value)
            if not value.type.is_float and value.type.bits > 1:
                self._check_range(read, thread, value)
                self._check_form(read, thread, value)

    def _check_range(self, read: Read, thread: ThreadState, value: Value) -> None:
        number, interval = signed(read(thread, value), value.type.bits), self.affine.ranges.of(value)
        if not interval.low <= number <= interval.high:
            raise BrokenClaim(f"{_named(value)} is {number}, not in {interval}")

    def _check_form(self, read: Read, thread: ThreadState, value: Value) -> None:
        form = self.affine.form(value)
        wanted, found = self._evaluated(form, read, thread), read(thread, value)
        if (wanted - found) & value.type.mask:
            raise BrokenClaim(f"{_named(value)} is {found:#x}, its form {form} is {wanted:#x}")
        if form.exact and value.type.is_int and wanted != signed(found, value.type.bits):
            raise BrokenClaim(f"{_named(value)} is {signed(found, value.type.bits)}, its exact form {form} is {wanted}")

    def _evaluated(self, form: Form, read: Read, thread: ThreadState) -> int:
        total = 0
        for monomial, factor in form.terms.items():
            for symbol in monomial:
                factor *= self._symbol(symbol, read, thread)
            total += factor
        return total

    def _symbol(self, symbol: Symbol, read: Read, thread: ThreadState) -> int:
        if symbol.value is not None:
            return signed(read(thread, symbol.value), symbol.value.type.bits)
        if symbol.loop is not None:
            return self._trips[thread][symbol.loop]
        merge = self.affine.cfg.kernel.merge
        match symbol.kind:
            case "tid":
                return thread.tid[AXES.index(symbol.name)]
            case "slice":
                return thread.ctaid[0] % merge
            case "group":
                return thread.ctaid[0] // merge
            case _:
                return self._place(symbol, thread)

    def _place(self, symbol: Symbol, thread: ThreadState) -> int:
        """Addresses of shared memory are offsets in the copy of the CUDA block, so slices lie on one another here."""
        if symbol.name == "shared_bytes":
            return 0
        return shared_layout(thread.owner.launch.module, self.affine.cfg.kernel).offsets[symbol.name]

    def _check_uniform(self, read: Read, thread: ThreadState, value: Value) -> None:
        """Threads of a block of the card that are in the same trips of all loops around hold the same value."""
        of_numbers = not value.type.is_float and value.type.bits > 1
        one_form = of_numbers and not any(symbol.lane for symbol in self.affine.form(value).symbols())
        if self.affine.uniformity.of(value) is Shape.LANE and not one_form:
            return
        block, merge = self._block[thread], self.affine.cfg.kernel.merge
        innermost = self.affine.loops.innermost(block)
        trips = [self._trips[thread][loop] for loop in (innermost.around() if innermost else ())]
        x, y, z = thread.ctaid
        bits = read(thread, value)
        known = self._uniform.setdefault((value, (x // merge, y, z), tuple(trips)), bits)
        if known != bits:
            raise BrokenClaim(
                f"{_named(value)} is {self.affine.uniformity.of(value).name} but {known:#x} and {bits:#x}"
            )


def _named(value: Value) -> str:
    return f"'{value.op.name}'" if isinstance(value, Instr) else f"parameter '{value.name}'"
