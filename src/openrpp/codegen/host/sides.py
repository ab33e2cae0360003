"""Output, traps and assertions: records that the launch reads afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.codegen.host.warps import Warps
from openrpp.codegen.host.writer import scalar_type
from openrpp.kir.ir import Block, Instr, Value
from openrpp.kir.location import Location

TRAP, ASSERT, UNREACHABLE, DIVERGED_BARRIER = 1, 2, 3, 4
"""Why a kernel stopped."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A place where lanes may go different ways: one mask per edge."""

    block: Block
    edges: int

    @property
    def location(self) -> Location | None:
        """Where in the source."""
        return self.block.terminator.location


@dataclass(frozen=True, slots=True)
class Gather:
    """An access whose addresses depend on data: one device address, or offset in its space, per lane."""

    instr: Instr

    @property
    def location(self) -> Location | None:
        """Where in the source."""
        return self.instr.location


class Sites:
    """The places of a kernel that make records, numbered."""

    def __init__(self) -> None:
        self.watched: list[Branch | Gather] = []
        self.prints: list[Instr] = []
        self.stops: list[tuple[int, Instr | None, Location | None]] = []

    def watching(self, site: Branch | Gather) -> int:
        """The number of a place whose lanes or addresses are recorded."""
        if site not in self.watched:
            self.watched.append(site)
        return self.watched.index(site)

    def printing(self, instr: Instr) -> int:
        """The number of a printf."""
        if instr not in self.prints:
            self.prints.append(instr)
        return self.prints.index(instr)

    def stopping(self, why: int, instr: Instr | None, location: Location | None) -> int:
        """The number of a place where a kernel stops."""
        row = (why, instr, location)
        if row not in self.stops:
            self.stops.append(row)
        return self.stops.index(row)


class Sides(Warps):
    """Emission of ops that are seen from outside."""

    sites: Sites

    def side(self, instr: Instr) -> None:
        """printf, assert_fail, trap, clock."""
        name = instr.op.name
        if name == "printf":
            self._printf(instr)
        elif name == "clock":
            count = self.writer.call("i64", "llvm.readcyclecounter")
            self.define(instr, count if instr.type.bits == 64 else self.writer(f"trunc i64 {count} to i32"))
        else:
            self.stop(ASSERT if name == "assert_fail" else TRAP, instr, instr.location)

    def unreachable(self, location: Location | None) -> None:
        """Code that the program declared unreachable."""
        self.stop(UNREACHABLE, None, location)

    def thread_number(self, lane: str) -> str:
        """The number of a lane's thread in the block."""
        return self.writer(f"add i32 {self.writer(f'mul i32 %g, {self.geometry.lanes}')}, {lane}")

    def stop(self, why: int, instr: Instr | None, location: Location | None) -> None:
        """Note who stops and why, and leave the function."""
        site, lane = self.sites.stopping(why, instr, location), "0"
        if self.mask is not None:
            bits, kind = self.mask_bits(self.mask), f"i{self.geometry.lanes}"
            place = self.writer.call(kind, f"llvm.cttz.{kind}", f"{kind} {bits}", "i1 false")
            cast = "trunc" if self.geometry.lanes > 32 else "zext"
            lane = place if self.geometry.lanes == 32 else self.writer(f"{cast} {kind} {place} to i32")
        writer = self.writer
        writer.do(f"call void @stopped(ptr %stop, i32 {site}, i64 %number, i32 {self.thread_number(lane)})")
        writer.do("ret i32 -3")
        writer.place(writer.label("dead"))

    def _printf(self, instr: Instr) -> None:
        """One record per lane: site, block, epoch and thread, then the operands as 8 bytes each."""
        writer, site = self.writer, self.sites.printing(instr)
        given = self.lane_values(list(instr.operands))
        size = 32 + 8 * len(given)
        with self.each_lane() as lane:
            at = writer(f"call ptr @reserve(ptr %stop, i64 {size})")
            room = writer(f"icmp ne ptr {at}, null")
            with writer.when(room, "record"):
                thread = writer(f"zext i32 {self.thread_number(lane)} to i64")
                epoch = writer("zext i32 %epoch to i64")
                fields = [
                    str(site + 1),
                    "%number",
                    epoch,
                    thread,
                    *self._words(instr.operands, self.taken(given, lane)),
                ]
                for index, field in enumerate(fields):
                    place = writer(f"getelementptr i64, ptr {at}, i64 {index}")
                    writer.do(f"store i64 {field}, ptr {place}")
        self.define(instr, self.lift("i32", str(len(given)), 0, self.analysis.shape(instr).level))

    def _words(self, values: list[Value], texts: list[str]) -> list[str]:
        found: list[str] = []
        for value, text in zip(values, texts, strict=True):
            whole, lanes = f"i{value.type.bits}", self.lanes(0)
            bits = lanes.cast("bitcast", scalar_type(value.type), text, whole)
            found.append(lanes.cast("zext", whole, bits, "i64"))
        return found
