"""A kernel prepared for interpretation: each instruction becomes a function of the thread, each value a register."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Final

from openrpp.kir.interp.access import atomic_step, load_step, lut_step, space_step, store_step
from openrpp.kir.interp.faults import AssertionFailed, OutOfBounds, Trapped
from openrpp.kir.interp.memory import PRIVATE_WINDOW, SHARED_WINDOW, Memory, Unreachable
from openrpp.kir.interp.printf import formatted
from openrpp.kir.interp.state import Guard, Meeting, Step, ThreadState, Watch
from openrpp.kir.ir import Block, Constant, Edge, Exit, Instr, Kernel, Module, Value
from openrpp.kir.layout import private_layout, shared_layout
from openrpp.kir.ops.form import CONVERGENT, Effect

Next = Callable[[ThreadState], "Code | None"]
QUANTUM: Final = 4096
"""Steps after which a thread lets others run, so that a thread may wait in a loop for another."""


@dataclass(eq=False, slots=True)
class Code:
    """A block: runs of steps, each but the last ended by a meeting, then the terminator."""

    runs: list[tuple[list[Step], Meeting | None]] = field(default_factory=list[tuple[list[Step], Meeting | None]])
    leave: Next = lambda thread: None


class Program:
    """A kernel with its variables placed."""

    def __init__(
        self, module: Module, kernel: Kernel, memory: Memory, watch: Watch | None = None, guard: Guard | None = None
    ) -> None:
        self.kernel: Final = kernel
        self._watch = watch
        self._guard = guard
        self.shared: Final = shared_layout(module, kernel)
        self.private: Final = private_layout(kernel)
        self._places: Final[Mapping[str, int]] = {**memory.load(module), **self.shared.offsets}
        self._slots: Final[dict[Value, int]] = {}
        self._initial: Final[list[int]] = []
        self._codes: Final = {block: Code() for block in kernel.blocks}
        for value in kernel.params:
            self._slot(value)
        for block, code in self._codes.items():
            self._fill(block, code)
        self.entry: Final = self._codes[kernel.entry]

    def registers(self, params: list[int]) -> list[int]:
        """Registers of a thread that starts."""
        return params + self._initial[len(params) :]

    def read(self, thread: ThreadState, value: Value) -> int:
        """The bits that a value of the kernel has in a thread now."""
        return thread.regs[self._slots[value]] if value in self._slots else 0

    def _slot(self, value: Value) -> int:
        found = self._slots.get(value)
        if found is None:
            found = self._slots[value] = len(self._initial)
            self._initial.append(value.bits if isinstance(value, Constant) else 0)
        return found

    def _fill(self, block: Block, code: Code) -> None:
        steps: list[Step] = [] if self._watch is None else [self._entered(self._watch, block)]
        for instr in block.body:
            if instr.effect in CONVERGENT:
                code.runs.append((steps, self._meeting(instr)))
                steps = []
            else:
                steps.append(self._step(instr))
            if self._watch is not None:
                steps.append(self._made(self._watch, instr))
        code.runs.append((steps, None))
        code.leave = self._terminator(block)

    def _entered(self, watch: Watch, block: Block) -> Step:
        return lambda thread: watch.entered(self.read, thread, block)

    def _made(self, watch: Watch, instr: Instr) -> Step:
        return lambda thread: watch.made(self.read, thread, instr)

    def _meeting(self, instr: Instr) -> Meeting:
        define = instr.op.define
        meet = instr.op.definition([v.type for v in instr.operands], instr.type, instr.attrs) if define else None
        return Meeting(instr, tuple(self._slot(value) for value in instr.operands), self._slot(instr), meet)

    def _step(self, instr: Instr) -> Step:
        result, operands = self._slot(instr), tuple(self._slot(value) for value in instr.operands)
        step = self._plain_step(instr, result, operands)
        return step if self._guard is None else self._guard.step(instr, operands, step)

    def _plain_step(self, instr: Instr, result: int, operands: tuple[int, ...]) -> Step:
        guard = self._guard
        match instr.effect:
            case Effect.PURE if instr.op.define is None:
                return space_step(instr, result, operands)
            case Effect.PURE:
                return _pure(instr, result, operands)
            case Effect.GEOMETRY:
                return _geometry(instr, result)
            case Effect.ADDRESS:
                return _address(result, self._place(instr))
            case Effect.LOAD:
                return (lut_step if instr.op.name == "lut" else load_step)(instr, result, operands, guard)
            case Effect.STORE:
                return store_step(instr, operands, guard)
            case Effect.ATOMIC:
                return atomic_step(instr, result, operands, guard)
            case Effect.FENCE:
                return _nothing
            case _:
                return _side(instr, result, operands)

    def _place(self, instr: Instr) -> int:
        symbol = str(instr.attr("symbol"))
        return (self.private.offsets if instr.op.name == "local_addr" else self._places)[symbol]

    def _jump(self, edge: Edge) -> Next:
        code = self._codes[edge.target]
        sources = [self._slot(value) for value in edge.args]
        targets = [self._slot(value) for value in edge.target.params]
        if not sources:
            return lambda thread: code

        def go(thread: ThreadState) -> Code:
            regs = thread.regs
            for target, bits in zip(targets, [regs[source] for source in sources], strict=True):
                regs[target] = bits
            return code

        return go

    def _terminator(self, block: Block) -> Next:
        end = block.terminator
        ways = [self._jump(edge) for edge in end.edges]
        if end.kind is Exit.BRANCH:
            return ways[0]
        if end.kind is Exit.RETURN:
            return lambda thread: None
        if end.kind is Exit.UNREACHABLE or end.value is None:
            return _unreachable(block)
        slot = self._slot(end.value)
        if end.kind is Exit.CONDITIONAL:
            return lambda thread: ways[not thread.regs[slot]](thread)
        table = dict(zip(end.cases, ways[1:], strict=True))
        return lambda thread: table.get(thread.regs[slot], ways[0])(thread)


def run(program: Program, thread: ThreadState) -> Generator[Meeting | None, None, None]:
    """Execute a thread; it stops at each meeting, and with None when its quantum is over."""
    launch = thread.owner.launch
    code: Code | None = program.entry
    budget = QUANTUM
    while code is not None:
        for steps, meeting in code.runs:
            for step in steps:
                step(thread)
            if meeting is not None:
                yield meeting
            launch.steps += len(steps) + 1
            budget -= len(steps) + 1
        code = code.leave(thread)
        if budget <= 0:
            budget = QUANTUM
            yield None


def _nothing(thread: ThreadState) -> None:
    """A fence: the interpreter's memory is in order anyway."""


def _pure(instr: Instr, result: int, operands: tuple[int, ...]) -> Step:
    evaluate = instr.op.definition([value.type for value in instr.operands], instr.type, instr.attrs)
    if len(operands) == 2:
        return _binary(evaluate, result, *operands)

    def step(thread: ThreadState) -> None:
        regs = thread.regs
        regs[result] = evaluate(*[regs[operand] for operand in operands])

    return step


def _binary(evaluate: Callable[[int, int], int], result: int, first: int, second: int) -> Step:
    def step(thread: ThreadState) -> None:
        regs = thread.regs
        regs[result] = evaluate(regs[first], regs[second])

    return step


def _geometry(instr: Instr, result: int) -> Step:
    evaluate = instr.op.definition([], instr.type, instr.attrs)

    def step(thread: ThreadState) -> None:
        thread.regs[result] = evaluate(thread)

    return step


def _address(result: int, place: int) -> Step:
    def step(thread: ThreadState) -> None:
        thread.regs[result] = place

    return step


def _unreachable(block: Block) -> Next:
    def leave(thread: ThreadState) -> Code | None:
        instr = block.body[-1] if block.body else None
        raise Trapped("control reached the end of a block that is declared unreachable", thread.at(instr))

    return leave


def _side(instr: Instr, result: int, operands: tuple[int, ...]) -> Step:
    match instr.op.name:
        case "printf":
            return _printf(instr, result, operands)
        case "clock":
            mask = instr.type.mask

            def clock(thread: ThreadState) -> None:
                thread.regs[result] = thread.owner.launch.steps & mask

            return clock
        case _:
            return _stop(instr)


def _stop(instr: Instr) -> Step:
    function = str(instr.attr("function") or "")
    message = f"assertion '{instr.attr('message')}' failed" + (f" in {function}" if function else "")

    def stop(thread: ThreadState) -> None:
        if instr.op.name == "trap":
            raise Trapped("the kernel executed a trap", thread.at(instr))
        raise AssertionFailed(message, thread.at(instr))

    return stop


def _printf(instr: Instr, result: int, operands: tuple[int, ...]) -> Step:
    template = str(instr.attr("format"))
    kinds = [value.type for value in instr.operands]

    def text(thread: ThreadState, address: int) -> bytes:
        for window, data in ((SHARED_WINDOW, thread.owner.shared), (PRIVATE_WINDOW, thread.private)):
            if 0 <= address - window < len(data):
                return bytes(data[address - window :]).split(b"\0", 1)[0]
        try:
            return thread.owner.launch.memory.text(address)
        except Unreachable as error:
            raise OutOfBounds(f"the string of a printf: {error}", thread.at(instr)) from None

    def step(thread: ThreadState) -> None:
        values = [(kind, thread.regs[slot]) for kind, slot in zip(kinds, operands, strict=True)]
        thread.owner.launch.output.append(formatted(template, values, lambda address: text(thread, address)))
        thread.regs[result] = len(operands)

    return step
