"""What the timing of a launch needs from whoever runs it: which lanes went where, and the addresses of gathers.

Code that is compiled to be watched appends a record at every branch and at every access whose addresses are not affine,
for the blocks that the launch asks for: site, block, barriers passed and group, the active lanes, then the lanes that
take each edge, or the address of each lane.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from openrpp.codegen.host.context import Context
from openrpp.codegen.host.sides import Branch, Gather, Sides
from openrpp.codegen.host.writer import scalar_type
from openrpp.kir.ir import Block, Instr, Value
from openrpp.kir.ops.form import Effect

HEADER_WORDS = 3


def mask_words(lanes: int) -> int:
    """64-bit words of a mask in a record."""
    return -(-lanes // 64)


class Watch(Sides):
    """Emission of records."""

    is_watched: bool

    @property
    def _mask_words(self) -> int:
        """Words of a mask."""
        return mask_words(self.geometry.lanes)

    @contextmanager
    def _record(self, site: int, active: str, words: int) -> Generator[str]:
        """Room for a record, its header and the mask written; gives the place of the rest."""
        writer, size = self.writer, HEADER_WORDS + self._mask_words + words
        with writer.when("%watched", "watch"):
            buffer = writer(f"getelementptr i64, ptr %stop, i64 {Context.WATCH - Context.PRINT}")
            at = writer(f"call ptr @reserve(ptr {buffer}, i64 {8 * size})")
            with writer.when(writer(f"icmp ne ptr {at}, null"), "record"):
                moment = writer(f"shl i64 {writer('zext i32 %epoch to i64')}, 32")
                moment = writer(f"or i64 {moment}, {writer('zext i32 %g to i64')}")
                for index, word in enumerate((str(site + 1), "%number", moment)):
                    writer.do(f"store i64 {word}, ptr {self._word(at, index)}, align 8")
                self._store_mask(self._word(at, HEADER_WORDS), 0, active)
                yield self._word(at, HEADER_WORDS + self._mask_words)

    def _word(self, place: str, index: int) -> str:
        return self.writer(f"getelementptr i64, ptr {place}, i64 {index}") if index else place

    def _store_mask(self, place: str, index: int, bits: str) -> None:
        lanes, whole = f"i{self.geometry.lanes}", f"i{64 * self._mask_words}"
        wide = self.lanes(0).cast("zext", lanes, bits, whole)
        self.writer.do(f"store {whole} {wide}, ptr {self._word(place, index)}, align 8")

    def watch_branch(self, block: Block, conditions: list[str], level: int) -> None:
        """Record which lanes take each edge."""
        if not self.is_watched:
            return
        origin = self.piece.origin[block]
        site = self.sites.watching(Branch(origin, len(conditions)))
        taken: list[str] = []
        kind = f"i{self.geometry.lanes}"
        full = self.mask_bits(self.full_mask())
        for condition in conditions:
            if level:
                taken.append(self.mask_bits(self.both(self.mask, condition)))
            else:
                taken.append(self.writer(f"select i1 {condition}, {kind} {full}, {kind} 0"))
        with self._record(site, full, len(taken) * self._mask_words) as place:
            for index, bits in enumerate(taken):
                self._store_mask(place, index * self._mask_words, bits)

    def watch_access(self, instr: Instr) -> None:
        """Record the addresses of a gather, scatter, table lookup or atomic."""
        if not self.is_watched:
            return
        pointer = instr.operands[1] if instr.effect is Effect.STORE else instr.operands[0]
        others = [instr.operands[1]] if instr.op.name == "lut" else []
        if all(self.address_shape(value).level < 2 for value in (pointer, *others)):
            return
        site = self.sites.watching(Gather(instr))
        addresses = self._addresses(pointer, others)
        lanes = self.geometry.lanes
        with self._record(site, self.mask_bits(self.full_mask()), lanes) as place:
            self.writer.do(f"store <{lanes} x i64> {addresses}, ptr {place}, align 8")

    def _addresses(self, pointer: Value, index: list[Value]) -> str:
        address, lanes = self.at(pointer, 2), self.lanes(2)
        for item in index:
            offset = lanes.cast("zext", scalar_type(item.type), self.at(item, 2), "i64")
            address = lanes.binary("add", "i64", address, lanes.binary("shl", "i64", offset, lanes.constant("i64", 1)))
        return address
