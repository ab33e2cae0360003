"""Column semantics (specification 4.1 to 4.4), and orders of execution that may not matter."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from openrpp.isa.table import decode_form
from openrpp.machine import Device, load_image
from openrpp.machine.reference import Order
from tests.machine.programs import PE_FORMS, Program, kernel, random_program, seeded, shaped, words_of

ORDERS = get_args(Order)
LEGAL_ORDERS = ("column", "warp", "random")
SRAM, OUT = 0x0400_0000, 0x0400_2000
LANES = 100
Words = NDArray[np.uint16]


def run(body: str, order: str = "column", grid: Any = (1, 1, 1), block: Any = (LANES, 1, 1), **launch: Any) -> Device:
    """Run a body with the input 1000 + lane at %src."""
    device = Device(order=order)  # type: ignore[arg-type]
    device.write(SRAM, np.arange(1000, 5000, dtype=np.uint16))
    device.launch(kernel(shaped(body, "src dst")), grid, block, [SRAM, OUT], **launch)
    return device


def stored(body: str, order: str = "column", register: str = "VA", count: int = LANES, **launch: Any) -> Words:
    """What a body leaves in a register."""
    return run(f"{body}\nSTORECONT %dst, {register}\n##", order, **launch).read(OUT, count, np.uint16)


every_order = pytest.mark.parametrize("order", ORDERS)
I = np.arange(LANES)  # noqa: E741
INPUT = 1000 + I


# --- 4.1, rule 1: scalar words first, operands captured when the column is decoded -------------------------------


@every_order
def test_scalar_words_of_a_column_come_before_its_vector_words(order: str) -> None:
    assert (stored("MOVE.U16 5, %w\nMOVE.U16 %w, VA\n##", order) == 5).all()
    assert (stored("MOVE.U16 %w, VA\nMOVE.U16 5, %w\n##", order) == 5).all(), "whatever the text order"


@every_order
def test_scalar_words_run_in_text_order(order: str) -> None:
    assert (stored("MOVE.U16 3, %w\nADD.U16 %w, %w, %w\nMUL.U16 %w, %w, %w\nMOVE.U16 %w, VA\n##", order) == 36).all()


@every_order
def test_scalar_operands_are_captured_when_the_column_is_decoded(order: str) -> None:
    body = "MOVE.U16 5, %w\nMOVE.U16 %w, VA\n##\nMOVE.U16 7, %w\nCOPY VA, IA\n##\nMOVE.U16 9, %w\n##"
    assert (stored(body, order, register="IA") == 5).all()
    moved = "MOVE.U16 1, VA\n##\nSTORECONT %dst, VA\nMOVE.U16 2, VA\n##\nMOVE.U32 0x04003000, %dst\n##"
    device = run(f"{moved}\nSTORECONT %dst, VA\n##", order)
    assert (device.read(OUT, LANES, np.uint16) == 1).all()
    assert (device.read(0x0400_3000, LANES, np.uint16) == 2).all()


# --- 4.1, rule 2: reads see entry values -------------------------------------------------------------------------


@every_order
def test_a_store_sees_the_old_va_of_its_column(order: str) -> None:
    device = run("MOVE.U16 1, VA\n##\nSTORECONT %dst, VA\nMOVE.U16 2, VA\n##", order)
    assert (device.read(OUT, LANES, np.uint16) == 1).all()


@every_order
def test_a_copy_is_not_visible_to_the_memory_port_of_its_column(order: str) -> None:
    device = run("MOVE.U16 1, VA\n##\nCOPY VA, IA\nMOVE.U16 2, VA\n##\nSTORECONT %dst, IA\nCOPY VA, IA\n##", order)
    assert (device.read(OUT, LANES, np.uint16) == 1).all()


@every_order
def test_a_gather_index_copied_in_its_column_is_the_old_one(order: str) -> None:
    body = (
        "MOVE.U16 1, VA\n##\nCOPY VA, IA\nMOVE.U16 2, VA\n##\nCOPY VA, IA\nLOAD [%src+(IA<<1)], MA\nMOVE.U16 MA, VA\n##"
    )
    assert (stored(body, order) == 1001).all()


@every_order
def test_a_dva_update_is_not_visible_to_a_load_of_its_column(order: str) -> None:
    body = "MMOV %src, DVA\n##\nMADD DVA, 2, DVA\nLOAD [DVA], MA\nMOVE.U16 MA, VA\n##"
    assert (stored(body, order) == 1000).all()
    assert (stored(body + "\nLOAD [DVA], MA\nMOVE.U16 MA, VA\n##", order) == 1001).all()


@every_order
def test_the_order_of_words_inside_a_column_is_irrelevant_too(order: str) -> None:
    # The assembler puts DVA operations behind loads; an image need not.
    body = "MMOV %src, DVA\n##\nLOAD [DVA], MA\nMADD DVA, 2, DVA\nMOVE.U16 MA, VA\n##\nSTORECONT %dst, VA\n##"
    built = kernel(shaped(body, "src dst"))
    (load,), (add,) = words_of(built, "LOAD"), words_of(built, "MADD")
    words = list(built.words)
    words[load], words[add] = words[add], words[load]
    device = Device(order=order)  # type: ignore[arg-type]
    device.write(SRAM, np.arange(1000, 1512, dtype=np.uint16))
    device.launch(load_image(words, ["src", "dst"]), block=(LANES, 1, 1), params=[SRAM, OUT])
    assert (device.read(OUT, LANES, np.uint16) == 1000).all()


@every_order
def test_a_copy_sees_the_old_va_of_its_column(order: str) -> None:
    assert (stored("MOVE.U16 1, VA\n##\nCOPY VA, IA\nMOVE.U16 2, VA\n##", order, register="IA") == 1).all()


@every_order
def test_an_operation_may_read_the_register_that_it_writes(order: str) -> None:
    assert (stored("MOVE.U16 3, VA\n##\nADD.U16 VA, VA, VA\n##", order) == 6).all()


@every_order
def test_a_load_into_a_register_of_the_same_column_is_not_read(order: str) -> None:
    body = "MOVE.U16 4, VA\n##\nCOPY VA, IA\n##\nLOADCONT %src, IA\nLOAD [%src+(IA<<1)], MA\nMOVE.U16 MA, VA\n##"
    assert (stored(body, order) == 1004).all()
    assert np.array_equal(stored(body, order, register="IA"), INPUT)


# --- 4.1, rule 3: MA, MB, MAB and WARPVEC are forwarded inside the column ----------------------------------------


@every_order
def test_a_load_reaches_operation_and_copy_of_its_column(order: str) -> None:
    body = "LOADCONT %src, MB\nADD.U16 MB, 1, VA\nCOPY MB, IA\n##"
    assert np.array_equal(stored(body, order), INPUT + 1)
    assert np.array_equal(stored(body, order, register="IA"), INPUT)


@every_order
def test_a_warp_vector_reaches_the_dot_product_and_that_the_operation(order: str) -> None:
    body = "MMOV %src, DVA\nMOVE.U16 8, %h\n##\nLDWARP %src, %w, %w, WARPVEC\nLDLANE_BFMAD [DVA], WARPVEC, %h, MAB\n"
    device = Device(order=order)  # type: ignore[arg-type]
    values = np.random.default_rng(3).integers(-4, 5, 256).astype(np.float32)
    device.write(SRAM, (values.view(np.uint32) >> 16).astype(np.uint16))
    built = kernel(shaped(body + "MOVE.U32 MAB, VAB\n##\nSTORECONT %dst, VB\n##", "src dst"))
    device.launch(built, block=(LANES, 1, 1), params=[SRAM, OUT])
    want = values[:8] @ values.reshape(8, 32)  # small whole numbers: exact in any order
    got = (device.read(OUT, LANES, np.uint16).astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(got, want[I % 32])


# --- 4.1, rule 4: everything else is visible at the next column --------------------------------------------------


@every_order
def test_results_copies_loads_and_addresses_are_visible_at_the_next_column(order: str) -> None:
    assert (stored("MOVE.U16 1, VA\n##\nADD.U16 VA, 1, VA\n##", order) == 2).all()
    assert (stored("MOVE.U16 1, VA\n##\nCOPY VA, IA\n##\nADD.U16 IA, 4, VA\n##", order) == 5).all()
    assert np.array_equal(stored("LOADCONT %src, IA\n##\nADD.U16 IA, 4, VA\n##", order), INPUT + 4)
    load = "MMOV %src, DVA\n##\nLOAD [DVA+2], ID\n##\nMOVE.U16 ID, VA\n##"
    assert (stored(load, order) == 1001).all()


@every_order
def test_text_order_inside_a_column_is_irrelevant(order: str) -> None:
    lines = [
        "STORECONT %dst, VA",
        "COPY VA, IA",
        "ADD.U16 VA, 1, VA",
        "MADD DVA, 2, DVA",
        "LOAD [DVA], MA",
        "COPYEXT MA, IE",
    ]
    results = []
    for turn in range(len(lines)):
        column = "\n".join(lines[turn:] + lines[:turn])
        device = run(f"MMOV %src, DVA\nMOVE.U16 8, VA\n##\n{column}\n##\nMOVE.U32 0x04003000, %dst\n##\n"
                     "ADD.U16 IA, IE, VA\n##\nSTORECONT %dst, VA\n##", order)  # fmt: skip
        results.append((int(device.read(OUT, 1, np.uint16)[0]), int(device.read(0x0400_3000, 1, np.uint16)[0])))
    assert set(results) == {(8, 1008)}


# --- 4.4: control ------------------------------------------------------------------------------------------------


@every_order
def test_a_taken_jump_skips_the_rest_of_its_column(order: str) -> None:
    body = "MOVE.U16 {}, %w\nMOVE.U16 1, VA\n##\nJMPC %w, $over\nMOVE.U16 2, VA\n##\n$over:\nADD.U16 VA, 8, VA\n##"
    assert (stored(body.format(1), order) == 9).all()
    assert (stored(body.format(0), order) == 10).all()
    inverted = body.replace("JMPC", "JMPNC")
    assert (stored(inverted.format(0), order) == 9).all()


@every_order
def test_a_loop_carries_vector_values_and_addresses(order: str) -> None:
    body = "MOVE.U16 5, %w\nMOVE.U16 1, %h\nMMOV %src, DVA\nMOVE.U16 0, VA\n##\n$loop:\nSUB.U16 %w, %h, %w\n"
    body += "LOAD [DVA], MA\nMADD DVA, 2, DVA\nADD.U16 MA, VA, VA\n##\nJMPC %w, $loop\n##"
    assert (stored(body, order) == sum(range(1000, 1005))).all()


@pytest.mark.parametrize("times", [0, 1, 7, 300])
@pytest.mark.parametrize("order", LEGAL_ORDERS)
def test_repeat_runs_its_column_that_often(order: str, times: int) -> None:
    body = f"MOVE.U16 {times}, %w\nMOVE.U16 2, VA\n##\nREPEAT 1, %w\nADD.U16 VA, 3, VA\nCOPY VA, IA\n##\n"
    body += "ADD.U16 VA, 1, VA\n##"
    assert (stored(body, order) == 3 + 3 * times).all()
    if times:
        assert (stored(body, order, register="IA") == 3 * times - 1).all()


@pytest.mark.parametrize("order", LEGAL_ORDERS)
def test_ret_ends_a_kernel_early(order: str) -> None:
    device = run("MOVE.U16 6, VA\n##\nSTORECONT %dst, VA\n##\nRET", order)
    assert (device.read(OUT, LANES, np.uint16) == 6).all()


# --- 4.3: blocks and lanes ---------------------------------------------------------------------------------------


@every_order
def test_blocks_run_one_after_another_x_fastest(order: str) -> None:
    # Each block stores its indices at a place that the block before has moved on.
    body = "JMPC %blockIdx, $go\nMOVE.U32 0x04002000, DS10\n$go:\nMOVE.U16 100, %w\nMUL.U16 %blockIdx.z, %w, S22\n"
    body += "MOVE.U16 10, %w\nMUL.U16 %blockIdx.y, %w, S23\nADD.U16 S22, S23, S22\nADD.U16 S22, %blockIdx.x, S22\n"
    body += "MOVE.U16 S22, VA\n##\nSTORECONT DS10, VA\n##\nMOVE.U32 200, DS12\nADD.U32 DS10, DS12, DS10\n##"
    device = run(body, order, grid=(2, 3, 2))
    want = [100 * z + 10 * y + x for z in range(2) for y in range(3) for x in range(2)]
    assert device.read(OUT, 12 * LANES, np.uint16)[::LANES].tolist() == want


@every_order
def test_scalar_registers_persist_over_blocks_and_vector_registers_do_not(order: str) -> None:
    body = "JMPC %blockIdx, $go\nMOVE.U16 0, S20\nMOVE.U16 1, S21\nMOVE.U16 5, VA\n##\n$go:\nADD.U16 S20, S21, S20\n"
    body += "STORECONT %dst, VA\n##\nMOVE.U16 S20, VA\n##\nMOVE.U32 0x04003000, DS12\nSTORECONT DS12, VA\n##"
    device = run(body, order, grid=(3, 1, 1))
    assert (device.read(0x0400_3000, LANES, np.uint16) == 3).all()
    assert not device.read(OUT, LANES, np.uint16).any(), "VA of block 0 is gone in block 1"


def test_block_number_register_counts_all_axes() -> None:
    body = "MOVE.U16 %blockIdx, VA\n##\nSTORECONT %dst, VA\n##"
    assert run(body, grid=(3, 2, 2)).read(OUT, 1, np.uint16)[0] == 11


TAIL = """LDPARAM.U16 [grid_dim_x], %h
MOVE.U16 1, S20
ADD.U16 %blockIdx.x, S20, S21
CMP.U16.EQ S21, %h, S22
JMPNC S22, $body
LDPARAM.U16 [dimx_shadow], S20
LDPARAM.U16 [dimy_shadow], S21
LDPARAM.U16 [xyzcfg_shadow], S22
CFGXYZ S20, S21, S22
$body:
"""
STORE_PER_BLOCK = """MOVE.U16 9, VA
##
CVT.U16.U32 %blockIdx.x, DS12
SHL.U32 DS12, 9, DS12
ADD.U32 %dst, DS12, DS13
STORECONT DS13, VA
##
"""


def lanes_stored(device: Device, blocks: int) -> list[int]:
    """How many lanes of each block have stored."""
    return [int((device.read(OUT + 512 * block, 256, np.uint16) == 9).sum()) for block in range(blocks)]


@every_order
def test_a_kernel_cuts_its_last_block_to_the_tail(order: str) -> None:
    device = run(TAIL + STORE_PER_BLOCK, order, grid=(3, 1, 1), block=(50, 2, 1), tail=(21, 2, 1))
    assert lanes_stored(device, 3) == [100, 100, 42]


@every_order
def test_the_shape_stays_until_it_is_set_again(order: str) -> None:
    body = "JMPC %blockIdx, $go\nMOVE.U16 40, S20\nCFGXYZ S20, S20, S20\n$go:\n" + STORE_PER_BLOCK
    text = shaped(body, "src dst").replace("CFGXYZ %w, %h, %n\n", "")
    device = Device(order=order)  # type: ignore[arg-type]
    device.launch(kernel(text), (2, 1, 1), (LANES, 1, 1), [SRAM, OUT])
    assert lanes_stored(device, 2) == [40, 40]


@pytest.mark.parametrize("shape", [(7, 3, 2), (64, 1, 1), (1, 1, 50), (33, 2, 1)])
def test_lanes_have_positions_in_the_block(shape: tuple[int, int, int]) -> None:
    body = "MOVE.U16 1, S20\nMOVE.U16 10, S21\nMOVE.U16 200, S22\nMOVE.U16 3, VA\n##\n"
    body += "STOREALN %dst, S21, S22, VA\n##\nGLANEADDR %src, S20, S20, DVA\n##\nMOVE.U16 2, S20\nMOVE.U16 100, S21\n"
    body += "GLANEADDR %src, S20, S21, DVA\n##\nLOAD [DVA], MA\nMOVE.U16 MA, VA\n##\nMOVE.U32 0x04008000, %dst"
    threads = shape[0] * shape[1] * shape[2]
    device = run(f"{body}\nSTORECONT %dst, VA\n##", block=shape)
    i = np.arange(threads)
    x, y, z = i % shape[0], i // shape[0] % shape[1], i // (shape[0] * shape[1])
    assert np.array_equal(device.read(0x0400_8000, threads, np.uint16), 1000 + y + 50 * z)
    places = device.read(OUT, 12_000, np.uint16)
    assert np.array_equal(np.flatnonzero(places == 3), np.unique(x + 10 * y + 200 * z))


# --- 4.5: orders that the machine may take, and those that it does not -------------------------------------------


def in_place_conversion(order: str) -> Words:
    """Pairs of words to their second words, in place: right where warps go through a column in ascending order."""
    body = "LOADCONT DS10, MB\nCOPY MB, IA\n##\nMOVE.U32 2, DS12\nADD.U32 %src, DS12, DS12\nLOAD [DS12+(IA<<2)], MA\n"
    body += "MOVE.U16 MA, VA\n##\nSTORECONT %src, VA\n##"
    device = Device(order=order, seed=5)  # type: ignore[arg-type]
    device.write(SRAM, np.arange(2 * LANES, dtype=np.uint16))
    text = shaped("LDPARAM.U32 [tid_base], DS10\n" + body, "src dst")
    device.launch(kernel(text), block=(LANES, 1, 1), params=[SRAM, OUT])
    return device.read(SRAM, LANES, np.uint16)


def test_ascending_warps_allow_conversion_in_place() -> None:
    for order in LEGAL_ORDERS:
        assert np.array_equal(in_place_conversion(order), 2 * I + 1), order


def test_other_orders_expose_that_assumption() -> None:
    assert not np.array_equal(in_place_conversion("descending"), 2 * I + 1)


@pytest.mark.parametrize("barrier", [False, True])
def test_a_missing_barrier_shows_as_a_difference_between_legal_orders(barrier: bool) -> None:
    fence = "DMB_ORI\n##\n" if barrier else ""
    body = f"LOADCONT %src, MB\nADD.U16 MB, 1, VA\n##\nSTORECONT %src, VA\n##\n{fence}MOVE.U32 128, DS12\n"
    body += "ADD.U32 %src, DS12, DS12\nLOADCONT DS12, MB\nMOVE.U16 MB, VA\n##"
    results = [stored(body, order, count=32) for order in ("column", "warp")]
    assert np.array_equal(results[0], np.arange(1065, 1097))
    assert np.array_equal(*results) is barrier


# --- random programs ---------------------------------------------------------------------------------------------


def compare(program: Program) -> None:
    """Every order gives the same memory, and no check has anything to say."""
    what = f"seed {program.seed}\n{program.text}"
    expected = program.run(Device())
    for order in ORDERS[1:]:
        got = program.run(Device(order=order, seed=program.seed))
        assert np.array_equal(got, expected), f"{order} order, {what}"
    try:
        for checks in (["tokens"], ["order", "undefined"]):
            assert np.array_equal(program.run(Device(check=checks)), expected), f"under {checks}, {what}"
    except Exception as error:
        raise AssertionError(f"{error}\n{what}") from error


@pytest.mark.parametrize("seed", range(24))
def test_random_programs_give_the_same_in_every_order_and_under_every_check(seed: int) -> None:
    compare(seeded(seed))


@given(random=st.randoms(use_true_random=False))
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
def test_small_random_programs_too(random: Any) -> None:
    compare(random_program(random, parts=1))


def test_random_programs_use_every_published_operation() -> None:
    used: set[tuple[str, str]] = set()
    for seed in range(60):
        forms = map(decode_form, seeded(seed, parts=8).kernel().words)
        used |= {(form.name, form.syntax) for form in forms if form is not None}
    assert not {(form.name, form.syntax) for form in PE_FORMS} - used
    names = {name for name, _ in used}
    assert {
        "LDLANE_BFMAD",
        "LOADMASK",
        "STOREMASK",
        "LOAD.BEN",
        "GLANEADDR.Z32",
        "MSUB",
        "REPEAT",
        "DMB.BEGIN",
    } <= names
