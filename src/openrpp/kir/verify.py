"""The rules that every kernel keeps, checked after each pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.errors import TypeMismatch, VerifyError
from openrpp.kir.ir import Block, Constant, Exit, Global, Instr, Kernel, Module, Terminator, Value
from openrpp.kir.lexer import NAME
from openrpp.kir.location import Location
from openrpp.kir.ops import OPS
from openrpp.kir.printer import Names, instruction, terminator
from openrpp.kir.types import I1, VOID, Space

_EDGES: Final = {Exit.BRANCH: 1, Exit.CONDITIONAL: 2, Exit.RETURN: 0, Exit.UNREACHABLE: 0}
_ON_DEVICE: Final = (Space.GLOBAL, Space.CONSTANT, Space.SHARED)


def verify_module(module: Module, after: str = "") -> None:
    """Check variables and kernels. Raises VerifyError at the first broken rule; `after` names the last pass."""
    for name, variable in module.globals.items():
        problem = _global_problem(module, name, variable)
        if problem:
            raise VerifyError(f"variable '{name}': {problem}", after=after)
    for name, kernel in module.kernels.items():
        if name != kernel.name:
            raise VerifyError(f"kernel '{kernel.name}' is filed under '{name}'", after=after)
        verify_kernel(kernel, module, after)


def _global_problem(module: Module, name: str, item: Global) -> str:
    if name != item.name or not re.fullmatch(NAME, name):
        return "its name is not a symbol, or not the name that it is filed under"
    if item.space not in _ON_DEVICE:
        return f"a variable of the module cannot lie in {item.space.value} memory"
    if item.align < 1 or item.align & (item.align - 1):
        return f"its alignment {item.align} is not a power of two"
    if item.space is Space.SHARED and (item.data is not None or item.relocations):
        return "shared memory has no initial content"
    if item.dynamic and (item.space is not Space.SHARED or item.size):
        return "only a shared variable of size 0 can be dynamic"
    if item.data is not None and len(item.data) != item.size:
        return f"its initial content has {len(item.data)} bytes, the variable {item.size}"
    for offset, symbol, _ in item.relocations:
        target = module.globals.get(symbol)
        if target is None or target.space is Space.SHARED or not 0 <= offset <= item.size - 8:
            return f"the relocation of '{symbol}' at {offset} has no target in device memory or no room"
    return ""


def verify_kernel(kernel: Kernel, module: Module | None = None, after: str = "") -> None:
    """Check one kernel; symbols are looked up where a module is given. Raises VerifyError."""
    _Verifier(kernel, module, after).run()


class _Verifier:
    def __init__(self, kernel: Kernel, module: Module | None, after: str) -> None:
        self.kernel = kernel
        self.module = module
        self.after = after

    def fail(self, sentence: str, location: Location | None = None) -> VerifyError:
        return VerifyError(sentence, self.kernel.name, location, self.after)

    def run(self) -> None:
        self._header()
        known = set(self.kernel.blocks)
        if len(known) != len(self.kernel.blocks):
            raise self.fail("a block stands in the kernel twice")
        self._defined_once()
        for block in self.kernel.blocks:
            for instr in block.body:
                self._instruction(instr)
            self._terminator(block, known)
        self._dominance()

    def _header(self) -> None:
        kernel = self.kernel
        if not re.fullmatch(NAME, kernel.name):
            raise self.fail(f"'{kernel.name}' is not a symbol")
        if not kernel.blocks:
            raise self.fail("a kernel has at least one block")
        if kernel.entry.params:
            raise self.fail("the entry block has no parameters")
        if kernel.merge < 1 or kernel.max_threads < 0:
            raise self.fail(f"merge {kernel.merge} and max_threads {kernel.max_threads} must be positive")
        for value in kernel.params:
            if value.type is VOID or (value.type.space is Space.PARAM) != value.is_by_value:
                raise self.fail(f"parameter '{value.name}' is not a value and not a struct with a size")
        for local in kernel.locals.values():
            if local.align < 1 or local.align & (local.align - 1) or local.size < 0:
                raise self.fail(f"local '{local.name}' has size {local.size} and alignment {local.align}")

    def _defined_once(self) -> None:
        seen: set[Value] = set()
        for value in self._definitions():
            if value in seen:
                raise self.fail(f"a value of type {value.type} is defined twice")
            seen.add(value)

    def _definitions(self) -> Iterator[Value]:
        yield from self.kernel.params
        for block in self.kernel.blocks:
            yield from block.params
            yield from block.body

    def _show(self, instr: Instr) -> str:
        return f"'{instruction(instr, Names(self.kernel))}'"

    def _instruction(self, instr: Instr) -> None:
        if OPS.get(instr.op.name) is not instr.op:
            raise self.fail(f"'{instr.op.name}' is not a row of the op table", instr.location)
        try:
            wanted = instr.type if instr.op.needs_type() else None
            found = instr.op.result_type([value.type for value in instr.operands], wanted)
            instr.op.checked_attrs(instr.attrs)
        except TypeMismatch as error:
            raise self.fail(f"{self._show(instr)}: {error.sentence}", instr.location) from error
        if found is not instr.type:
            raise self.fail(f"{self._show(instr)}: the result has type {found}", instr.location)
        problem = self._symbol_problem(instr) or _align_problem(instr)
        if problem:
            raise self.fail(f"{self._show(instr)}: {problem}", instr.location)

    def _symbol_problem(self, instr: Instr) -> str:
        name = str(instr.attr("symbol"))
        if instr.op.name == "local_addr" and name not in self.kernel.locals:
            return f"the kernel has no local '{name}'"
        if instr.op.name == "global_addr" and self.module is not None:
            variable = self.module.globals.get(name)
            if variable is None or variable.space is not instr.type.space:
                return f"the module has no variable '{name}' of type {instr.type}"
        return ""

    def _terminator(self, block: Block, known: set[Block]) -> None:
        end = block.terminator
        problem = self._terminator_problem(end)
        for edge in end.edges:
            if edge.target not in known or edge.target is self.kernel.entry:
                problem = problem or "an edge leads outside the kernel or to its entry"
            elif [value.type for value in edge.args] != [value.type for value in edge.target.params]:
                wanted = ", ".join(value.type.name for value in edge.target.params) or "nothing"
                problem = problem or f"block '{edge.target.name}' takes {wanted}"
        if problem:
            shown = terminator(end, Names(self.kernel))
            raise self.fail(f"block '{block.name}': '{shown}': {problem}", end.location)

    def _terminator_problem(self, end: Terminator) -> str:
        wanted = _EDGES.get(end.kind, len(end.cases) + 1)
        if len(end.edges) != wanted or (end.kind is not Exit.SWITCH and end.cases):
            return f"it has {len(end.edges)} edges, not {wanted}"
        if end.kind is Exit.CONDITIONAL:
            return "" if end.value is not None and end.value.type is I1 else "its condition must be an i1"
        if end.kind is Exit.SWITCH:
            if end.value is None or not end.value.type.is_int:
                return "it switches on an integer"
            return "" if len(set(end.cases)) == len(end.cases) else "two cases are equal"
        return "" if end.value is None else "it takes no value"

    def _dominance(self) -> None:
        cfg = Cfg(self.kernel)
        parameters: set[Value] = set(self.kernel.params)
        for block in cfg.order:
            above: set[Value] = set(block.params)
            for instr in block.body:
                for value in instr.operands:
                    if not self._reaches(cfg, parameters, value, block, above):
                        raise self.fail(f"{self._show(instr)}: an operand is not defined on every path", instr.location)
                above.add(instr)
            for value in block.terminator.operands():
                if not self._reaches(cfg, parameters, value, block, above):
                    shown = terminator(block.terminator, Names(self.kernel))
                    sentence = f"block '{block.name}': '{shown}': an operand is not defined on every path"
                    raise self.fail(sentence, block.terminator.location)

    def _reaches(self, cfg: Cfg, parameters: set[Value], value: Value, block: Block, above: set[Value]) -> bool:
        if isinstance(value, Constant) or value in above or value in parameters:
            return True
        home = cfg.definitions.get(value)
        return home is not None and home is not block and cfg.dominators.dominates(home, block)


def _align_problem(instr: Instr) -> str:
    align = instr.attr("align")
    if align is False or align == 0:
        return ""
    return (
        ""
        if isinstance(align, int) and align > 0 and not align & (align - 1)
        else f"align {align} is not a power of two"
    )
