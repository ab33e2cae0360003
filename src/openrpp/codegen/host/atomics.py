"""Atomics: lane by lane, in ascending order. Shared memory belongs to one worker, so plain updates do there."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from openrpp.codegen.host.access import Access
from openrpp.codegen.host.ops import ELEMENTWISE
from openrpp.codegen.host.writer import scalar_type
from openrpp.kir.ir import Instr, Value
from openrpp.kir.ops import lookup
from openrpp.kir.types import F32, F64, Space

_DIRECT = {
    "atomic_add": "add",
    "atomic_sub": "sub",
    "atomic_and": "and",
    "atomic_or": "or",
    "atomic_xor": "xor",
    "atomic_smin": "min",
    "atomic_smax": "max",
    "atomic_umin": "umin",
    "atomic_umax": "umax",
    "atomic_inc": "uinc_wrap",
    "atomic_dec": "udec_wrap",
    "atomic_xchg": "xchg",
}
_FOLLOWED = frozenset(("ptr_add", "add", "sub", "mul", "shl", "and", "zext", "sext"))
_OPERATION = {
    **{f"atomic_{name}": name for name in ("add", "sub", "and", "or", "xor", "smin", "smax", "umin", "umax")},
    "atomic_fadd": "fadd",
    "atomic_fmin": "fmin",
    "atomic_fmax": "fmax",
}


class Atomics(Access):
    """Emission of atomics, and of anything else that is done lane by lane."""

    @contextmanager
    def each_lane(self) -> Generator[str]:
        """Code for one active lane after another; gives the lane as i32."""
        writer, lanes = self.writer, self.geometry.lanes
        if self.mask is None:
            with writer.counted(lanes, "lane", unrolled=False) as lane:
                yield lane
            return
        kind, slot = f"i{lanes}", writer.alloca(f"i{lanes}")
        writer.do(f"store {kind} {self.mask_bits(self.mask)}, ptr {slot}")
        head, behind = writer.label("lane"), writer.label("end")
        writer.jump(head)
        writer.place(head)
        bits = writer(f"load {kind}, ptr {slot}")
        place = writer.call(kind, f"llvm.cttz.{kind}", f"{kind} {bits}", "i1 false")
        fits = "trunc" if lanes > 32 else "zext"
        yield place if lanes == 32 else writer(f"{fits} {kind} {place} to i32")
        rest = writer(f"and {kind} {bits}, {writer(f'add {kind} {bits}, -1')}")
        writer.do(f"store {kind} {rest}, ptr {slot}")
        writer.do(f"br i1 {writer(f'icmp ne {kind} {rest}, 0')}, label %{head}, label %{behind}")
        writer.place(behind)

    def spill(self, element: str, text: str) -> str:
        """Lanes in memory, so that they can be taken one by one."""
        count = self.geometry.lanes
        slot = self.writer.alloca(f"[{count} x {element}]", 64)
        kind = f"<{count} x {element}>"
        if element == "i1":
            wide = self.writer(f"zext {kind} {text} to <{count} x i8>")
            self.writer.do(f"store <{count} x i8> {wide}, ptr {slot}")
        else:
            self.writer.do(f"store {kind} {text}, ptr {slot}")
        return slot

    def lane_of(self, element: str, slot: str, lane: str) -> str:
        """One lane of what was spilled."""
        memory = "i8" if element == "i1" else element
        at = self.writer(f"getelementptr {memory}, ptr {slot}, i32 {lane}")
        text = self.writer(f"load {memory}, ptr {at}")
        return self.writer(f"trunc i8 {text} to i1") if element == "i1" else text

    def lane_values(self, values: list[Value]) -> list[tuple[str, str, bool]]:
        """(element type, slot or scalar, whether it is a slot) of each value."""
        found: list[tuple[str, str, bool]] = []
        for value in values:
            element = scalar_type(value.type)
            if self.shape(value).is_uniform:
                found.append((element, self.at(value, 0), False))
            else:
                found.append((element, self.spill(element, self.at(value, 2)), True))
        return found

    def taken(self, items: list[tuple[str, str, bool]], lane: str) -> list[str]:
        """The scalars of a lane."""
        return [self.lane_of(element, text, lane) if is_slot else text for element, text, is_slot in items]

    def atomic(self, instr: Instr) -> None:
        """An atomic update of every active lane."""
        kind, pointer = scalar_type(instr.type), instr.operands[0]
        space = self.space(pointer)
        window = self.window(pointer, space)
        leaf, path = self._narrowest(pointer)
        given = self.lane_values([leaf, *instr.operands[1:]])
        fixed = {item: self.at(item, 0) for step in path for item in step.operands if self.shape(item).is_uniform}
        result = self.writer.alloca(f"[{self.geometry.lanes} x {kind}]", 64)
        with self.each_lane() as lane:
            first, *operands = self.taken(given, lane)
            address = self._followed(path, {leaf: first, **fixed})
            at = self.host(address, pointer, space, 0, window)
            old = self._plain(instr, at, operands) if space is Space.SHARED else self._locked(instr, at, operands)
            self.writer.do(f"store {kind} {old}, ptr {self.writer(f'getelementptr {kind}, ptr {result}, i32 {lane}')}")
        level = 0 if self.geometry.lanes == 1 else 2
        self.define(instr, self.writer(f"load {self.type_at(instr.type, level)}, ptr {result}, align 64"))

    def _narrowest(self, pointer: Value) -> tuple[Value, list[Instr]]:
        """What of an address to take lane by lane, and how the address follows from it: a byte that is an index is
        spilled in an eighth of the memory.
        """
        best: tuple[Value, list[Instr]] = (pointer, [])
        value, path = pointer, list[Instr]()
        while isinstance(value, Instr) and value.op.name in _FOLLOWED and self._is_here(value):
            parts = [item for item in value.operands if not self.shape(item).is_uniform]
            if len(parts) != 1 or not self._is_here(parts[0]):
                break
            path, value = [value, *path], parts[0]
            if value.type.bytes < best[0].type.bytes:
                best = (value, path)
        return best

    def _is_here(self, value: Value) -> bool:
        """Whether a value was computed in this block, so that it is at hand."""
        return self.piece.cfg.definitions.get(value) is self.block and value not in self.slots

    def _followed(self, path: list[Instr], known: dict[Value, str]) -> str:
        """The address of one lane from the value that was taken, the last of `known` before any step."""
        lanes, text = self.lanes(0), next(iter(known.values()))
        for instr in path:
            texts = [known[item] for item in instr.operands]
            if instr.op.name == "ptr_add":
                offset = lanes.cast("sext", scalar_type(instr.operands[1].type), texts[1], "i64")
                text = lanes.binary("add", "i64", texts[0], offset)
            else:
                text = ELEMENTWISE[instr.op.name](lanes, instr, texts)
            known[instr] = text
        return text

    def _plain(self, instr: Instr, at: str, operands: list[str]) -> str:
        kind = scalar_type(instr.type)
        old = self.writer(f"load {kind}, ptr {at}")
        self.writer.do(f"store {kind} {self._updated(instr, old, operands)}, ptr {at}")
        return old

    def _updated(self, instr: Instr, old: str, operands: list[str]) -> str:
        lanes, kind, name = self.lanes(0), scalar_type(instr.type), instr.op.name
        if name == "atomic_xchg":
            return operands[0]
        if name == "atomic_cas":
            return lanes.select(lanes.compare("icmp eq", kind, old, operands[0]), kind, operands[1], old)
        if name in ("atomic_inc", "atomic_dec"):
            return self._counted(instr, old, operands[0])
        op = lookup(_OPERATION[name])
        value = instr.operands[1]
        return ELEMENTWISE[op.name](lanes, Instr(op, [value, value]), [old, operands[0]])

    def _counted(self, instr: Instr, old: str, limit: str) -> str:
        lanes, kind = self.lanes(0), scalar_type(instr.type)
        above = lanes.compare("icmp uge" if instr.op.name == "atomic_inc" else "icmp ugt", kind, old, limit)
        if instr.op.name == "atomic_inc":
            return lanes.select(above, kind, "0", lanes.binary("add", kind, old, "1"))
        zero = lanes.binary("or", "i1", above, lanes.compare("icmp eq", kind, old, "0"))
        return lanes.select(zero, kind, limit, lanes.binary("sub", kind, old, "1"))

    def _locked(self, instr: Instr, at: str, operands: list[str]) -> str:
        kind, name, align = scalar_type(instr.type), instr.op.name, instr.type.bytes
        if name == "atomic_cas":
            pair = self.writer(
                f"cmpxchg ptr {at}, {kind} {operands[0]}, {kind} {operands[1]} seq_cst seq_cst, align {align}"
            )
            return self.writer(f"extractvalue {{{kind}, i1}} {pair}, 0")
        if name in _DIRECT:
            return self.writer(f"atomicrmw {_DIRECT[name]} ptr {at}, {kind} {operands[0]} seq_cst, align {align}")
        if name == "atomic_fadd" and instr.type in (F32, F64):
            return self.writer(f"atomicrmw fadd ptr {at}, {kind} {operands[0]} seq_cst, align {align}")
        return self._exchanged(instr, at, operands)

    def _exchanged(self, instr: Instr, at: str, operands: list[str]) -> str:
        """An update for which there is no instruction: tried again only if another worker came between."""
        writer, kind, align = self.writer, scalar_type(instr.type), instr.type.bytes
        whole = f"i{instr.type.bits}"
        slot, head, behind = writer.alloca(whole), writer.label("try"), writer.label("end")
        writer.do(f"store {whole} {writer(f'load atomic {whole}, ptr {at} monotonic, align {align}')}, ptr {slot}")
        writer.jump(head)
        writer.place(head)
        bits = writer(f"load {whole}, ptr {slot}")
        old = self.lanes(0).cast("bitcast", whole, bits, kind)
        new = self.lanes(0).cast("bitcast", kind, self._updated(instr, old, operands), whole)
        pair = writer(f"cmpxchg ptr {at}, {whole} {bits}, {whole} {new} seq_cst seq_cst, align {align}")
        writer.do(f"store {whole} {writer(f'extractvalue {{{whole}, i1}} {pair}, 0')}, ptr {slot}")
        done = writer(f"extractvalue {{{whole}, i1}} {pair}, 1")
        writer.do(f"br i1 {done}, label %{behind}, label %{head}")
        writer.place(behind)
        return old
