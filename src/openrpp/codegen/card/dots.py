"""Dot products of eight bfloat16 values by the memory port: 512 bytes of the whole warp against a vector of each lane.

`dot8_bf16` of four words that a lane loads from one place, and of eight values that the lanes of a row of 32 threads
load side by side, row after row 64 bytes apart. Other dots are expanded into products and sums.
"""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.codegen.card.layout import WARP, Layout
from openrpp.codegen.card.polynomials import Poly, Polynomials
from openrpp.codegen.origins import Origins
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.ir import Instr, Kernel, Module, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.passes.expand import Expand, is_legal
from openrpp.kir.types import BF16, I16, I32

DOT = "dot8_bf16"
_QUIET = (Effect.PURE, Effect.GEOMETRY, Effect.ADDRESS, Effect.LOAD)
_WORDS, _TERMS = 4, 8


@dataclass(frozen=True, slots=True)
class Dot:
    """The pointers of a dot: to a lane's vector, and to the first of the values that a warp shares."""

    lane: Value
    warp: Value


def has_dots(kernel: Kernel) -> bool:
    """Whether there are dots of any kind."""
    return any(instr.op.name == DOT for instr in kernel.instructions())


def expand_dots(module: Module, kernel: Kernel, kept: dict[Instr, Dot]) -> None:
    """Write dots as products and sums, but for some."""
    Expand(lambda instr: instr in kept or (is_legal(instr) and instr.op.name != DOT))(kernel, module)


class Dots:
    """The dots of a kernel that the port can do."""

    def __init__(self, cfg: Cfg, layout: Layout, polynomials: Polynomials, origins: Origins) -> None:
        self.layout = layout
        self.polynomials = polynomials
        self.origins = origins
        self.found: dict[Instr, Dot] = {}
        self.joined: dict[Instr, tuple[Instr, Instr]] = {}
        """Words that are put together of two loads of 16 bits, low half first."""
        for block in cfg.order:
            loaded: set[Value] = set()  # in this block, and nothing has written since
            for instr in block.body:
                if instr.effect not in _QUIET:
                    loaded.clear()
                elif instr.effect is Effect.LOAD and not instr.attr("volatile"):
                    loaded.add(instr)
                elif instr.op.name == DOT and layout.extents[0] == WARP:
                    self._match(instr, loaded)
                elif instr.type is I32 and len(found := halves(instr)) == 2 and loaded.issuperset(found):
                    self.joined[instr] = found[0], found[1]

    def _match(self, instr: Instr, loaded: set[Value]) -> None:
        first, second = instr.operands[:_WORDS], instr.operands[_WORDS : 2 * _WORDS]
        for words, others in ((first, second), (second, first)):
            lane, warp = self._lane_vector(words, loaded), self._shared(others, loaded)
            if lane is not None and warp is not None:
                self.found[instr] = Dot(lane, warp)
                return

    def _lane_vector(self, words: list[Value], loaded: set[Value]) -> Value | None:
        """The pointer to four neighbouring words."""
        if not all(isinstance(word, Instr) and word in loaded and word.type is I32 for word in words):
            return None
        pointers = [word.operands[0] for word in words if isinstance(word, Instr)]
        return pointers[0] if self._apart(pointers, I32.bytes) else None

    def _shared(self, words: list[Value], loaded: set[Value]) -> Value | None:
        """The pointer to eight values, of which neighbouring threads load neighbouring ones."""
        parts = [half for word in words for half in halves(word)]
        if len(parts) != _TERMS or not all(half in loaded for half in parts):
            return None
        pointers = [half.operands[0] for half in parts]
        if not self._apart(pointers, WARP * I16.bytes):
            return None
        step, _ = self.polynomials.of(pointers[0]).by("x")
        return pointers[0] if step.same(Poly.number(I16.bytes)) else None

    def _apart(self, pointers: list[Value], distance: int) -> bool:
        first = self.polynomials.of(pointers[0])
        return all(
            self.origins.is_near(pointer)
            and (self.polynomials.of(pointer) + first.scaled(-1)).same(Poly.number(distance * place))
            for place, pointer in enumerate(pointers)
        )


def halves(word: Value) -> list[Instr]:
    """The loads of the low and the high half that a word is put together of."""
    if not isinstance(word, Instr) or word.op.name not in ("or", "add"):
        return []
    for low, high in (word.operands, word.operands[::-1]):
        first, second = _extended(low), _raised(high)
        if first is not None and second is not None:
            return [first, second]
    return []


def _extended(value: Value) -> Instr | None:
    """The 16-bit load that a word extends."""
    if not isinstance(value, Instr) or value.op.name != "zext" or value.operands[0].type is not I16:
        return None
    source = value.operands[0]
    if isinstance(source, Instr) and source.op.name == "bitcast" and source.operands[0].type is BF16:
        source = source.operands[0]
    return source if isinstance(source, Instr) and source.op.name == "load" else None


def _raised(value: Value) -> Instr | None:
    """The 16-bit load in the high half of a word whose low half is 0."""
    if not isinstance(value, Instr) or value.op.name != "shl" or getattr(value.operands[1], "bits", 0) != I16.bits:
        return None
    return _extended(value.operands[0])
