"""Kernels that only move data: scalar code that starts DMA and waits for it.

Their run-time values (how many rows, which row) stand in FRAM words that the host pokes, or are fetched by the kernel
itself: it copies a row number from DDR into FRAM (both banks) and reads it back as a scalar. The launch shape is the
host's dummy block of one warp.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from conformance.case import Array, Bench, Check, case
from conformance.cases.quant import Words

BLOCK = (32, 1, 1)
GRID = (1, 1, 1)
FRAM = 0x10_0600_0000
BANK = 0x1000
DEVICE_ALIAS = 0x10_0000_0000


def poke(bench: Bench, word: int, value: int) -> None:
    """Set run-time word cfg_fft_w4_<word>, as the host does before a launch."""
    bench.device.fram_write(0x800 + 4 * word, 4, value)


def split(*addresses: int) -> list[int]:
    """Low and high word of each 64-bit address."""
    return [part for address in addresses for part in (address & 0xFFFF_FFFF, address >> 32)]


def fram_words(word: int) -> list[int]:
    """Low halves of the addresses of a run-time word in both banks, then their common high half."""
    first = FRAM + 0x800 + 4 * word
    return [first & 0xFFFF_FFFF, (first + BANK) & 0xFFFF_FFFF, first >> 32]


def rows_of(bench: Bench, rows: int, width: int) -> Words:
    return bench.rng.integers(0, 1 << 16, (rows, width), dtype=np.uint16)


def read_rows(bench: Bench, address: int, like: Array) -> Array:
    return bench.read(address, like.size, like.dtype).reshape(like.shape)


@case("dma_dyn_d0_2d", "rpp_cont/kernel")
def slices(bench: Bench) -> Iterable[Check]:
    """As many slices as run-time word 5 says, from one pitch to another. Host: rpp_cont_build with a dynamic D0."""
    for count, width, pitch in ((5, 384, 512), (1, 64, 64)):
        source, target = rows_of(bench, 6, pitch), rows_of(bench, 6, width)
        at, to = bench.put_ddr(source), bench.put_ddr(target)
        poke(bench, 5, count)
        bench.launch(GRID, BLOCK, [*split(at, to), 2 * pitch, 2 * width, 2 * width])
        want = np.concatenate([source[:count, :width], target[count:]])
        yield Check(f"{count} slices", read_rows(bench, to, target), want)


@case("dma_row_ddr_to_sram", "rpp_set_rows/kernel")
def rows_to_sram(bench: Bench) -> Iterable[Check]:
    """Rows `start` to `start + count` of DDR to the front of an SRAM buffer. Host: rpp_set_rows_build."""
    for alias in (0, DEVICE_ALIAS):
        source, target = rows_of(bench, 12, 320), rows_of(bench, 4, 320)
        at, to = bench.put_ddr(source), bench.put(target)
        poke(bench, 0, 7)
        poke(bench, 1, 3)
        bench.launch(GRID, BLOCK, [*split(at, to + alias), 2 * 320])
        want = np.concatenate([source[7:10], target[3:]])
        yield Check(f"SRAM at {to + alias:#x}", read_rows(bench, to, target), want)


def set_rows_check(bench: Bench, source_at: int, source: Words, start: int, count: int) -> Check:
    """Rows land in a table from the row on whose 64-bit number stands at place `start` of a list."""
    numbers = np.array([9, 2, 5, 11, 4], np.int64)
    table = rows_of(bench, 16, source.shape[1])
    to, list_at = bench.put_ddr(table), bench.put_ddr(numbers)
    poke(bench, 0, start)
    poke(bench, 1, count)
    poke(bench, 4, 0xDEAD)  # what the kernel must replace
    params = [*split(source_at, to, list_at), *fram_words(4), 2 * source.shape[1]]
    bench.launch(GRID, BLOCK, params)
    want = table.copy()
    want[numbers[start] : numbers[start] + count] = source[:count]
    return Check(f"{count} rows from {start}", read_rows(bench, to, table), want)


@case("dma_row_ddr_to_ddr", "rpp_set_rows/kernel")
def rows_to_table(bench: Bench) -> Iterable[Check]:
    """Rows `start` on of DDR to a DDR table at row number list[start]. Host: rpp_set_rows_build, equal types."""
    source = rows_of(bench, 8, 192)
    at = bench.put_ddr(source)
    for start, count in ((3, 2), (0, 5)):
        yield set_rows_check(bench, at, source[start:], start, count)


@case("dma_row_sram_to_ddr", "rpp_set_rows/kernel")
def sram_to_table(bench: Bench) -> Iterable[Check]:
    """The front of an SRAM buffer to a DDR table at row number list[start]. Host: rpp_set_rows_build, f32 to bf16."""
    source = rows_of(bench, 8, 192)
    at = bench.put(source)
    for start, count in ((2, 4), (1, 1)):
        yield set_rows_check(bench, at, source, start, count)


def get_rows(bench: Bench, start: int, count: int, bytes_per_number: int) -> tuple[Array, Words, Words, Array]:
    """Launch one of the row getters; (list of row numbers, table, output before, output after)."""
    kind = np.int64 if bytes_per_number == 8 else np.int32
    numbers = np.array([6, 1, 13, 0, 8, 3], kind)
    table, out = rows_of(bench, 16, 256), rows_of(bench, 6, 256)
    at, to, list_at = bench.put_ddr(table), bench.put_ddr(out), bench.put_ddr(numbers)
    poke(bench, 2, start)
    poke(bench, 3, count)
    poke(bench, 4, 0xDEAD)
    bench.launch(GRID, BLOCK, [*split(to, at, list_at), *fram_words(4), 2 * 256, bytes_per_number])
    return numbers, table, out, read_rows(bench, to, out)


@case("dma_ddr_to_row_ddr_non_cont", "rpp_get_rows/kernel")
def get_each_row(bench: Bench) -> Iterable[Check]:
    """out[i] = table[list[i]] for `count` places from `start` on. Host: rpp_get_rows_build."""
    for start, count, width in ((1, 4, 4), (0, 6, 8), (5, 1, 8)):
        numbers, table, out, got = get_rows(bench, start, count, width)
        want = out.copy()
        want[start : start + count] = table[numbers[start : start + count]]
        yield Check(f"{count} rows from {start}, {width}-byte numbers", got, want)


@case("dma_ddr_to_row_ddr", "rpp_get_rows/kernel", geometry="reduced", note="the host launches the other getter only")
def get_run_of_rows(bench: Bench) -> Iterable[Check]:
    """out[start..] = `count` neighbouring rows of the table from row list[start] on."""
    for start, count, width in ((1, 4, 4), (2, 3, 8)):
        numbers, table, out, got = get_rows(bench, start, count, width)
        first = int(numbers[start])
        want = out.copy()
        want[start : start + count] = table[first : first + count]
        yield Check(f"{count} rows from {start}, {width}-byte numbers", got, want)


@case(
    "dma_current_layer_id",
    "rpp_flash_attn_ext/kernel_vxm",
    geometry="reduced",
    sources=("image",),
    note="no host code calls it; the four parameters are destination and source, low word first",
)
def layer_to_memory(bench: Bench) -> Iterable[Check]:
    """Copy one 32-bit word, here the layer counter (run-time word 9) from FRAM to DDR."""
    words = bench.rng.integers(0, 1 << 32, 3, dtype=np.uint32)
    to = bench.put_ddr(words)
    poke(bench, 9, 0x1234_5678)
    bench.launch(GRID, BLOCK, split(to + 4, FRAM + 0x800 + 4 * 9))
    yield Check("layer word", bench.read(to, 3, np.uint32), np.array([words[0], 0x1234_5678, words[2]], np.uint32))
