"""Programs with the upper registers II to IP do what the same programs do with IA to IH."""

from __future__ import annotations

import re
from random import Random

import numpy as np
import pytest

from openrpp.arch import load
from openrpp.isa.form import VECTOR_KINDS, Form, Kind, Op, Slot
from openrpp.isa.program import Kernel, from_words
from openrpp.isa.registers import I_PAIRS as PAIRS
from openrpp.isa.registers import UPPER_PAIRS
from openrpp.isa.syntax import operand_text
from openrpp.isa.table import TABLE
from openrpp.machine import Device, LaunchError, load_image
from openrpp.machine.faults import IllegalWord, MissingExtension, TokenFault, UndefinedValue
from openrpp.machine.reference import ORDERS
from tests.machine.programs import Program, kernel, random_program, shaped

IN, OUT = 0x0400_0000, 0x0400_8000
DDR = 0x5000_0000
LANES = 70
PARAMS = "src dst addr ddr zero"
I_PAIRS: tuple[str, ...] = PAIRS
UPPER_OF: dict[str, str] = dict(zip(I_PAIRS, UPPER_PAIRS, strict=True))


def renamed(text: str, pairs: set[str]) -> str:
    """The text with some of the published pairs, and their halves, replaced by upper ones of the same bank."""
    names = dict(UPPER_OF.items()) | {
        f"I{low[place]}": f"I{high[place]}" for low, high in UPPER_OF.items() for place in (1, 2)
    }
    moved = {name for pair in pairs for name in (pair, f"I{pair[1]}", f"I{pair[2]}")}
    return re.sub(r"\bI[A-H]{1,2}\b", lambda found: names[found[0]] if found[0] in moved else found[0], text)


# --- whole programs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_mean_the_same_in_every_order(seed: int) -> None:
    random = Random(seed)
    program = random_program(random, 4)
    expected = program.run(Device("ae7100x"))
    pairs = set(random.sample(I_PAIRS, random.randint(1, 4)))
    upper = Program(
        renamed(program.text, pairs), program.block, program.tail, program.blocks, program.slots, program.seed
    )
    assert upper.kernel().extensions == ("registers",), f"seed {seed}"
    for order in ORDERS:
        checks = ("tokens", "order", "undefined") if order == "column" else ("tokens", "undefined")
        device = Device("ae7100x", order=order, check=checks)
        assert (upper.run(device) == expected).all(), f"seed {seed}, {order}, {sorted(pairs)}"


def test_the_fifth_bits_are_one_more_word_to_fetch() -> None:
    text = "LOADCONT %src, IA\n##\nMOVE.U32 IAB, VAB\n##\nCOPY VAB, ICD\n##\nADD.U32 IAB, ICD, VAB\n##"
    reports = [
        Device("ae7100x").time(kernel(shaped(body, "src")), block=(40, 1, 1), params=[IN])
        for body in (text, renamed(text, {"IAB", "ICD"}))
    ]
    assert reports[0].columns == reports[1].columns == 4
    assert reports[1].counters["words"] - reports[0].counters["words"] == 3, "not for a copy"


# --- every form ----------------------------------------------------------------------------------------------------

VECTOR_FORMS = [form for row in TABLE for form in row.forms if form.fifth_bits and form.effect != "compare"]
_WIDE = {Kind.V32, Kind.A32, Kind.LOAD32, Kind.STORE32}
_FILL = """
LOADCONT.W32 %src, IAB
##
LOADCONT.W32 %src, ICD
##
LOADCONT.W32 %src, IEF
##
LOADCONT %zero, IG
##
LOADCONT %zero, IH
MMOV %addr, DVA
##
MOVE.U32 IAB, VAB
##
"""
_DUMP = """
STORECONT.W32 %dst, VAB
##
MOVE.U32 16384, DS12
ADD.U32 %dst, DS12, %dst
STORECONT.W32 %dst, IAB
##
ADD.U32 %dst, DS12, %dst
STORECONT.W32 %dst, ICD
##
ADD.U32 %dst, DS12, %dst
STORECONT.W32 %dst, IEF
##
ADD.U32 %dst, DS12, %dst
STORECONT.W32 %dst, IGH
##
"""


def operands(form: Form, random: Random) -> dict[str, str]:
    """Texts that keep every address inside the buffers: indices, high words and conditions come from IG, which is 0."""
    texts: dict[str, str] = {}
    for name, operand in form.operands.items():
        if operand.kind in VECTOR_KINDS:
            wide = operand.kind in _WIDE
            quiet = form.slot is not Slot.PE and name in ("v", "h", "a", "b")
            texts[name] = (
                ("IGH" if wide else "IG") if quiet else random.choice(I_PAIRS[:3] if wide else ("IA", "IC", "IE"))
            )
        elif operand.kind is Kind.S64:
            texts[name] = "DS14"  # block indices: 0
        elif operand.kind in (Kind.S16, Kind.S32):
            texts[name] = {"base": "%addr", "d": "S20"}.get(name, "%src" if operand.kind is Kind.S32 else "%w")
        else:
            texts[name] = "4" if name == "offset" else "1"
    return texts


def form_text(form: Form, random: Random) -> str:
    """A program around one operation."""
    line = f"{form.name} {operand_text(Op(form, {}), operands(form, random))}"
    before = "LOADCONT %src, MB\n" if "MB" in form.sources else ""
    before += "ATOMCMP.U64 ICD, IEF\n" if form.name.endswith("CAS.U64") else ""
    own = "MMOV %ddr, DVA\n##\n" if "DVA]" in form.syntax and form.syntax.count("[DVA]") == 0 else ""
    return f"{_FILL}{own}{before}{line}\n##\n{_DUMP}"


def memory(text: str) -> tuple[bytes, bytes]:
    """SRAM and DDR behind a program."""
    device = Device("ae7100x")
    rng = np.random.default_rng(7)
    device.write(IN, rng.integers(0, 1 << 32, 0x1000, dtype=np.uint32))
    device.write(DDR, rng.integers(0, 1 << 32, 0x400, dtype=np.uint32))
    device.write(OUT, np.zeros(0x8000, np.uint32))
    device.launch(kernel(shaped(text, PARAMS)), block=(LANES, 1, 1), params=[IN, OUT, IN, DDR, OUT])
    return device.read(IN, 0x2_8000, np.uint8).tobytes(), device.read(DDR, 0x1000, np.uint8).tobytes()


@pytest.mark.parametrize("form", VECTOR_FORMS, ids=lambda form: f"{form.name} {form.syntax}")
def test_every_form_works_on_upper_registers(form: Form) -> None:
    text = form_text(form, Random(form.name))
    expected = memory(text)
    for pairs in ({"IAB", "IGH"}, {"ICD", "IEF"}, set(I_PAIRS)):
        assert memory(renamed(text, pairs)) == expected, (form.name, pairs)


# --- checks --------------------------------------------------------------------------------------------------------


def strict(text: str) -> None:
    Device("ae7100x", check=("tokens", "undefined")).launch(kernel(text), block=(40, 1, 1))


def test_the_tokens_of_upper_registers_are_followed() -> None:
    write = ".forward manual\nMOVE.U16 5, VA\n##\nCOPY VA, IJ\n##\n"
    strict(write + "FORWARD IJ\n##\nMOVE.U16 IJ, VA\n##")
    strict(write + "TERM IJ\n##")
    with pytest.raises(TokenFault, match=r"IJ \(written at word 1\) leaks.*add FORWARD IJ or TERM IJ"):
        strict(write + "MOVE.U16 1, VA\n##")
    with pytest.raises(TokenFault, match="IM is read but not live: it was never written in this block"):
        strict(".forward manual\nMOVE.U16 IM, VA\n##")
    with pytest.raises(TokenFault, match="IP is FORWARDed but not live"):
        strict(".forward manual\nFORWARD IP\n##")


def test_undefined_values_of_upper_registers_are_found() -> None:
    text = shaped("MOVE.U32 1, VAB\n##\nCOPY VA, IK\n##\nSTORECONT.W32 %dst, IKL\n##", "dst")
    with pytest.raises(UndefinedValue, match=r"the IKL that STORECONT\.W32 stores is undefined: IL was not written"):
        Device("ae7100x", check=("undefined",)).launch(kernel(text), block=(40, 1, 1), params=[OUT])


LACKING = {
    "UPPER": "MOVE.U16 II, VA\n##",
    "COPY": "COPY VA, II\n##",
    "COPYEXT": "COPYEXT VA, IM\n##",
    "FORWARD": "FORWARD II\n##",
    "TERM": "TERM IP\n##",
}


@pytest.mark.parametrize("name", LACKING)
def test_the_published_card_refuses_them(name: str) -> None:
    built = kernel(".forward manual\n" + LACKING[name])
    sentence = f"{name} needs the extension 'registers', which ae7100 lacks"
    with pytest.raises(MissingExtension, match=sentence):
        Device("ae7100").launch(built, block=(40, 1, 1))
    with pytest.raises(LaunchError, match=sentence):
        Device("ae7100").time(built, block=(40, 1, 1))
    Device("ae7100x").launch(built, block=(40, 1, 1))


NO_COLUMN = {
    "UPPER 0x2 sets bits of operands that do not follow in its column": [0x7700_0002, 0xB100_0000],
    "UPPER 0x1 stands behind a word whose operands it extends": [0x4802_0001, 0x7700_2000, 0xB100_0000],
    "MOVE.U16 has register code 20 as a, which is not a 16-bit vector register": [0x7700_0001, 0xB110_0000],
    "MADD.SCA32 has register code 30 as a": [0x7700_2000, 0x303B_0081, 0x5000_0018],
}


@pytest.mark.parametrize("sentence", NO_COLUMN)
def test_fifth_bits_without_a_register_are_refused(sentence: str) -> None:
    built = load_image([*NO_COLUMN[sentence], 0xD100_0000], [])
    with pytest.raises(IllegalWord, match=re.escape(sentence.replace("0x1 stands", "0x2000 stands"))):
        Device("ae7100x").launch(built, block=(40, 1, 1))


def test_images_with_upper_registers_are_programs_like_others() -> None:
    built = kernel("MOVE.U32 0, VAB\n##\nCOPY VAB, IIJ\n##\nMOVE.U32 IIJ, VAB\n##")
    image: Kernel = from_words(built.words, [], "k")
    assert Device("ae7100x").launch(image, block=(40, 1, 1)).columns == 3
    assert load("ae7100x").extensions[-1] == "registers"
