"""Vector registers of a block and the execution of one column over a range of lanes.

Order inside a column (specification 4.1): the memory port works on entry state, its loads of MA and MB are seen by the
switch box and the processing element, everything else becomes visible at the next column.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openrpp.isa.form import Kind, Op
from openrpp.isa.numeric import Numerics, dot_even_odd, mask_selects, merge
from openrpp.isa.registers import HALF_CODES, PAIR_CODES
from openrpp.isa.table.port import Lanes
from openrpp.machine import extended
from openrpp.machine.banks import WARP
from openrpp.machine.code import DVA, ColumnCode, VectorOp
from openrpp.machine.faults import AccessError, Misaligned, OutOfBounds
from openrpp.machine.memory import Memory

assert sys.byteorder == "little", "register pairs are views of 32-bit words: a little-endian host is needed"

U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
MA, MB = 6, 7
_NUMBER_KINDS = {Kind.S16, Kind.S32, Kind.S64, Kind.IMM, Kind.LABEL, Kind.FRAM}
_WIDE = {Kind.S32, Kind.V32, Kind.A32, Kind.LOAD32, Kind.STORE32}


def lanes_of(x: int, y: int, n: int) -> Lanes:
    """Positions of n lanes in a block of rows of x lanes and planes of y rows; zero extents count as one."""
    i = np.arange(n, dtype=np.uint32)
    width, height = np.uint32(max(x, 1)), np.uint32(max(y, 1))
    return Lanes(i, i % width, i // width % height, i // (width * height))


class Vectors:
    """Vector registers of all lanes: pairs as 32-bit arrays, halves as 16-bit views of them."""

    def __init__(self, lanes: int) -> None:
        self.pairs: dict[int, U32] = {code: np.zeros(lanes, np.uint32) for code in PAIR_CODES.values()}
        self.halves: dict[int, U16] = {}
        for code in HALF_CODES.values():
            both = self.pairs[code & ~1].view(np.uint16).reshape(-1, 2)
            self.halves[code] = both[:, code & 1]

    def clear(self) -> None:
        """Forget all values, as at the start of a block."""
        for values in self.pairs.values():
            values.fill(0)


class Datapath:
    """Executes columns: registers, on-chip memory and the numeric settings of a card."""

    def __init__(self, memory: Memory, numerics: Numerics, vectors: Vectors, ben_high_byte: str) -> None:
        self.memory = memory
        self.numerics = numerics
        self.vectors = vectors
        self.undefined_byte = ben_high_byte == "undefined"
        self.sram16 = memory.sram16
        self.vote = 0
        self.compared: NDArray[np.uint64] | None = None  # of the column's ATOMCMP
        self.sram_base = memory.sram.base
        self.sram_end = memory.sram.end

    # --- operands ---------------------------------------------------------------------------------------------

    def _source(self, op: Op, name: str, part: slice, captured: dict[str, int]) -> Any:
        if name == "DVA":
            return self.vectors.pairs[DVA][part]
        if name == "MB":
            return self.vectors.halves[MB][part]
        kind, value = op.form.operands[name].kind, op.values[name]
        if kind is Kind.S64:
            return np.asarray(captured[name], np.uint64)
        if kind in _NUMBER_KINDS:
            wide = kind is Kind.S32 or (kind is Kind.IMM and _immediate_is_wide(op))
            return np.asarray(captured.get(name, value), np.uint32 if wide else np.uint16)
        if kind in _WIDE:
            return self.vectors.pairs[value][part]
        return self.vectors.halves[value][part]

    # --- memory ------------------------------------------------------------------------------------------------

    def indices(self, addresses: U32) -> NDArray[np.uint32]:
        """SRAM word indices of byte addresses. Raises AccessError outside SRAM or at odd addresses."""
        offsets = addresses - np.uint32(self.sram_base)
        if offsets.size and (int(offsets.max()) > self.sram_end - self.sram_base - 2):
            bad = int(np.argmax(offsets > self.sram_end - self.sram_base - 2))
            self._outside(bad, int(addresses[bad]))
        if offsets.size and int(np.bitwise_or.reduce(offsets)) & 1:
            bad = int(np.argmax(offsets & 1))
            where = int(addresses[bad])
            raise AccessError(Misaligned, "a 16-bit access needs an even address", bad, where)
        return offsets >> np.uint32(1)

    def _outside(self, lane: int, address: int) -> None:
        limits = f"SRAM is {self.sram_base:#x} to {self.sram_end - 1:#x}"
        raise AccessError(OutOfBounds, f"the memory port reaches SRAM only; {limits}", lane, address)

    def addresses(self, op: VectorOp, lanes: Lanes, part: slice, captured: dict[str, int]) -> U32:
        """Byte address per lane of a port operation, or the new DVA of an address operation."""
        define = op.form.define
        assert define is not None
        wide = [self._port_source(op.op, name, part, captured) for name in op.form.sources]
        return define(self.numerics, lanes, *wide)

    def _port_source(self, op: Op, name: str, part: slice, captured: dict[str, int]) -> Any:
        value = self._source(op, name, part, captured)
        if value.ndim:
            return value
        return value[()] if value.dtype == np.uint64 else np.uint32(value)

    def _load_bytes(self, addresses: U32) -> U16:
        offsets = addresses - np.uint32(self.sram_base)
        if offsets.size and int(offsets.max()) >= self.sram_end - self.sram_base:
            bad = int(np.argmax(offsets))
            self._outside(bad, int(addresses[bad]))
        return self.memory.sram.data[offsets].astype(np.uint16)

    def warp_vector(self, op: VectorOp, captured: dict[str, int]) -> U16:
        """The 256 words of an LDWARP, as rows of 32 lanes."""
        base = captured["base"]
        words = self.indices(np.uint32(base) + 2 * np.arange(256, dtype=np.uint32))
        return self.sram16[words].reshape(-1, WARP)

    def dot(self, addresses: U32, warp: U16, length: int, first_lane: int) -> U32:
        """LDLANE_BFMAD over lanes: bf16 dot products of `length` terms as float32 bits."""
        if not 0 < length <= warp.shape[0]:
            sentence = f"LDLANE_BFMAD of {length} terms; WARPVEC holds 1 to {warp.shape[0]} per lane"
            raise AccessError(OutOfBounds, sentence, 0, int(addresses[0]))
        right = (warp[:length].astype(np.uint32) << np.uint32(16)).view(np.float32)
        count = addresses.size
        rows = addresses.reshape(-1, WARP) if count % WARP == 0 and first_lane % WARP == 0 else None
        if rows is not None and bool(np.all(rows == rows[:, :1])):
            words = self._vectors(rows[:, 0], length)
            products = [words[:, k, None] * right[k] for k in range(length)]
        else:
            words = self._vectors(addresses, length)
            lane = (np.arange(count) + first_lane) % WARP
            products = [words[:, k] * right[k, lane] for k in range(length)]
        return np.ascontiguousarray(dot_even_odd(products)).reshape(-1).view(np.uint32)

    def _vectors(self, addresses: U32, length: int) -> NDArray[np.float32]:
        first = self.indices(addresses)
        self.indices(addresses + np.uint32(2 * (length - 1)))
        words = self.sram16[first[:, None] + np.arange(length, dtype=np.uint32)]
        return (words.astype(np.uint32) << np.uint32(16)).view(np.float32)

    # --- one column ----------------------------------------------------------------------------------------------

    def run(self, column: ColumnCode, captured: Sequence[dict[str, int]], lanes: Lanes, part: slice) -> None:
        """Execute a column for the lanes of `part`; `captured`: scalars of each port operation, then of the PE."""
        pending: list[tuple[Any, Any]] = []
        warp: U16 | None = None
        for op, scalars in zip(column.port, captured, strict=False):
            try:
                if op.form.effect == "warp-load":
                    warp = self.warp_vector(op, scalars)
                elif op.form.effect == "compare":
                    self.compared = extended.joined(self, op, "k", "m", part)
                elif op.form.effect in ("dot", "dot-int8"):
                    assert warp is not None, "decoding refuses a dot product without LDWARP"
                    self.vectors.pairs[MA][part] = self._dot(op, warp, scalars, lanes, part)
                else:
                    self._access(op, scalars, lanes, part, pending)
            except AccessError as error:
                error.word = op.word
                raise
        result = self._process(column.pe, captured[-1], lanes, part) if column.pe else None
        for source, target in column.moves:
            self.vectors.halves[target][part] = self.vectors.halves[source][part]
        for target, values in pending:
            target[part] = values
        if result is not None:
            self._result(column.pe, part)[:] = result

    def _dot(self, op: VectorOp, warp: U16, captured: dict[str, int], lanes: Lanes, part: slice) -> Any:
        addresses = self.addresses(op, lanes, part, captured)
        if op.form.effect == "dot":
            return self.dot(addresses, warp, captured["l"], part.start)
        return extended.int8_dot(self, addresses, warp, captured["l"], part.start)

    def _result(self, pe: VectorOp | None, part: slice) -> Any:
        assert pe is not None
        return self.vectors.pairs[4][part] if pe.form.width == 32 else self.vectors.halves[4][part]

    def _process(self, pe: VectorOp | None, captured: dict[str, int], lanes: Lanes, part: slice) -> Any:
        assert pe is not None
        define = pe.form.define
        assert define is not None
        if pe.form.effect == "merge-mask":
            chosen = mask_selects(self.numerics, captured["m"], lanes.i % WARP)
            first, second = (self._source(pe.op, name, part, captured) for name in ("a", "b"))
            return merge(self.numerics, first, second, chosen)
        if pe.form.effect == "vote":
            self.vote = int(define(self.numerics, self._source(pe.op, "p", part, captured)))
            return None
        if pe.form.effect == "shuffle":
            sources = [self._source(pe.op, name, part, captured) for name in pe.form.sources]
            rows = [extended.by_warp(values) if values.ndim else values for values in sources]
            return define(self.numerics, *rows).reshape(-1)[: lanes.i.size]
        return define(self.numerics, *(self._source(pe.op, name, part, captured) for name in pe.form.sources))

    def _access(
        self, op: VectorOp, captured: dict[str, int], lanes: Lanes, part: slice, pending: list[tuple[Any, Any]]
    ) -> None:
        addresses = self.addresses(op, lanes, part, captured)
        effect = op.form.effect
        if effect == "address":
            # A copy: MMOV gives the register itself, which a load of this column may overwrite first.
            pending.append((self.vectors.pairs[DVA], addresses.copy()))
            return
        register = op.op.values["r"]
        if effect in extended.EFFECTS:
            self._extended(op, addresses, register, part, pending)
            return
        if effect.startswith("store"):
            self._store(op, addresses, register, part)
            return
        values = self._load(op, addresses, captured, lanes)
        if register in (MA, MB):
            self.vectors.halves[register][part] = values
        else:
            pending.append((self.vectors.halves[register], values))

    def _extended(
        self, op: VectorOp, addresses: Any, register: int, part: slice, pending: list[tuple[Any, Any]]
    ) -> None:
        values = extended.access(self, op, addresses, part)
        if values is None:
            return
        if op.form.effect == "atomic":
            register = MA
            if op.form.width == 64:
                high = (values >> np.uint64(32)).astype(np.uint32)
                self._loaded(op.op.values["d"], high, part, pending)
                values = values.astype(np.uint32)
        if op.form.width >= 32:
            self._loaded(register, values, part, pending)
        elif register in (MA, MB):
            self.vectors.halves[register][part] = values
        else:
            pending.append((self.vectors.halves[register], values))

    def _loaded(self, pair: int, values: U32, part: slice, pending: list[tuple[Any, Any]]) -> None:
        """A pair gets what was loaded: MAB now, others at the end of the column."""
        if pair == MA:
            self.vectors.pairs[pair][part] = values
        else:
            pending.append((self.vectors.pairs[pair], values))

    def _load(self, op: VectorOp, addresses: U32, captured: dict[str, int], lanes: Lanes) -> U16:
        effect = op.form.effect
        if effect == "load-byte":
            values = self._load_bytes(addresses)
            return values | np.uint16(0xFF00) if self.undefined_byte else values
        if effect == "load-masked":
            chosen = mask_selects(self.numerics, captured["m"], lanes.i % WARP)
            values = np.zeros(addresses.size, np.uint16)
            values[chosen] = self.sram16[self._indices_of(addresses, chosen)]
            return values
        return self.sram16[self.indices(addresses)]

    def _indices_of(self, addresses: U32, chosen: NDArray[np.bool_]) -> NDArray[np.uint32]:
        """Word indices of the chosen lanes; a refused access names the lane in the whole range."""
        try:
            return self.indices(addresses[chosen])
        except AccessError as error:
            error.lane = int(np.flatnonzero(chosen)[error.lane])
            raise

    def _store(self, op: VectorOp, addresses: U32, register: int, part: slice) -> None:
        values = self.vectors.halves[register][part]
        if op.form.effect == "store-masked":
            chosen = self.vectors.halves[op.op.values["c"]][part] != 0
            self.sram16[self._indices_of(addresses, chosen)] = values[chosen]
            return
        self.sram16[self.indices(addresses)] = values


def _immediate_is_wide(op: Op) -> bool:
    """Immediates have the width of the operation's first vector operand, or of its result where it has none."""
    first = op.form.operands.get("a")
    if first is None or first.kind is Kind.IMM:
        return op.form.width == 32
    return first.kind in _WIDE
