"""Loads, stores and atomics in columns: which port, which form of address, which registers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from openrpp.codegen.card.columns import Op, Packer
from openrpp.codegen.card.flow import Point
from openrpp.codegen.card.registers import HIGH, LOW, MAB, copy_line
from openrpp.codegen.card.steps import Access, Atomic, Memory, Part, Pe, Read, Source, Where, Word

ROOT = ("DS10", "DS11")
"""Scalar pairs that take the address of a buffer in DDR."""
_FARTHEST = 16383
"""Bytes that an address register can be moved on by an immediate."""


class Accesses:
    """The part of an allocator that places memory accesses."""

    packer: Packer
    at_use: dict[Word, str]
    pairs_of: dict[Word, str]
    scalars: set[Word]
    _busy: set[str]
    _old_high: Word
    published: bool
    _pointing: Where | None = None  # where DVA points, as far as that is known

    @abstractmethod
    def _lanes(self, *sources: Source) -> list[str]:
        """Registers that hold words, all at once."""

    @abstractmethod
    def _scalar(self, source: Source, op: Op, part: Part = Part.PAIR) -> str:
        """A scalar operand of a vector instruction."""

    @abstractmethod
    def _farther(self, base: str, distance: int, op: Op) -> str:
        """A temporary with a pair's address and some bytes more."""

    @abstractmethod
    def _is_scalar(self, source: Source) -> bool:
        """Whether an operand is a constant or in a scalar register."""

    @abstractmethod
    def _free_pair(self, keep: set[str]) -> str:
        """A pair for a new value."""

    @abstractmethod
    def _place_for(self, word: Word) -> str:
        """The pair that a load fills."""

    @abstractmethod
    def _made(self, word: Word, name: str) -> None:
        """A word is in a register now, and nowhere else."""

    @abstractmethod
    def _process(self, item: Pe) -> None:
        """An operation of the processing element with its loads."""

    @abstractmethod
    def _loose(self, uses: int) -> Word:
        """A new word that is used by the present item (0) or the next (1)."""

    @abstractmethod
    def _hold(self, word: Word, name: str) -> None:
        """A register holds a word from now on."""

    # --- addresses --------------------------------------------------------------------------------------------------

    def _point(self, item: Access | Atomic, access: Op) -> str:
        """Make an address; the place as text. What the access itself must carry is noted in its operation."""
        if item.place is not None:
            return self._point_at(item, item.place, access)
        access.reads |= {"DVA"}
        if item.memory is Memory.SRAM:
            self._set_address(item.address[0], 0)
            return "[DVA]"
        if item.root is None:
            self._set_address(item.address[0], 0)
            return "[{}:DVA]"
        access.scalar += self._root(item.root, access)
        self._set_address(item.address[0], 1 << 31)
        return "[DS10 + DVA]"

    def _point_at(self, item: Access | Atomic, place: Where, access: Op) -> str:
        access.reads |= {"DVA"}
        if item.root is not None:
            access.scalar += self._root(item.root, access)
        self._add_address(place)
        return "[DVA]" if item.memory is Memory.SRAM else "[DS10 + DVA]"

    def _reach(self, item: Access | Atomic, op: Op, *sources: Source | None) -> list[str]:
        """The place of an access through the gather port as text, then registers of its mask and of more operands."""
        place = item.place
        if isinstance(item, Access) and item.is_indexed and place is not None and place.lane is not None:
            register, *found = self._lanes(place.lane, *[source for source in sources if source is not None])
            op.reads |= {register, *found}
            rest = iter(found)
            names = [next(rest) if source is not None else "" for source in sources]
            return [f"[{self._base_of(place, op)}+({LOW[register]}<<{place.shift})]", "", *names]
        text = self._point(item, op)
        high, mask, *names = self._extra(op, item, *sources)
        return [text.format(LOW.get(high, "")), mask, *names]

    def _add_address(self, place: Where) -> None:
        """DVA from a scalar and what lanes add; or moved on, if it points near there."""
        op = Op(units=frozenset(("address",)), writes=frozenset(("DVA",)))
        before, self._pointing = self._pointing, place
        if before is not None and replace(before, offset=place.offset) == place:
            distance = place.offset - before.offset
            if not distance:
                return
            if 0 < distance <= _FARTHEST:
                op.reads = frozenset(("DVA",))
                op.vector.append(f"MADD DVA, {distance}, DVA")
                self.packer.add(op)
                return
        if place.planes is not None:
            base, (sy, sz) = self._base_of(place, op), place.planes
            rows = f"{self._scalar(sy, op, Part.LOW)}, {self._scalar(sz, op)}"
            op.vector.append(f"GLANEADDR.Z32 {base}, {rows}, DVA")
        elif place.lane is None:
            op.vector.append(f"MMOV {self._base_of(place, op)}, DVA")
        else:
            (register,) = self._lanes(place.lane)
            op.reads = frozenset((register,))
            base = self._base_of(place, op)
            if place.narrow:
                op.vector.append(f"MSHIFTADD {LOW[register]}, {base}, {place.shift}, DVA")
            else:
                op.vector.append(f"MADD.SCA32 {register}, {base}, DVA")
        self.packer.add(op)

    def _point_on(self, item: Point) -> None:
        """Point to a place, and move on from there."""
        self._add_address(item.place)
        if item.by is None or item.by == 0:
            return
        op = Op(units=frozenset(("address",)), reads=frozenset(("DVA",)), writes=frozenset(("DVA",)))
        if isinstance(item.by, int) and item.by <= _FARTHEST:
            op.vector.append(f"MADD DVA, {item.by}, DVA")
        else:
            op.vector.append(f"MADD.SCA32 DVA, {self._scalar(item.by, op)}, DVA")
        self.packer.add(op)
        self._pointing = None

    def _base_of(self, place: Where, op: Op) -> str:
        """The scalar part of an address in a register."""
        base, offset = place.base, place.offset & 0xFFFF_FFFF
        if isinstance(base, int) or not offset:
            return self._scalar(base if not isinstance(base, int) else base + offset & 0xFFFF_FFFF, op)
        captured = op.captured
        start = self._scalar(base, op)
        op.captured = captured  # the sum is what the operation takes
        name = self._farther(start, offset, op)
        op.captured |= {name}
        return name

    def _root(self, root: tuple[Source, Source], access: Op) -> list[str]:
        lines: list[str] = []
        for source, target in zip(root, ROOT, strict=True):
            if isinstance(source, int):
                lines.append(f"MOVE.U32 {source:#x}, {target}")
            elif source in self.at_use:
                lines.append(f"LDPARAM.U32 {self.at_use[source]}, {target}")
                access.scalar_reads |= {self.at_use[source]}
            else:
                lines.append(f"MOVE.U32 {self.pairs_of[source]}, {target}")
                access.scalar_reads |= {self.pairs_of[source]}
            access.scalar_writes |= {target}
            access.captured |= {target}
        return lines

    def _set_address(self, source: Source, bias: int) -> None:
        self._pointing = None
        op = Op(units=frozenset(("address",)), writes=frozenset(("DVA",)))
        if self._is_scalar(source) and not bias:
            op.vector.append(f"MMOV {self._scalar(source, op)}, DVA")
        else:
            (register,) = self._lanes(source)
            op.reads = frozenset((register,))
            if bias:
                op.vector.append(f"MADD.SCA32 {register}, {self._scalar(bias, op)}, DVA")
            else:
                op.vector.append(f"MMOV {register}, DVA")
        self.packer.add(op)

    # --- loads and stores -------------------------------------------------------------------------------------------

    def _access(self, item: Access) -> None:
        if item.upper is not None:
            self._halves(item, item.upper)
        elif item.value is not None:
            self._store(item)
        else:
            self._load(item)

    def _kind(self, item: Access) -> str:
        """The suffix of the mnemonic that says how wide an access is, and where it goes."""
        if item.memory is Memory.DDR:
            return f".D{item.bits}"
        if item.bits == 16:
            return "" if item.mask is None or item.value is not None else ".U16"
        return ".U8" if item.bits == 8 else ".W32"

    def _row(self, item: Access, op: Op) -> str:
        """What stands behind LOAD or STORE for the sequential port, but for the register."""
        assert item.place is not None and item.place.rows is not None
        base = self._base_of(item.place, op)
        if not item.place.rows:
            return f"CONT{self._kind(item)} {base}"
        sy, sz = item.place.rows
        rows = f"{self._scalar(sy, op, Part.LOW)}, {self._scalar(sz, op)}"
        return f"ALN.Z32{self._kind(item)} {base}, {rows}"

    def _store(self, item: Access) -> None:
        assert item.value is not None
        op = Op(units=frozenset(("gather",)), memory="store")
        if item.is_row:
            op.units = frozenset(("store",))
            (value,) = self._lanes(item.value)
            op.reads = frozenset((value,))
            op.vector.append(f"STORE{self._row(item, op)}, {self._half(item, value)}")
            self.packer.add(op)
            return
        place, mask, value = self._reach(item, op, item.value)
        masked = f"{LOW[mask]}, " if mask else ""
        op.vector.append(f"STORE{'MASK' if mask else ''}{self._kind(item)} {self._half(item, value)}, {masked}{place}")
        self.packer.add(op)
        if mask and self.published:
            self._pointing = None  # the two halves of a word move it on

    def _half(self, item: Access, register: str) -> str:
        if item.bits == 32:
            return register
        return (HIGH if item.part is Part.HIGH else LOW)[register]

    def _load(self, item: Access) -> None:
        assert item.result is not None
        if item.bits < 32:
            passing = self._loose(0)
            given = replace(item, result=passing)
            reads = (Read(passing, Part.LOW),)
            self._process(Pe("CVT.U16.U32", reads, item.result, location=item.location, loads=(given,)))
            return
        op = Op(memory="load")
        text = self._loaded(item, op)
        pair = self._place_for(item.result)
        op.writes = frozenset((pair,))
        op.vector.append(f"{text}{pair}")
        self.packer.add(op)
        self._made(item.result, pair)

    def _loaded(self, item: Access, op: Op) -> str:
        """A load but for its target; its address is made."""
        if item.is_row:
            op.units |= {"load"}
            return f"LOAD{self._row(item, op)}, "
        op.units |= {"gather"}
        place, mask = self._reach(item, op)
        masked = f"{LOW[mask]}, " if mask else ""
        return f"LOAD{'MASK' if mask else ''}{self._kind(item)} {place}, {masked}"

    def _pass(self, load: Access, op: Op) -> str:
        """A load in the column of the operation that reads it: the register that it passes through."""
        op.memory = "load"
        op.units |= {"passing"}
        register = MAB if load.bits == 32 else "MB" if load.is_row else "MA"
        if load.warp is not None:
            op.units |= {"load", "store"}  # no other sequential access goes with one for the whole warp
            zero = self._scalar(0, op, Part.LOW)
            op.vector.append(f"LDWARP {self._scalar(load.warp, op)}, {zero}, {zero}, WARPVEC")
            op.units |= {"gather"}
            self._point(load, op)
            op.vector.append(f"LDLANE_BFMAD [DVA], WARPVEC, {self._scalar(8, op, Part.LOW)}, MAB")
            return register
        op.vector.append(f"{self._loaded(load, op)}{register}")
        return register

    def _halves(self, item: Access, upper: Where) -> None:
        """The low and the high half of a word at two places of 16 bits."""
        assert item.mask is None and item.place is not None
        first = replace(item, bits=16, upper=None)
        second = replace(first, place=upper, part=Part.HIGH)
        if item.value is not None:
            self._store(first)
            self._store(second)
            return
        assert item.result is not None
        lanes = [place.lane for place in (item.place, upper) if place.lane is not None]
        self._busy |= set(self._lanes(*lanes))
        pair = self._place_for(item.result)
        self._busy |= {pair}
        for part, names in ((first, LOW), (second, HIGH)):
            op = Op(memory="load", writes=frozenset((pair,)))
            op.vector.append(f"{self._loaded(part, op)}{names[pair]}")
            self.packer.add(op)
        self._busy.clear()
        self._made(item.result, pair)

    def _extra(self, op: Op, item: Access | Atomic, *sources: Source | None) -> list[str]:
        """Registers of the high word of an address, the mask and more operands; "" for those that are not there."""
        high = item.address[1] if len(item.address) == 2 else None
        wanted = (high, item.mask, *sources)
        found = iter(self._lanes(*[source for source in wanted if source is not None]))
        names = [next(found) if source is not None else "" for source in wanted]
        op.reads |= {name for name in names if name}
        return names

    def _atomic(self, item: Atomic) -> None:
        op = Op(units=frozenset(("gather", "passing")), memory="store")
        wanted = (item.value, item.value_high, item.compared, item.compared_high)
        place, mask, value, value_high, compared, compared_high = self._reach(item, op, *wanted)
        pair = self._place_for(item.result)
        op.units |= {"load", "store"} if compared_high else set[str]()  # both ways of the sequential port
        op.writes = frozenset((pair,))
        op.copies = (pair,)
        condition = LOW[mask] if mask else ""
        kind = f"ATOM{'MASK' if mask else ''}.{item.operation}"
        given = (place, compared, value, condition, MAB)
        if item.is_long:
            second = self._free_pair({pair})
            op.writes |= {second}
            given = (place, value, value_high, condition, second, MAB)
            if compared_high:
                op.vector.append(f"ATOMCMP.U64 {compared}, {compared_high}")
            self._old_high = self._loose(1)
            self._hold(self._old_high, second)
        op.vector += [f"{kind} {', '.join(text for text in given if text)}", copy_line(MAB, pair)]
        self.packer.add(op)
        self._made(item.result, pair)
