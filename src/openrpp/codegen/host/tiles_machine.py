"""The tile instructions: those of AMX, and functions that do bit by bit what they do; and what goes with them.

TDPBF16PS takes denormal numbers for zeros and gives zeros for them, at every step, and fuses products with sums; it
rounds to nearest even whatever MXCSR says.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache

from openrpp.codegen.host.dots import WORDS
from openrpp.codegen.host.geometry import Geometry
from openrpp.codegen.host.ops.floating import dot_chains, pair
from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.tiles import COLUMNS, EDGE, LEAST_SUM, ROWS, SUMS, Machine
from openrpp.codegen.host.writer import Writer

_ROW_BYTES = 64
_TILE_BYTES = 1024
_PRCTL, _REQUEST, _TILE_DATA = 158, 0x1023, 18


@cache
def permitted() -> bool:
    """Ask Linux for the tile registers; threads that start later have them too. False where there are none."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    call = ctypes.CDLL(None, use_errno=True).syscall
    return int(call(ctypes.c_long(_PRCTL), ctypes.c_long(_REQUEST), ctypes.c_long(_TILE_DATA))) == 0


def _extents(geometry: Geometry) -> dict[int, tuple[int, int]]:
    """Rows and bytes of a row, for each tile."""
    rows, width = min(geometry.rows, EDGE), 4 * min(geometry.columns, EDGE)
    found = dict.fromkeys(SUMS, (rows, width)) | dict.fromkeys(ROWS, (rows, 4 * WORDS))
    return found | dict.fromkeys(COLUMNS, (WORDS, width))


class Amx:
    """AMX, by intrinsics that name tile registers; LLVM gives out no tile registers of its own beside them."""

    def zero(self, writer: Writer, tile: int) -> None:
        """TILEZERO."""
        _call(writer, "tilezero", f"i8 {tile}")

    def load(self, writer: Writer, tile: int, start: str, stride: int) -> None:
        """TILELOADD."""
        _call(writer, "tileloadd64", f"i8 {tile}", f"ptr {start}", f"i64 {stride}")

    def store(self, writer: Writer, tile: int, start: str, stride: int) -> None:
        """TILESTORED."""
        _call(writer, "tilestored64", f"i8 {tile}", f"ptr {start}", f"i64 {stride}")

    def dot(self, writer: Writer, total: int, rows: int, columns: int) -> None:
        """TDPBF16PS."""
        _call(writer, "tdpbf16ps", f"i8 {total}", f"i8 {rows}", f"i8 {columns}")


def _call(writer: Writer, name: str, *arguments: str) -> None:
    types = ", ".join(argument.split()[0] + (" immarg" if argument.startswith("i8 ") else "") for argument in arguments)
    writer.declared[f"llvm.x86.{name}"] = f"declare void @llvm.x86.{name}({types})"
    writer.do(f"call void @llvm.x86.{name}({', '.join(arguments)})")


class Emulated:
    """The same with tiles in memory: rows 64 bytes apart, as in the registers."""

    def zero(self, writer: Writer, tile: int) -> None:
        """TILEZERO."""
        writer.do(f"call void @tile_zero(ptr {_tile(writer, tile)})")

    def load(self, writer: Writer, tile: int, start: str, stride: int) -> None:
        """TILELOADD."""
        writer.do(f"call void @tile_load{_role(tile)}(ptr {_tile(writer, tile)}, ptr {start}, i64 {stride})")

    def store(self, writer: Writer, tile: int, start: str, stride: int) -> None:
        """TILESTORED."""
        writer.do(f"call void @tile_store(ptr {_tile(writer, tile)}, ptr {start}, i64 {stride})")

    def dot(self, writer: Writer, total: int, rows: int, columns: int) -> None:
        """TDPBF16PS."""
        places = ", ".join(f"ptr {_tile(writer, tile)}" for tile in (total, rows, columns))
        writer.do(f"call void @tile_dot({places})")


def _tile(writer: Writer, tile: int) -> str:
    return writer.byte("%tiles", tile * _TILE_BYTES)


def _role(tile: int) -> int:
    """The first tile of the same shape."""
    return next(group[0] for group in (SUMS, ROWS, COLUMNS) if tile in group)


def machine_of(tier: Tier) -> Machine | None:
    """The tile instructions of a tier."""
    return {"": None, "pairs": None, "amx": Amx(), "emulated": Emulated()}[tier.tiles]


def prologue(tier: Tier) -> list[str]:
    """What a function does before it uses tiles."""
    if tier.tiles == "emulated":
        return [f"  %tiles = alloca [{8 * _TILE_BYTES} x i8], align 64"]
    return ["  call void @llvm.x86.ldtilecfg(ptr @tile_config)"] if tier.tiles == "amx" else []


def epilogue(tier: Tier) -> list[str]:
    """What a worker does when it will use no more tiles."""
    return ["  call void @llvm.x86.tilerelease()"] if tier.tiles == "amx" else []


def functions(geometry: Geometry, tier: Tier, declared: dict[str, str]) -> str:
    """The functions and constants that code with tiles refers to; adds what they call to `declared`."""
    found = [_dot_rows(geometry, tier, declared)]
    if tier.tiles == "amx":
        found.append(_configuration(geometry))
        declared["llvm.x86.ldtilecfg"] = "declare void @llvm.x86.ldtilecfg(ptr)"
        declared["llvm.x86.tilerelease"] = "declare void @llvm.x86.tilerelease()"
    elif tier.tiles == "emulated":
        found += _emulation(geometry, tier, declared)
    return "\n".join(found)


def _configuration(geometry: Geometry) -> str:
    """Palette 1 as LDTILECFG reads it: a constant, so that no store to it can get lost."""
    content = bytearray(64)
    content[0] = 1
    for tile, (rows, width) in _extents(geometry).items():
        content[16 + 2 * tile : 18 + 2 * tile] = width.to_bytes(2, "little")
        content[48 + tile] = rows
    escaped = "".join(f"\\{byte:02X}" for byte in content)
    return f'@tile_config = internal constant [64 x i8] c"{escaped}", align 64'


def _function(name: str, arguments: str, writer: Writer) -> str:
    head = f"define internal void @{name}({arguments}) noinline nounwind {{"
    return "\n".join([head, *writer.allocas, *writer.lines, "  ret void", "}"])


def _dot_rows(geometry: Geometry, tier: Tier, declared: dict[str, str]) -> str:
    """c + (E + O) with every rounding, for factors and sums in memory; for pairs, whether all results suit them."""
    writer, columns = Writer(), geometry.columns
    lanes = Lanes(writer, columns, tier)
    kind, least, result = lanes.type("i32"), "", "ret void"
    if tier.tiles == "pairs":
        least = writer.alloca(kind, 64)
        writer.do(f"store {kind} {lanes.constant('i32', -1)}, ptr {least}, align 4")
    y = [half for word in range(WORDS) for half in pair(lanes, _load(writer, kind, "%b", 4 * columns * word))]
    with writer.counted(geometry.rows) as row:
        x_at = writer(f"getelementptr i8, ptr %a, i32 {writer(f'mul i32 {row}, {4 * WORDS}')}")
        x = [half for word in range(WORDS) for half in pair(lanes, _repeated(writer, columns, x_at, 4 * word))]
        c_at = writer(f"getelementptr i8, ptr %c, i32 {writer(f'mul i32 {row}, {4 * columns}')}")
        total = dot_chains(lanes, x, y, _load(writer, lanes.type("float"), c_at, 0))
        writer.do(f"store {lanes.type('float')} {total}, ptr {c_at}, align 4")
        if least:
            size = lanes.binary("and", "i32", lanes.cast("bitcast", "float", total, "i32"), _every(lanes, 0x7FFF_FFFF))
            moved = lanes.binary("add", "i32", size, _every(lanes, -1))  # zeros become large
            smaller = lanes.call("umin", "i32", moved, _load(writer, kind, least, 0))
            writer.do(f"store {kind} {smaller}, ptr {least}, align 4")
    if least:
        suit = lanes.compare("icmp uge", "i32", _load(writer, kind, least, 0), _every(lanes, LEAST_SUM - 1))
        bits = writer(f"bitcast <{columns} x i1> {suit} to i{columns}")
        result = f"ret i1 {writer(f'icmp eq i{columns} {bits}, -1')}"
    declared |= writer.declared
    head = f"define internal {result.split()[1]} @dot_rows(ptr %c, ptr %a, ptr %b) noinline nounwind {{"
    return "\n".join([head, *writer.allocas, *writer.lines, f"  {result}", "}"])


def _every(lanes: Lanes, value: int) -> str:
    return lanes.constant("i32", value)


def _load(writer: Writer, kind: str, root: str, offset: int) -> str:
    return writer(f"load {kind}, ptr {writer.byte(root, offset)}, align 4")


def _repeated(writer: Writer, count: int, root: str, offset: int) -> str:
    """A word of memory in every lane."""
    kind, word = f"<{count} x i32>", _load(writer, "i32", root, offset)
    first = writer(f"insertelement {kind} poison, i32 {word}, i64 0")
    return writer(f"shufflevector {kind} {first}, {kind} poison, <{count} x i32> zeroinitializer")


def _emulation(geometry: Geometry, tier: Tier, declared: dict[str, str]) -> list[str]:
    extents = _extents(geometry)
    found = [_copies(f"tile_load{group[0]}", *extents[group[0]], True) for group in (SUMS, ROWS, COLUMNS)]
    writer = Writer()
    writer.do(f"store <{_TILE_BYTES} x i8> zeroinitializer, ptr %tile, align 64")
    found += [_copies("tile_store", *extents[0], False), _function("tile_zero", "ptr %tile", writer)]
    return [*found, _tile_dot(min(geometry.rows, EDGE), min(geometry.columns, EDGE), tier, declared)]


def _copies(name: str, rows: int, width: int, is_load: bool) -> str:
    """Rows copied between a tile and memory."""
    writer, kind = Writer(), f"<{width} x i8>"
    with writer.counted(rows) as row:
        inside = writer(f"getelementptr i8, ptr %tile, i32 {writer(f'mul i32 {row}, {_ROW_BYTES}')}")
        moved = writer(f"mul i64 {writer(f'zext i32 {row} to i64')}, %stride")
        outside = writer(f"getelementptr i8, ptr %memory, i64 {moved}")
        source, target = (outside, inside) if is_load else (inside, outside)
        text = writer(f"load {kind}, ptr {source}, align 4")
        writer.do(f"store {kind} {text}, ptr {target}, align 4")
    return _function(name, "ptr %tile, ptr %memory, i64 %stride", writer)


def _tile_dot(rows: int, columns: int, tier: Tier, declared: dict[str, str]) -> str:
    """TDPBF16PS with four words in a row."""
    writer = Writer()
    lanes = Lanes(writer, columns, tier)
    with writer.counted(rows) as row:
        moved = writer(f"mul i32 {row}, {_ROW_BYTES}")
        a_at, c_at = (writer(f"getelementptr i8, ptr {root}, i32 {moved}") for root in ("%a", "%c"))
        sums = [lanes.constant("float", 0.0)] * 2
        for word in range(WORDS):
            x = pair(lanes, _repeated(writer, columns, a_at, 4 * word))
            y = pair(lanes, _load(writer, lanes.type("i32"), "%b", _ROW_BYTES * word))
            for half in range(2):
                fused = lanes.call("fma", "float", _flushed(lanes, x[half]), _flushed(lanes, y[half]), sums[half])
                sums[half] = _flushed(lanes, fused)
        both = _flushed(lanes, lanes.binary("fadd", "float", *sums))
        total = _flushed(lanes, _load(writer, lanes.type("float"), c_at, 0))
        total = _flushed(lanes, lanes.binary("fadd", "float", total, both))
        writer.do(f"store {lanes.type('float')} {total}, ptr {c_at}, align 4")
    declared |= writer.declared
    return _function("tile_dot", "ptr %c, ptr %a, ptr %b", writer)


def _flushed(lanes: Lanes, text: str) -> str:
    """A number, or a zero of its sign for a denormal one."""
    bits = lanes.cast("bitcast", "float", text, "i32")
    field = lanes.binary("and", "i32", bits, lanes.constant("i32", 0x7F80_0000))
    sign = lanes.binary("and", "i32", bits, lanes.constant("i32", -0x8000_0000))
    is_small = lanes.compare("icmp eq", "i32", field, lanes.constant("i32", 0))
    return lanes.cast("bitcast", "i32", lanes.select(is_small, "i32", sign, bits), "float")
