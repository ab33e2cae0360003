"""Faults that every launch is watched for: whole sentences, places, and a card that works on."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import pytest

from openrpp.isa.assembler import assemble
from openrpp.isa.table import TABLE
from openrpp.machine import Device, Kernel, LaunchError, MachineError, load_image
from openrpp.machine.faults import (
    DmaFault,
    Fault,
    IllegalWord,
    Misaligned,
    MissingExtension,
    OutOfBounds,
    Place,
    RunawayLoop,
)
from openrpp.machine.launch import prepare
from tests.machine.programs import kernel, shaped, words_of

SRAM, OUT = 0x0400_0000, 0x0400_2000
LIMITS = "the memory port reaches SRAM only; SRAM is 0x4000000 to 0x57fffff"
ODD = "a 16-bit access needs an even address"
MAP = (
    "there are SRAM 0x4000000 to 0x57fffff, FRAM bank 0 0x6000000 to 0x6000fff, PRAM 0x7000000 to 0x71fffff, "
    "DDR 0x10000000 to 0x40fffffff"
)
END = 0xD100_0000
NOP = 0x5000_0018
GOOD = shaped("LOADCONT %src, MB\nADD.U16 MB, 1, VA\n##\nSTORECONT %dst, VA\n##", "src dst")


@dataclass(frozen=True)
class Case:
    """A kernel that must fault: the fault's type, sentence, and place (column, word or instruction, lane, address)."""

    kernel: Kernel
    kind: type[Fault]
    sentence: str
    column: int
    word: int | str
    lane: int | None = None
    address: int | None = None
    params: tuple[int, int] = (SRAM, OUT)
    max_words: int = 1 << 28

    def at(self) -> int:
        """Index of the faulting word; a name stands for its last use."""
        return words_of(self.kernel, self.word)[-1] if isinstance(self.word, str) else self.word


def text(body: str) -> Kernel:
    return kernel(shaped(body, "src dst"))


def image(*words: int) -> Kernel:
    return load_image(words, ["src", "dst"], "k")


def check(case: Case, device: Device | None = None) -> None:
    device = device or Device(max_words=case.max_words)
    marked = np.arange(700, dtype=np.uint16)
    device.write(SRAM, marked)
    with pytest.raises(case.kind) as caught:
        device.launch(case.kernel, block=(70, 1, 1), params=case.params)
    fault = caught.value
    word = case.at()
    assert type(fault) is case.kind
    assert fault.sentence == case.sentence
    assert (fault.kernel, fault.block, fault.column, fault.word) == ("k", (0, 0, 0), case.column, word)
    assert (fault.lane, fault.address, fault.place.line) == (case.lane, case.address, case.kernel.lines.get(word))
    assert str(fault) == f"{fault.place}: {case.sentence}"
    assert np.array_equal(device.read(SRAM, 700, np.uint16), marked), "memory is readable and was not touched"
    device.launch(kernel(GOOD), block=(70, 1, 1), params=[SRAM, OUT])
    assert np.array_equal(device.read(OUT, 70, np.uint16), marked[:70] + 1), "the card works on"


SET = "MOVE.U32 {}, %src\n"
DOT = "MOVE.U32 {dva}, DS13\nMMOV DS13, DVA\n##\nMOVE.U16 {terms}, %w\n"
DOT += "LDWARP %src, %h, %h, WARPVEC\nLDLANE_BFMAD [DVA], WARPVEC, %w, MAB\n##"
IOTA = "LOADCONT %src, MB\nCOPY MB, IA\n##\n"

ACCESS = {
    "load behind SRAM": Case(
        text(SET.format(0x057F_FFF0) + "LOADCONT %src, MB\n##"), OutOfBounds, LIMITS, 0, "LOADCONT", 8, 0x0580_0000
    ),
    "store before SRAM": Case(
        text(SET.format(0x03FF_FFFE) + "MOVE.U16 0, VA\n##\nSTORECONT %src, VA\n##"),
        OutOfBounds, LIMITS, 1, "STORECONT", 0, 0x03FF_FFFE,
    ),
    "gather of one lane": Case(
        text(IOTA + SET.format(0x057F_FFFE - 2 * 41) + "LOAD [%src+(IA<<1)], MA\n##"),
        OutOfBounds, LIMITS, 1, "LOAD", 42, 0x0580_0000,
    ),
    "gather of DDR": Case(
        text(SET.format(0x5000_0000) + "MMOV %src, DVA\n##\nLOAD [DVA+2], IA\n##"),
        OutOfBounds, LIMITS, 1, "LOAD", 0, 0x5000_0002,
    ),
    "gather beside a good load": Case(
        text(IOTA + SET.format(0) + "LOADCONT %dst, MB\nLOAD [%src+(IA<<0)], MA\n##"),
        OutOfBounds, LIMITS, 1, "LOAD", 0, 0,
    ),
    "byte load": Case(
        text(IOTA + SET.format(0x057F_FFFF - 20) + "LOAD.BEN [%src+IA], MA\n##"),
        OutOfBounds, LIMITS, 1, "LOAD.BEN", 69, 0x0580_0000 + 48,
    ),
    "chosen lane of a masked load": Case(
        text("MMOV 0, DVA\nMOVE.U16 4, %w\n##\nLOADMASK [DVA], %w, MA\n##"), OutOfBounds, LIMITS, 1, "LOADMASK", 2, 0
    ),
    "chosen lane of a masked store": Case(
        text(IOTA + "MMOV 0, DVA\n##\nSTOREMASK IA, IA, [DVA]\n##"), OutOfBounds, LIMITS, 2, "STOREMASK", 1, 0
    ),
    "warp vector": Case(
        text(SET.format(0x0580_0000 - 510) + "LDWARP %src, %h, %h, WARPVEC\n##"),
        OutOfBounds, LIMITS, 0, "LDWARP", 255, 0x0580_0000,
    ),
    "lane vector": Case(
        text(DOT.format(dva=0x057F_FFF4, terms=8)), OutOfBounds, LIMITS, 1, "LDLANE_BFMAD", 0, 0x0580_0002
    ),
    "too many terms": Case(
        text(DOT.format(dva=SRAM, terms=9)),
        OutOfBounds, "LDLANE_BFMAD of 9 terms; WARPVEC holds 1 to 8 per lane", 1, "LDLANE_BFMAD", 0, SRAM,
    ),
    "no terms": Case(
        text(DOT.format(dva=SRAM, terms=0)),
        OutOfBounds, "LDLANE_BFMAD of 0 terms; WARPVEC holds 1 to 8 per lane", 1, "LDLANE_BFMAD", 0, SRAM,
    ),
    "odd base": Case(text(SET.format(SRAM + 1) + "LOADCONT %src, MB\n##"), Misaligned, ODD, 0, "LOADCONT", 0, SRAM + 1),
    "odd gather": Case(text(IOTA + "LOAD [%src+(IA<<0)], MA\n##"), Misaligned, ODD, 1, "LOAD", 1, SRAM + 1),
    "odd store": Case(
        text("MOVE.U32 0x04002003, DS13\nMMOV DS13, DVA\n##\nSTORE DVA_, [DVA]\n##".replace("DVA_", "VA")),
        Misaligned, ODD, 1, "STORE", 0, OUT + 3,
    ),
    "odd warp vector": Case(
        text(SET.format(SRAM + 3) + "LDWARP %src, %h, %h, WARPVEC\n##"), Misaligned, ODD, 0, "LDWARP", 0, SRAM + 3
    ),
    "parameter behind the bank": Case(
        text("LDPARAM.U16 [0x1000], %w\n##"),
        OutOfBounds, "LDPARAM.U16 needs 2 bytes at 0x1000; parameter memory ends at 0xfff", 0, "LDPARAM.U16",
    ),
    "half a parameter": Case(
        text("LDPARAM.U32 [0xffe], %src\n##"),
        OutOfBounds, "LDPARAM.U32 needs 4 bytes at 0xffe; parameter memory ends at 0xfff", 0, "LDPARAM.U32",
    ),
    "parameter store": Case(
        text("STGLB.U32 %src, [0xffe]\n##"),
        OutOfBounds, "STGLB.U32 needs 4 bytes at 0xffe; parameter memory ends at 0xfff", 0, "STGLB.U32",
    ),
}  # fmt: skip

WORDS = {
    "unknown word": Case(image(NOP, 0xFF00_0000, END), IllegalWord, "0xff000000 is not an instruction", 1, 1),
    "unknown word in a column": Case(
        image(0x7200_0000, 0xC800_0000, END), IllegalWord, "0xc8000000 is not an instruction", 0, 1
    ),
    "jump out of the kernel": Case(
        image(0xC400_0009, NOP, END), IllegalWord, "control reached word 9 of 3 without an end word", 0, 9
    ),
    "falling off the image": Case(
        image(0xC400_0002, END, NOP), IllegalWord, "control reached word 3 of 3 without an end word", 1, 3
    ),
    "column without its end": Case(
        image(0xC400_0002, END, 0x7200_0000), IllegalWord, "control reached word 3 of 3 without an end word", 0, 3
    ),
    "scalar word inside a column": Case(
        image(0x7200_0001, 0xE410_0000, NOP, END),
        IllegalWord, "scalar word MOVE.U16 stands inside a column, before its PE word", 0, 1,
    ),
    "end inside a column": Case(
        image(0x7200_0001, END, NOP), IllegalWord, "scalar word END stands inside a column, before its PE word", 0, 1
    ),
    "copy between I registers": Case(
        image(0x7100_0004, NOP, END),
        IllegalWord, "0x71000004 copies IB to IA; the switch box copies VA, VB, MA and MB", 0, 0,
    ),
    "scalar register 40": Case(
        image(0xE410_0028, NOP, END),
        IllegalWord,
        "0xe4100028: MOVE.U16 has register code 40 as d, "
        "which is not a 16-bit scalar register (%name, Sn, %blockIdx.x)",
        0, 0,
    ),
    "vector register 15": Case(
        image(0xB13C_0000, END),
        IllegalWord,
        "0xb13c0000: MOVE.U16 has register code 15 as a, "
        "which is not a 16-bit vector register (IA to IP, VA, VB, MA, MB)",
        0, 0,
    ),
    "pair that is none": Case(
        image(0xB105_0000, END),
        IllegalWord,
        "0xb1050000: MOVE.U32 has register code 1 as a, "
        "which is not a 32-bit vector register pair (IAB to IOP, VAB, MAB)",
        0, 0,
    ),
    "load into VA": Case(
        image(0x0960_0000, NOP, END),
        IllegalWord,
        "0x09600000: LOADCONT has register code 4 as r, which is not a load target (IA to IP, MA, MB)",
        0, 0,
    ),
    "dot without its warp vector": Case(
        image(0x00CE_8044, NOP, END), IllegalWord, "LDLANE_BFMAD needs an LDWARP before it in its column", 0, 0
    ),
    "no threads": Case(
        text("MOVE.U16 0, %w\nCFGXYZ %h, %h, %w\n##"),
        IllegalWord, "CFGXYZ sets 0 threads; a block has 1 to 8160", 0, "CFGXYZ",
    ),
    "too many threads": Case(
        text("MOVE.U16 8161, %w\nCFGXYZ %h, %h, %w\n##"),
        IllegalWord, "CFGXYZ sets 8161 threads; a block has 1 to 8160", 0, "CFGXYZ",
    ),
    "jump in a repeated column": Case(
        image(0xE410_0040, 0xC100_1000, 0xC400_0000, NOP, END), IllegalWord, "JMP stands inside a repeated column", 0, 2
    ),
    "jump in a column repeated no times": Case(
        image(0xE410_0000, 0xC100_1000, 0xC400_0000, NOP, END), IllegalWord, "JMP stands inside a repeated column", 0, 2
    ),
    "unknown word in a repeated column": Case(
        image(0xE410_0040, 0xC100_1000, 0xFF00_0000, END), IllegalWord, "0xff000000 is not an instruction", 0, 2
    ),
}  # fmt: skip

EXTENSION = {
    "scalar": Case(
        text("AND.U16 %w, %h, %w\n##"),
        MissingExtension, "AND.U16 needs the extension 'logic', which ae7100 lacks", 0, "AND.U16",
    ),
    "processing element": Case(
        text("MOVE.U32 0, VAB\n##\nFMA.F32 VAB, VAB, VAB, VAB\n##"),
        MissingExtension, "FMA.F32 needs the extension 'fma32', which ae7100 lacks", 1, "FMA.F32",
    ),
    "memory port": Case(
        text("LOADCONT.W32 %src, MAB\n##"),
        MissingExtension, "LOADCONT.W32 needs the extension 'wide', which ae7100 lacks", 0, "LOADCONT.W32",
    ),
}  # fmt: skip

TRANSFER = "STGLB.U32 %src, [dma_ch0_mod1_src_lo]\nSTGLB.U32 %dst, [dma_ch0_mod1_dst_lo]\nMOVE.U32 {}, DS13\n"
TRANSFER += "STGLB.U32 DS13, [dma_ch0_mod1_len]\n##\nPOLL.CHN1\n##"


def dma_case(params: tuple[int, int], nbytes: int, name: str, address: int) -> Case:
    sentence = f"the {name} of a transfer of {nbytes} bytes is not in one memory; {MAP}"
    return Case(text(TRANSFER.format(nbytes)), DmaFault, sentence, 0, "STGLB.U32", address=address, params=params)


DMA = {
    "source in no memory": dma_case((0x0300_0000, SRAM), 64, "source", 0x0300_0000),
    "destination in no memory": dma_case((SRAM, 0x0800_0000), 64, "destination", 0x0800_0000),
    "source past the end of SRAM": dma_case((0x057F_FFF0, OUT), 17, "source", 0x057F_FFF0),
    "destination past the end of SRAM": dma_case((SRAM, 0x057F_FFF0), 17, "destination", 0x057F_FFF0),
    "longer than SRAM": dma_case((0x5000_0000, SRAM), 0x0200_0000, "destination", SRAM),
}

SPIN = "$loop:\nJMP $loop\n##"
COUNT = "MOVE.U16 1, %w\n$loop:\nADD.U16 %h, %w, %h\nJMPC %w, $loop\n##"
BUDGET = "the launch passed its budget of {} words; raise max_words if it is meant to run this long"
LOOPS = {
    "no register changes": Case(
        text(SPIN), RunawayLoop, "the loop came back to this jump with no register changed", 0, "JMP"
    ),
    "registers come round": Case(
        text("MOVE.U16 0x4000, %w\n$loop:\nADD.U16 %h, %w, %h\nJMP $loop\n##"),
        RunawayLoop, "the loop came back to this jump with no register changed", 0, "JMP",
    ),
    "vector columns do not hide it": Case(
        text("$loop:\nADD.U16 VA, 1, VA\n##\nJMP $loop\n##"),
        RunawayLoop, "the loop came back to this jump with no register changed", 2, "JMP",
    ),
    "past the budget": Case(text(COUNT), RunawayLoop, BUDGET.format(1000), 0, "ADD.U16", max_words=1000),
    "repeats count": Case(
        text("MOVE.U16 0xffff, %w\nREPEAT 1, %w\nADD.U16 VA, 1, VA\n##"),
        RunawayLoop, BUDGET.format(1000), 994, "REPEAT", max_words=1000,
    ),
}  # fmt: skip

ALL = {
    f"{kind}: {name}": case
    for kind, cases in (
        ("access", ACCESS), ("word", WORDS), ("extension", EXTENSION), ("dma", DMA), ("loop", LOOPS)
    )
    for name, case in cases.items()
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_a_fault_has_its_sentence_and_place_and_the_card_works_on(name: str) -> None:
    check(ALL[name])


ANY_ORDER = [("gather of one lane", order) for order in ("warp", "random", "descending", "shuffled")]
FIRST_WARP = [
    (name, order)
    for name in ("odd base", "lane vector", "chosen lane of a masked load")
    for order in ("warp", "random")
]


@pytest.mark.parametrize(("name", "order"), [*ANY_ORDER, *FIRST_WARP])
def test_the_place_is_the_same_in_every_order(name: str, order: str) -> None:
    device = Device(order=order)  # type: ignore[arg-type]
    case = ACCESS[name]
    device.write(SRAM, np.where(np.arange(700) > 42, 0, np.arange(700)).astype(np.uint16))
    with pytest.raises(case.kind) as caught:
        device.launch(case.kernel, block=(70, 1, 1), params=case.params)
    fault = caught.value
    found = (fault.column, fault.word, fault.lane, fault.address)
    assert found == (case.column, case.at(), case.lane, case.address)


def test_many_faults_in_a_row_leave_one_card_working() -> None:
    device = Device(max_words=100_000)
    for case in (*ACCESS.values(), *WORDS.values(), *EXTENSION.values(), *DMA.values()):
        check(case, device)


def test_lanes_that_a_mask_leaves_out_are_not_checked() -> None:
    device = Device()
    device.write(SRAM, np.zeros(700, np.uint16))
    store = text(IOTA + "MMOV 0, DVA\n##\nSTOREMASK IA, IA, [DVA]\n##")
    device.launch(store, block=(70, 1, 1), params=[SRAM, OUT])
    load = text("MMOV 0, DVA\nMOVE.U16 0, %w\n##\nLOADMASK [DVA], %w, MA\n##")
    device.launch(load, block=(70, 1, 1), params=[SRAM, OUT])


def test_a_refused_parameter_store_writes_nothing() -> None:
    device = Device()
    device.fram_write(0xFFE, 2, 0x1234)
    with pytest.raises(OutOfBounds):
        device.launch(ACCESS["parameter store"].kernel, block=(70, 1, 1), params=[SRAM, OUT])
    assert device.fram_read(0xFFE, 2) == 0x1234


def test_stores_before_the_fault_stay() -> None:
    device = Device()
    body = "MOVE.U16 7, VA\n##\nSTORECONT %dst, VA\n##\nMOVE.U32 0, %src\nLOADCONT %src, MB\n##"
    with pytest.raises(OutOfBounds):
        device.launch(text(body), block=(70, 1, 1), params=[SRAM, OUT])
    assert (device.read(OUT, 70, np.uint16) == 7).all()


def test_a_fault_in_a_later_block_names_it() -> None:
    body = "CVT.U16.U32 %blockIdx, DS13\nSHL.U32 DS13, 23, DS13\nADD.U32 %src, DS13, DS13\nLOADCONT DS13, MB\n##"
    with pytest.raises(OutOfBounds) as caught:
        Device().launch(text(body), grid=(2, 2, 1), block=(70, 1, 1), params=[SRAM, OUT])
    assert (caught.value.block, caught.value.address) == ((1, 1, 0), SRAM + 3 * (1 << 23))


def test_extension_words_run_on_a_card_that_has_them() -> None:
    for case in EXTENSION.values():
        Device("ae7100x").launch(case.kernel, block=(70, 1, 1), params=[SRAM, OUT])


def test_a_loop_that_changes_parameter_memory_is_left_to_the_budget() -> None:
    # A transfer into parameter memory is what the loop waits for, so unchanged registers prove nothing.
    fram = "MOVE.U32 0x06000800, DS13\nSTGLB.U32 DS13, [dma_ch0_mod1_dst_lo]\n"
    start = fram + TRANSFER.format(4).replace("STGLB.U32 %dst, [dma_ch0_mod1_dst_lo]\n", "")
    case = Case(text(f"{start}\n{SPIN}"), RunawayLoop, BUDGET.format(500), 1, "JMP", max_words=500)
    with pytest.raises(RunawayLoop) as caught:
        Device(max_words=500).launch(case.kernel, block=(70, 1, 1), params=[SRAM, OUT])
    assert caught.value.sentence == case.sentence


def test_a_long_loop_that_ends_is_no_fault() -> None:
    body = "MOVE.U16 60000, %w\nMOVE.U16 1, %h\n$loop:\nSUB.U16 %w, %h, %w\nJMPC %w, $loop\n##"
    Device().launch(text(body), block=(70, 1, 1), params=[SRAM, OUT])


def test_places_leave_out_what_they_do_not_know() -> None:
    assert str(Place("k")) == "kernel k"
    assert str(Place("k", (1, 2, 3), 4, 5, None, 6, 0x70)) == (
        "kernel k, block (1, 2, 3), column 4, word 5, lane 6, address 0x70"
    )
    assert str(Place("k", word=5, line=9)) == "kernel k, word 5 (line 9)"


def test_faults_and_launch_errors_have_one_root() -> None:
    assert issubclass(Fault, MachineError)
    assert issubclass(LaunchError, MachineError)
    assert issubclass(LaunchError, ValueError)


FORMS = [form for row in TABLE for form in row.forms]


def random_words(random: Random) -> list[int]:
    """Mostly instructions with operands that may or may not exist."""
    words: list[int] = []
    for _ in range(random.choice((1, 1, 2, 4, 8, 12))):
        form = random.choice(FORMS)
        fields = sum(operand.field.mask for operand in form.operands.values())
        word = form.base | random.getrandbits(32) & fields & random.choice((0xFFFF_FFFF, 0x3333_3333, 0x1C1C_1C1C))
        words += [word] if random.random() < 0.95 else [random.getrandbits(32)]
        words += [NOP] if random.random() < 0.6 else []
    return [*words, NOP, END]


@pytest.mark.parametrize("arch", ["ae7100", "ae7100x"])
@pytest.mark.parametrize("checks", [(), ("tokens",), ("order", "undefined")])
def test_any_words_run_or_fault_and_nothing_else(arch: str, checks: tuple[str, ...]) -> None:
    seed = 20_261_125
    random = Random(seed)
    device = Device(arch, check=checks, max_words=2000)
    outcomes: set[str] = set()
    for number in range(250):
        words = random_words(random)
        try:
            # The engine alone: timing is tested on programs that make sense.
            device.engine.run(prepare(device.card, load_image(words), (2, 1, 1), (40, 1, 1), (), None), bank=0)
            outcomes.add("ran")
        except MachineError as fault:
            outcomes.add(type(fault).__name__)
        except Exception as error:
            raise AssertionError(f"seed {seed}, program {number}: {[hex(word) for word in words]}") from error
    assert {"ran", "IllegalWord"} <= outcomes


def test_a_counter_in_parameter_memory_is_no_loop_without_end() -> None:
    """The registers are the same at every jump; what is counted lies in a word of the host's."""
    lines = (
        "MOVE.U32 0, DS1\nSTGLB.U32 DS1, [cfg_fft_w4_9]\n$loop:\nLDPARAM.U32 [cfg_fft_w4_9], DS0\nMOVE.U32 1, DS1",
        "ADD.U32 DS0, DS1, DS0\nSTGLB.U32 DS0, [cfg_fft_w4_9]\nMOVE.U32 5, DS1\nCMP.U32.EQ DS0, DS1, S4",
        "MOVE.U32 0, DS0\nJMPC S4, $out\nJMP $loop\n$out:\nNOP\n##",
    )
    device = Device("ae7100")
    device.launch(assemble("\n".join(lines), "count"))
    assert device.fram_read(0x800 + 4 * 9, 4) == 5
