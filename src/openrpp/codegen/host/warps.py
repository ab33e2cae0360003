"""Warp ops, on vectors of whole warps: shuffles, votes, matches.

The lanes that meet are those that are active here and named by the mask. A shuffle by the same distance in all lanes is
made of five exchanges that LLVM folds to one where it knows the distance.
"""

from __future__ import annotations

from openrpp.codegen.host.atomics import Atomics
from openrpp.codegen.host.writer import scalar_type, vector
from openrpp.kir.ir import Constant, Instr, Value

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
        element = scalar_type(value.type)
        text = self.at(value, 2)
        segment, wanted, valid = self._wanted(instr.op.name, operand, width)
        members = self._members(mask)
        if members is not None:
            shifted = self.writer(f"lshr {self._i32} {members}, {self._within(wanted)}")
            there = self.writer(f"trunc {self._i32} {shifted} to <{self.geometry.lanes} x i1>")
            valid = self.writer(f"and <{self.geometry.lanes} x i1> {valid}, {there}")
        moved = self._moved(instr, element, text, wanted)
        kind = f"<{self.geometry.lanes} x {element}>"
        return self.writer(f"select <{self.geometry.lanes} x i1> {valid}, {kind} {moved}, {kind} {text}")

    def _within(self, wanted: str) -> str:
        return self.writer(f"and {self._i32} {wanted}, splat (i32 31)")

    def _wanted(self, name: str, operand: Value, width: Value) -> tuple[str, str, str]:
        """In every lane: the start of its segment, the lane that it reads, whether that lies in the segment."""
        writer, i32, mine = self.writer, self._i32, self._lane_numbers()
        by, size = self.at(operand, 2), self.at(width, 2)
        if isinstance(width, Constant) and width.bits == WARP:
            segment = "zeroinitializer"
        else:
            segment = writer(f"sub {i32} {mine}, {writer(f'urem {i32} {mine}, {size}')}")
        end = writer(f"add {i32} {segment}, {size}")
        if name == "shfl_idx":
            wanted = writer(f"add {i32} {segment}, {writer(f'urem {i32} {by}, {size}')}")
            return segment, wanted, writer(f"icmp ult {i32} {wanted}, splat (i32 {self._segment})")
        if name == "shfl_up":
            wanted = writer(f"sub {i32} {mine}, {by}")
            room = writer(f"sub {i32} {mine}, {segment}")
            return segment, wanted, writer(f"icmp ule {i32} {by}, {room}")
        if name == "shfl_down":
            wanted = writer(f"add {i32} {mine}, {by}")
            room = writer(f"sub {i32} {end}, {mine}")
            return segment, wanted, writer(f"icmp ult {i32} {by}, {room}")
        wanted = writer(f"xor {i32} {mine}, {by}")
        return segment, wanted, writer(f"icmp ult {i32} {wanted}, {end}")

    def _moved(self, instr: Instr, element: str, text: str, wanted: str) -> str:
        """Each lane's value from the lane `wanted` of its warp (what comes from elsewhere does not matter)."""
        uniform = self.shape(instr.operands[2]).is_uniform
        if uniform and instr.op.name != "shfl_idx":
            return self._by_stages(instr.op.name, element, text, self.at(instr.operands[2], 0))
        return self._permuted(element, text, wanted)

    def _by_stages(self, name: str, element: str, text: str, by: str) -> str:
        lanes, each = self.geometry.lanes, self._segment
        kind = f"<{lanes} x {element}>"
        bit = each // 2
        while bit:
            order = [lane - lane % each + _source(name, lane % each, bit) % each for lane in range(lanes)]
            moved = self.shuffle(element, lanes, text, order)
            has = self.writer(f"icmp ne i32 {self.writer(f'and i32 {by}, {bit}')}, 0")
            text = self.writer(f"select i1 {has}, {kind} {moved}, {kind} {text}")
            bit //= 2
        return text

    def _permuted(self, element: str, text: str, wanted: str) -> str:
        """By way of memory."""
        writer, lanes, each = self.writer, self.geometry.lanes, self._segment
        slot = self.spill(element, text)
        starts = vector("i32", [lane - lane % each for lane in range(lanes)])
        index = writer(f"add {self._i32} {starts}, {writer(f'and {self._i32} {wanted}, splat (i32 {each - 1})')}")
        memory = "i8" if element == "i1" else element
        at = writer(f"getelementptr {memory}, ptr {slot}, {self._i32} {index}")
        found = self._gather_at(at, memory, 1, lanes, None)
        return writer(f"trunc <{lanes} x i8> {found} to <{lanes} x i1>") if element == "i1" else found

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
        writer, lanes, each, i32 = self.writer, self.geometry.lanes, self._segment, self._i32
        members = self._members(mask) or "splat (i32 -1)"
        slot, total = self.spill("i32", self.at(value, 2)), writer.alloca(i32)
        first = self._permuted("i32", self.at(value, 2), self._lowest(members))
        kind = str(instr.attr("combine"))
        neutral = "zeroinitializer" if kind in ("add", "xor") else first
        writer.do(f"store {i32} {neutral}, ptr {total}")
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


def _source(name: str, lane: int, bit: int) -> int:
    if name == "shfl_xor":
        return lane ^ bit
    return lane - bit if name == "shfl_up" else lane + bit
