"""Addresses split into what the sequencer adds up and what each lane adds, the latter outside of loops.

An address is U + D: U of values that are the same in all lanes, D of products with thread indices and other lane
values. U is computed where it is used or before the loops that do not change it, D once, where its values are known.
Several accesses share them. The kernel is rewritten: the pointer of an access becomes `ptr_add (root + U), D`, and
`placed` says of such a pointer how it is to be understood.
"""

from __future__ import annotations

from math import gcd
from typing import Final

from openrpp.codegen.card.able import able
from openrpp.codegen.card.dots import Dot, Dots, expand_dots, has_dots
from openrpp.codegen.card.layout import Layout, Shape3
from openrpp.codegen.card.lowering import Places
from openrpp.codegen.card.polynomials import Leaf, Poly, Polynomials
from openrpp.codegen.card.splits import Split, Splits
from openrpp.codegen.origins import Origins
from openrpp.codegen.structure import Entry, Structure
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.kir.analysis.ranges import Facts, Interval, Ranges
from openrpp.kir.analysis.uniformity import Shape, Uniformity
from openrpp.kir.ir import Block, Instr, Kernel, Module, Value, constant
from openrpp.kir.location import Location
from openrpp.kir.ops import lookup
from openrpp.kir.ops.form import Effect
from openrpp.kir.passes.copying import clone_kernel
from openrpp.kir.types import I32, Space

MAX_SHIFT: Final = 7
"""Of the index of a gather; of one that is added to an address register it is the next figure."""
MAX_DVA_SHIFT: Final = 3
_SIXTEEN: Final = 1 << 16


Point = tuple[Block, int]
"""Behind an instruction of a block, by its place in the body as it was; -1 is the start."""


def settle_dots(module: Module, kernel: Kernel, shape: Shape3, places: Places, *, naive: bool) -> Kernel:
    """The kernel, or a copy in which only those dots are left that the port does."""
    if not has_dots(kernel):
        return kernel
    made = clone_kernel(kernel)
    cfg = Cfg(made)
    loops = Loops(cfg)
    kept: dict[Instr, Dot] = {}
    if not naive and not loops.irreducible:
        kept = Splitter(made, shape, places, Uniformity(cfg, loops, able, offsets=True)).dots()
    expand_dots(module, made, kept)
    return made


def split_addresses(kernel: Kernel, shape: Shape3, places: Places) -> Splits:
    """Split the addresses of a kernel, which is changed; those of irreducible control flow stay as they are."""
    cfg = Cfg(kernel)
    loops = Loops(cfg)
    if loops.irreducible:
        return Splits()
    return Splitter(kernel, shape, places, Uniformity(cfg, loops, able, offsets=True)).run()


class Splitter:
    """Splits the addresses of a kernel, which it changes."""

    def __init__(self, kernel: Kernel, shape: Shape3, places: Places, uniformity: Uniformity) -> None:
        self.kernel = kernel
        self.layout = Layout(shape, kernel.merge, wide=not places.near)
        self.cfg = uniformity.cfg
        self.loops: Loops = uniformity.loops
        self.uniformity = uniformity
        self.places = places
        self.ranges = Ranges(self.cfg, self.loops, Facts(block=shape))
        self.origins = Origins(self.cfg, places.sram, everything=places.near)
        self.found = Splits()
        self._index = {instr: place for block in self.cfg.order for place, instr in enumerate(block.body)}
        self._locations: dict[str, Location | None] = {}  # of the first op of each name
        self._polynomials = Polynomials(self.cfg.definitions, self._given)
        self._made: dict[tuple[object, ...], list[tuple[Point, Value]]] = {}
        self._new: dict[Point, list[Instr]] = {}
        self._basis: dict[str, Instr] = {}
        self._words: dict[Value, Value] = {}
        self._access: Instr | None = None
        self._matched = Dots(self.cfg, self.layout, self._polynomials, self.origins)
        self.structure = Structure(self.cfg, self.loops)
        self.structure.decide(lambda value, block: uniformity.seen(value, block) is not Shape.SEQUENCER)

    def dots(self) -> dict[Instr, Dot]:
        """Dots that the port can do where all lanes that come to them may take part."""
        return {instr: dot for instr, dot in self._matched.found.items() if self._is_shared(instr, dot)}

    def _join(self) -> None:
        """Words of two halves whose places are split, where all lanes may take part."""
        for instr, loads in self._matched.joined.items():
            low, high = (load.operands[0] for load in loads)
            if not (isinstance(low, Instr) and isinstance(high, Instr)) or self._is_masked(self.cfg.definitions[instr]):
                continue
            places = [self.found.placed.get(low), self.found.placed.get(high)]
            if all(place is not None and place.root is None for place in places):
                self.found.joined[instr] = low, high

    def _is_shared(self, instr: Instr, dot: Dot) -> bool:
        block = self.cfg.definitions[instr]
        _, rest = self._polynomials.of(dot.warp).by("x")
        return not self._is_masked(block) and not any(self._differs(leaf, block) for leaf in rest.leaves())

    def _dot(self, instr: Instr, dot: Dot) -> None:
        """The pointers of a dot as scalar and lane parts."""
        block = self.cfg.definitions[instr]
        self._access, at = instr, (block, self._index[instr] - 1)
        _, shared = self._polynomials.of(dot.warp).by("x")
        vector = self._polynomials.of(dot.lane)
        lane = vector.select(lambda monomial: any(self._differs(leaf, block) for leaf in monomial))
        places: list[Instr] = []
        for pointer, base, part in ((dot.lane, vector + lane.scaled(-1), lane), (dot.warp, shared, Poly.number(0))):
            offset = base.constant
            start = self._scalar(base + Poly.number(-offset), at)
            planes = self._planes(part, instr) if part.terms else None
            value = self._lanes(part) if part.terms and planes is None else None
            made = Split(None, start, offset, value, planes=planes)
            places.append(self._pointer(made, pointer, at))
        self.found.dots[instr] = places[0], places[1]

    def _planes(self, lane: Poly, instr: Instr) -> tuple[Value, ...] | None:
        """The strides of an address that is the same along rows, as the port takes them."""
        block = self.cfg.definitions[instr]
        planes = self.layout.planes(lane, self._is_short)
        if planes is None or any(self._differs(leaf, block) for stride in planes for leaf in stride.leaves()):
            return None
        return tuple(self._scalar(stride, (block, self._index[instr] - 1)) for stride in planes)

    def run(self) -> Splits:
        """Split all addresses."""
        for instr, dot in self.dots().items():
            self._dot(instr, dot)
        accesses = [(block, instr) for block in self.cfg.order for instr in block.body if _pointer_of(instr)]
        for block, instr in accesses:
            self._split(block, instr)
        self._join()
        for block in self.cfg.order:
            body = list(self._new.get((block, -1), ()))
            for place, instr in enumerate(block.body):
                body += [instr, *self._new.get((block, place), ())]
            block.body = body
        return self.found

    def _given(self, instr: Instr) -> Poly | None:
        """What the layout of blocks says of a value."""
        name = instr.op.name
        self._locations.setdefault(name, instr.location)
        if name == "tid":
            return self.layout.thread(str(instr.attr("axis")))
        if name == "ctaid" and instr.attr("axis") == "x" and self.kernel.merge > 1:
            return Poly.leaf("group", self.kernel.merge) + Poly.leaf("s")
        if name == "ntid":
            return Poly.number(self.layout.extent(str(instr.attr("axis"))))
        if name == "global_addr" and str(instr.attr("symbol")) in self.places.shared:
            own = Poly.leaf("own") if self.places.is_dynamic else Poly.leaf("s", self.places.shared_size)
            own = own if self.kernel.merge > 1 else Poly.number(0)
            return Poly.leaf("shared") + own + Poly.number(self.places.shared[str(instr.attr("symbol"))])
        return None

    # --- one access -------------------------------------------------------------------------------------------------

    def _split(self, block: Block, instr: Instr) -> None:
        place = _pointer_of(instr)
        pointer = instr.operands[place - 1]
        near = self.origins.is_near(pointer)
        root = None if near else self.origins.root(pointer)
        if pointer.type.space in (Space.GENERIC, Space.PRIVATE) or not (
            near or (root is not None and self._has_root(root))
        ):
            return
        poly = self._polynomials.of(pointer)
        if root is not None:
            poly = poly + Poly.leaf(root, -1)
        lane = poly.select(lambda monomial: any(self._differs(leaf, block) for leaf in monomial))
        base = poly + lane.scaled(-1)
        offset, at = base.constant, (block, self._index[instr] - 1)
        base = base + Poly.number(-offset)
        self._access = instr
        given = self._lane_part(instr, block, lane, near)
        made = Split(root, self._scalar(base, at), offset, *given, access_bytes(instr))
        instr.operands[place - 1] = self._pointer(made, pointer, at)

    def _has_root(self, root: Value) -> bool:
        """Whether the address of a buffer is in FRAM, so that accesses may count from it."""
        offset = self.places.root(self.kernel, root)
        return offset in self.places.biased and self.places.biased[offset] + 8 <= 4 * self.places.direct

    def _differs(self, leaf: Leaf, block: Block) -> bool:
        if isinstance(leaf, str):
            return leaf not in ("group", "shared")
        if leaf not in self.cfg.definitions:
            return False
        return self.uniformity.seen(leaf, block) is not Shape.SEQUENCER

    def _lane_part(
        self, instr: Instr, block: Block, lane: Poly, near: bool
    ) -> tuple[Value | None, int, bool, tuple[Value, ...] | None]:
        """(value per lane, shift, whether it is narrow, strides of the sequential port)."""
        if not lane.terms:
            return None, 0, False, None
        masked = self._is_masked(block)
        size = access_bytes(instr)
        if near and not (masked and instr.effect is not Effect.LOAD) and instr.effect is not Effect.ATOMIC:
            rows = self.layout.rows(lane, size, self._is_short)
            if rows is not None and not any(self._differs(leaf, block) for stride in rows for leaf in stride.leaves()):
                at = (block, self._index[instr] - 1)
                return None, 0, False, tuple(self._scalar(stride, at) for stride in rows)
        by_gather = near and not masked and instr.effect is not Effect.ATOMIC
        shift = min(self._twos(lane), MAX_SHIFT if by_gather else MAX_DVA_SHIFT)
        reduced = lane.divided(1 << shift)
        reach = self._bounds(reduced)
        if reach.low >= 0 and reach.high < _SIXTEEN:
            return self._lanes(reduced), shift, True, None
        return self._lanes(lane), 0, False, None

    def _twos(self, poly: Poly) -> int:
        """How often two divides all factors."""
        common = gcd(*poly.terms.values())
        return (common & -common).bit_length() - 1

    def _is_short(self, poly: Poly) -> bool:
        """Whether a value is seen to have 16 bits."""
        reach = self._bounds(poly)
        return reach.low >= 0 and reach.high < _SIXTEEN

    def _bounds(self, poly: Poly) -> Interval:
        low = high = 0
        for monomial, factor in poly.terms.items():
            corners = [factor]
            for leaf in monomial:
                reach = self._reach(leaf)
                corners = [corner * edge for corner in corners for edge in (reach.low, reach.high)]
            low, high = low + min(corners), high + max(corners)
        return Interval(low, high)

    def _reach(self, leaf: Leaf) -> Interval:
        if isinstance(leaf, str):
            return Interval(0, self.layout.count(leaf) - 1)
        return self.ranges.of(leaf) if leaf.type.is_int else Interval(0, (1 << 64) - 1)

    def _is_masked(self, block: Block) -> bool:
        """Whether only some lanes may come to a block together."""
        if any(self.structure.kind[item] is Entry.MASK for item in self.structure.scopes(block, self.structure.entry)):
            return True
        inner = self.loops.innermost(block)
        return any(loop in self.structure.divergent for loop in (inner.around() if inner else ()))

    def _pointer(self, split: Split, old: Value, at: Point) -> Instr:
        """The pointer that stands for a split address."""
        if split.root is None:
            start = self._insert("inttoptr", (split.base,), at, old)
        else:
            start = self._insert("ptr_add", (split.root, split.base), at)
        made = self._insert("ptr_add", (start, split.lane or constant(I32, 0)), at)
        self.found.placed[made] = split
        self.found.hidden |= {made, start}
        return made

    # --- values -----------------------------------------------------------------------------------------------------

    def _scalar(self, poly: Poly, at: Point) -> Value:
        """A polynomial of values that are the same in all lanes, computed as late as its loops allow."""
        if poly.is_number:
            return constant(I32, poly.constant)
        return self._value(poly, self._late(poly, at))

    def _lanes(self, poly: Poly) -> Value:
        """A polynomial with lane values, computed as soon as they are known."""
        return self._sum(self.layout.cheapest(poly))

    def _sum(self, poly: Poly) -> Value:
        if poly.is_number:
            return constant(I32, poly.constant)
        if not any(self._differs_anywhere(leaf) for leaf in poly.leaves()):
            return self._scalar(poly, self._latest(poly))
        return self._value(poly, self._latest(poly))

    def _differs_anywhere(self, leaf: Leaf) -> bool:
        if isinstance(leaf, str):
            return leaf not in ("group", "shared")
        return self.uniformity.of(leaf) is not Shape.SEQUENCER

    def _value(self, poly: Poly, at: Point) -> Value:
        """leaf x factor + rest, the leaf that is known last taken out."""
        known = self._known(("poly", poly.key), at)
        if known is not None:
            return known
        leaf = max(poly.leaves(), key=lambda item: (*self._rank(self._point(item)), self._polynomials.order(item)))
        factor, rest = poly.by(leaf)
        negative = factor.is_number and factor.constant < 0 and bool(rest.terms)
        product = self._times(leaf, factor.scaled(-1) if negative else factor, at)
        if not rest.terms:
            made = product
        else:
            other = self._part(rest, at)
            made = self._insert("sub" if negative else "add", (other, product), at)
        self._made.setdefault(("poly", poly.key), []).append((at, made))
        return made

    def _part(self, poly: Poly, at: Point) -> Value:
        """Part of a value at a point: hoisted further where it can be."""
        if any(self._differs_anywhere(leaf) for leaf in poly.leaves()):
            return self._sum(poly)
        return self._scalar(poly, at)

    def _times(self, leaf: Leaf, factor: Poly, at: Point) -> Value:
        word = self._word(leaf)
        if not factor.is_number:
            return self._insert("mul", (word, self._part(factor, at)), at)
        number = factor.constant
        if number == 1:
            return word
        if number > 0 and number & (number - 1) == 0:
            return self._insert("shl", (word, constant(I32, number.bit_length() - 1)), at)
        return self._insert("mul", (word, constant(I32, number)), at)

    def _word(self, leaf: Leaf) -> Value:
        """A leaf as an i32."""
        if isinstance(leaf, str):
            return self._layout_value(leaf)
        if leaf.type is I32:
            return leaf
        if leaf not in self._words:
            name = "ptrtoint" if leaf.type.is_pointer else "trunc"
            self._words[leaf] = self._insert(name, (leaf,), self._point(leaf))
        return self._words[leaf]

    def _layout_value(self, name: str) -> Value:
        """A number of the layout, made at the start: an op that stands for it, which `basis` names."""
        if name not in self._basis:
            uniform = name in ("group", "shared")
            axis = name if name in ("x", "y", "z") else "z" if uniform else "x"
            op = "ctaid" if uniform else "tid"
            instr = Instr(lookup(op), [], None, {"axis": axis}, self._locations.get(op))
            self._basis[name] = instr
            self._new.setdefault((self.cfg.order[0], -1), []).append(instr)
            if axis != name:
                self.found.basis[instr] = name
        return self._basis[name]

    def _insert(self, name: str, operands: tuple[Value, ...], at: Point, like: Value | None = None) -> Instr:
        key = (name, *operands)
        known = self._known(key, at) if like is None and name != "ptr_add" else None
        if isinstance(known, Instr):
            return known
        kind = like.type if like is not None else I32
        of_location = self._access.location if self._access else None
        attrs = None
        made = Instr(lookup(name), operands, None if name == "ptr_add" else kind, attrs, of_location)
        self._new.setdefault(at, []).append(made)
        self._made.setdefault(key, []).append((at, made))
        return made

    def _known(self, key: tuple[object, ...], at: Point) -> Value | None:
        return next((value for point, value in self._made.get(key, ()) if self._reaches(point, at)), None)

    # --- points -----------------------------------------------------------------------------------------------------

    def _point(self, leaf: Leaf) -> Point:
        home = None if isinstance(leaf, str) else self.cfg.definitions.get(leaf)
        if home is None:
            return self.cfg.order[0], -1
        return home, self._index[leaf] if isinstance(leaf, Instr) else -1

    def _rank(self, point: Point) -> tuple[int, int]:
        return self.cfg.number[point[0]], point[1]

    def _latest(self, poly: Poly) -> Point:
        """Where the last leaf of a polynomial is known."""
        return max((self._point(leaf) for leaf in poly.leaves()), key=self._rank)

    def _reaches(self, a: Point, b: Point) -> bool:
        if a[0] is b[0]:
            return a[1] <= b[1]
        return self.cfg.dominators.dominates(a[0], b[0])

    def _late(self, poly: Poly, at: Point) -> Point:
        """The last point before `at` that lies in no loop which leaves the polynomial as it is."""
        latest, block = self._latest(poly), at[0]
        inner = self.loops.innermost(block)
        around = list(inner.around()) if inner else []
        outer = [loop for loop in around if latest[0] not in loop.blocks]
        if not outer:
            return at
        header = outer[-1].header
        wanted = outer[-1].parent
        place = self.cfg.dominators.parent(header)
        while place is not None and place is not latest[0] and self.loops.innermost(place) is not wanted:
            place = self.cfg.dominators.parent(place)
        if place is None:
            return latest
        return max((place, len(place.body) - 1), latest, key=self._rank)


def _pointer_of(instr: Instr) -> int:
    """1 + the place of the pointer that an instruction accesses memory through; 0 for one that does not."""
    if instr.effect is Effect.STORE:
        return 2
    return 1 if instr.effect in (Effect.LOAD, Effect.ATOMIC) and instr.op.name != "lut" else 0


def access_bytes(instr: Instr) -> int:
    """Bytes of the accesses that an instruction is made of; 0 where it is made of several."""
    kind = instr.operands[0].type if instr.effect is Effect.STORE else instr.type
    align = int(instr.attr("align")) or kind.bytes
    return kind.bytes if kind.bytes <= min(align, 4) else 0
