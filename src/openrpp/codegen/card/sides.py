"""Output, assertions and traps as records in DDR: a rewriting of kernel IR.

A printf takes room by an atomic and stores a record there. A thread that traps stores one too and returns, and so does
one that comes to the end of a block that is declared unreachable; the other threads go on, and the host is told by the
first record. `records.py` reads them.
"""

from __future__ import annotations

from openrpp.codegen.card.indices import thread_number
from openrpp.codegen.card.records import FIXED_WORDS, HEADER_BYTES, RECORD_BYTES, RECORDS, Print, Records, Stop
from openrpp.codegen.stops import Why
from openrpp.kir.build import Builder
from openrpp.kir.ir import Block, Exit, Global, Instr, Kernel, Module, Value, constant
from openrpp.kir.location import Location
from openrpp.kir.ops.form import Effect
from openrpp.kir.ops.threads import AXES
from openrpp.kir.passes.copying import clone_kernel
from openrpp.kir.types import I16, I32, I64, PTR_GLOBAL, Space

_STOPS = {"trap": Why.TRAP, "assert_fail": Why.ASSERT}
_EPOCH = "rpp.epoch"


def recorded(module: Module, name: str) -> tuple[Module, Records | None]:
    """A module with a kernel that leaves records, and the sites; the same module if the kernel has none."""
    kernel = module.kernels[name]
    ends = (block.terminator.kind is Exit.UNREACHABLE for block in kernel.blocks)
    if not any(ends) and not any(_is_told(instr) for instr in kernel.instructions()):
        return module, None
    made = Module(module.name)
    made.globals = dict(module.globals)
    made.add_global(Global(RECORDS, Space.GLOBAL, RECORD_BYTES, 8))
    copy = made.add_kernel(clone_kernel(kernel))
    recorder = _Recorder(copy)
    recorder.run()
    return made, Records(tuple(recorder.prints), tuple(recorder.stops))


def _is_told(instr: Instr) -> bool:
    return instr.op.name == "printf" or instr.op.name in _STOPS


class _Recorder:
    """Rewrites a kernel in place."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.prints: list[Print] = []
        self.stops: list[Stop] = []
        self._print_of = [instr for instr in kernel.instructions() if instr.op.name == "printf"]
        self._epochs = any(instr.effect is Effect.BLOCK for instr in kernel.instructions())
        self._replaced: dict[Value, Value] = {}

    def run(self) -> None:
        """Everything that is seen from outside becomes stores."""
        self.prints = [
            Print(str(instr.attr("format")), tuple(value.type.name for value in instr.operands))
            for instr in self._print_of
        ]
        for block in list(self.kernel.blocks):
            self._block(block)
        if self._epochs:
            self.kernel.local(_EPOCH, 4, 4)
            entry = Builder(self.kernel, self.kernel.entry)
            rest, self.kernel.entry.body = self.kernel.entry.body, []
            entry("store", constant(I32, 0), entry("local_addr", symbol=_EPOCH))
            self.kernel.entry.body += rest
        self.kernel.substitute(self._replaced)

    def _block(self, block: Block) -> None:
        body, end, block.body = block.body, block.terminator, []
        b = Builder(self.kernel, block)
        for instr in body:
            b.location = instr.location
            if instr.op.name == "printf":
                self._print(b, instr)
            elif instr.op.name in _STOPS:
                message, function = (str(instr.attr(name) or "") for name in ("message", "function"))
                self._stop(b, Stop(_STOPS[instr.op.name], message, function, instr.location))
                return
            else:
                b.append(instr)
                if instr.effect is Effect.BLOCK and self._epochs:
                    self._pass_barrier(b)
        if end.kind is Exit.UNREACHABLE:
            b.location = end.location
            self._stop(b, Stop(Why.UNREACHABLE, location=end.location or _last(body)))
        else:
            b.current.terminator = end

    def _pass_barrier(self, b: Builder) -> None:
        place = b("local_addr", symbol=_EPOCH)
        b("store", b("add", b("load", place, kind=I32), 1), place)

    def _print(self, b: Builder, instr: Instr) -> None:
        number = self._print_of.index(instr)
        self._replaced[instr] = constant(I32, len(instr.operands))
        words = [word for value in instr.operands for word in _bits(b, value)]
        self._record(b, number, words)

    def _stop(self, b: Builder, stop: Stop) -> None:
        self.stops.append(stop)
        self._record(b, len(self.prints) + len(self.stops) - 1, [])
        b.ret()

    def _record(self, b: Builder, number: int, operands: list[Value]) -> None:
        """A record, if there is room for it."""
        size = 4 * FIXED_WORDS + sum(value.type.bytes for value in operands)
        start = b("global_addr", symbol=RECORDS, kind=PTR_GLOBAL)
        taken = b("atomic_add", start, size, kind=I32)
        fits, full, behind = (b.block(name) for name in ("record", "full", "recorded"))
        b.cbr(b("icmp", taken, RECORD_BYTES - HEADER_BYTES - size, pred="ule"), fits, full)
        b.at(fits)
        at = b("ptr_add", b("ptr_add", start, taken), HEADER_BYTES)
        for value in (constant(I32, number + 1), *_who(b), self._epoch(b), thread_number(b), *operands):
            b("store", value, at, align=4)
            at = b("ptr_add", at, value.type.bytes)
        b.br(behind)
        b.at(full)
        b("atomic_add", b("ptr_add", start, 4), 1, kind=I32)
        b.br(behind)
        b.at(behind)

    def _epoch(self, b: Builder) -> Value:
        return b("load", b("local_addr", symbol=_EPOCH), kind=I32) if self._epochs else constant(I32, 0)


def _last(body: list[Instr]) -> Location | None:
    return body[-1].location if body else None


def _who(b: Builder) -> list[Value]:
    return [b("ctaid", axis=axis) for axis in AXES]


def _bits(b: Builder, value: Value) -> list[Value]:
    """An operand as an integer of 32 or 64 bits."""
    kind = value.type
    if kind.is_pointer:
        return [b("ptrtoint", value, kind=I64)]
    if kind.is_float:
        value = b("bitcast", value, kind={16: I16, 32: I32, 64: I64}[kind.bits])
    return [b("zext", value, kind=I32) if kind.bits < 32 else value]
