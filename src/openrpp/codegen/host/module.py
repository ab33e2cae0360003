"""The LLVM module of a kernel: one function per piece, one that runs a block, one that a worker runs.

A launch is described by an array of 64-bit words, the context (`Context`); workers take blocks from its counter.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from openrpp.codegen.host import frame as frames
from openrpp.codegen.host import runtime, tiles_machine
from openrpp.codegen.host.analysis import Analysis
from openrpp.codegen.host.context import Context
from openrpp.codegen.host.emit import DIVERGED, DONE, WAITS, Emitter
from openrpp.codegen.host.frame import Frame
from openrpp.codegen.host.geometry import Geometry
from openrpp.codegen.host.pieces import Piece
from openrpp.codegen.host.sides import DIVERGED_BARRIER, Sites
from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.turns import STOPPED
from openrpp.codegen.host.writer import Writer, memory_type, scalar_type
from openrpp.kir.ir import Instr, Kernel, Module, Value
from openrpp.kir.layout import private_layout, shared_layout, symbols
from openrpp.kir.ops.memory import TRANSFERS
from openrpp.kir.types import Space


@dataclass(frozen=True, slots=True)
class Translation:
    """LLVM text of a kernel, and what a launch needs to know about it."""

    text: str
    geometry: Geometry
    frame_size: int
    shared_size: int
    params: tuple[int, ...]
    params_size: int
    symbols: tuple[str, ...]
    sites: Sites
    cooperative: bool  # blocks wait for the whole grid, so each has scratch of its own


@dataclass(frozen=True, slots=True)
class Options:
    """What a translation assumes: less than 2^31 threads along each axis; all pointers in one memory.

    `upper` says of parameters and variables whether they point to the upper one of two memories, where that is known;
    `watched` adds records of branches and gathers.
    """

    narrow: bool = True
    two_memories: bool = False
    watched: bool = False
    upper: tuple[tuple[str, bool], ...] = ()


_DEEP = 1 << 16
"""Python calls: scopes nest as blocks dominate each other, so a long chain of branches is a deep recursion."""


def _params(kernel: Kernel) -> tuple[tuple[int, ...], int]:
    """Offsets of the parameters, and the size of all."""
    offsets: list[int] = []
    end = 0
    for param in kernel.params:
        size, align = (param.size, max(param.align, 8)) if param.is_by_value else (8, 8)
        offsets.append(-(-end // align) * align)
        end = offsets[-1] + size
    return tuple(offsets), end


def translate(module: Module, kernel: Kernel, geometry: Geometry, tier: Tier, options: Options) -> Translation:
    """A kernel as LLVM text. Raises Unsupported."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEEP))
    try:
        return _Translator(module, kernel, geometry, tier, options).run()
    finally:
        sys.setrecursionlimit(before)


class _Translator:
    def __init__(self, module: Module, kernel: Kernel, geometry: Geometry, tier: Tier, options: Options) -> None:
        self.kernel = kernel
        self.geometry = geometry
        self.tier = tier
        self.options = options
        self.analysis = Analysis(kernel, geometry, options.narrow)
        private, self.shared = private_layout(kernel), shared_layout(module, kernel)
        self.frame = Frame(self.analysis, -(-private.size // 16) * 16)
        self.params, self.params_size = _params(kernel)
        device = [name for name in symbols(kernel) if module.globals[name].space is not Space.SHARED]
        self.device = tuple(device)
        self.symbols = {name: str(offset) for name, offset in (*private.offsets.items(), *self.shared.offsets.items())}
        self.symbols |= {name: f"%y{index}" for index, name in enumerate(device)}
        self.sites = Sites()
        self.declared: dict[str, str] = {}
        self.uses_tiles = False
        self.cooperative = any(instr.op.name == "grid_barrier" for instr in kernel.instructions())

    def run(self) -> Translation:
        functions = [self._piece(piece) for piece in self.analysis.pieces]
        if self.uses_tiles:
            functions.append(tiles_machine.functions(self.geometry, self.tier, self.declared))
        text = "\n".join([*functions, self._block(), self._worker(), runtime.TEXT, *self.declared.values(), _METADATA])
        return Translation(
            text,
            self.geometry,
            self.frame.size,
            self.shared.size,
            self.params,
            self.params_size,
            self.device,
            self.sites,
            self.cooperative,
        )

    # --- arguments that all functions pass on ---------------------------------------------------------------------

    def _signature(self) -> list[tuple[str, str]]:
        found = [("ptr", "%frame"), ("ptr noalias", "%shared"), ("ptr", "%mem"), ("ptr", "%high"), ("i64", "%split")]
        found += [("ptr noalias", "%params"), ("ptr", "%stop"), ("i64", "%number"), ("i32", "%epoch")]
        found += [("i32", f"%{letter}{axis}") for letter in "cn" for axis in "xyz"]
        found += [(scalar_type(param.type), f"%p{index}") for index, param in enumerate(self.kernel.params)]
        found += [("i64", f"%y{index}") for index in range(len(self.device))]
        found += [("i1", "%watched")] if self.options.watched else []
        return found

    def _arguments(self) -> str:
        return ", ".join(f"{kind} {name}" for kind, name in self._signature())

    # --- functions ------------------------------------------------------------------------------------------------

    def _piece(self, piece: Piece) -> str:
        writer = Writer()
        emitter = Emitter(self.analysis, piece, writer, self.tier, self.frame, self.symbols)
        emitter.sites = self.sites
        emitter.two_memories = self.options.two_memories
        emitter.upper = dict(self.options.upper)
        emitter.machine = tiles_machine.machine_of(self.tier)
        emitter.is_watched = self.options.watched
        emitter.results = self._results(piece, writer)
        emitter.ticks = writer.alloca("i32")
        writer.do(f"store i32 {frames.TICKS}, ptr {emitter.ticks}")
        each = self.frame.private_size * self.geometry.lanes
        start = writer(f"mul i32 %g, {each}")
        moved = writer(f"add i32 {start}, {self.frame.private}")
        writer.do(f"%private = getelementptr i8, ptr %frame, i32 {moved}")
        emitter.run()
        self.declared |= writer.declared
        self.uses_tiles |= emitter.uses_tiles
        setup = tiles_machine.prologue(self.tier) if emitter.uses_tiles else []
        arguments = f"i32 %g, i32 %count, i32 %present, {self._arguments()}"
        head = f"define internal i32 @piece{piece.number}({arguments}) #0 {{"
        return "\n".join([head, *writer.allocas, *setup, *writer.lines, "}"])

    def _results(self, piece: Piece, writer: Writer) -> dict[Value, str]:
        """What the barrier before a piece gives."""
        instr = self._barrier_before(piece)
        if instr is None or instr.op.name not in ("barrier_count", "barrier_and", "barrier_or"):
            return {}
        if instr.op.name == "barrier_count":
            return {instr: "%count"}
        test = "icmp eq i32 %count, %present" if instr.op.name == "barrier_and" else "icmp ne i32 %count, 0"
        return {instr: writer(test)}

    def _barrier_before(self, piece: Piece) -> Instr | None:
        for other in self.analysis.pieces:
            for barrier in other.barriers.values():
                if barrier.target == piece.number:
                    return barrier.instr
        return None

    def _block(self) -> str:
        if len(self.analysis.pieces) == 1:
            return self._straight_block()
        writer, staged = Writer(), self._stages()
        pc, epoch, result = (writer.alloca("i32") for _ in range(3))
        for slot, offset in ((pc, frames.PIECE), (epoch, frames.EPOCH)):
            start = writer.load("i32", writer.byte("%frame", offset)) if self.cooperative else "0"
            writer.do(f"store i32 {start}, ptr {slot}")
        self._reset(writer)
        present, head, out, bad = writer.alloca("i32"), writer.label("round"), writer.label("out"), writer.label("bad")
        counted = writer.alloca("i32")
        for slot in (present, counted):
            writer.do(f"store i32 0, ptr {slot}")
        writer.jump(head)
        writer.place(head)
        writer.do(f"store i32 {DONE}, ptr {result}")
        writer.do(f"%epoch = load i32, ptr {epoch}")
        labels = [writer.label("piece") for _ in self.analysis.pieces]
        done = writer.label("done")
        cases = " ".join(f"i32 {index}, label %{label}" for index, label in enumerate(labels))
        writer.do(f"switch i32 {writer(f'load i32, ptr {pc}')}, label %{out} [ {cases} ]")
        for index, label in enumerate(labels):
            writer.place(label)
            self._groups(writer, index, result, counted, present, bad)
            writer.jump(done)
        writer.place(done)
        next_pc = writer(f"load i32, ptr {result}")
        diverged = writer(f"icmp eq i32 {next_pc}, {DIVERGED}")
        split, fine, going = writer.label("split"), writer.label("fine"), writer.label("going")
        writer.do(f"br i1 {diverged}, label %{split}, label %{fine}")
        writer.place(split)
        site = self.sites.stopping(DIVERGED_BARRIER, None, self.kernel.location)
        writer.do(f"call void @stopped(ptr %stop, i32 {site}, i64 %number, i32 0)")
        writer.do(f"ret i32 {STOPPED}")
        writer.place(fine)
        writer.do(f"br i1 {writer(f'icmp eq i32 {next_pc}, {DONE}')}, label %{out}, label %{going}")
        writer.place(going)
        told = writer("call i1 @poll(ptr %stop)")
        on = writer.label("on")
        writer.do(f"br i1 {told}, label %{bad}, label %{on}")
        writer.place(on)
        writer.do(f"store i32 {next_pc}, ptr {pc}")
        writer.do(f"store i32 {writer('add i32 %epoch, 1')}, ptr {epoch}")
        for slot, offset in ((counted, frames.COUNT), (present, frames.PRESENT)):
            place = writer(f"getelementptr i8, ptr %frame, i32 {offset}")
            writer.do(f"store i32 {writer(f'load i32, ptr {place}')}, ptr {slot}")
        if staged:
            self._transfer(writer)
        self._reset(writer)
        self._wait_for_grid(writer, next_pc, epoch)
        writer.jump(head)
        writer.place(bad)
        writer.do(f"ret i32 {STOPPED}")
        writer.place(out)
        if self.cooperative:
            writer.do(f"store i32 {DONE}, ptr {writer.byte('%frame', frames.PIECE)}")
        writer.do(f"ret i32 {DONE}")
        arguments = self._arguments().replace("%epoch", "%unused")
        self.declared |= writer.declared
        return "\n".join([f"define internal i32 @block({arguments}) #0 {{", *writer.allocas, *writer.lines, "}"])

    def _wait_for_grid(self, writer: Writer, piece: str, epoch: str) -> None:
        """Leave the block where the barrier passed is one of the whole grid; the next round goes on with `piece`."""
        barriers = [item for other in self.analysis.pieces for item in other.barriers.values()]
        for target in sorted({item.target for item in barriers if item.instr.op.name == "grid_barrier"}):
            with writer.when(writer(f"icmp eq i32 {piece}, {target}"), "waits"):
                writer.do(f"store i32 {piece}, ptr {writer.byte('%frame', frames.PIECE)}")
                passed = writer.load("i32", epoch)
                writer.do(f"store i32 {passed}, ptr {writer.byte('%frame', frames.EPOCH)}")
                writer.do(f"ret i32 {WAITS}")
                writer.place(writer.label("dead"))

    def _stages(self) -> bool:
        return any(instr.op.name in TRANSFERS for instr in self.kernel.instructions())

    def _reset(self, writer: Writer) -> None:
        for offset, kind in ((frames.COUNT, "i64"), (frames.BYTES, "i64")):
            writer.do(f"store {kind} 0, ptr {writer.byte('%frame', offset)}")

    def _transfer(self, writer: Writer) -> None:
        """The DMA transfer of a staging op, done at once."""
        fields: list[str] = []
        for offset, kind in ((frames.TARGET, "ptr"), (frames.SOURCE, "ptr"), (frames.BYTES, "i64")):
            fields.append(f"{kind} {writer.load(kind, writer.byte('%frame', offset))}")
        size = fields[2].split()[1]
        with writer.when(writer(f"icmp sgt i64 {size}, 0")):
            writer.call("void", "llvm.memmove.p0.p0.i64", *fields, "i1 false")

    def _groups(self, writer: Writer, index: int, result: str, counted: str, present: str, bad: str) -> None:
        """Run a piece for every group; all that come to a barrier must come to the same."""
        count, there = writer(f"load i32, ptr {counted}"), writer(f"load i32, ptr {present}")
        with writer.counted(self.geometry.groups, "group") as group:
            given = f"i32 {group}, i32 {count}, i32 {there}, {self._arguments()}"
            found = writer(f"call i32 @piece{index}({given})")
            go, meets = writer.label("go"), writer.label("meets")
            writer.do(f"br i1 {writer(f'icmp eq i32 {found}, {STOPPED}')}, label %{bad}, label %{go}")
            writer.place(go)
            behind = writer.label("next")
            writer.do(f"br i1 {writer(f'icmp eq i32 {found}, {DONE}')}, label %{behind}, label %{meets}")
            writer.place(meets)
            before = writer(f"load i32, ptr {result}")
            first = writer(f"icmp eq i32 {before}, {DONE}")
            same = writer(f"or i1 {first}, {writer(f'icmp eq i32 {before}, {found}')}")
            writer.do(f"store i32 {writer(f'select i1 {same}, i32 {found}, i32 {DIVERGED}')}, ptr {result}")
            writer.jump(behind)
            writer.place(behind)

    def _straight_block(self) -> str:
        writer, bad = Writer(), "bad"
        with writer.counted(self.geometry.groups, "group") as group:
            found = writer(f"call i32 @piece0(i32 {group}, i32 0, i32 0, {self._arguments()})")
            go = writer.label("go")
            writer.do(f"br i1 {writer(f'icmp eq i32 {found}, {STOPPED}')}, label %{bad}, label %{go}")
            writer.place(go)
        writer.do(f"ret i32 {DONE}")
        writer.place(bad)
        writer.do(f"ret i32 {STOPPED}")
        lines = [f"define internal i32 @block({self._arguments()}) #0 {{", *writer.allocas, *writer.lines, "}"]
        return "\n".join(lines)

    def _worker(self) -> str:
        """Take chunks of blocks until there are none left or the launch is stopped."""
        writer = Writer()

        def word(place: int, kind: str = "i64") -> str:
            return writer(f"load {kind}, ptr {writer(f'getelementptr i64, ptr %ctx, i64 {place}')}")

        total, chunk = word(Context.TOTAL), word(Context.CHUNK)
        wide = [word(Context.GRID + axis) for axis in range(3)]
        grid = [writer(f"trunc i64 {item} to i32") for item in wide]
        fixed = {
            "%shared": writer.byte("%scratch", frames.GUARD),
            "%frame": writer(f"getelementptr i8, ptr %scratch, i64 {word(Context.FRAME)}"),
            "%mem": word(Context.MEMORY, "ptr"),
            "%high": word(Context.HIGH, "ptr"),
            "%split": word(Context.SPLIT),
            "%params": word(Context.PARAMS, "ptr"),
            "%stop": writer(f"getelementptr i64, ptr %ctx, i64 {int(Context.STOP)}"),
            "%epoch": "0",
            **{f"%n{axis}": item for axis, item in zip("xyz", grid, strict=True)},
            **{f"%y{index}": word(Context.SYMBOLS + index) for index in range(len(self.device))},
        }
        self._load_params(writer, fixed)
        index, end = writer.alloca("i64"), writer.alloca("i64")
        take, run, out, head = (writer.label(hint) for hint in ("take", "run", "out", "head"))
        writer.jump(take)
        writer.place(take)
        start = writer(f"atomicrmw add ptr %ctx, i64 {chunk} monotonic")
        beyond = writer(f"add i64 {start}, {chunk}")
        last = writer(f"select i1 {writer(f'icmp ult i64 {beyond}, {total}')}, i64 {beyond}, i64 {total}")
        writer.do(f"store i64 {start}, ptr {index}")
        writer.do(f"store i64 {last}, ptr {end}")
        places = [writer.alloca("i32") for _ in "xyz"]
        for place, text in zip(places, self._block_index(writer, start, wide), strict=True):
            writer.do(f"store i32 {text}, ptr {place}")
        writer.do(f"br i1 {writer(f'icmp ult i64 {start}, {total}')}, label %{head}, label %{out}")
        writer.place(head)
        number = writer(f"load i64, ptr {index}")
        writer.do(f"br i1 {writer(f'icmp ult i64 {number}, {last}')}, label %{run}, label %{take}")
        writer.place(run)
        fixed |= {"%number": number}
        fixed |= {f"%c{axis}": text for axis, text in zip("xyz", self._next_block(writer, places, grid), strict=True)}
        if self.options.watched:
            run = writer(f"udiv i64 {number}, {word(Context.RUN)}")
            fixed["%watched"] = writer(f"icmp eq i64 {writer(f'urem i64 {run}, {word(Context.EVERY)}')}, 0")
        if self.cooperative:
            own = writer(f"mul i64 {number}, {word(Context.EACH)}")
            root = writer(f"getelementptr i8, ptr %scratch, i64 {own}")
            fixed["%shared"] = writer.byte(root, frames.GUARD)
            fixed["%frame"] = writer(f"getelementptr i8, ptr {root}, i64 {word(Context.FRAME)}")
        given = ", ".join(f"{kind} {fixed[name]}" for kind, name in self._signature())
        writer.do(f"store i64 {writer(f'add i64 {number}, 1')}, ptr {index}")
        found = writer(f"call i32 @block({given})")
        if self.cooperative:
            waits = writer(f"zext i1 {writer(f'icmp eq i32 {found}, {WAITS}')} to i64")
            place = writer(f"getelementptr i64, ptr %ctx, i64 {int(Context.WAITING)}")
            writer(f"atomicrmw add ptr {place}, i64 {waits} monotonic")
        going = writer.label("going")
        writer.do(f"br i1 {writer(f'icmp eq i32 {found}, {STOPPED}')}, label %{out}, label %{going}")
        writer.place(going)
        told = writer(f"load volatile i64, ptr {fixed['%stop']}")
        writer.do(f"br i1 {writer(f'icmp eq i64 {told}, 0')}, label %{head}, label %{out}")
        writer.place(out)
        writer.lines += tiles_machine.epilogue(self.tier) if self.uses_tiles else []
        writer.do("ret void")
        head = "define internal void @worker(ptr %ctx, ptr %scratch) noinline nounwind {"
        return "\n".join([head, *writer.allocas, *writer.lines, "}", runtime.work(self.tier)])

    def _load_params(self, writer: Writer, fixed: dict[str, str]) -> None:
        for index, param in enumerate(self.kernel.params):
            if param.is_by_value:
                fixed[f"%p{index}"] = str(self.params[index])
                continue
            place = writer(f"getelementptr i8, ptr {fixed['%params']}, i64 {self.params[index]}")
            text = writer(f"load {memory_type(param.type)}, ptr {place}")
            fixed[f"%p{index}"] = writer(f"trunc i8 {text} to i1") if param.type.bits == 1 else text

    def _next_block(self, writer: Writer, places: list[str], grid: list[str]) -> list[str]:
        """The index of a block from its places, which then hold that of the next one: divisions take long."""
        found, carry = [writer(f"load i32, ptr {place}") for place in places], "true"
        for text, place, size in zip(found, places, grid, strict=True):
            more = writer(f"add i32 {text}, {writer(f'zext i1 {carry} to i32')}")
            carry = writer(f"icmp eq i32 {more}, {size}")
            writer.do(f"store i32 {writer(f'select i1 {carry}, i32 0, i32 {more}')}, ptr {place}")
        return found

    def _block_index(self, writer: Writer, number: str, grid: list[str]) -> list[str]:
        """x, y and z of a block from its number."""
        x = writer(f"urem i64 {number}, {grid[0]}")
        rest = writer(f"udiv i64 {number}, {grid[0]}")
        y, z = writer(f"urem i64 {rest}, {grid[1]}"), writer(f"udiv i64 {rest}, {grid[1]}")
        return [writer(f"trunc i64 {item} to i32") for item in (x, y, z)]


# Vectors that find no register go to the stack, which LLVM would align to 16 bytes only: each would lie in two lines
# (mandelbrot took 2.4 or 7.5 ms as chance would have it).
_METADATA = """attributes #0 = { nounwind alignstack=64 "stackrealign" }
!0 = !{!"branch_weights", i32 1, i32 10000}
!1 = distinct !{!1, !2}
!2 = !{!"llvm.loop.unroll.disable"}"""
