"""The pass: what the target lacks is rewritten by the rules, again and again, until it has everything."""

from __future__ import annotations

from typing import Final

from openrpp.kir.errors import KirError
from openrpp.kir.ir import Block, Instr, Kernel, Module, Value
from openrpp.kir.passes.expand.emit import Emit, IsLegal
from openrpp.kir.passes.expand.legal import is_legal
from openrpp.kir.passes.expand.rules import RULES
from openrpp.kir.passes.expand.spaces import narrow_spaces
from openrpp.kir.passes.expand.table import lacking
from openrpp.kir.passes.switches import lower_switches
from openrpp.kir.verify import verify_kernel

MOST_ROUNDS: Final = 16
"""A rule's own ops are expanded in the next round; the deepest chain of rules takes about six."""


class Expand:
    """A pass that leaves only what `is_legal` accepts, and no switch. The result is bit-exactly the same but for NaNs.

    Instructions carry the location of what they stand for. Folding and removal of dead code are left to other passes.
    """

    def __init__(self, is_legal: IsLegal = is_legal) -> None:
        self._is_legal = is_legal

    def __call__(self, kernel: Kernel, module: Module) -> bool:
        """Rewrite a kernel. Raises KirError for an op that the target lacks and for which there is no rule."""
        changed = lower_switches(kernel, module)
        changed |= narrow_spaces(kernel, self._is_legal)
        for _ in range(MOST_ROUNDS):
            if not self._round(kernel):
                break
            changed = True
        else:
            raise KirError(f"expansion does not end within {MOST_ROUNDS} rounds", kernel.name, kernel.location)
        if changed:
            verify_kernel(kernel, module, after=type(self).__name__)
        return changed

    def _round(self, kernel: Kernel) -> bool:
        replaced: dict[Value, Value] = {}
        done = False
        for block in list(kernel.blocks):
            if not all(self._is_legal(instr) for instr in block.body):
                self._block(kernel, block, replaced)
                done = True
        kernel.substitute(replaced)
        return done

    def _block(self, kernel: Kernel, block: Block, replaced: dict[Value, Value]) -> None:
        body, end, count = block.body, block.terminator, len(kernel.blocks)
        block.body = []
        emit = Emit(kernel, block, self._is_legal)
        for instr in body:
            instr.operands = [replaced.get(value, value) for value in instr.operands]
            if self._is_legal(instr):
                emit.append(instr)
                continue
            emit.location = instr.location
            made = self._expand(kernel, emit, instr)
            if made is not None:
                replaced[instr] = made
        emit.current.terminator = end
        made_blocks = kernel.blocks[count:]
        del kernel.blocks[count:]
        place = kernel.blocks.index(block) + 1
        kernel.blocks[place:place] = made_blocks

    def _expand(self, kernel: Kernel, emit: Emit, instr: Instr) -> Value | None:
        rule = RULES.find(instr)
        if rule is None:
            raise lacking(kernel, instr)
        made = rule(emit, instr)
        if isinstance(made, Instr) and not made.name:
            made.name = instr.name
        return made
