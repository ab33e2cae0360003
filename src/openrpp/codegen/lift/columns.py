"""Columns in kernel IR: the port on entry state, then the processing element and the switch box, then commits.

Where a column has fewer lanes than the block of the kernel IR has threads, the other threads touch no memory; they
compute along, and keep their registers only where the block may grow again.
"""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.arch import Card
from openrpp.codegen.lift.arithmetic import Arithmetic
from openrpp.codegen.lift.doubles import word_of
from openrpp.codegen.lift.emit import ALL_LANES, WARP, Emitter
from openrpp.codegen.lift.graph import AT_RUN_TIME, READS, SHAPE, WRITES, Graph, Node, Spot, access_kind
from openrpp.codegen.lift.lanes import Lanes, Positions
from openrpp.codegen.lift.port import MA, MB, Memories, Port
from openrpp.codegen.lift.registers import Registers
from openrpp.codegen.lift.sampling import Sampling
from openrpp.isa.form import Kind
from openrpp.isa.numeric import Numerics
from openrpp.kir.ir import Value
from openrpp.kir.types import I16, I32
from openrpp.machine.code import DVA, ColumnCode, VectorOp

VA = 4
_NUMBERS = (Kind.S16, Kind.S32, Kind.IMM)
_WIDE = (Kind.S32, Kind.V32, Kind.A32, Kind.LOAD32, Kind.STORE32)


@dataclass(frozen=True)
class _Write:
    """A register and its new value."""

    code: int
    wide: bool
    value: Value


class Columns:
    """Emission of columns, for a lifter that keeps the registers."""

    to: Emitter
    card: Card
    graph: Graph
    numerics: Numerics
    arithmetic: Arithmetic
    memories: Memories
    positions: Positions
    sampling: Sampling
    terms: frozenset[int] | None
    scalars: Registers
    vectors: Registers
    pseudo: dict[int, Value]
    columns: int
    touched: int
    lanes: dict[tuple[Value, ...], Lanes]

    def scalar(self, number: int, width: int) -> Value:
        """A scalar operand."""
        raise NotImplementedError

    def learn(self, value: Value, when: Value | None = None) -> None:
        """Append a value to the log of what the program learned from data."""
        raise NotImplementedError

    def fault_unless(self, holds: Value, number: int, detail: Value) -> None:
        """Stop the launch where a condition, the same in all lanes, does not hold."""
        raise NotImplementedError

    def fault_number(self, sentence: str, word: int) -> int:
        """The number of a fault of an access."""
        raise NotImplementedError

    # --- meetings and guards --------------------------------------------------------------------------------------

    def positions_at(self, spot: Spot) -> Lanes:
        """Where the lanes stand in the shape of a spot."""
        if spot.shape != AT_RUN_TIME:
            return self.positions.known[spot.shape]
        extents = tuple(self.pseudo[SHAPE + part] for part in range(3))
        if extents not in self.lanes:
            self.lanes[extents] = self.positions.at_run_time(*extents)
        return self.lanes[extents]

    def before_access(self, kind: int) -> None:
        """Lanes of a warp meet before an access that another lane's access must not overtake."""
        if (kind & WRITES and self.touched) or (kind & READS and self.touched & WRITES):
            self.to("warp_sync", self.to.number(I32, ALL_LANES))
            self.touched = 0
        self.touched |= kind

    # --- one column -----------------------------------------------------------------------------------------------

    def column(self, node: Node) -> None:
        """Emit a column."""
        column = node.column
        assert column is not None
        self.columns += 1
        lanes = self.positions_at(node.spot)
        kept = lanes.active if self.graph.partial[node.spot.shape] else None
        writes = self._port(column, lanes, kept, node.spot.shape.n)
        pe = column.pe
        convergent = pe is not None and pe.form.effect in ("vote", "shuffle")
        result = self._convergent(pe, lanes) if pe and convergent else self._result(pe, lanes)
        moves = [_Write(target, False, self.vectors.half(source)) for source, target in column.moves]
        for write in (*moves, *writes):
            self._write(write, kept)
        if result is not None and pe is not None:
            self._write(_Write(VA, pe.form.width == 32, result), kept)

    def _port(self, column: ColumnCode, lanes: Lanes, kept: Value | None, count: int | None) -> list[_Write]:
        """The port's operations in order, of `count` lanes if that is known; what they write beside MA and MB."""
        port, warp = Port(self, lanes, self.terms), None
        writes: list[_Write] = []
        for op in column.port:
            effect = op.form.effect
            self.before_access(access_kind(effect))
            if effect == "address":
                writes.append(_Write(DVA, True, port.address_operation(op)))
            elif effect == "warp-load":
                warp = port.warp_vector(op)
            elif effect.startswith("dot"):
                assert warp is not None, "decoding refuses a dot product without LDWARP"
                self._write(_Write(MA, True, port.dot(op, warp)), kept)
            elif effect == "compare":
                port.compare(op)
            elif effect == "atomic":
                writes += self._updated(op, port.atomic(op), kept)
            elif effect.startswith("store"):
                port.store(op)
            else:
                write = _Write(op.op.values["r"], op.form.width == 32, port.load(op))
                if write.code in (MA, MB):
                    self._write(write, kept)
                else:
                    writes.append(write)
        if count is not None and self.sampling.watches(column):
            self.sampling.record(column, port, count, lanes.i, self.positions.threads)
        return writes

    def _updated(self, op: VectorOp, old: Value, kept: Value | None) -> list[_Write]:
        """An atomic's old value goes to MAB; the high word of 64 bits to a pair of its own."""
        self._write(_Write(MA, True, self.to.resized(old, I32)), kept)
        if op.form.width == 32 or op.op.values["d"] == MA:
            return []
        return [_Write(op.op.values["d"], True, word_of(self.to, old, "HIGH"))]

    def _write(self, write: _Write, kept: Value | None) -> None:
        """Write a register; lanes that do not take part keep it where `kept` says which do."""
        value = write.value
        if kept is not None:
            old = self.vectors.pair(write.code) if write.wide else self.vectors.half(write.code)
            value = self.to.chosen(kept, value, old)
        if write.wide:
            self.vectors.set_pair(write.code, value)
        else:
            self.vectors.set_half(write.code, value)

    def _source(self, op: VectorOp, name: str) -> Value:
        if name == "MB":
            return self.vectors.half(MB)
        kind, value = op.form.operands[name].kind, op.op.values[name]
        if kind is Kind.IMM:
            return self.to.number(I32 if _immediate_is_wide(op) else I16, value)
        if kind in _NUMBERS:
            return self.scalar(value, 32 if kind is Kind.S32 else 16)
        return self.vectors.pair(value) if kind in _WIDE else self.vectors.half(value)

    def _result(self, pe: VectorOp | None, lanes: Lanes) -> Value | None:
        """What the processing element writes to VA or VAB."""
        if pe is None:
            return None
        sources = [self._source(pe, name) for name in pe.form.sources]
        if pe.form.effect == "merge-mask":
            sources[2] = Port(self, lanes, self.terms).selected(sources[2])
        return self.arithmetic.result(pe.form.name, sources)

    # --- operations at which lanes meet ---------------------------------------------------------------------------

    def _convergent(self, pe: VectorOp, lanes: Lanes) -> Value | None:
        """A vote, ballot or shuffle of all lanes; lanes outside the shape count as zero."""
        sources = [self._source(pe, name) for name in pe.form.sources]
        if pe.form.effect == "vote":
            self._vote(pe, sources[0], lanes)
            return None
        if pe.form.name == "BALLOT":
            there = self._holds(sources[0], lanes)
            return self.to("ballot", self.to.number(I32, ALL_LANES), there)
        value, by = sources
        return self._shuffled(pe.form.name.split(".")[1].lower(), value, by, lanes)

    def _holds(self, predicate: Value, lanes: Lanes) -> Value:
        holds = self.to.both(self.to.test("ne", predicate, 0), lanes.active)
        assert holds is not None
        return holds

    def _vote(self, pe: VectorOp, predicate: Value, lanes: Lanes) -> None:
        to, name = self.to, pe.form.name
        if name == "VOTE.ALL":
            holds = to.test("ne", predicate, 0)
            if lanes.active is not None:
                holds = to.op("or", holds, to.op("xor", lanes.active, 1))
            found: Value = to("barrier_and", holds)
        else:
            op = "barrier_or" if name == "VOTE.ANY" else "barrier_count"
            found = to(op, self._holds(predicate, lanes))
        self.touched = 0
        answer = to.resized(found, I16)
        self.scalars.set_half(pe.op.values["d"], answer)
        self.learn(to.wide(answer))

    def _shuffled(self, mode: str, value: Value, by: Value, lanes: Lanes) -> Value:
        """A value of another lane; 0 where that lane is outside the block, the own one where it is outside the warp."""
        to = self.to
        if lanes.active is not None:
            value = to.chosen(lanes.active, value, to.number(I32, 0))
        own = to.op("and", lanes.i, WARP - 1)
        distance = to.wide(by)
        if mode in ("idx", "xor"):
            distance = to.op("and", distance, WARP - 1)
        wanted = {
            "idx": lambda: distance,
            "up": lambda: to.op("sub", own, distance),
            "down": lambda: to.op("add", own, distance),
            "xor": lambda: to.op("xor", own, distance),
        }[mode]()
        inside = to.test("ult", wanted, WARP)
        wanted = to.chosen(inside, wanted, own)
        found = to("shfl_idx", to.number(I32, ALL_LANES), value, wanted, to.number(I32, WARP))
        if self.positions.threads % WARP == 0:
            return found
        # A warp that the block fills in part: the lanes that it lacks hold zero.
        source = to.op("add", to.op("sub", lanes.i, own), wanted)
        return to.chosen(to.test("ult", source, self.positions.threads), found, to.number(I32, 0))


def _immediate_is_wide(op: VectorOp) -> bool:
    """Immediates have the width of the operation's first vector operand, or of its result where it has none."""
    first = op.form.operands.get("a")
    if first is None or first.kind is Kind.IMM:
        return op.form.width == 32
    return first.kind in _WIDE
