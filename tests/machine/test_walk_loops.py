"""What the walk must not overlook when it compresses loops: one small program per trap, against the plain sequencer."""

from __future__ import annotations

import re

import pytest

from openrpp.isa.assembler import assemble
from openrpp.isa.form import Op
from openrpp.isa.program import Kernel, from_words
from openrpp.isa.table import forms_by_name, spelling
from openrpp.machine import Device
from openrpp.machine.items import Item, Repeat, WalkError
from tests.machine.walk_oracle import compare, flat, prepared, walked

ONE = "MOVE.U16 1, S24"
SRAM, DDR = 0x0400_0000, 0x5000_0000


@pytest.fixture(scope="module")
def device() -> Device:
    return Device()


def program(text: str) -> Kernel:
    """A kernel of lines; `;` separates words, `|` ends a column."""
    lines = [".param .u32 p", ".param .u32 q", ONE, *re.split(r"[;\n]", text.replace("|", "\n##\n"))]
    return assemble("\n".join(line.strip() for line in lines) + "\n##\n", "k")


def down(body: str, rounds: int, counter: str = "S20", label: str = "$L") -> str:
    """A loop that counts a register down to zero."""
    return (
        f"MOVE.U16 {rounds}, {counter}\n{label}:\n{body}\nSUB.U16 {counter}, S24, {counter}\nJMPC {counter}, {label}\n"
    )


def head_tested(body: str, rounds: int) -> str:
    """A loop that leaves from its head; its last round is like the others."""
    return f"MOVE.U16 {rounds}, S20\n$H:\nJMPNC S20, $OUT\nSUB.U16 S20, S24, S20\n{body}\nJMP $H\n$OUT:\n"


def when(test: str, body: str = "NOP |", label: str = "$W") -> str:
    """Do something where a comparison into S25 holds."""
    return f"{test}, S25\nJMPNC S25, {label}\n{body}\n{label}:\n"


TRAPS = {
    "a value that only the second round changes, and that nothing reads": down(
        "MOVE.U16 98, S23;" + when("CMP.U16.EQ S20, S23", "ADD.U16 S5, S24, S5") + "NOP |", 100
    ),
    "a value made of a moving one, in the last of many equal rounds": head_tested(
        "MOVE.U16 64, S6; OR.U16 S20, S6, S5; NOP |", 50
    ),
    "a value made of a moving one, after a round in which it was not": head_tested(
        "ADD.U16 S20, S24, S5; MOVE.U16 97, S23;" + when("CMP.U16.EQ S20, S23", "MOVE.U16 7, S5") + "NOP |", 100
    ),
    "a value made of the inner counter, read by the outer loop": down(
        head_tested("OR.U16 S20, S24, S5; NOP |", 30) + "ADD.U16 S6, S5, S6; NOP |", 12, "S21", "$O"
    ),
    "a sum of a moving value": down("ADD.U16 S5, S20, S5; NOP |", 100),
    "a sum whose addend changes every eight rounds": down("SHR.U16 S20, 3, S4; ADD.U16 S5, S4, S5; NOP |", 100),
    "a sum whose addend changes every eight outer rounds": down(
        "SHR.U16 S21, 3, S4;" + down("ADD.U16 S5, S4, S5; NOP |", 9) + "NOP |", 60, "S21", "$O"
    ),
    "an inner step that changes with the outer round": down(
        down("ADD.U16 S5, S21, S5; CMP.U16.EQ S5, S23, S25; JMPC S25, $S; NOP | $S:".replace("$S", "$SKIP"), 9),
        60,
        "S21",
        "$O",
    ),
    "a running value that is equal to a number in the middle of an inner loop, later": down(
        down("ADD.U16 S5, S24, S5; MOVE.U16 777, S23;" + when("CMP.U16.EQ S5, S23"), 40), 50, "S21", "$O"
    ),
    "a running value that passes a number in the middle of an inner loop, later": down(
        down("ADD.U16 S5, S24, S5; MOVE.U16 777, S23;" + when("CMP.U16.LT S5, S23"), 40), 50, "S21", "$O"
    ),
    "a value that rises inside and falls back outside": down(
        down("ADD.U16 S5, S24, S5; MOVE.U16 100, S23;" + when("CMP.U16.LT S5, S23"), 40)
        + "MOVE.U16 35, S6; SUB.U16 S5, S6, S5",
        50,
        "S21",
        "$O",
    ),
    "bits of a counter": down("SHR.U16 S20, 2, S5; MOVE.U16 11, S23;" + when("CMP.U16.EQ S5, S23"), 100),
    "parity": down("SHR.U16 S20, 1, S5; SHL.U16 S5, 1, S5;" + when("CMP.U16.EQ S5, S20"), 100),
    "a counter that wraps before it is widened": down(
        "MOVE.U16 65500, S6; ADD.U16 S6, S20, S5; CVT.U16.U32 S5, DS5; MOVE.U32 65530, DS4;"
        + when("CMP.U32.EQ DS5, DS4"),
        100,
    ),
    "a counter that wraps before it is multiplied": down(
        "MOVE.U16 65500, S6; ADD.U16 S6, S20, S5; MOVE.U16 6, S7; MUL.U16.WIDE S5, S7, DS5; MOVE.U32 393180, DS4;"
        + when("CMP.U32.EQ DS5, DS4"),
        100,
    ),
    "a counter that wraps before it is shifted": down(
        "ADD.U16 S5, S24, S5; ADD.U16 S5, S24, S5; MOVE.U16 65000, S6; ADD.U16 S5, S6, S7; "
        "SHR.U16 S7, 1, S7; MOVE.U16 7, S23;" + when("CMP.U16.EQ S7, S23"),
        400,
    ),
    "a counter that wraps before it is compared": down(
        "MOVE.U16 65500, S6; ADD.U16 S6, S20, S5; MOVE.U16 40, S23;" + when("CMP.U16.LT S5, S23"), 100
    ),
    "a limit that wraps": down(
        "MOVE.U16 65500, S6; ADD.U16 S6, S20, S5; MOVE.U16 40, S23;" + when("CMP.U16.LT S23, S5"), 100
    ),
    "a counter through zero, signed": down(
        "MOVE.U16 40, S6; SUB.U16 S20, S6, S5; MOVE.U16 0, S23;" + when("CMP.S16.LT S5, S23"), 100
    ),
    "a counter past the largest signed number": down(
        "MOVE.U16 0x7FE0, S6; ADD.U16 S20, S6, S5; MOVE.U16 5, S23;" + when("CMP.S16.LT S5, S23"), 100
    ),
    "two values that meet": down("ADD.U16 S5, S24, S5;" + when("CMP.U16.LT S5, S20"), 100),
    "two values that stay apart": down("SUB.U16 S5, S24, S5; ADD.U16 S20, S24, S6;" + when("CMP.U16.EQ S5, S6"), 100),
    "a 32-bit value past 65536, its low half": "MOVE.U32 65500, DS5\n"
    + down("MOVE.U32 1, DS4; ADD.U32 DS5, DS4, DS5; MOVE.U16 5, S23;" + when("CMP.U16.LT S10, S23"), 100),
    "a 32-bit value past 65536, its high half": "MOVE.U32 65500, DS5\n"
    + down("MOVE.U32 1, DS4; ADD.U32 DS5, DS4, DS5; MOVE.U16 1, S23;" + when("CMP.U16.EQ S11, S23"), 100),
    "a pair whose low half is written anew": "MOVE.U32 65500, DS5\n"
    + down(
        "MOVE.U32 9, DS4; ADD.U32 DS5, DS4, DS5; MOVE.U16 S10, S6; MOVE.U16 7, S10; MOVE.U16 1, S23;"
        + when("CMP.U16.EQ S11, S23")
        + "MOVE.U16 S6, S10",
        100,
    ),
    "the other half of a pair that loses one": "MOVE.U32 65500, DS5\n"
    + down(
        "MOVE.U32 9, DS4; ADD.U32 DS5, DS4, DS5; MOVE.U32 DS5, DS6; MOVE.U16 7, S12; MOVE.U16 1, S23;"
        + when("CMP.U16.EQ S13, S23"),
        100,
    ),
    "halves that are written one by one": "MOVE.U32 65500, DS5\n"
    + down(
        "MOVE.U32 5, DS4; ADD.U32 DS5, DS4, DS5; MOVE.U16 S11, S6; MOVE.U16 S10, S10; "
        "MOVE.U16 S6, S11; MOVE.U32 65800, DS4;" + when("CMP.U32.LT DS5, DS4"),
        100,
    ),
    "halves of different kinds, read as a pair": down(
        "MOVE.U32 0x40003, DS4;" + when("CMP.U32.EQ DS5, DS4") + "MOVE.U16 3, S10; SHR.U16 S20, 4, S11; NOP |", 100
    ),
    "a pair that becomes two halves after some rounds": "MOVE.U32 65500, DS5\n"
    + down(
        "MOVE.U16 97, S23; CMP.U16.LT S20, S23, S25; JMPC S25, $LATER; MOVE.U32 16, DS4; "
        "ADD.U32 DS5, DS4, DS5; JMP $ON;"
        "$LATER:; MOVE.U16 16, S8; ADD.U16 S10, S8, S10; MOVE.U16 S11, S11; $ON:; NOP |",
        100,
    ),
    "a product of two moving values": down(
        "ADD.U16 S5, S24, S5; MUL.U16 S5, S20, S6; MOVE.U16 2484, S23;" + when("CMP.U16.EQ S6, S23"), 100
    ),
    "a product of an inner and an outer counter": down(
        down("MUL.U16 S20, S21, S6; MOVE.U16 120, S23;" + when("CMP.U16.LT S6, S23"), 20), 30, "S21", "$O"
    ),
    "a shift by a moving count": down("SHL.U16 S24, S20, S6; MOVE.U16 1024, S23;" + when("CMP.U16.EQ S6, S23"), 30),
    "a block shape that moves": down("ADD.U16 S5, S24, S5; CFGXYZ S5, S24, S5; NOP |", 40),
    "a block shape that changes with the outer round": down(
        "CFGXYZ S21, S24, S21;" + down("NOP |", 30), 30, "S21", "$O"
    ),
    "a block shape for later rounds": down(
        "NOP | MOVE.U16 60, S23;" + when("CMP.U16.LT S20, S23", "CFGXYZ S24, S24, S24; NOP |"), 100
    ),
    "a counter in parameter memory": down(
        "LDPARAM.U32 [cfg_fft_w4_8], DS5; MOVE.U32 3, DS4; ADD.U32 DS5, DS4, DS5; STGLB.U32 DS5, [cfg_fft_w4_8];"
        "MOVE.U32 150, DS4;" + when("CMP.U32.LT DS5, DS4"),
        100,
    ),
    "a word in parameter memory, read after the loop": head_tested("STGLB.U16 S20, [cfg_fft_w4_8]; NOP |", 50)
    + "LDPARAM.U16 [cfg_fft_w4_8], S5",
    "parameter words across pairs": "MOVE.U32 65500, DS5\n"
    + down(
        "MOVE.U32 7, DS4; ADD.U32 DS5, DS4, DS5; {store}; {load}; MOVE.U32 65800, DS4;" + when("CMP.U32.LT DS6, DS4"),
        100,
    ),
    "a parameter word whose low half is written": down(
        "STGLB.U16 S20, [cfg_fft_w4_8]; LDPARAM.U32 [cfg_fft_w4_8], DS5; MOVE.U32 50, DS4;"
        + when("CMP.U32.LT DS5, DS4"),
        100,
    ),
    "a repeated column whose count moves": down("REPEAT 1, S20; NOP | NOP |", 30),
    "a repeated column whose count is zero": down(
        "MOVE.U16 0, S5; REPEAT 2, S5; ADD.U16 S6, S24, S6; NOP | NOP | NOP |", 9
    ),
    "repeated columns with scalar work": down(
        "MOVE.U16 3, S5; REPEAT 2, S5; ADD.U16 S6, S24, S6; NOP | NOP | NOP |", 30
    ),
    "swapped buffers": "MOVE.U16 100, S5\n" + down("MOVE.U16 S5, S7; MOVE.U16 S6, S5; MOVE.U16 S7, S6; NOP |", 100),
    "four buffers in turn": "MOVE.U16 100, S5\n"
    + down(
        "MOVE.U16 S5, S9; MOVE.U16 S6, S5; MOVE.U16 S7, S6; MOVE.U16 S8, S7; MOVE.U16 S9, S8; "
        "JMPC S5, $A; NOP | $A:; NOP |",
        99,
    ),
    "early exit by an outer value": down(
        down("ADD.U16 S5, S24, S5; MOVE.U16 500, S23; CMP.U16.EQ S5, S23, S25; JMPC S25, $OUT; NOP |", 30),
        30,
        "S21",
        "$O",
    )
    + "$OUT:\n",
    "a loop left through its middle, and entered again": down(
        head_tested("MOVE.U16 5, S23; CMP.U16.EQ S20, S23, S25; JMPC S25, $OUT; NOP |", 30), 30, "S21", "$O"
    ),
    "one jump back per outer round": down(head_tested("NOP |", 2), 30, "S21", "$O"),
    "two jumps to one head": "MOVE.U16 100, S20\n"
    "$H:\nSUB.U16 S20, S24, S20\nJMPNC S20, $OUT\nNOP |\nSHR.U16 S20, 2, S5; SHL.U16 S5, 2, S5\n"
    "CMP.U16.EQ S5, S20, S25\nJMPC S25, $H\nNOP |\nJMP $H\n$OUT:\n",
    "a counter that jumps down inside its own range": "MOVE.U16 200, S20\n"
    "$H:\nNOP |\nMOVE.U16 90, S23\nCMP.U16.EQ S20, S23, S25\nJMPNC S25, $A\nMOVE.U16 40, S20\n$A:\n"
    "SUB.U16 S20, S24, S20\nJMPC S20, $H\n",
    "registers that nothing has set": down("ADD.U16 S5, S6, S5; ADD.U32 DS7, DS8, DS7; NOP |", 40),
}
GRID_TRAPS = {
    "one jump back per block": (head_tested("NOP |", 2), (50, 1, 1)),
    "rounds that follow the block's number": (
        "ADD.U16 %blockIdx.x, S24, S21\n" + head_tested("NOP |", 1).replace("MOVE.U16 1, S20", "MOVE.U16 S21, S20"),
        (40, 2, 1),
    ),
    "work for the last block": (
        "ADD.U16 %blockIdx.y, S24, S5; LDPARAM.U16 [grid_dim_y], S6;"
        + when("CMP.U16.EQ S5, S6", "CFGXYZ S24, S24, S24")
        + "NOP |",
        (30, 30, 2),
    ),
    "work for the first block": (
        "JMPC %blockIdx, $REST; MOVE.U16 50, S8; NOP | $REST:; SUB.U16 S8, S24, S8; JMPC S8, $B; NOP | $B:; NOP |",
        (70, 1, 1),
    ),
    "a register that counts blocks": (
        "ADD.U16 S5, S24, S5; MOVE.U16 1000, S23;" + when("CMP.U16.LT S5, S23") + "NOP |",
        (40, 40, 1),
    ),
    "a block number that wraps": ("MOVE.U16 3, S23;" + when("CMP.U16.EQ %blockIdx, S23"), (2048, 33, 1)),
    "a diagonal": (when("CMP.U16.EQ %blockIdx.x, %blockIdx.y"), (40, 40, 1)),
    "a half plane": (when("CMP.U16.LT %blockIdx.x, %blockIdx.y"), (30, 30, 3)),
    "a plane": (when("CMP.U16.LT %blockIdx.x, %blockIdx.z"), (5, 30, 9)),
    "a sum along a row, cleared at its start": (
        "JMPC %blockIdx.x, $ON; MOVE.U16 0, S5; $ON:; ADD.U16 S5, S24, S5; MOVE.U16 20, S23;"
        + when("CMP.U16.EQ S5, S23"),
        (40, 20, 2),
    ),
    "a counter of blocks in parameter memory": (
        "LDPARAM.U16 [cfg_fft_w4_8], S5; ADD.U16 S5, S24, S5; STGLB.U16 S5, [cfg_fft_w4_8]; MOVE.U16 77, S23;"
        + when("CMP.U16.EQ S5, S23")
        + "NOP |",
        (30, 10, 1),
    ),
    "a loop whose inner rounds follow the block": (
        "ADD.U16 %blockIdx.y, S24, S21; MUL.U16 S21, S21, S22; $O:; NOP |; SUB.U16 S22, S24, S22; JMPC S22, $O",
        (3, 20, 2),
    ),
}


def odd_pair_words(text: str) -> str:
    """Words for parameter offsets and registers that the assembler does not write."""
    return text.replace("{store}", "STGLB.U32 DS5, [cfg_fft_w4_8]").replace("{load}", "LDPARAM.U32 [cfg_fft_w4_8], DS6")


def shifted(kernel: Kernel) -> Kernel:
    """The kernel with its 32-bit words of cfg_fft_w4_8 two bytes further on, across two pairs."""
    words = list(kernel.words)
    for index, word in enumerate(words):
        if word >> 18 in (0xE640_0000 >> 18 | 1, 0xE620_0000 >> 18 | 1):
            field = 0 if word >> 24 == 0xE6 and word >> 20 == 0xE64 else 6
            if (word >> field & 0xFFF) * 2 == 0x820:
                words[index] = word + (1 << field)
    return from_words(words, kernel.params, "k")


@pytest.mark.parametrize("name", TRAPS)
def test_trap(device: Device, name: str) -> None:
    kernel = program(odd_pair_words(TRAPS[name]))
    compare(device, prepared(device, kernel, params=(3, 5)))
    compare(device, prepared(device, shifted(kernel), (3, 2, 1), params=(3, 5)))


@pytest.mark.parametrize("name", GRID_TRAPS)
def test_trap_across_blocks(device: Device, name: str) -> None:
    text, grid = GRID_TRAPS[name]
    compare(device, prepared(device, program(text), grid, params=(3, 5)), budget=3_000_000)


def count(items: tuple[Item, ...]) -> int:
    return sum(1 + count(item.items) if isinstance(item, Repeat) else 1 for item in items)


COMPRESSED = {
    "counting": (down("NOP |", 60000), (1, 1, 1)),
    "three loops deep": (down(down(down("NOP |", 900), 900, "S21", "$B"), 900, "S22", "$C"), (1, 1, 1)),
    "blocks along three axes": ("NOP |", (3000, 3000, 3000)),
    "tests first, in loops and blocks": (down(head_tested("NOP |", 900), 900, "S21", "$O"), (900, 900, 1)),
    "the last blocks of a row": (
        "ADD.U16 %blockIdx.x, S24, S5; LDPARAM.U16 [grid_dim_x], S6;" + when("CMP.U16.EQ S5, S6") + "NOP |",
        (900, 900, 9),
    ),
    "swapped buffers": (
        "MOVE.U16 9, S5\n" + down("MOVE.U16 S5, S7; MOVE.U16 S6, S5; MOVE.U16 S7, S6; NOP |", 60000),
        (1, 1, 1),
    ),
    "parity of blocks": (
        "SHR.U16 %blockIdx.x, 1, S5; SHL.U16 S5, 1, S5;" + when("CMP.U16.EQ S5, %blockIdx.x") + "NOP |",
        (60000, 1, 1),
    ),
    "a counter in parameter memory": (
        "LDPARAM.U16 [cfg_fft_w4_8], S5; ADD.U16 S5, S24, S5; STGLB.U16 S5, [cfg_fft_w4_8]; NOP |",
        (60000, 9, 1),
    ),
    "an inner loop that reads bits of the block's number": (
        "SHR.U16 %blockIdx.x, 3, S5;" + down("ADD.U16 S5, S20, S6; NOP |", 60000),
        (40, 1, 1),
    ),
    "a negative limit": (
        "MOVE.U16 0x8001, S20; MOVE.U16 0x7FFE, S23\n$L:\nNOP |\nADD.U16 S20, S24, S20\n"
        "CMP.S16.LT S20, S23, S25\nJMPC S25, $L\n",
        (1, 1, 1),
    ),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compresses(device: Device, name: str) -> None:
    """Loops that a reader would call regular take a few items, however often they run."""
    text, grid = COMPRESSED[name]
    items, _ = walked(device, prepared(device, program(text), grid, params=(0, 0)), max_items=20_000)
    assert count(items) < 1000


ENDLESS = {
    "a word that jumps to itself": "$L:\nJMP $L",
    "a counter that never meets zero": "MOVE.U16 1, S5; MOVE.U16 2, S6\n$L:\nADD.U16 S5, S6, S5; NOP |\nJMPC S5, $L",
    "values that go round": "MOVE.U16 1, S5\n$L:\nMUL.U16 S5, S5, S6; SUB.U16 S24, S5, S5; NOP |\nJMP $L",
    "a long circle": "MOVE.U16 7, S5; MOVE.U16 77, S6\n$L:\nMUL.U16 S5, S6, S5; ADD.U16 S5, S24, S5\nJMP $L",
    "a circle through parameter memory": (
        "$L:\nLDPARAM.U16 [cfg_fft_w4_8], S5; SHR.U16 S5, 1, S5; STGLB.U16 S5, [cfg_fft_w4_8]\nJMP $L"
    ),
    "an inner loop that ends in an outer that does not": "$O:\n" + down("NOP |", 50) + "JMP $O",
    "two heads": "$A:\nJMPC S5, $B; JMP $A; $B:; JMP $A",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_loop_is_refused(device: Device, name: str) -> None:
    with pytest.raises(WalkError, match="a loop never ends"):
        walked(device, prepared(device, program(ENDLESS[name]), params=(0, 0)))


def test_endless_loop_that_does_not_repeat_meets_the_limit(device: Device) -> None:
    """A 32-bit generator of period 2^32: nothing but a limit on items stops it."""
    text = "MOVE.U32 0x19660D, DS5\n$L:\nMUL.U32 DS6, DS5, DS6; ADD.U32 DS6, DS5, DS6\nJMP $L"
    with pytest.raises(WalkError, match="more than 50000 items that do not repeat"):
        walked(device, prepared(device, program(text), params=(0, 0)), max_items=50_000)


# --- transfers ----------------------------------------------------------------------------------------------------


def transfer(source: str, target: str, nbytes: int) -> str:
    """A transfer between addresses in register pairs."""
    return (
        "MOVE.U32 0, DS13; STGLB.U32 DS13, [dma_ch0_mod1_src_hi]; STGLB.U32 DS13, [dma_ch0_mod1_dst_hi];"
        f"STGLB.U32 {source}, [dma_ch0_mod1_src_lo]; STGLB.U32 {target}, [dma_ch0_mod1_dst_lo];"
        f"MOVE.U32 {nbytes}, DS13; STGLB.U32 DS13, [dma_ch0_mod1_len] | POLL.CHN1 |\n"
    )


def stream(step: int, rounds: int, nbytes: int = 64) -> str:
    """A loop that fetches from DDR to SRAM addresses that move."""
    return f"MOVE.U32 {DDR}, DS5; MOVE.U32 {SRAM}, DS6\n" + down(
        transfer("DS5", "DS6", nbytes) + f"MOVE.U32 {step}, DS4; ADD.U32 DS5, DS4, DS5; ADD.U32 DS6, DS4, DS6", rounds
    )


def test_transfers_with_addresses_that_move_compress(device: Device) -> None:
    items, _ = walked(device, prepared(device, program(stream(64, 60000)), params=(0, 0)), max_items=1000)
    assert count(items) < 50
    compare(device, prepared(device, program(stream(64, 300)), params=(0, 0)))


def test_transfers_whose_addresses_leave_the_memory_are_refused(device: Device) -> None:
    """SRAM has room for 24 MiB: the 25th MiB does not exist, and a skipped round must not hide that."""
    with pytest.raises(WalkError, match="a transfer of 64 bytes at 0x5800000 is not in one memory; there are SRAM"):
        walked(device, prepared(device, program(stream(1 << 20, 60)), params=(0, 0)))


def test_parameters_that_a_transfer_wrote_need_an_engine(device: Device) -> None:
    fram = device.memory.fram[0].base + 0x820
    text = (
        f"MOVE.U32 {SRAM}, DS5; MOVE.U32 {fram}, DS6\n"
        + transfer("DS5", "DS6", 4)
        + "LDPARAM.U16 [cfg_fft_w4_8], S5; NOP |"
    )
    launch = prepared(device, program(text), params=(0, 0))
    with pytest.raises(WalkError, match="parameter word 0x820 comes from memory by DMA: an engine must run first"):
        walked(device, launch)
    _, walk = walked(device, launch, loaded=(77,))
    assert walk.registers()[5] == 77


def test_loaded_parameters_are_taken_one_by_one(device: Device) -> None:
    """A loop that reads what a DMA brings must not be skipped, however evenly it runs."""
    fram = device.memory.fram[0].base + 0x820
    body = transfer("DS5", "DS6", 4) + "LDPARAM.U16 [cfg_fft_w4_8], S5; JMPC S5, $A; NOP | $A:; NOP |"
    text = f"MOVE.U32 {SRAM}, DS5; MOVE.U32 {fram}, DS6\n" + down(body, 40)
    for zeros in (0, 39, 20):
        loaded = tuple(int(i >= zeros) for i in range(40))
        items, walk = walked(device, prepared(device, program(text), params=(0, 0)), loaded=loaded)
        assert walk.next_loaded == 40
        assert sum(event[0] == "column" for event in flat(items)) == 40 * 3 + zeros + 1


# --- words that assemblers do not write ---------------------------------------------------------------------------


def encoded(name: str, pick: int = 0, **values: int) -> int:
    return Op(forms_by_name()[spelling(name)][pick], values).word()


def test_an_odd_register_takes_32_bits_with_the_next(device: Device) -> None:
    """A sum into register 13 writes 13 and 14; a widening into 31 writes 31 and 0."""
    kernel = program(
        "MOVE.U32 65000, DS5\n"
        + down("MOVE.U32 3, DS4; ADD.U32 DS5, DS4, DS5; ADD.U32 DS5, DS4, DS6; NOP |", 900).replace(
            "NOP", "JMPC S14, $A; NOP | $A:; NOP"
        )
        + "CVT.U16.U32 S10, DS15"
    )
    add, widen = encoded("ADD.U32", a=10, b=8, d=12), encoded("CVT.U16.U32", a=10, d=30)
    assert {add, widen} <= set(kernel.words)
    words = [word + 1 if word in (add, widen) else word for word in kernel.words]
    compare(device, prepared(device, from_words(words, kernel.params, "k"), (2, 1, 1), params=(0, 0)))


def test_parameter_memory_ends(device: Device) -> None:
    words = [encoded("LDPARAM.U32", p=4094, d=4), 0xD100_0000]
    with pytest.raises(WalkError, match="parameter memory ends before byte 0xffe"):
        walked(device, prepared(device, from_words(words, [], "k")))


def test_words_that_are_no_program(device: Device) -> None:
    for words, sentence in (
        ([0xFFFF_FFFF], "0xffffffff is not an instruction"),
        ([encoded("JMP", target=9)], "control reached word 9 of 1 without an end word"),
        ([encoded("REPEAT", k=1, a=0), 0xD100_0000], "END stands inside a repeated column"),
    ):
        with pytest.raises(WalkError, match=sentence):
            walked(device, prepared(device, Kernel("k", tuple(words))))


def test_a_card_without_an_extension_refuses_its_words(device: Device) -> None:
    kernel = program("AND.U16 S1, S2, S3; NOP |")
    with pytest.raises(WalkError, match=r"AND\.U16 needs the extension 'logic', which ae7100 lacks"):
        walked(device, prepared(device, kernel, params=(0, 0)))
