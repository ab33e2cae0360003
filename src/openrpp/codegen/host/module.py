"""The LLVM module of a kernel: one function per piece, one that runs a block, one that a worker runs.

A launch is described by an array of 64-bit words, the context (`Context`); workers take blocks from its counter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from openrpp.codegen.host import frame as frames
from openrpp.codegen.host import runtime
from openrpp.codegen.host.analysis import Analysis
from openrpp.codegen.host.emit import DIVERGED, DONE, STOPPED, Emitter
from openrpp.codegen.host.frame import Frame
from openrpp.codegen.host.geometry import Geometry
from openrpp.codegen.host.pieces import Piece
from openrpp.codegen.host.sides import DIVERGED_BARRIER, Sites
from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.writer import Writer, memory_type, scalar_type
from openrpp.kir.ir import Instr, Kernel, Module, Value
from openrpp.kir.layout import private_layout, shared_layout, symbols
from openrpp.kir.ops.form import Effect
from openrpp.kir.types import Space


class Context(IntEnum):
    """Words of the context."""

    NEXT = 0  # block to be taken next
    TOTAL = 1
    CHUNK = 2
    GRID = 3  # three words
    MEMORY = 6  # host address of device address 0, below SPLIT
    HIGH = 7  # the same from SPLIT on
    SPLIT = 8
    PARAMS = 9
    FRAME = 10  # offset of the frame in the scratch
    STOP = 11  # 0; 1 to end the launch; 2 once a thread has stopped it, with site, block and thread in the next words
    PRINT = 15  # host address, capacity, bytes used, records dropped
    SYMBOLS = 20


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


@dataclass(frozen=True, slots=True)
class Options:
    """What a translation assumes: less than 2^31 threads along each axis; all pointers in one memory."""

    narrow: bool = True
    two_memories: bool = False


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
    return _Translator(module, kernel, geometry, tier, options).run()


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

    def run(self) -> Translation:
        functions = [self._piece(piece) for piece in self.analysis.pieces]
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
        )

    # --- arguments that all functions pass on ---------------------------------------------------------------------

    def _signature(self) -> list[tuple[str, str]]:
        found = [("ptr", "%frame"), ("ptr noalias", "%shared"), ("ptr", "%mem"), ("ptr", "%high"), ("i64", "%split")]
        found += [("ptr noalias", "%params"), ("ptr", "%stop"), ("i64", "%number"), ("i32", "%epoch")]
        found += [("i32", f"%{letter}{axis}") for letter in "cn" for axis in "xyz"]
        found += [(scalar_type(param.type), f"%p{index}") for index, param in enumerate(self.kernel.params)]
        found += [("i64", f"%y{index}") for index in range(len(self.device))]
        return found

    def _declared_arguments(self) -> str:
        return ", ".join(f"{kind} {name}" for kind, name in self._signature())

    def _passed(self) -> str:
        return ", ".join(f"{kind} {name}" for kind, name in self._signature())

    # --- functions ------------------------------------------------------------------------------------------------

    def _piece(self, piece: Piece) -> str:
        writer = Writer()
        emitter = Emitter(self.analysis, piece, writer, self.tier, self.frame, self.symbols)
        emitter.sites = self.sites
        emitter.two_memories = self.options.two_memories
        emitter.results = self._results(piece, writer)
        emitter.ticks = writer.alloca("i32")
        writer.do(f"store i32 {frames.TICKS}, ptr {emitter.ticks}")
        each = self.frame.private_size * self.geometry.lanes
        start = writer(f"mul i32 %g, {each}")
        moved = writer(f"add i32 {start}, {self.frame.private}")
        writer.do(f"%private = getelementptr i8, ptr %frame, i32 {moved}")
        emitter.run()
        self.declared |= writer.declared
        head = f"define internal i32 @piece{piece.number}(i32 %g, i32 %count, i32 %present, {self._declared_arguments()}) #0 {{"
        return "\n".join([head, *writer.allocas, *writer.lines, "}"])

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
        for slot in (pc, epoch):
            writer.do(f"store i32 0, ptr {slot}")
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
        writer.jump(head)
        writer.place(bad)
        writer.do(f"ret i32 {STOPPED}")
        writer.place(out)
        writer.do(f"ret i32 {DONE}")
        arguments = self._declared_arguments().replace("%epoch", "%unused")
        self.declared |= writer.declared
        return "\n".join([f"define internal i32 @block({arguments}) #0 {{", *writer.allocas, *writer.lines, "}"])

    def _stages(self) -> bool:
        return any(instr.op.name in ("stage_in", "stage_out") for instr in self.kernel.instructions())

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
            given = f"i32 {group}, i32 {count}, i32 {there}, {self._passed()}"
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
            found = writer(f"call i32 @piece0(i32 {group}, i32 0, i32 0, {self._passed()})")
            go = writer.label("go")
            writer.do(f"br i1 {writer(f'icmp eq i32 {found}, {STOPPED}')}, label %{bad}, label %{go}")
            writer.place(go)
        writer.do(f"ret i32 {DONE}")
        writer.place(bad)
        writer.do(f"ret i32 {STOPPED}")
        lines = [f"define internal i32 @block({self._declared_arguments()}) #0 {{", *writer.allocas, *writer.lines, "}"]
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
            "%shared": "%scratch",
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
        writer.do(f"br i1 {writer(f'icmp ult i64 {start}, {total}')}, label %{head}, label %{out}")
        writer.place(head)
        number = writer(f"load i64, ptr {index}")
        writer.do(f"br i1 {writer(f'icmp ult i64 {number}, {last}')}, label %{run}, label %{take}")
        writer.place(run)
        fixed |= {"%number": number, **self._block_index(writer, number, wide)}
        given = ", ".join(f"{kind} {fixed[name]}" for kind, name in self._signature())
        writer.do(f"store i64 {writer(f'add i64 {number}, 1')}, ptr {index}")
        found = writer(f"call i32 @block({given})")
        going = writer.label("going")
        writer.do(f"br i1 {writer(f'icmp eq i32 {found}, {STOPPED}')}, label %{out}, label %{going}")
        writer.place(going)
        told = writer(f"load volatile i64, ptr {fixed['%stop']}")
        writer.do(f"br i1 {writer(f'icmp eq i64 {told}, 0')}, label %{head}, label %{out}")
        writer.place(out)
        writer.do("ret void")
        return "\n".join(["define void @work(ptr %ctx, ptr %scratch) #0 {", *writer.allocas, *writer.lines, "}"])

    def _load_params(self, writer: Writer, fixed: dict[str, str]) -> None:
        for index, param in enumerate(self.kernel.params):
            if param.is_by_value:
                fixed[f"%p{index}"] = str(self.params[index])
                continue
            place = writer(f"getelementptr i8, ptr {fixed['%params']}, i64 {self.params[index]}")
            text = writer(f"load {memory_type(param.type)}, ptr {place}")
            fixed[f"%p{index}"] = writer(f"trunc i8 {text} to i1") if param.type.bits == 1 else text

    def _block_index(self, writer: Writer, number: str, grid: list[str]) -> dict[str, str]:
        x = writer(f"urem i64 {number}, {grid[0]}")
        rest = writer(f"udiv i64 {number}, {grid[0]}")
        y, z = writer(f"urem i64 {rest}, {grid[1]}"), writer(f"udiv i64 {rest}, {grid[1]}")
        return {f"%c{axis}": writer(f"trunc i64 {item} to i32") for axis, item in zip("xyz", (x, y, z), strict=True)}


def uses_warps(kernel: Kernel) -> bool:
    """Whether threads of a warp exchange values."""
    return any(instr.effect is Effect.WARP for instr in kernel.instructions())


_METADATA = 'attributes #0 = { nounwind }\n!0 = !{!"branch_weights", i32 1, i32 10000}'
