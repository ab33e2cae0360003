"""Warp ops, on vectors of whole warps: shuffles, votes, matches.

The lanes that meet are those that are active here and named by the mask. A shuffle between known lanes is LLVM's own;
one by an unknown distance that all lanes share is made of five, and others permute registers or go through memory.
"""

from __future__ import annotations

from openrpp.codegen.host.atomics import Atomics
from openrpp.codegen.host.ops import ELEMENTWISE
from openrpp.codegen.host.writer import scalar_type, vector
from openrpp.kir.ir import Constant, Instr, Value
from openrpp.kir.ops import lookup

WARP = 32


class Warps(Atomics):
    """Emission of warp ops."""

    @property
    def _i32(self) -> str:
        return f"<{self.geometry.lanes} x i32>"

    @property
    def _segment(self) -> int:
        """Lanes of a warp in this group."""
        return min(WARP, self.geometry.lanes)

    def warp(self, instr: Instr) -> None:
        """Any warp op."""
        name = instr.op.name
        if name == "warp_sync":
            self.define(instr, "")
        elif name.startswith("shfl"):
            self.define(instr, self._shuffle(instr))
        elif name == "match_any":
            self.define(instr, self._match_any(instr))
        elif name == "redux":
            self._finish(instr, self._reduced(instr))
        elif name == "match_all":
            self._finish(instr, self._match_all(instr))
        else:
            self._finish(instr, self._vote(instr))

    def _finish(self, instr: Instr, text: str) -> None:
        """Results are made in all lanes; where they are the same in all of the group, that of an active one is it."""
        if self.analysis.shape(instr).is_uniform:
            text = self.first_active(scalar_type(instr.type), text)
        self.define(instr, text)

    def first_active(self, element: str, text: str) -> str:
        """The value of the first active lane."""
        count = self.geometry.lanes
        if self.mask is None:
            return self.writer(f"extractelement <{count} x {element}> {text}, i64 0")
        bits = self.mask_bits(self.mask)
        place = self.writer.call(f"i{count}", f"llvm.cttz.i{count}", f"i{count} {bits}", "i1 false")
        return self.writer(f"extractelement <{count} x {element}> {text}, i{count} {place}")

    # --- who meets ----------------------------------------------------------------------------------------------

    def _lane_numbers(self) -> str:
        return vector("i32", [lane % WARP for lane in range(self.geometry.lanes)])

    def _ballot(self, condition: str) -> str:
        """In every lane, the bits of the condition in its warp."""
        writer, lanes, each = self.writer, self.geometry.lanes, self._segment
        bits = self.mask_bits(condition)
        if lanes <= WARP:
            one = bits if lanes == WARP else writer(f"zext i{lanes} {bits} to i32")
            return self.lift("i32", one, 0, 2)
        warps = lanes // each
        parts = writer(f"bitcast i{lanes} {bits} to <{warps} x i32>")
        return self.shuffle("i32", warps, parts, [lane // each for lane in range(lanes)])

    def _members(self, mask: Value) -> str | None:
        """In every lane, the lanes that it meets; None if that is all of a full group."""
        everyone = isinstance(mask, Constant) and mask.bits == 0xFFFF_FFFF
        if everyone and self.mask is None and self.geometry.lanes >= WARP:
            return None
        present = self._ballot(self.full_mask())
        return present if everyone else self.writer(f"and {self._i32} {present}, {self.at(mask, 2)}")

    # --- votes --------------------------------------------------------------------------------------------------

    def _vote(self, instr: Instr) -> str:
        writer, i32, name = self.writer, self._i32, instr.op.name
        if name == "activemask":
            return self._ballot(self.full_mask())
        members = self._members(instr.operands[0]) or "splat (i32 -1)"
        votes = self._ballot(self.both(self.mask, self.at(instr.operands[1], 2)))
        votes = writer(f"and {i32} {votes}, {members}")
        if name == "ballot":
            return votes
        some = writer(f"icmp ne {i32} {votes}, zeroinitializer")
        every = writer(f"icmp eq {i32} {votes}, {members}")
        if name == "vote_any":
            return some
        if name == "vote_all":
            return every
        none = writer(f"icmp eq {i32} {votes}, zeroinitializer")
        return writer(f"or <{self.geometry.lanes} x i1> {none}, {every}")

    # --- shuffles -----------------------------------------------------------------------------------------------

    def _shuffle(self, instr: Instr) -> str:
        mask, value, operand, width = instr.operands
        element, lanes, text = scalar_type(value.type), self.geometry.lanes, self.at(value, 2)
        if isinstance(operand, Constant) and isinstance(width, Constant):
            moved, wanted, valid = self._fixed(instr.op.name, element, text, operand.bits, max(width.bits, 1))
        else:
            wanted, valid = self._wanted(instr.op.name, operand, width)
            moved = self._moved(instr, element, text, wanted)
        members = self._members(mask)
        if members is not None:
            shifted = self.writer(f"lshr {self._i32} {members}, {self._within(wanted)}")
            there = self.writer(f"trunc {self._i32} {shifted} to <{lanes} x i1>")
            valid = self.writer(f"and <{lanes} x i1> {valid}, {there}") if valid else there
        if not valid:
            return moved
        kind = f"<{lanes} x {element}>"
        return self.writer(f"select <{lanes} x i1> {valid}, {kind} {moved}, {kind} {text}")

    def _fixed(self, name: str, element: str, text: str, by: int, size: int) -> tuple[str, str, str]:
        """(values moved, lanes read, "") where both are known: lanes without a source read themselves."""
        lanes, each = self.geometry.lanes, self._segment
        sources = [_source(name, lane % WARP, by, size) for lane in range(lanes)]
        sources = [lane % WARP if source is None else source for lane, source in enumerate(sources)]
        sources = [source if source < each else lane % WARP for lane, source in enumerate(sources)]
        order = [lane - lane % each + source for lane, source in enumerate(sources)]
        return self.shuffle(element, lanes, text, order), vector("i32", sources), ""

    def _within(self, wanted: str) -> str:
        return self.writer(f"and {self._i32} {wanted}, splat (i32 31)")

    def _remainder(self, a: Value | None, size: Value) -> str:
        """In every lane, a (its own number for None) mod the size; any size will do where nobody asks."""
        level = 2 if a is None or not (self.shape(a).is_uniform and self.shape(size).is_uniform) else 0
        dividend = self._lane_numbers() if a is None else self.at(a, level)
        rest = ELEMENTWISE["urem"](self.lanes(level), _remainder_of(size), [dividend, self.at(size, level)])
        return self.lift("i32", rest, level, 2)

    def _wanted(self, name: str, operand: Value, width: Value) -> tuple[str, str]:
        """In every lane: the lane that it reads, and whether that lies in its segment of the warp."""
        writer, i32, mine = self.writer, self._i32, self._lane_numbers()
        by, size = self.at(operand, 2), self.at(width, 2)
        inside = self._remainder(None, width)
        segment = writer(f"sub {i32} {mine}, {inside}")
        if name == "shfl_idx":
            wanted = writer(f"add {i32} {segment}, {self._remainder(operand, width)}")
            return wanted, writer(f"icmp ult {i32} {wanted}, splat (i32 {self._segment})")
        if name == "shfl_up":
            return writer(f"sub {i32} {mine}, {by}"), writer(f"icmp ule {i32} {by}, {inside}")
        room = self.lanes(2).call("umin", "i32", size, f"splat (i32 {WARP})")
        end = self.lanes(2).call("umin", "i32", writer(f"add {i32} {segment}, {room}"), f"splat (i32 {WARP})")
        if name == "shfl_down":
            wanted = writer(f"add {i32} {mine}, {by}")
            return wanted, writer(f"icmp ult {i32} {by}, {writer(f'sub {i32} {end}, {mine}')}")
        wanted = writer(f"xor {i32} {mine}, {by}")
        return wanted, writer(f"icmp ult {i32} {wanted}, {end}")

    def _moved(self, instr: Instr, element: str, text: str, wanted: str) -> str:
        """Each lane's value from the lane `wanted` of its warp (what comes from elsewhere does not matter)."""
        uniform = self.shape(instr.operands[2]).is_uniform
        if uniform and instr.op.name != "shfl_idx" and not self._has_permutation:
            return self._by_stages(instr.op.name, element, text, self.at(instr.operands[2], 0))
        return self._permuted(element, text, wanted)

    def _by_stages(self, name: str, element: str, text: str, by: str) -> str:
        lanes, each = self.geometry.lanes, self._segment
        kind = f"<{lanes} x {element}>"
        bit = each // 2
        while bit:
            order = [lane - lane % each + _neighbour(name, lane % each, bit) % each for lane in range(lanes)]
            moved = self.shuffle(element, lanes, text, order)
            has = self.writer(f"icmp ne i32 {self.writer(f'and i32 {by}, {bit}')}, 0")
            text = self.writer(f"select i1 {has}, {kind} {moved}, {kind} {text}")
            bit //= 2
        return text

    @property
    def _has_permutation(self) -> bool:
        """Whether the host permutes the 32 lanes of a warp by an index vector in two instructions."""
        return self.tier.name in ("avx512", "avx512-bf16") and self._segment == WARP

    def _permuted(self, element: str, text: str, wanted: str) -> str:
        """Each lane's value from the lane `wanted` mod the lanes of its warp."""
        return (self._by_registers if self._has_permutation else self._by_memory)(element, text, wanted)

    def _by_memory(self, element: str, text: str, wanted: str) -> str:
        """Lane by lane in a loop: a gather of all lanes is a long piece of code where the host has no fast one."""
        writer, lanes, each = self.writer, self.geometry.lanes, self._segment
        memory = "i8" if element == "i1" else element
        starts = vector("i32", [lane - lane % each for lane in range(lanes)])
        index = writer(f"add {self._i32} {starts}, {writer(f'and {self._i32} {wanted}, splat (i32 {each - 1})')}")
        source, places = self.spill(element, text), self.spill("i32", index)
        target = writer.alloca(f"[{lanes} x {memory}]", 64)
        with writer.counted(lanes, "move") as lane:
            place = writer.load("i32", writer(f"getelementptr i32, ptr {places}, i32 {lane}"))
            item = writer.load(memory, writer(f"getelementptr {memory}, ptr {source}, i32 {place}"))
            writer.do(f"store {memory} {item}, ptr {writer(f'getelementptr {memory}, ptr {target}, i32 {lane}')}")
        found = writer(f"load <{lanes} x {memory}>, ptr {target}, align 64")
        return writer(f"trunc <{lanes} x i8> {found} to <{lanes} x i1>") if element == "i1" else found

    def _by_registers(self, element: str, text: str, wanted: str) -> str:
        """As 32-bit words, by permutations of pairs of registers."""
        lanes = self.lanes(2)
        if element in ("double", "i64"):
            whole = lanes.cast("bitcast", element, text, "i64")
            high = lanes.binary("lshr", "i64", whole, lanes.constant("i64", 32))
            words = [self._words_permuted(lanes.cast("trunc", "i64", half, "i32"), wanted) for half in (whole, high)]
            low, high = (lanes.cast("zext", "i32", word, "i64") for word in words)
            high = lanes.binary("shl", "i64", high, lanes.constant("i64", 32))
            return lanes.cast("bitcast", "i64", lanes.binary("or", "i64", low, high), element)
        if element == "float":
            moved = self._words_permuted(lanes.cast("bitcast", "float", text, "i32"), wanted)
            return lanes.cast("bitcast", "i32", moved, "float")
        moved = self._words_permuted(lanes.cast("zext", element, text, "i32"), wanted)
        return lanes.cast("trunc", "i32", moved, element)

    def _words_permuted(self, text: str, wanted: str) -> str:
        half, count = "<16 x i32>", self.geometry.lanes // 16

        def parts(whole: str) -> list[str]:
            return [
                self.shuffle("i32", self.geometry.lanes, whole, list(range(16 * part, 16 * part + 16)))
                for part in range(count)
            ]

        values, places = parts(text), parts(wanted)
        moved = [
            self.writer.call(
                half,
                "llvm.x86.avx512.vpermi2var.d.512",
                f"{half} {values[part & ~1]}",
                f"{half} {places[part]}",
                f"{half} {values[part | 1]}",
            )
            for part in range(count)
        ]
        return self.join("i32", moved, 16)

    # --- matches and reductions ---------------------------------------------------------------------------------

    def _bits_of(self, value: Value) -> tuple[str, str]:
        """A value as integers: equality of matches is that of bits."""
        whole, kind = f"i{value.type.bits}", scalar_type(value.type)
        return whole, self.lanes(2).cast("bitcast", kind, self.at(value, 2), whole)

    def _match_any(self, instr: Instr) -> str:
        mask, value = instr.operands
        writer, lanes, each, i32 = self.writer, self.geometry.lanes, self._segment, self._i32
        element, text = self._bits_of(value)
        slot, total = self.spill(element, text), writer.alloca(i32)
        writer.do(f"store {i32} zeroinitializer, ptr {total}")
        with writer.counted(each, "match") as lane:
            others = self._others(element, slot, lane)
            same = writer(f"icmp eq <{lanes} x {element}> {others}, {text}")
            bit = self.lift("i32", writer(f"shl i32 1, {lane}"), 0, 2)
            mine = writer(f"select <{lanes} x i1> {same}, {i32} {bit}, {i32} zeroinitializer")
            joined = writer(f"or {i32} {writer.load(i32, total)}, {mine}")
            writer.do(f"store {i32} {joined}, ptr {total}")
        found = writer(f"load {i32}, ptr {total}")
        return writer(f"and {i32} {found}, {self._members(mask) or 'splat (i32 -1)'}")

    def _others(self, element: str, slot: str, lane: str) -> str:
        """In every lane, the value of one lane of its warp."""
        warps, each = self.geometry.lanes // self._segment, self._segment
        parts = [self.lane_of(element, slot, self.writer(f"add i32 {lane}, {warp * each}")) for warp in range(warps)]
        spread: list[str] = []
        for part in parts:
            first = self.writer(f"insertelement <{each} x {element}> poison, {element} {part}, i64 0")
            spread.append(self.shuffle(element, each, first, [0] * each))
        return self.join(element, spread, each)

    def _match_all(self, instr: Instr) -> str:
        mask, value = instr.operands
        members = self._members(mask) or "splat (i32 -1)"
        element, text = self._bits_of(value)
        lanes, i32 = self.geometry.lanes, self._i32
        lowest = self._lowest(members)
        other = self._permuted(element, text, lowest)
        same = self._ballot(self.both(self.mask, self.writer(f"icmp eq <{lanes} x {element}> {other}, {text}")))
        same = self.writer(f"and {i32} {same}, {members}")
        every = self.writer(f"icmp eq {i32} {same}, {members}")
        return self.writer(f"select <{lanes} x i1> {every}, {i32} {members}, {i32} zeroinitializer")

    def _lowest(self, members: str) -> str:
        return self.lanes(2).call_flagged("cttz", "i32", members)

    def _reduced(self, instr: Instr) -> str:
        mask, value = instr.operands
        members = self._members(mask)
        kind = str(instr.attr("combine"))
        if self.shape(mask).is_uniform:
            return self._by_halves(kind, self.at(value, 2), members)
        return self._one_by_one(kind, self.at(value, 2), members or "splat (i32 -1)")

    def _by_halves(self, kind: str, text: str, members: str | None) -> str:
        """One set of lanes per warp: the lanes of the other half are added until all are in."""
        lanes, each = self.geometry.lanes, self._segment
        if members is not None:
            own = vector("i32", [1 << lane % WARP for lane in range(lanes)])
            here = self.writer(
                f"icmp ne {self._i32} {self.writer(f'and {self._i32} {members}, {own}')}, zeroinitializer"
            )
            neutral = f"splat (i32 {_NEUTRAL[kind]})"
            text = self.writer(f"select <{lanes} x i1> {here}, {self._i32} {text}, {self._i32} {neutral}")
        bit = each // 2
        while bit:
            text = self._combined(kind, text, self.shuffle("i32", lanes, text, [lane ^ bit for lane in range(lanes)]))
            bit //= 2
        return text

    def _one_by_one(self, kind: str, text: str, members: str) -> str:
        writer, lanes, each, i32 = self.writer, self.geometry.lanes, self._segment, self._i32
        slot, total = self.spill("i32", text), writer.alloca(i32)
        writer.do(f"store {i32} splat (i32 {_NEUTRAL[kind]}), ptr {total}")
        with writer.counted(each, "reduce") as lane:
            others = self._others("i32", slot, lane)
            bit = self.lift("i32", writer(f"shl i32 1, {lane}"), 0, 2)
            here = writer(f"icmp ne {i32} {writer(f'and {i32} {members}, {bit}')}, zeroinitializer")
            old = writer(f"load {i32}, ptr {total}")
            new = self._combined(kind, old, others)
            chosen = writer(f"select <{lanes} x i1> {here}, {i32} {new}, {i32} {old}")
            writer.do(f"store {i32} {chosen}, ptr {total}")
        return writer(f"load {i32}, ptr {total}")

    def _combined(self, kind: str, a: str, b: str) -> str:
        if kind in ("add", "and", "or", "xor"):
            return self.lanes(2).binary(kind, "i32", a, b)
        return self.lanes(2).call(kind, "i32", a, b)


_NEUTRAL = {
    **dict.fromkeys(("add", "or", "xor", "umax"), 0),
    **dict.fromkeys(("and", "umin"), -1),
    "smin": (1 << 31) - 1,
    "smax": -(1 << 31),
}
"""What changes nothing when it is combined."""


def _remainder_of(size: Value) -> Instr:
    return Instr(lookup("urem"), [size, size])


def _neighbour(name: str, lane: int, bit: int) -> int:
    if name == "shfl_xor":
        return lane ^ bit
    return lane - bit if name == "shfl_up" else lane + bit


def _source(name: str, lane: int, by: int, size: int) -> int | None:
    """The lane that a lane of the warp reads; None for one that lies outside of its segment."""
    start = lane - lane % size
    if name == "shfl_idx":
        return start + by % size
    if name == "shfl_up":
        return lane - by if lane - by >= start else None
    other = lane ^ by if name == "shfl_xor" else lane + by
    return other if other < start + size else None
