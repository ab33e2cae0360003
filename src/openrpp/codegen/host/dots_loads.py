"""Joint loads: neighbouring words that a thread loads one by one (a float4, eight bf16 values) come in one access.

Where the words of a row of threads lie side by side as well, the whole row is one contiguous load, and the words are
picked out of it; where all columns load the same, there is one load per row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from openrpp.codegen.host.access import Access
from openrpp.codegen.host.shape import Shape
from openrpp.codegen.host.writer import memory_type, scalar_type, vector
from openrpp.kir.ir import Block, Constant, Instr, Value
from openrpp.kir.ops.form import Effect

RAW = 3
"""The level under which `Values` keeps the text of all words of a joint load, behind its first member."""
_QUIET = (Effect.PURE, Effect.GEOMETRY, Effect.ADDRESS, Effect.LOAD)
_SIZES = (4, 2)
_Open = dict[tuple[frozenset[tuple[Value, int]], str], dict[int, Instr]]


@dataclass(frozen=True, slots=True)
class Joint:
    """Loads of one type at an address and the words behind it; `lead` is the first of them in the program."""

    members: tuple[Instr, ...]
    lead: Instr


@dataclass(frozen=True, slots=True)
class Loads:
    """What is known about the loads of a block: joint ones by member, and those that an earlier one has made."""

    joints: dict[Instr, Joint]
    earlier: dict[Instr, Instr]


class JointLoads(Access):
    """Loads, some of them together."""

    _loads: dict[Block, Loads]

    def load(self, instr: Instr) -> None:
        """A load, alone or with its neighbours."""
        earlier = self.known_loads().earlier.get(instr)
        if earlier is not None and self.analysis.shape(earlier) == self.analysis.shape(instr):
            text = self.find(earlier, -1)
            assert text is not None
            self.define(instr, text)
            return
        joint = self._joint(instr)
        if joint is not None and self._is_whole(joint):
            if joint.lead is instr:
                self._load_joint(joint)
            return
        shape = self.address_shape(instr.operands[0])
        if shape.level == 0 and shape.stride not in (0, instr.type.bytes) and self.geometry.rows > 1:
            self._load_one_row(instr, shape)
        else:
            super().load(instr)

    def raw(self, words: tuple[Value, ...]) -> str | None:
        """All words of a joint load of exactly these values in this block, in the order of memory."""
        words = self.first_loads(words)
        joint = self._joint(words[0])
        if joint is None or joint.members != words or not self._is_whole(joint):
            return None
        return self.find(words[0], RAW)

    def first_loads(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        """Values of which those that are loaded again are replaced by the first load."""
        earlier = self.known_loads().earlier
        return tuple(earlier.get(value, value) if isinstance(value, Instr) else value for value in values)

    def known_loads(self) -> Loads:
        """What is known about the loads of the block here."""
        if not hasattr(self, "_loads"):
            self._loads = {}
        if self.block not in self._loads:
            self._loads[self.block] = loads_of(self.block)
        return self._loads[self.block]

    def _joint(self, value: Value) -> Joint | None:
        return self.known_loads().joints.get(value) if isinstance(value, Instr) else None

    def _is_whole(self, joint: Joint) -> bool:
        """Whether all bytes from the first to the last lane of a row are asked for, or all lanes of it ask for one."""
        shape = self.address_shape(joint.lead.operands[0])
        if shape.stride:
            return shape.level < 2 and shape.stride == len(joint.members) * joint.lead.type.bytes
        return shape.level == 1

    def _load_joint(self, joint: Joint) -> None:
        first, pointer, count = joint.members[0], joint.lead.operands[0], len(joint.members)
        shape, back = self.address_shape(pointer), joint.members.index(joint.lead) * first.type.bytes
        kind, align = memory_type(first.type), self.align(first, first.type)
        starts = self.row_pointers(pointer, shape.level)
        if back:
            starts = [self.writer(f"getelementptr i8, ptr {start}, i64 {-back}") for start in starts]
        each = (self.geometry.columns if shape.stride else 1) * count
        masks = self._word_masks(shape, count, len(starts))
        parts = [self._load_row(kind, each, at, align, mask) for at, mask in zip(starts, masks, strict=True)]
        text = self.join(kind, parts, each)
        whole, total = self.geometry.columns if shape.stride else 1, each * len(parts)
        for index, member in enumerate(joint.members):
            if shape.stride:
                lanes = range(self.geometry.lanes)
                order = [lane % (whole * len(parts)) * count + index for lane in lanes]
            else:
                order = [row * count + index for row in range(self.geometry.rows)]
            word = self.shuffle(kind, total, text, order)
            level = 2 if shape.stride else 1
            self.define(member, self.lift(scalar_type(member.type), word, level, self.analysis.shape(member).level))
        self.keep(first, RAW, text)

    def _word_masks(self, shape: Shape, count: int, rows: int) -> list[str | None]:
        """For each row, which of its words may be loaded."""
        if self.mask is None:
            return [None] * rows
        columns = self.geometry.columns
        if shape.stride:
            order = [word // count for word in range(columns * count)]
            given = [self.row_mask(row) for row in range(rows)] if rows > 1 else [self._columns_active()]
            return [self.shuffle("i1", columns, mask, order) for mask in given]
        active = self.rows_active()
        return [self.shuffle("i1", rows, active, [row] * count) for row in range(rows)]

    def _load_one_row(self, instr: Instr, shape: Shape) -> None:
        """A strided load of which every row of threads gets the same: gathered for one."""
        pointer, kind, columns = instr.operands[0], instr.type, self.geometry.columns
        space, (text, _) = self.space(pointer), self.base(pointer)
        offsets = vector("i64", [shape.stride * column for column in range(columns)])
        spread = self.lanes_of(columns, "i64", text)
        addresses = self.writer(f"add <{columns} x i64> {spread}, {offsets}")
        at = self.host(addresses, pointer, space, columns, self.window(pointer, space))
        mask = self._columns_active() if self.mask else None
        found = self.gather_at(at, memory_type(kind), self.align(instr, kind), columns, mask)
        order = [lane % columns for lane in range(self.geometry.lanes)]
        whole = self.shuffle(memory_type(kind), columns, found, order)
        self.define(instr, self.from_memory(kind, whole, self.geometry.lanes))


def loads_of(block: Block) -> Loads:
    """The loads of a block. Between those that belong together, nothing writes."""
    found = Loads({}, {})
    open_: _Open = {}
    for instr in block.body:
        if instr.effect not in _QUIET:
            _close(open_, found.joints)
        elif instr.op.name == "load" and not instr.attr("volatile") and instr.type.bits > 1:
            terms, offset = _split(instr.operands[0])
            first = open_.setdefault((terms, str(instr.type)), {}).setdefault(offset, instr)
            if first is not instr:
                found.earlier[instr] = first
    _close(open_, found.joints)
    return found


def _close(open_: _Open, found: dict[Instr, Joint]) -> None:
    for loads in open_.values():
        place = list(loads.values())
        for size in _SIZES:
            for start, load in sorted(loads.items(), key=lambda item: item[0]):
                offsets = [start + index * load.type.bytes for index in range(size)]
                members = tuple(loads[offset] for offset in offsets if offset in loads)
                if len(members) == size and not any(member in found for member in members):
                    found |= dict.fromkeys(members, Joint(members, min(members, key=place.index)))
    open_.clear()


def _split(pointer: Value) -> tuple[frozenset[tuple[Value, int]], int]:
    """A pointer as the values that it is a sum of, each with how often it occurs, and a constant distance."""
    terms, offset = Counter[Value](), 0
    while isinstance(pointer, Instr) and pointer.op.name == "ptr_add":
        pointer, term = pointer.operands
        if isinstance(term, Constant):
            offset += term.signed
        else:
            terms[term] += 1
    terms[pointer] += 1
    return frozenset(terms.items()), offset
