"""TDPBF16PS with four words in a row: as its manual defines it, and as a host tier runs it."""

from __future__ import annotations

import ctypes

import numpy as np

from openrpp.codegen.host import llvm, tiles_machine
from openrpp.codegen.host.geometry import partition
from openrpp.codegen.host.tiers import Tier
from openrpp.codegen.host.writer import Writer
from openrpp.kir.ops import lookup
from openrpp.kir.types import F32
from tests.codegen.dot_programs import Words


def _flushed(bits: int) -> int:
    return bits if bits & 0x7F80_0000 else bits & 0x8000_0000


def tile_dot(a: Words, b: Words, c: Words) -> Words:
    """Sums of 16 x 4 words with 4 x 16 words: denormal numbers are zeros, products are fused with sums."""
    fma = lookup("fma").definition([F32] * 3, F32)
    add = lookup("fadd").definition([F32] * 2, F32)
    found = c.copy()
    for row in range(a.shape[0]):
        for column in range(b.shape[1]):
            sums = [0, 0]
            for word in range(4):
                x, y = int(a[row, word]), int(b[word, column])
                for half, pair in enumerate(((x << 16, y << 16), (x, y))):
                    low, high = (_flushed(item & 0xFFFF_0000) for item in pair)
                    sums[half] = _flushed(fma(low, high, sums[half]))
            total = _flushed(add(*sums))
            found[row, column] = _flushed(add(_flushed(int(c[row, column])), total))
    return found


def run_tile(tier: Tier, a: Words, b: Words, c: Words) -> Words:
    """The same by the tile instructions of a tier."""
    machine, writer, declared = tiles_machine.machine_of(tier), Writer(), dict[str, str]()
    assert machine is not None
    machine.load(writer, 3, "%c", 64)
    machine.load(writer, 5, "%a", 16)
    machine.load(writer, 6, "%b", 64)
    machine.dot(writer, 3, 5, 6)
    machine.store(writer, 3, "%c", 64)
    body = [*tiles_machine.prologue(tier), *writer.lines, *tiles_machine.epilogue(tier), "  ret void", "}"]
    functions = tiles_machine.functions(partition((16, 16, 1), 256), tier, declared)
    declared |= writer.declared
    text = "\n".join(["define void @run(ptr %a, ptr %b, ptr %c) {", *body, functions, *declared.values()])
    loaded = llvm.Loaded(llvm.object_code(text, tier), "run")
    arrays = [item.copy() for item in (a, b, c)]
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(loaded.address)(*[item.ctypes.data for item in arrays])
    return np.asarray(arrays[2])
