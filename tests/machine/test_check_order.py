"""The `order` check: loads of what other warps or blocks have stored, and memory that a DMA is moving."""

from __future__ import annotations

import numpy as np
import pytest

from openrpp.machine import Device, Kernel, LaunchError
from openrpp.machine.faults import OrderingFault
from tests.machine.programs import kernel, shaped, words_of

SRAM = 0x0400_0000
IN, INDEX, OUT = SRAM, SRAM + 0x1000, SRAM + 0x2000
DDR = 0x5000_0000
FRAM = 0x0600_0000  # DMA programs use its alias at 0x10_0600_0000
PARAMS = "src index dst"
CROSS = """LOADCONT %src, MB
COPY MB, IA
##
STORECONT %dst, IA
##
{barrier}LOADCONT %index, MB
COPY MB, IB
##
LOAD [%dst+(IB<<1)], MA
MOVE.U16 MA, VA
##
{use}
##
"""
STORE_AWAY = "STORECONT %src, VA"


def card(index: np.ndarray[tuple[int], np.dtype[np.uint16]], **settings: object) -> Device:
    """A card with input, an index per lane, and a zeroed output."""
    device = Device(check=["order"], **settings)  # type: ignore[arg-type]
    device.write(IN, np.arange(index.size, dtype=np.uint16))
    device.write(INDEX, index)
    device.write(OUT, np.zeros(2 * index.size, np.uint16))
    return device


def cross(barrier: str = "", use: str = STORE_AWAY) -> Kernel:
    return kernel(shaped(CROSS.format(barrier=barrier, use=use), PARAMS), "cross")


def launch(device: Device, built: Kernel, blocks: int = 1, threads: int = 96) -> None:
    device.launch(built, (blocks, 1, 1), (threads, 1, 1), [IN, INDEX, OUT])


REVERSED = np.arange(96, dtype=np.uint16)[::-1].copy()


def test_a_load_of_another_warps_store_names_both_places() -> None:
    built = cross()
    with pytest.raises(OrderingFault) as caught:
        launch(card(REVERSED), built)
    fault = caught.value
    (store, use), (load,) = words_of(built, "STORECONT"), words_of(built, "LOAD")
    assert fault.sentence == (
        f"LOAD reads what STORECONT stored for warp 2 at word {store}, column 1; put DMB_ORI between "
        f"(its value reaches the VA that STORECONT stores at word {use})"
    )
    assert (fault.kernel, fault.block, fault.column, fault.word) == ("cross", (0, 0, 0), 3, load)
    assert (fault.lane, fault.address) == (0, OUT + 2 * 95)
    assert fault.place.line == built.lines[load]


def test_a_barrier_between_makes_it_right() -> None:
    device = card(REVERSED)
    launch(device, cross(barrier="DMB_ORI\n##\n"))
    assert np.array_equal(device.read(IN, 96, np.uint16), REVERSED)


def test_a_warp_may_read_what_it_stored_itself() -> None:
    inside = np.arange(96, dtype=np.uint16) ^ 31
    launch(card(inside), cross())


def test_only_the_lanes_that_cross_count() -> None:
    index = np.arange(96, dtype=np.uint16)
    index[70] = 5
    with pytest.raises(OrderingFault) as caught:
        launch(card(index), cross())
    assert (caught.value.lane, caught.value.address) == (70, OUT + 10)
    assert "for warp 0 at word" in caught.value.sentence


def test_a_value_that_is_dropped_is_no_fault() -> None:
    launch(card(REVERSED), cross(use="MOVE.U16 0, VA"))
    launch(
        card(REVERSED), cross(use="MOVE.U16 0, IC\n##\nMERGE IA, VA, IC, VA\n##\nMOVE.U16 IA, VA\n##\n" + STORE_AWAY)
    )


@pytest.mark.parametrize(
    ("use", "reaches"),
    [
        ("ADD.U16 VA, 1, VA\n##\n" + STORE_AWAY, "the VA that STORECONT stores"),
        ("COPYEXT VA, IE\n##\nSTORECONT %src, IE", "the IE that STORECONT stores"),
        ("LOAD [%src+(VA<<1)], MA", "the address of LOAD"),
        ("MSHIFTADD VA, %src, 1, DVA\n##\nLOAD [DVA], MA", "the address of LOAD"),
        ("COPY VA, IC\n##\nMMOV %src, DVA\n##\nSTOREMASK IA, IC, [DVA]", "the condition of STOREMASK"),
        ("MERGE IA, IB, VA, VA\n##\n" + STORE_AWAY, "the VA that STORECONT stores"),
        ("CMP.U16.LT VA, IA, VA\n##\nCVT.U16.U32 VA, VAB\n##\nSTORECONT %src, VB", "the VB that STORECONT stores"),
    ],
)
def test_a_crossed_value_is_followed_to_its_use(use: str, reaches: str) -> None:
    built = cross(use=use)
    with pytest.raises(OrderingFault) as caught:
        launch(card(REVERSED), built)
    assert f"(its value reaches {reaches} at word " in caught.value.sentence
    assert caught.value.word == words_of(built, "LOAD")[0]


def test_a_store_and_a_load_in_one_column_are_not_ordered() -> None:
    text = (
        "MOVE.U16 7, VA\n##\nMOVE.U32 {shift}, DS13\nADD.U32 %dst, DS13, DS13\nSTORECONT %dst, VA\nLOADCONT DS13, MB\n"
    )
    text += "MOVE.U16 MB, VA\n##\n" + STORE_AWAY + "\n##"
    built = kernel(shaped(text.format(shift=2), PARAMS))
    with pytest.raises(OrderingFault) as caught:
        launch(card(REVERSED), built)
    store = words_of(built, "STORECONT")[0]
    assert caught.value.sentence.startswith(
        f"LOADCONT reads what STORECONT stored for warp 1 at word {store}, column 1; "
    )
    assert (caught.value.lane, caught.value.column) == (31, 1)
    launch(card(REVERSED), kernel(shaped(text.format(shift=0), PARAMS)))


ACCUMULATE = "LOADCONT %dst, MB\nADD.U16 MB, 1, VA\n##\nSTORECONT %dst, VA\n##\n"


def test_blocks_need_a_barrier_even_for_the_same_lane() -> None:
    built = kernel(shaped(ACCUMULATE, PARAMS), "sum")
    with pytest.raises(OrderingFault) as caught:
        launch(card(REVERSED), built, blocks=3)
    fault = caught.value
    (load,), (store,) = words_of(built, "LOADCONT"), words_of(built, "STORECONT")
    assert fault.sentence == (
        f"LOADCONT reads what STORECONT stored for warp 0 at word {store}, column 1 of block (0, 0, 0); "
        f"put DMB_ORI between (its value reaches the VA that STORECONT stores at word {store})"
    )
    assert (fault.block, fault.column, fault.word, fault.lane, fault.address) == ((1, 0, 0), 0, load, 0, OUT)
    device = card(REVERSED)
    launch(device, kernel(shaped(ACCUMULATE + "DMB_ORI\n##", PARAMS)), blocks=3)
    assert (device.read(OUT, 96, np.uint16) == 3).all()


def test_the_next_launch_starts_over() -> None:
    device, built = card(REVERSED), kernel(shaped(ACCUMULATE, PARAMS))
    launch(device, built)
    launch(device, built)
    launch(device, cross(barrier="DMB_ORI\n##\n"))


def test_only_stores_since_the_last_barrier_count() -> None:
    again = "DMB_ORI\n##\nSTORECONT %dst, IA\n##\n"
    with pytest.raises(OrderingFault) as caught:
        launch(card(REVERSED), cross(barrier=again))
    assert ", column 4; put DMB_ORI" in caught.value.sentence, "the store after the barrier, not the one before"


DOT = """MMOV {vector}, DVA
MOVE.U16 0, VA
##
STORECONT %dst, VA
##
MOVE.U16 8, %w
MOVE.U16 0, %h
LDWARP {warp}, %h, %h, WARPVEC
LDLANE_BFMAD [DVA], WARPVEC, %w, MAB
MOVE.U32 MAB, VAB
##
STORECONT %index, VB
##
"""


@pytest.mark.parametrize(("vector", "warp", "name"), [("%dst", "%src", "LDLANE_BFMAD"), ("%src", "%dst", "LDWARP")])
def test_dot_products_are_loads_of_both_operands(vector: str, warp: str, name: str) -> None:
    with pytest.raises(OrderingFault) as caught:
        launch(card(REVERSED), kernel(shaped(DOT.format(vector=vector, warp=warp), PARAMS)))
    assert caught.value.sentence.startswith(f"{name} reads what STORECONT stored for warp")


def test_the_check_needs_the_order_in_which_stores_come_first() -> None:
    with pytest.raises(LaunchError) as caught:
        Device(check=["order"], order="random")
    assert str(caught.value) == (
        "check 'order' needs order 'column', not 'random': it must see stores before later loads"
    )


# --- transfers ---------------------------------------------------------------------------------------------------

START = """STGLB.U32 {src}, [dma_ch0_mod1_src_lo]
MOVE.U32 {src_high}, DS13
STGLB.U32 DS13, [dma_ch0_mod1_src_hi]
STGLB.U32 {dst}, [dma_ch0_mod1_dst_lo]
MOVE.U32 {dst_high}, DS13
STGLB.U32 DS13, [dma_ch0_mod1_dst_hi]
MOVE.U32 {nbytes}, DS13
STGLB.U32 DS13, [dma_ch0_mod1_len]
##
"""
POLL = "POLL.CHN1\n##\n"
DMA_PARAMS = "ddr sram other"


def start(src: str = "%ddr", dst: str = "%sram", nbytes: int = 64, src_high: int = 0, dst_high: int = 0) -> str:
    return START.format(src=src, dst=dst, nbytes=nbytes, src_high=src_high, dst_high=dst_high)


def dma(body: str, **settings: object) -> Device:
    """Run a body with parameters in DDR and SRAM."""
    device = Device(check=["order"], **settings)  # type: ignore[arg-type]
    device.write(DDR, np.arange(256, dtype=np.uint16))
    device.write(IN, np.zeros(0x4000, np.uint16))
    device.launch(kernel(shaped(body, DMA_PARAMS), "dma"), block=(64, 1, 1), params=[DDR, IN, OUT])
    return device


def dma_fault(body: str) -> tuple[OrderingFault, Kernel, int]:
    """The fault of a body, its kernel, and the word that starts the first transfer."""
    with pytest.raises(OrderingFault) as caught:
        dma(body)
    built = kernel(shaped(body, DMA_PARAMS), "dma")
    return caught.value, built, words_of(built, "STGLB.U32")[4]


LOAD_AND_STORE = "LOADCONT {at}, MB\nMOVE.U16 MB, VA\n##\nSTORECONT %other, VA\n##\n"


def test_a_load_of_what_a_transfer_is_writing_needs_a_poll() -> None:
    fault, built, begun = dma_fault(start() + LOAD_AND_STORE.format(at="%sram"))
    (load,), (store,) = words_of(built, "LOADCONT"), words_of(built, "STORECONT")
    assert fault.sentence == (
        f"LOADCONT reads what the transfer started at word {begun} is still writing; put POLL.CHN1 between "
        f"(its value reaches the VA that STORECONT stores at word {store})"
    )
    assert (fault.kernel, fault.block, fault.column, fault.word) == ("dma", (0, 0, 0), 1, load)
    assert (fault.lane, fault.address, fault.place.line) == (0, IN, built.lines[load])
    device = dma(start() + POLL + LOAD_AND_STORE.format(at="%sram"))
    assert np.array_equal(device.read(OUT, 32, np.uint16), np.arange(32))


def test_reading_too_far_into_a_transfers_target_alone_is_no_fault() -> None:
    dma(start() + "LOADCONT %sram, MB\nMOVE.U16 MB, VA\n##\n" + POLL)


def test_a_load_from_a_transfers_source_is_free() -> None:
    out = start(src="%sram", dst="%ddr")
    dma(out + LOAD_AND_STORE.format(at="%sram") + POLL)


STORE_SRAM = "MOVE.U16 1, VA\n##\nSTORECONT %sram, VA\n##\n"


@pytest.mark.parametrize(
    ("text", "who", "doing", "address"),
    [
        (start() + STORE_SRAM, "STORECONT writes", "writing", IN),
        (start(src="%sram", dst="%ddr") + STORE_SRAM, "STORECONT writes", "reading", IN),
        (start() + start(src="%sram", dst="%other"), "the transfer reads", "writing", IN),
        (start() + start(src="%other", dst="%sram"), "the transfer writes", "writing", IN),
        (start() + start(src="%other", dst="%ddr"), "the transfer writes", "reading", DDR),
    ],
)
def test_what_touches_a_transfer_under_way_is_refused(text: str, who: str, doing: str, address: int) -> None:
    fault, built, begun = dma_fault(text)
    assert fault.sentence == (
        f"{who} where the transfer started at word {begun} is still {doing}; put POLL.CHN1 between"
    )
    store = who.startswith("STORECONT")
    word = words_of(built, "STORECONT")[0] if store else words_of(built, "STGLB.U32")[9]
    column, lane = (2, 0) if store else (1, None)
    assert (fault.column, fault.word, fault.lane, fault.address) == (column, word, lane, address)
    begin = "STGLB.U32 DS13, [dma_ch0_mod1_len]\n##\n"
    dma(text.replace(begin, begin + POLL))


def test_transfers_of_other_ranges_may_run_together() -> None:
    dma(start() + start(src="%ddr", dst="%other") + POLL)


def test_the_next_launch_finds_every_transfer_done() -> None:
    device = dma(start())
    copy = kernel(shaped(LOAD_AND_STORE.format(at="%sram"), DMA_PARAMS))
    device.launch(copy, block=(64, 1, 1), params=[DDR, IN, OUT])
    assert np.array_equal(device.read(OUT, 32, np.uint16), np.arange(32))


def test_parameter_memory_under_way_is_not_read() -> None:
    fetch = start(dst="DS12", dst_high=0x10, nbytes=4).replace(
        "STGLB.U32 DS12", "MOVE.U32 0x06000800, DS12\nSTGLB.U32 DS12"
    )
    for text, who in (("LDPARAM.U16 [cfg_fft_w4_0], %w", "reads"), ("STGLB.U32 %ddr, [cfg_fft_w4_0]", "writes")):
        fault, built, begun = dma_fault(f"{fetch}{text}\n##")
        name = text.split()[0]
        assert fault.sentence == (
            f"{name} {who} where the transfer started at word {begun} is still writing; put POLL.CHN1 between"
        )
        assert (fault.column, fault.word, fault.lane) == (1, words_of(built, name)[-1], None)
        assert fault.address == FRAM + 0x800
    dma(fetch + POLL + "LDPARAM.U16 [cfg_fft_w4_0], %w\n##")


def test_the_card_works_on_after_an_ordering_fault() -> None:
    device = card(REVERSED)
    for _ in range(2):
        with pytest.raises(OrderingFault):
            launch(device, cross())
        launch(device, cross(barrier="DMB_ORI\n##\n"))
    assert device.read(OUT, 96, np.uint16).size == 96
