"""The `undefined` check: values that nothing has written, and what is computed from them."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.machine import Device, load_image
from openrpp.machine.check.undefined import Undefined
from openrpp.machine.faults import UndefinedValue
from tests.machine.programs import kernel, shaped, words_of

IN, OUT, EMPTY = 0x0400_0000, 0x0400_2000, 0x0400_4000
DDR = 0x5000_0000
PARAMS = "src dst empty"
LANES = 70


def card(**settings: object) -> Device:
    """A card whose input and output are written; nothing else is."""
    device = Device(check=["undefined"], **settings)  # type: ignore[arg-type]
    device.write(IN, np.arange(512, dtype=np.uint16))
    device.write(OUT, np.zeros(512, np.uint16))
    return device


def run(body: str, device: Device | None = None, blocks: int = 1) -> Device:
    device = device or card()
    device.launch(kernel(shaped(body, PARAMS), "u"), (blocks, 1, 1), (LANES, 1, 1), [IN, OUT, EMPTY])
    return device


def fault_of(body: str, device: Device | None = None, blocks: int = 1) -> UndefinedValue:
    with pytest.raises(UndefinedValue) as caught:
        run(body, device, blocks)
    assert caught.value.kernel == "u"
    return caught.value


def word_of(body: str, name: str, nth: int = 0) -> int:
    return words_of(kernel(shaped(body, PARAMS)), name)[nth]


STORE = "STORECONT %dst, {}\n##\n"


# --- where a value may go ----------------------------------------------------------------------------------------


def test_storing_an_unwritten_register_is_refused_with_its_place() -> None:
    body = "MOVE.U16 1, VA\n##\n" + STORE.format("IC")
    fault = fault_of(body)
    word = word_of(body, "STORECONT")
    assert fault.sentence == "the IC that STORECONT stores is undefined: IC was not written in this block"
    assert (fault.block, fault.column, fault.word) == ((0, 0, 0), 1, word)
    assert (fault.lane, fault.address, fault.place.line) == (0, OUT, kernel(shaped(body, PARAMS)).lines[word])


def test_a_load_of_unwritten_memory_is_followed_to_its_store() -> None:
    body = "LOADCONT %empty, MB\nADD.U16 MB, 1, VA\n##\nCOPY VA, IA\n##\nMOVE.U16 IA, VA\n##\n" + STORE.format("VA")
    fault = fault_of(body)
    assert fault.sentence == (
        f"the VA that STORECONT stores is undefined: LOADCONT at word {word_of(body, 'LOADCONT')} "
        "read memory that nothing has written"
    )
    assert (fault.column, fault.lane, fault.address) == (3, 0, OUT)


def test_loading_moving_and_dropping_undefined_values_is_legal() -> None:
    run("LOADCONT %empty, MB\nADD.U16 MB, 1, VA\nCOPY MB, IA\n##\nADD.U16 IA, 3, VA\n##\n")


def test_only_the_lanes_that_read_too_far_are_undefined() -> None:
    # The input ends after 512 words; lanes from 512 - 500 on read beyond it.
    begin = "MOVE.U32 1000, DS13\nADD.U32 %src, DS13, %src\nLOADCONT %src, MB\nMOVE.U16 MB, VA\n##\n"
    fault = fault_of(begin + STORE.format("VA"))
    assert (fault.lane, fault.address) == (12, OUT + 24)


@pytest.mark.parametrize(
    ("use", "sentence"),
    [
        ("LOAD [%src+(IA<<1)], MA", "the address of LOAD is undefined: IA was not written in this block"),
        ("LOAD [DVA], MA", "the address of LOAD is undefined: DVA was not written in this block"),
        ("STORE VA, [%dst+(IE<<1)]", "the address of STORE is undefined: IE was not written in this block"),
        (
            "MADD DVA, 2, DVA\n##\nLOAD [DVA+2], MA",
            "the address of LOAD is undefined: DVA was not written in this block",
        ),
        (
            "MMOV %dst, DVA\n##\nSTOREMASK VA, ID, [DVA]",
            "the condition of STOREMASK is undefined: ID was not written in this block",
        ),
        ("LOADCONT DS12, MB", "the address of LOADCONT is undefined: S24 was not written in this launch"),
        ("LDWARP DS12, %w, %w, WARPVEC", "the address of LDWARP is undefined: S24 was not written in this launch"),
    ],
)
def test_undefined_addresses_and_conditions_are_refused(use: str, sentence: str) -> None:
    fault = fault_of(f"MOVE.U16 1, VA\n##\n{use}\n##\n")
    assert fault.sentence == sentence
    assert fault.lane == 0


def test_a_store_left_out_by_its_mask_may_be_undefined() -> None:
    masked = "MOVE.U16 {}, VA\n##\nMMOV %dst, DVA\nCOPY VA, IA\n##\nSTOREMASK IB, IA, [DVA]\n##"
    run(masked.format(0))
    assert fault_of(masked.format(1)).sentence == (
        "the IB that STOREMASK stores is undefined: IB was not written in this block"
    )


# --- how it spreads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    ["AND.U16 IA, 0, VA", "MUL.U16 IA, IB, VA", "ADD.U16 IB, IA, VA", "FMA IB, IB, IA, VA", "CVT.U16.U32 IA, VAB"],
)
def test_a_result_is_undefined_where_any_source_is(operation: str) -> None:
    fault = fault_of(f"MOVE.U16 0, VA\n##\nCOPY VA, IB\n##\n{operation}\n##\n" + STORE.format("VA"))
    assert fault.sentence.endswith("IA was not written in this block")


def test_both_halves_of_a_pair_count() -> None:
    half = "MOVE.U16 0, VA\n##\nCOPY VA, I{}\n##\nADD.U32 IAB, 1, VAB\n##\n" + STORE.format("VA")
    assert fault_of(half.format("A")).sentence.endswith("IB was not written in this block")
    assert fault_of(half.format("B")).sentence.endswith("IA was not written in this block")
    run(half.replace("COPY VA, I{}", "COPY VA, IA\nCOPY VA, IB"))


def test_an_undefined_scalar_makes_all_lanes_undefined() -> None:
    fault = fault_of("MOVE.U16 0, VA\n##\nADD.U16 VA, S20, VA\n##\n" + STORE.format("VA"))
    assert fault.sentence == "the VA that STORECONT stores is undefined: S20 was not written in this launch"


SPLIT = "LOADCONT %src, MB\nCOPY MB, IB\nMOVE.U16 9, VA\n##\nCOPY VA, IC\n##\nCMP.U16.LT IB, %limit, VA\n##\n"


def test_merge_uses_its_condition_and_the_chosen_operand_only() -> None:
    chosen = SPLIT.replace("%limit", "%n") + "MERGE ID, IC, VA, VA\n##\n" + STORE.format("VA")
    run(chosen)  # all lanes take IC
    some = "MOVE.U16 5, %h\n" + SPLIT.replace("%limit", "%h") + "MERGE {}, {}, VA, VA\n##\n" + STORE.format("VA")
    assert fault_of(some.format("ID", "IC")).lane == 5
    assert fault_of(some.format("IC", "ID")).lane == 0
    fault = fault_of("MOVE.U16 1, VA\n##\nCOPY VA, IA\n##\nMERGE IA, IA, IE, VA\n##\n" + STORE.format("VA"))
    assert fault.sentence.endswith("IE was not written in this block")


def test_a_merge_condition_may_be_loaded_in_its_column() -> None:
    body = SPLIT.replace("%limit", "%n") + "LOADCONT %src, MB\nMERGE ID, IC, MB, VA\n##\n" + STORE.format("VA")
    assert fault_of(body).lane == 0, "the first input word is 0, so lane 0 takes the operand that is undefined"
    run(body.replace("MERGE ID, IC", "MERGE IC, IC"))


def test_lanes_that_loadmask_leaves_out_are_undefined() -> None:
    load = "MOVE.U16 0x0F, %w\nMOVE.U16 3, VA\nMMOV %src, DVA\n##\nLOADMASK [DVA], %w, MA\n{}\n##\n" + STORE.format(
        "VA"
    )
    body = load.format("MOVE.U16 MA, VA")
    fault = fault_of(body)
    assert fault.sentence == (
        f"the VA that STORECONT stores is undefined: LOADMASK at word {word_of(body, 'LOADMASK')} left this lane out"
    )
    assert fault.lane == 4
    run(load.format("MERGEMASK VA, MA, %w, VA"))
    assert fault_of(load.format("MERGEMASK MA, VA, %w, VA")).lane == 4


DOT = """MMOV {vector}, DVA
MOVE.U16 {terms}, %w
##
LDWARP {warp}, %w, %w, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %w, MAB
MOVE.U32 MAB, VAB
##
STORECONT %dst, VB
##
"""


def test_a_dot_product_needs_both_vectors() -> None:
    run(DOT.format(vector="%src", warp="%src", terms=8))
    assert "LDLANE_BFMAD at word" in fault_of(DOT.format(vector="%empty", warp="%src", terms=8)).sentence
    assert "LDWARP at word" in fault_of(DOT.format(vector="%src", warp="%empty", terms=8)).sentence


def test_a_dot_product_uses_only_the_terms_it_sums() -> None:
    # Rows 0 to 3 of the vectors are written, rows 4 to 7 are not.
    device = card()
    device.write(EMPTY, np.zeros(128, np.uint16))
    run(DOT.format(vector="%src", warp="%empty", terms=4), device)
    assert "LDWARP at word" in fault_of(DOT.format(vector="%src", warp="%empty", terms=5), device).sentence


# --- scalars, parameters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("JMPC S20, 0", "JMPC tests S20, which is undefined: S20 was not written in this launch"),
        (
            "ADD.U16 S20, %w, S21\nJMPNC S21, 0",
            "JMPNC tests S21, which is undefined: S20 was not written in this launch",
        ),
        ("CFGXYZ %w, S21, %n", "CFGXYZ takes a size from S21, which is undefined: S21 was not written in this launch"),
        ("REPEAT 1, S20", "REPEAT counts by S20, which is undefined: S20 was not written in this launch"),
        (
            "STGLB.U32 DS10, [0x900]",
            "STGLB.U32 writes DS10 to parameter memory, which is undefined: S20 was not written in this launch",
        ),
        (
            "MOVE.U16 1, S20\nSTGLB.U32 DS10, [0x900]",
            "STGLB.U32 writes DS10 to parameter memory, which is undefined: S21 was not written in this launch",
        ),
    ],
)
def test_undefined_scalars_may_not_decide(text: str, sentence: str) -> None:
    fault = fault_of(f"MOVE.U16 0, VA\n##\n{text}\n##")
    assert fault.sentence == sentence
    assert (fault.block, fault.column, fault.lane, fault.address) == ((0, 0, 0), 1, None, None)
    assert fault.word == word_of(f"MOVE.U16 0, VA\n##\n{text}\n##", text.splitlines()[-1].split()[0], -1)


def test_scalar_registers_keep_their_values_over_blocks() -> None:
    run("JMPC %blockIdx, $later\nMOVE.U16 7, S20\n$later:\nMOVE.U16 S20, VA\n##\n" + STORE.format("VA"), blocks=3)


def test_scalar_registers_are_undefined_again_in_the_next_launch() -> None:
    device = run("MOVE.U16 7, S20\n##")
    assert fault_of("JMPC S20, 0\n##", device).sentence.startswith("JMPC tests S20")


def test_vector_registers_do_not_outlive_a_block() -> None:
    body = "JMPC %blockIdx, $later\nMOVE.U16 7, VA\n##\n$later:\n" + STORE.format("VA")
    fault = fault_of(body, blocks=2)
    assert fault.block == (1, 0, 0)


def test_block_indices_are_defined() -> None:
    add = "ADD.U16 %blockIdx.x, %blockIdx.y, S20\nADD.U16 %blockIdx.z, S20, S20\n"
    run(add + "JMPC S20, $over\n##\n$over:\nMOVE.U16 0, VA\n##")


FETCH = "LDPARAM.U16 [cfg_fft_w4_3], S20\nMOVE.U16 S20, VA\n##\n" + STORE.format("VA")


def test_parameter_words_that_nothing_has_written_are_undefined() -> None:
    fault = fault_of(FETCH)
    assert fault.sentence == (
        f"the VA that STORECONT stores is undefined: LDPARAM at word {word_of(FETCH, 'LDPARAM.U16', 3)} "
        "read parameter memory at 0x80c (cfg_fft_w4_3), which nothing has written"
    )


def test_parameter_words_are_defined_by_the_host_in_every_bank() -> None:
    device = card()
    device.fram_write(0x80C, 4, 9)
    run(FETCH, device)
    run(FETCH, device)
    assert device.read(OUT, 1, np.uint16)[0] == 9


def test_parameter_words_are_defined_by_stglb() -> None:
    shared = run("MOVE.U32 5, DS10\nSTGLB.U32 DS10, [cfg_fft_w4_3]\n##")
    run(FETCH, shared)  # words from 0x800 on reach both banks
    back = "LDPARAM.U32 [0x200], DS11\nJMPC S22, $a\n##\n$a:\nMOVE.U16 0, VA\n##"
    own = run("MOVE.U32 5, DS10\nSTGLB.U32 DS10, [0x200]\n" + back)
    assert "0x200, which nothing has written" in fault_of("LDPARAM.U16 [0x200], S20\nJMPC S20, 0\n##", own).sentence


def test_everything_that_a_launch_passes_is_defined() -> None:
    names = [f"{group}.{axis}" for group in ("grid", "tbDim") for axis in "xyz"]
    names += ["tid_xyz", "dimx_shadow", "dimy_shadow", "dimz_shadow", "xyzcfg_shadow"]
    tests = "".join(f"LDPARAM.U16 [{name}], S20\nJMPC S20, $t{i}\n$t{i}:\n" for i, name in enumerate(names))
    ids = "LDPARAM.U32 [tid_base], DS10\nLDPARAM.U32 [tid_depack], DS11\nLOADCONT DS10, MB\nDECTID.X MB, DS11, VA\n##\n"
    device = run(tests + ids + STORE.format("VA"))
    assert np.array_equal(device.read(OUT, LANES, np.uint16), np.arange(LANES))


# --- memory ------------------------------------------------------------------------------------------------------

COPY_OUT = "LOADCONT {}, MB\nMOVE.U16 MB, VA\n##\n" + STORE.format("VA")
DMA = """STGLB.U32 {src}, [dma_ch0_mod1_src_lo]
STGLB.U32 {dst}, [dma_ch0_mod1_dst_lo]
MOVE.U32 0, DS13
STGLB.U32 DS13, [dma_ch0_mod1_src_hi]
STGLB.U32 DS13, [dma_ch0_mod1_dst_hi]
MOVE.U32 {nbytes}, DS13
STGLB.U32 DS13, [dma_ch0_mod1_len]
##
POLL.CHN1
##
"""


def test_stores_and_host_writes_define_memory() -> None:
    device = card()
    assert fault_of(COPY_OUT.format("%empty"), device).lane == 0
    device.write(EMPTY, np.zeros(40, np.uint16))
    assert fault_of(COPY_OUT.format("%empty"), device).lane == 40
    run("MOVE.U16 3, VA\n##\nSTORECONT %empty, VA\n##", device)
    run(COPY_OUT.format("%empty"), device)
    assert (device.read(OUT, LANES, np.uint16) == 3).all()


def test_a_byte_defines_its_word() -> None:
    device = card()
    device.write(EMPTY + 1, np.zeros(2 * LANES - 2, np.uint8))
    run(COPY_OUT.format("%empty"), device)


@pytest.mark.parametrize("nbytes", [2 * LANES, 2 * LANES - 2])
def test_a_transfer_carries_what_is_defined(nbytes: int) -> None:
    device = card()
    body = (
        f"MOVE.U32 {DDR}, DS10\n" + DMA.format(src="DS10", dst="%empty", nbytes=2 * LANES) + COPY_OUT.format("%empty")
    )
    assert fault_of(body, device).lane == 0
    device.write(DDR, np.arange(nbytes // 2, dtype=np.uint16))
    if nbytes == 2 * LANES:
        run(body, device)
        assert np.array_equal(device.read(OUT, LANES, np.uint16), np.arange(LANES))
    else:
        assert fault_of(body, device).lane == LANES - 1


def test_a_transfer_of_undefined_memory_undefines_its_target() -> None:
    body = DMA.format(src="%empty", dst="%src", nbytes=20) + COPY_OUT.format("%src")
    fault = fault_of(body)
    assert fault.lane == 0
    moved = DMA.format(src="%empty", dst="%dst", nbytes=20)
    run(moved + COPY_OUT.format("%src"))


def test_transfers_at_odd_addresses_are_followed_byte_by_byte() -> None:
    device = card()
    device.write(EMPTY, np.zeros(10, np.uint16))  # bytes 0 to 19
    shift = "MOVE.U32 1, DS10\nADD.U32 %empty, DS10, DS11\nMOVE.U32 0x04006000, DS10\n"
    body = shift + DMA.format(src="DS11", dst="DS10", nbytes=40) + COPY_OUT.format("DS10")
    assert fault_of(body, device).lane == 9, "bytes 1 to 19 fill nine words and half of the tenth"


def test_a_transfer_without_addresses_is_refused() -> None:
    fault = fault_of("MOVE.U32 64, DS10\nSTGLB.U32 DS10, [dma_ch0_mod1_len]\n##")
    assert fault.sentence == "the transfer's address is undefined: nothing has written dma_ch0_mod1_src_hi"
    assert fault.column == 0


def test_large_memory_is_followed_page_by_page() -> None:
    device = card()
    device.write(DDR, np.zeros(1 << 18, np.uint16))
    far = DDR + (1 << 19) - 2 * LANES
    body = (
        f"MOVE.U32 {far}, DS10\n" + DMA.format(src="DS10", dst="%empty", nbytes=2 * LANES) + COPY_OUT.format("%empty")
    )
    run(body, device)
    fault = fault_of(body.replace(str(far), str(far + 4)), device)
    assert fault.lane == LANES - 2


def test_undefining_one_page_leaves_the_others_defined() -> None:
    device = card()
    device.write(DDR, np.zeros(1 << 17, np.uint16))  # four pages
    into = f"MOVE.U32 {DDR}, DS10\n" + DMA.format(src="%empty", dst="DS10", nbytes=2 * LANES)
    run(into, device)
    back = "MOVE.U32 {}, DS10\n" + DMA.format(src="DS10", dst="%empty", nbytes=2 * LANES) + COPY_OUT.format("%empty")
    run(back.format(DDR + (1 << 16)), device)
    device = card()
    device.write(DDR, np.zeros(1 << 17, np.uint16))
    run(into, device)
    assert fault_of(back.format(DDR), device).lane == 0


# --- the card ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["column", "warp", "random", "descending", "shuffled"])
def test_the_check_works_in_every_order(order: str) -> None:
    run(COPY_OUT.format("%src"), card(order=order))
    fault = fault_of("MOVE.U16 1, VA\n##\nADD.U16 VA, S20, VA\n##\n" + STORE.format("VA"), card(order=order))
    assert fault.sentence == "the VA that STORECONT stores is undefined: S20 was not written in this launch"
    assert fault.lane == (64 if order == "descending" else fault.lane)


def test_the_card_works_on_after_an_undefined_value() -> None:
    device = card()
    for _ in range(2):
        fault_of(COPY_OUT.format("%empty"), device)
        run(COPY_OUT.format("%src"), device)
        assert np.array_equal(device.read(OUT, LANES, np.uint16), np.arange(LANES))


def test_ma_and_mb_hold_nothing_without_a_load_in_their_column() -> None:
    # The assembler refuses this text, an image may hold it.
    load = "LOADCONT %src, MB\n"
    built = kernel(shaped(f"{load}##\n{load}MOVE.U16 MB, VA\n##\n" + STORE.format("VA"), PARAMS))
    words = list(built.words)
    del words[words_of(built, "LOADCONT")[1]]
    with pytest.raises(UndefinedValue) as caught:
        card().launch(load_image(words, PARAMS.split()), block=(LANES, 1, 1), params=[IN, OUT, EMPTY])
    assert caught.value.sentence == (
        "the VA that STORECONT stores is undefined: MB was not written by a load of this column"
    )


def test_a_scalar_that_a_later_block_defines_is_defined_there() -> None:
    body = "ADD.U16 %blockIdx, %blockIdx, %w\nMOVE.U16 S20, VA\n##\nJMPC %blockIdx, $store\nMOVE.U16 3, S20\n"
    run(body + "JMP $end\n##\n$store:\n" + STORE.format("VA") + "$end:\n##", blocks=2)


def test_many_reasons_are_dropped_when_no_register_holds_them() -> None:
    loop = "MOVE.U16 3000, S20\nMOVE.U16 1, S21\n##\n$l:\nLOADCONT %empty, MB\nMOVE.U16 MB, VA\n##\n"
    body = loop + "SUB.U16 S20, S21, S20\nJMPC S20, $l\n##\n" + STORE.format("VA")
    device = card()
    fault = fault_of(body, device)
    assert fault.sentence.endswith("read memory that nothing has written")
    (check,) = device.observers
    assert isinstance(check, Undefined)
    assert len(check.reasons) < 1500
