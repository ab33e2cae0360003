"""The card at the level of addresses and words: memory, launches, parameter memory, transfers, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openrpp.machine import Device, LaunchError, load_image
from openrpp.machine.device import ENGINES
from tests.machine.programs import kernel, shaped

SRAM, DDR, PRAM, FRAM = 0x0400_0000, 0x1000_0000, 0x0700_0000, 0x0600_0000
DDR_END = 0x4_1000_0000
ALIAS = 0x10_0000_0000
OUT = SRAM + 0x2000
MAP = (
    "there are SRAM 0x4000000 to 0x57fffff, FRAM bank 0 0x6000000 to 0x6000fff, PRAM 0x7000000 to 0x71fffff, "
    "DDR 0x10000000 to 0x40fffffff"
)
NOTHING = kernel("##", "nothing")


def refused(action: Callable[[], object]) -> str:
    """The sentence with which the card refuses."""
    with pytest.raises(LaunchError) as caught:
        action()
    return str(caught.value)


# --- settings ----------------------------------------------------------------------------------------------------


def test_unknown_settings_are_refused_with_what_there_is() -> None:
    assert ENGINES[0] == "reference"
    assert refused(lambda: Device(engine="fast")).startswith("engine 'fast' is not known; there is reference")
    order: Any = "sideways"
    assert refused(lambda: Device(order=order)) == (
        "order 'sideways' is not known; there are column, warp, random, descending, shuffled"
    )
    assert refused(lambda: Device(check=["races"])) == "check 'races' is not known; there are tokens, order, undefined"


# --- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", [SRAM, SRAM + 1, DDR, DDR_END - 4096, PRAM, FRAM, FRAM + 0x1000, ALIAS + SRAM, ALIAS + DDR]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.int64, np.float64, np.complex64])
def test_arrays_come_back_as_they_went(address: int, dtype: Any) -> None:
    device = Device()
    values = np.arange(33).astype(dtype)
    device.write(address, values)
    got = device.read(address, 33, dtype)
    assert got.dtype == values.dtype
    assert np.array_equal(got, values)


def test_what_is_read_is_a_copy() -> None:
    device = Device()
    device.write(SRAM, np.zeros(4, np.uint16))
    got = device.read(SRAM, 4, np.uint16)
    got[:] = 9
    assert not device.read(SRAM, 4, np.uint16).any()


def test_shapes_are_flattened_in_c_order() -> None:
    device = Device()
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    device.write(SRAM, values)
    assert np.array_equal(device.read(SRAM, 24, np.uint16), values.ravel())


def test_an_alias_is_the_same_memory() -> None:
    device = Device()
    device.write(ALIAS + SRAM + 64, np.array([7], np.uint32))
    assert device.read(SRAM + 64, 1, np.uint32)[0] == 7


def test_empty_arrays_and_reads_are_fine() -> None:
    device = Device()
    device.write(SRAM, np.zeros(0, np.uint16))
    assert device.read(SRAM, 0, np.float32).size == 0


def test_ddr_costs_host_memory_only_where_it_is_touched() -> None:
    resource = pytest.importorskip("resource", reason="no such figures on Windows")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    device = Device()
    for offset in range(0, 1 << 34, 1 << 30):
        device.write(DDR + offset, np.array([offset >> 30], np.uint64))
    values = [int(device.read(DDR + (i << 30), 1, np.uint64)[0]) for i in range(16)]
    assert values == list(range(16))
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 256 << 20


WRITES: dict[str, tuple[Any, str]] = {
    "list": ([1, 2], "expected a NumPy array, got list; use numpy.asarray first"),
    "object": (np.array([1, "a"], object), "dtype object cannot live on the card; use a fixed-size number type"),
    "text": (np.array(["a"]), "dtype <U1 cannot live on the card; use a fixed-size number type"),
    "date": (
        np.array(["2026-01-01"], "M8[D]"),
        "dtype datetime64[D] cannot live on the card; use a fixed-size number type",
    ),
    "strided": (
        np.zeros((4, 4), np.uint16)[:, ::2],
        "the array is not contiguous (strides (8, 4)); use numpy.ascontiguousarray",
    ),
    "transposed": (
        np.zeros((4, 3), np.float32).T,
        "the array is not contiguous (strides (4, 12)); use numpy.ascontiguousarray",
    ),
    "big-endian": (
        np.zeros(4, ">u2"),
        "dtype >u2 is not little-endian; use array.astype(array.dtype.newbyteorder('<'))",
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_arrays_that_cannot_be_uploaded_are_refused(name: str) -> None:
    array, sentence = WRITES[name]
    device = Device()
    assert refused(lambda: device.write(SRAM, array)) == sentence


@pytest.mark.parametrize(
    ("address", "nbytes"),
    [
        (0, 2),
        (SRAM - 1, 1),
        (0x057F_FFFF, 2),
        (DDR_END - 6, 8),
        (DDR_END, 1),
        (-4, 4),
        (FRAM + 0xFFE, 4),
        (ALIAS + 0x057F_FFFF, 2),
    ],
)
def test_ranges_outside_memory_are_refused(address: int, nbytes: int) -> None:
    device = Device()
    sentence = f"{nbytes} bytes at {address:#x} are not in any memory of the card; {MAP}"
    assert refused(lambda: device.write(address, np.zeros(nbytes, np.uint8))) == sentence
    assert refused(lambda: device.read(address, nbytes, np.uint8)) == sentence


def test_ddr_ends_where_it_ends() -> None:
    device = Device()
    device.write(DDR_END - 8, np.arange(4, dtype=np.uint16))
    assert np.array_equal(device.read(DDR_END - 8, 4, np.uint16), np.arange(4))
    too_much = np.broadcast_to(np.uint8(0), (1 << 20,)).copy()
    assert refused(lambda: device.write(DDR_END - (1 << 20) + 1, too_much)).startswith(
        "1048576 bytes at 0x40ff00001 are not"
    )


def test_bad_reads_are_refused() -> None:
    device = Device()
    whole = "elements; pass a whole number from 0 up"
    assert refused(lambda: device.read(SRAM, -1, np.uint16)) == f"cannot read -1 {whole}"
    count: Any = 2.5
    assert refused(lambda: device.read(SRAM, count, np.uint16)) == f"cannot read 2.5 {whole}"
    for dtype, name in ((object, "object"), ("U4", "<U4"), ("u2,f4", "[('f0', '<u2'), ('f1', '<f4')]")):
        sentence = f"dtype {name} cannot live on the card; use a fixed-size number type"
        assert refused(lambda dtype=dtype: device.read(SRAM, 4, dtype)) == sentence


def test_parameter_memory_has_bounds() -> None:
    device = Device()
    assert (
        refused(lambda: device.fram_write(0xFFE, 4, 0)) == "4 bytes at 0xffe are not in parameter memory (0 to 0xfff)"
    )
    assert refused(lambda: device.fram_read(-2, 2)) == "2 bytes at -0x2 are not in parameter memory (0 to 0xfff)"
    assert refused(lambda: device.fram_read(0, 0)) == "0 bytes at 0x0 are not in parameter memory (0 to 0xfff)"
    assert refused(lambda: device.fram_write(0, 2, 0x1_0000)) == "65536 does not fit 2 bytes"
    assert refused(lambda: device.fram_write(0, 2, -0x8001)) == "-32769 does not fit 2 bytes"
    device.fram_write(0xFFC, 4, -1)
    assert device.fram_read(0xFFC, 4) == 0xFFFF_FFFF


# --- geometry and parameters -------------------------------------------------------------------------------------

MOST = "a block has 1 to 8160 (255 warps of 32)"
GEOMETRY: dict[str, tuple[dict[str, Any], str]] = {
    "8161 threads": ({"block": (8161, 1, 1)}, f"block (8161, 1, 1) has 8161 threads; {MOST}"),
    "8192 threads": ({"block": (32, 256, 1)}, f"block (32, 256, 1) has 8192 threads; {MOST}"),
    "no threads": ({"block": (32, 0, 1)}, f"block (32, 0, 1) has 0 threads; {MOST}"),
    "negative": ({"block": (-4, -8, 1)}, f"block (-4, -8, 1) has 32 threads; {MOST}"),
    "tail": ({"tail": (91, 90, 1)}, f"tail block (91, 90, 1) has 8190 threads; {MOST}"),
    "grid 0": ({"grid": (0, 1, 1)}, "grid (0, 1, 1): every axis must be 1 to 65535"),
    "grid 65536": ({"grid": (1, 65536, 1)}, "grid (1, 65536, 1): every axis must be 1 to 65535"),
    "four axes": ({"grid": (1, 1, 1, 1)}, "grid (1, 1, 1, 1) is not an extent of one to three whole numbers"),
    "no axis": ({"block": ()}, "block () is not an extent of one to three whole numbers"),
    "fraction": ({"block": (32.0, 1, 1)}, "block (32.0, 1, 1) is not an extent of one to three whole numbers"),
}


@pytest.mark.parametrize("name", GEOMETRY)
def test_bad_geometry_is_refused_with_the_limit(name: str) -> None:
    settings, sentence = GEOMETRY[name]
    assert refused(lambda: Device().launch(NOTHING, **{"block": (40, 1, 1), **settings})) == sentence


@pytest.mark.parametrize("block", [(8160, 1, 1), (32, 255, 1), (1, 1, 1), (40,), 40, np.int64(40)])
def test_every_legal_block_runs(block: Any) -> None:
    Device().launch(NOTHING, block=block)


TWO = kernel(shaped("##", "src dst"), "two")
PARAMETERS: dict[str, tuple[list[Any], str]] = {
    "too few": ([1], "kernel two takes 2 parameters (src, dst), got 1"),
    "too many": ([1, 2, 3], "kernel two takes 2 parameters (src, dst), got 3"),
    "65": ([0] * 65, "65 parameters; a launch passes at most 64"),
    "float": ([1, 1.5], "parameter 1 is 1.5 (float); pass the 32-bit pattern as a whole number"),
    "bool": ([True, 1], "parameter 0 is True (bool); pass the 32-bit pattern as a whole number"),
    "text": (["1", 1], "parameter 0 is '1' (str); pass the 32-bit pattern as a whole number"),
    "too large": ([1, 1 << 32], "parameter 1 is 4294967296, which does not fit 32 bits"),
    "too small": ([-(1 << 31) - 1, 0], "parameter 0 is -2147483649, which does not fit 32 bits"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_bad_parameters_are_refused(name: str) -> None:
    params, sentence = PARAMETERS[name]
    assert refused(lambda: Device().launch(TWO, block=(40, 1, 1), params=params)) == sentence


def test_a_refused_launch_changes_nothing() -> None:
    device = Device()
    device.launch(TWO, block=(40, 1, 1), params=[5, 6])
    refused(lambda: device.launch(TWO, block=(40, 1, 1), params=[7]))
    assert device.fram_read(0, 4) == 5
    assert device.launches == 1


def test_64_parameters_arrive_whole() -> None:
    names = [f"p{i}" for i in range(64)]
    values = [0x9E37_79B9 * (i + 1) & 0xFFFF_FFFF for i in range(64)]
    built = kernel("\n".join([*(f".param .u32 {name}" for name in names), "##"]))
    device = Device()
    device.launch(built, block=(40, 1, 1), params=values)
    assert [device.fram_read(4 * i, 4) for i in range(64)] == values
    device.launch(built, block=(40, 1, 1), params=[np.uint32(value) for value in values])
    device.launch(built, block=(40, 1, 1), params=[-1] * 64)
    assert device.fram_read(252, 4) == 0xFFFF_FFFF


def test_an_older_image_may_declare_fewer_parameters_than_it_is_passed() -> None:
    device = Device()
    device.launch(load_image([0x5000_0018, 0xD100_0000], ["a"]), block=(40, 1, 1), params=[1, 2])
    assert device.fram_read(4, 4) == 2


# --- what a launch hands to a kernel -----------------------------------------------------------------------------


def parameter_words(names: list[str], **launch: Any) -> list[int]:
    """Values of built-in words as a kernel sees them, stored by lane 0."""
    body = ".param .u32 out\n.var .u32 %out\n.var .u16 %n\n.var .u16 %one\nLDPARAM.U32 [out], %out\nMOVE.U16 40, %n\n"
    body += "CFGXYZ %n, %n, %n\nMOVE.U16 2, %one\n"
    for name in names:
        body += f"LDPARAM.U16 [{name}], %n\nMOVE.U16 %n, VA\n##\nSTORECONT %out, VA\n##\nMOVE.U32 80, DS13\n"
        body += "ADD.U32 %out, DS13, %out\n"
    device = Device()
    device.launch(kernel(body), params=[OUT], **launch)
    return device.read(OUT, 40 * len(names), np.uint16)[::40].tolist()


def test_geometry_stands_in_parameter_memory() -> None:
    names = [f"{group}.{axis}" for group in ("grid", "tbDim") for axis in "xyz"]
    names += ["tid_xyz", "dimx_shadow", "dimy_shadow", "dimz_shadow", "xyzcfg_shadow", "grid_dim_x"]
    values = parameter_words(names, grid=(1, 1, 1), block=(8, 5, 2), tail=(7, 3, 2))
    assert values == [1, 1, 1, 8, 5, 2, 80, 7, 3, 2, 42, 1]


def test_the_tail_is_the_block_by_default() -> None:
    assert parameter_words(["dimx_shadow", "dimy_shadow", "dimz_shadow"], block=(9, 5, 1)) == [9, 5, 1]


@pytest.mark.parametrize("block", [(70, 1, 1), (6, 5, 3), (1, 1, 40), (33, 2, 4), (16, 16, 16)])
def test_thread_ids_decode_to_x_y_z(block: tuple[int, int, int]) -> None:
    body = "LDPARAM.U32 [tid_base], DS10\nLDPARAM.U32 [tid_depack], DS11\n"
    threads = block[0] * block[1] * block[2]
    for axis in "XYZ":
        body += f"LOADCONT DS10, MB\nDECTID.{axis} MB, DS11, VA\n##\nSTORECONT %dst, VA\n##\n"
        body += f"MOVE.U32 {2 * threads}, DS12\nADD.U32 %dst, DS12, %dst\n"
    device = Device()
    device.launch(kernel(shaped(body, "dst")), block=block, params=[OUT])
    x, y, z = device.read(OUT, 3 * threads, np.uint16).reshape(3, threads)
    i = np.arange(threads)
    assert np.array_equal(x, i % block[0])
    assert np.array_equal(y, i // block[0] % block[1])
    assert np.array_equal(z, i // (block[0] * block[1]))


# --- parameter memory --------------------------------------------------------------------------------------------

READ_WORD = "LDPARAM.U16 [cfg_fft_w4_{}], %w\nMOVE.U16 %w, VA\n##\nSTORECONT %dst, VA\n##\n"


def word_seen(device: Device, index: int) -> int:
    device.launch(kernel(shaped(READ_WORD.format(index), "dst")), block=(40, 1, 1), params=[OUT])
    return int(device.read(OUT, 1, np.uint16)[0])


def test_successive_launches_alternate_the_banks() -> None:
    device = Device()
    for number in range(4):
        device.launch(TWO, block=(40, 1, 1), params=[number, 0])
        banks = [int(device.read(FRAM + 0x1000 * bank, 1, np.uint32)[0]) for bank in (0, 1)]
        assert banks[number % 2] == number
        assert device.fram_read(0, 4) == number


def test_host_words_reach_every_bank() -> None:
    device = Device()
    device.fram_write(0x808, 4, 77)
    assert [word_seen(device, 2) for _ in range(3)] == [77, 77, 77]


def test_host_words_in_one_bank_are_seen_by_every_other_launch() -> None:
    device = Device()
    device.write(FRAM + 0x1000 + 0x808, np.array([5], np.uint32))
    assert [word_seen(device, 2) for _ in range(4)] == [0, 5, 0, 5]


def test_counters_that_kernels_keep_outlive_the_alternation() -> None:
    count = "LDPARAM.U32 [cfg_fft_w4_8], %dst\nMOVE.U32 1, DS12\nADD.U32 %dst, DS12, %dst\n"
    count += "STGLB.U32 %dst, [cfg_fft_w4_8]\n##"
    device = Device()
    for expected in (1, 2, 3):
        device.launch(kernel(shaped(count, "dst")), block=(40, 1, 1), params=[0])
        assert device.fram_read(0x820, 4) == expected


def test_a_kernels_other_words_stay_in_its_bank() -> None:
    device = Device()
    device.launch(kernel(shaped("MOVE.U32 9, DS12\nSTGLB.U32 DS12, [0x200]\n##", "dst")), block=(40, 1, 1), params=[0])
    assert [int(device.read(FRAM + 0x200 + 0x1000 * bank, 1, np.uint32)[0]) for bank in (0, 1)] == [9, 0]


# --- transfers ---------------------------------------------------------------------------------------------------

DMA = """.param .u32 src_lo
.param .u32 src_hi
.param .u32 dst_lo
.param .u32 dst_hi
.param .u32 nbytes
.var .u32 %v
LDPARAM.U32 [src_lo], %v
STGLB.U32 %v, [dma_ch0_mod1_src_lo]
LDPARAM.U32 [src_hi], %v
STGLB.U32 %v, [dma_ch0_mod1_src_hi]
LDPARAM.U32 [dst_lo], %v
STGLB.U32 %v, [dma_ch0_mod1_dst_lo]
LDPARAM.U32 [dst_hi], %v
STGLB.U32 %v, [dma_ch0_mod1_dst_hi]
LDPARAM.U32 [nbytes], %v
STGLB.U32 %v, [dma_ch0_mod1_len]
##
POLL.CHN1
##
"""
TRANSFER = kernel(DMA, "transfer")


def transfer(device: Device, source: int, target: int, nbytes: int) -> None:
    """Copy by a kernel, with 64-bit addresses."""
    low, high = 0xFFFF_FFFF, 32
    params = [source & low, source >> high, target & low, target >> high, nbytes]
    device.launch(TRANSFER, block=(32, 1, 1), params=params)


@pytest.mark.parametrize("base", [0, ALIAS])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        (DDR, SRAM),
        (SRAM, DDR_END - 256),
        (DDR_END - 256, DDR),
        (SRAM + 1, SRAM + 0x1001),
        (PRAM, DDR + 3),
        (SRAM, PRAM),
    ],
)
def test_a_kernel_moves_bytes_between_memories(base: int, source: int, target: int) -> None:
    device = Device()
    data = np.random.default_rng(1).integers(0, 256, 201, dtype=np.uint8)
    device.write(source, data)
    device.write(target, np.zeros(256, np.uint8))
    transfer(device, base + source, base + target, 201)
    assert np.array_equal(device.read(target, 201, np.uint8), data)
    assert not device.read(target + 201, 55, np.uint8).any()


@pytest.mark.parametrize("bank", [0, 1])
def test_a_transfer_into_parameter_memory_is_read_by_the_same_kernel(bank: int) -> None:
    device = Device()
    device.launches = bank
    device.write(DDR, np.array([0xBEEF, 0x1234], np.uint16))
    text = (
        DMA + "LDPARAM.U16 [cfg_fft_w4_3], S20\nMOVE.U16 S20, VA\n##\nMOVE.U32 0x04002000, DS11\nSTORECONT DS11, VA\n##"
    )
    target = FRAM + 0x1000 * bank + 0x80C
    device.launch(kernel(text), block=(40, 1, 1), params=[DDR, 0, target, 0, 4])
    assert device.read(OUT, 1, np.uint16)[0] == 0xBEEF
    assert device.read(FRAM + 0x1000 * (1 - bank) + 0x80C, 1, np.uint32)[0] == 0
    transfer(device, target, SRAM, 4)
    assert np.array_equal(device.read(SRAM, 2, np.uint16), [0xBEEF, 0x1234])


@pytest.mark.parametrize("shift", [-7, 5])
def test_overlapping_transfers_copy_what_was_there(shift: int) -> None:
    device = Device()
    data = np.arange(200, dtype=np.uint8)
    device.write(SRAM + 100, data)
    transfer(device, SRAM + 100, SRAM + 100 + shift, 200)
    assert np.array_equal(device.read(SRAM + 100 + shift, 200, np.uint8), data)


def test_a_transfer_of_nothing_does_nothing() -> None:
    transfer(Device(), 0, 0, 0)
