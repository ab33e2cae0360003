"""64-bit integers that are proved to fit 32 bits become 32-bit ones.

Clang counts loops and computes indices in 64 bits, which take two registers and several operations for each of theirs.
"""

from __future__ import annotations

from typing import Final

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.analysis.ranges import Facts, Interval, Ranges, whole
from openrpp.kir.ir import Block, BlockParam, Constant, Instr, Kernel, Value
from openrpp.kir.ops import lookup
from openrpp.kir.types import I32, I64

_UNSIGNED: Final = Interval(0, (1 << 32) - 1)
_SIGNED: Final = whole(I32)
_BY_LOW_WORDS: Final = ("add", "sub", "mul", "and", "or", "xor")
"""Operations whose low word is made of the low words of their operands."""


def narrow(kernel: Kernel, block: tuple[int, int, int]) -> None:
    """Change a kernel so that what fits 32 bits in a block of this shape is computed in 32 bits."""
    cfg = Cfg(kernel)
    loops = Loops(cfg)
    if not loops.irreducible:
        _Narrowing(kernel, cfg, Ranges(cfg, loops, Facts(block=block))).run()


class _Narrowing:
    def __init__(self, kernel: Kernel, cfg: Cfg, ranges: Ranges) -> None:
        self.kernel = kernel
        self.cfg = cfg
        self.ranges = ranges
        self.words: dict[Value, Value] = {}  # low words of values that have an op or parameter of 32 bits now
        self.wide: dict[Value, Value] = {}  # and what stands for those values
        self.made: list[Instr] = []
        self._places: dict[Value, int] = {}

    def run(self) -> None:
        """Narrow parameters first: what is computed from them follows."""
        chosen = {block: [param for param in block.params if self._extension(param)] for block in self.cfg.order[1:]}
        heads = {block: self._parameters(block, params) for block, params in chosen.items()}
        for block in self.cfg.order:
            body = heads.get(block, [])
            for instr in block.body:
                self.made = []
                self._instruction(instr)
                body += [*self.made, instr]
            block.body = body
        for block in self.cfg.order:
            self.made = []
            for edge in block.edges:
                params = chosen.get(edge.target, [])
                places = [self._places[param] for param in params]
                for place in places:
                    edge.args[place] = self._word(edge.args[place])
            block.body += self.made
        self.kernel.substitute(self.wide)

    def _parameters(self, block: Block, params: list[BlockParam]) -> list[Instr]:
        head: list[Instr] = []
        for param in params:
            place = block.params.index(param)
            self._places[param] = place
            block.params[place] = small = BlockParam(I32, param.name)
            wide = Instr(lookup(self._extension(param)), [small], I64)
            self.words[param], self.wide[param] = small, wide
            head.append(wide)
        return head

    def _extension(self, value: Value) -> str:
        """The op that makes a 64-bit value of its low word; "" where none does."""
        if value.type is not I64:
            return ""
        reach = self.ranges.of(value)
        return "zext" if reach.within(_UNSIGNED) else "sext" if reach.within(_SIGNED) else ""

    def _word(self, value: Value) -> Value:
        """The low word of a value, made before the present instruction if it is not there."""
        if isinstance(value, Constant):
            return Constant(I32, value.bits)
        if value in self.words:
            return self.words[value]
        if isinstance(value, Instr) and value.op.name in ("sext", "zext") and value.operands[0].type is I32:
            return value.operands[0]
        made = Instr(lookup("trunc"), [value], I32)
        self.made.append(made)
        return made

    def _instruction(self, instr: Instr) -> None:
        name = instr.op.name
        if name == "icmp":
            self._compare(instr)
        elif name == "trunc" and instr.type is I32 and instr.operands[0] in self.words:
            self.wide[instr] = self.words[instr.operands[0]]
        elif instr.type is I64 and (extension := self._extension(instr)):
            word = self._low_word(instr)
            if word is not None:
                self.made += [word, wide := Instr(lookup(extension), [word], I64, None, instr.location)]
                self.words[instr], self.wide[instr] = word, wide

    def _low_word(self, instr: Instr) -> Instr | None:
        name, operands = instr.op.name, instr.operands
        if name in _BY_LOW_WORDS:
            return Instr(instr.op, [self._word(value) for value in operands], I32, None, instr.location, instr.name)
        if name == "shl" and isinstance(operands[1], Constant) and operands[1].bits < I32.bits:
            words = [self._word(operands[0]), Constant(I32, operands[1].bits)]
            return Instr(instr.op, words, I32, None, instr.location, instr.name)
        if name == "select":
            words = [operands[0], *(self._word(value) for value in operands[1:])]
            return Instr(instr.op, words, I32, None, instr.location, instr.name)
        return None

    def _compare(self, instr: Instr) -> None:
        """A comparison of low words, where they are extended alike."""
        if instr.operands[0].type is not I64:
            return
        relation = str(instr.attr("pred"))
        reaches = [self.ranges.of(value) for value in instr.operands]
        if all(reach.within(_SIGNED) for reach in reaches):
            pass
        elif all(reach.within(_UNSIGNED) for reach in reaches):
            relation = "u" + relation[1:] if relation[0] == "s" else relation
        else:
            return
        instr.operands = [self._word(value) for value in instr.operands]
        instr.attrs = {**instr.attrs, "pred": relation}
