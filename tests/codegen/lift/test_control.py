"""Control flow of lifted programs: grids, loops, REPEAT, shapes, transfers, parameter memory, votes, faults."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openrpp.codegen.lift import LiftedDevice, lift
from openrpp.codegen.lift.run import Engine
from openrpp.isa.assembler import assemble
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loops
from openrpp.machine import Device
from openrpp.machine.faults import DmaFault, IllegalWord, MissingExtension
from tests.machine.programs import kernel, shaped

from .support import ENGINES, Twin, run_twice

SRAM, OUT, DDR = 0x0400_0000, 0x0400_4000, 0x1000_0000
every_engine = pytest.mark.parametrize("engine", ENGINES)


def fill(device: Device) -> None:
    device.write(SRAM, np.arange(1000, 5000, dtype=np.uint16))
    device.write(DDR, np.arange(4000, dtype=np.uint16)[::-1].copy())


def check(body: str, engine: Engine, params: str = "src dst", values: Any = (SRAM, OUT), **how: Any) -> Twin:
    how.setdefault("block", (40, 2, 1))
    twin = run_twice(kernel(shaped(body, params)), fill, params=values, engine=engine, **how)
    twin.check()
    return twin


@every_engine
def test_blocks_run_in_order_and_scalars_outlive_them(engine: Engine) -> None:
    body = """
.var .u32 %at
.var .u16 %step
JMPC %blockIdx, $later
MOVE.U32 0x04004000, %at
MOVE.U16 7, %step
$later:
LOADCONT %src, MB
ADD.U16 MB, %step, VA
##
ADD.U16 VA, %blockIdx.y, VA
##
STORECONT %at, VA
ADD.U32 %at, %n, %at
ADD.U16 %step, %blockIdx.z, %step
##
DMB_ORI
##
""".replace("ADD.U32 %at, %n, %at", "CVT.U16.U32 %n, DS13\nADD.U32 %at, DS13, %at\nADD.U32 %at, DS13, %at")
    check(body, engine, grid=(2, 3, 2))


@every_engine
def test_a_sum_over_blocks_reads_what_other_lanes_left(engine: Engine) -> None:
    turned = "LOADCONT %src, MB\nAND.U16 MB, 63, VA\n##\nLOAD [%dst+(VA<<1)], MA\nADD.U16 MA, %blockIdx, VA\n##\n"
    check(turned + "DMB_ORI\n##\nSTORECONT %dst, VA\n##\nDMB_ORI\n##", engine, grid=(5, 1, 1), block=(64, 1, 1))


@every_engine
@pytest.mark.parametrize("times", [0, 1, 5])
def test_repeat(engine: Engine, times: int) -> None:
    body = f"MOVE.U16 {times}, %w\nMOVE.U16 3, VA\n##\nREPEAT 1, %w\nADD.U16 %h, %h, %h\nMUL.U16 VA, 5, VA\n##\n"
    check(
        body + "STORECONT %dst, VA\n##\nMOVE.U16 %h, VA\n##\nADD.U32 %dst, %src, %dst\nSTORECONT %src, VA\n##", engine
    )


@every_engine
def test_shapes_that_shrink_and_grow(engine: Engine) -> None:
    body = """
MOVE.U16 1, VA
##
COPY VA, IA
MOVE.U16 20, %n
MOVE.U16 5, %w
CFGXYZ %w, %h, %n
##
MOVE.U16 2, VA
COPY VA, IB
##
LOADALN %src, %w, %h, MB
ADD.U16 MB, IB, VA
##
STORECONT %dst, VA
MOVE.U16 80, %n
MOVE.U16 40, %w
CFGXYZ %w, %h, %n
##
LOADALN %src, %w, %h, IC
##
ADD.U16 VA, IC, VA
##
ADD.U16 VA, IB, VA
##
STORECONT %src, VA
##
"""
    check(body, engine)


@every_engine
@pytest.mark.parametrize("voted", [False, True])
def test_a_shape_stays_on_for_the_blocks_behind(engine: Engine, voted: bool) -> None:
    # The first block sets a shape, the third one another; the two behind them have none of their own.
    text = f"""
.param .u32 src
.param .u32 dst
.var .u32 %src
.var .u32 %dst
.var .u16 %w
.var .u16 %h
.var .u16 %n
.var .u16 %two
JMPC %blockIdx.x, $out
##
LDPARAM.U32 [src], %src
LDPARAM.U32 [dst], %dst
MOVE.U16 48, %w
MOVE.U16 2, %h
MOVE.U16 96, %n
JMPNC %blockIdx.z, $set
MOVE.U16 16, %w
MOVE.U16 40, %n
$set:
CFGXYZ %w, %h, %n
##
$out:
{"VOTE.ANY IA, %two" if voted else ""}
##
LOADALN %src, %w, %n, MB
ADD.U16 MB, %blockIdx, VA
##
STORECONT %dst, VA
MOVE.U16 256, %two
CVT.U16.U32 %two, DS13
##
ADD.U32 %dst, DS13, %dst
##
"""
    twin = run_twice(kernel(text), fill, (2, 1, 2), (33, 1, 1), [SRAM, OUT], engine=engine)
    twin.check()


@every_engine
def test_loops_with_two_entries(engine: Engine) -> None:
    body = """
MOVE.U16 9, %w
MOVE.U16 1, VA
##
JMPC %blockIdx, $b
##
$a:
ADD.U16 VA, 3, VA
##
$b:
MUL.U16 VA, 5, VA
##
MOVE.U16 1, %n
SUB.U16 %w, %n, %w
JMPC %w, $a
##
STORECONT %dst, VA
ADD.U32 %dst, %src, %dst
MOVE.U32 0x04003000, %dst
##
"""
    check(body, engine, grid=(2, 1, 1))
    made = lift(Device().card, kernel(shaped(body, "src dst")), (40, 2, 1), [(40, 2, 80)])
    assert not Loops(Cfg(made.module.kernels["lifted"])).irreducible


TRANSFER = """
STGLB.U32 %srclo, [dma_ch0_mod1_src_lo]
STGLB.U32 %srchi, [dma_ch0_mod1_src_hi]
STGLB.U32 %dstlo, [dma_ch0_mod1_dst_lo]
STGLB.U32 %dsthi, [dma_ch0_mod1_dst_hi]
STGLB.U32 %len, [dma_ch0_mod1_len]
##
POLL.CHN1
##
"""
ENDS = "srclo srchi dstlo dsthi len"


@every_engine
@pytest.mark.parametrize(
    ("source", "target", "nbytes"),
    [(DDR, SRAM + 6000, 4001), (SRAM, DDR + 3, 77), (SRAM, SRAM + 40, 1000), (SRAM + 40, SRAM, 1000), (SRAM, DDR, 0)],
)
def test_transfers(engine: Engine, source: int, target: int, nbytes: int) -> None:
    body = "LOADCONT %srclo, MB\nADD.U16 MB, 1, VA\n##\n" if source < DDR else "MOVE.U16 4, VA\n##\n"
    stored = "MOVE.U32 0x04002000, %srchi\nSTORECONT %srchi, VA\n##\nMOVE.U32 0, %srchi\n"
    check(body + stored + TRANSFER, engine, ENDS, (source, 0, target, 0, nbytes))


@every_engine
def test_control_that_a_transfer_decides(engine: Engine) -> None:
    fram = Device().memory.fram[0].base
    body = f"""{TRANSFER}
LDPARAM.U16 [cfg_fft_w4_3], %w
LDPARAM.U32 [cfg_fft_w4_4], %srclo
MOVE.U16 1, VA
##
$again:
ADD.U16 VA, %w, VA
##
MOVE.U16 1, %h
SUB.U16 %w, %h, %w
JMPC %w, $again
##
MOVE.U32 0x04004000, %dstlo
STORECONT %dstlo, VA
##
"""
    device_words = np.zeros(32, np.uint32)
    device_words[3], device_words[4] = 5, 0x1234_5678

    def prepared(device: Device) -> None:
        fill(device)
        device.write(SRAM, device_words)

    values = (SRAM, 0, fram + 0x800 & 0xFFFF_FFFF, fram >> 32, 128)
    twin = run_twice(kernel(shaped(body, ENDS)), prepared, block=(40, 2, 1), params=values, engine=engine)
    twin.check()
    assert twin.ran.loaded == (5, 0x1234_5678)


@every_engine
def test_counters_in_parameter_memory(engine: Engine) -> None:
    body = """
LDPARAM.U32 [cfg_fft_w4_9], %src
CVT.U16.U32 %n, DS13
ADD.U32 %src, DS13, %src
STGLB.U32 %src, [cfg_fft_w4_9]
STGLB.U32 %src, [0x300]
LDPARAM.U16 [cfg_fft_w4_9], %w
MOVE.U16 %w, VA
##
STORECONT %dst, VA
##
""".replace("[0x300]", "[dst]")
    check(body.replace("STGLB.U32 %src, [dst]\n", ""), engine, grid=(3, 1, 1), block=(100, 1, 1))


@every_engine
@pytest.mark.parametrize("vote", ["ANY", "ALL", "COUNT"])
def test_votes(engine: Engine, vote: str) -> None:
    body = f"""
LOADCONT %src, IA
##
$again:
SUB.U16 IA, 1, VA
##
COPY VA, IA
AND.U16 VA, 0x7F, VA
##
COPYEXT VA, IE
##
VOTE.{vote} IE, %w
##
MOVE.U16 30, %h
SUB.U16 %w, %h, %h
MOVE.U16 %h, VA
##
JMPNC %w, $out
MOVE.U16 1050, %h
LOADCONT %src, MB
SUB.U16 MB, IA, VA
##
CMP.U16.LT VA, %h, VA
##
COPYEXT VA, IF
##
VOTE.ANY IF, %h
##
MOVE.U16 3, %n
AND.U16 %w, %n, %w
JMPC %w, $again
##
$out:
STORECONT %dst, IA
##
"""
    twin = check(body.replace("JMPC %w, $again", "SUB.U16 %w, %w, %w\nJMPC %w, $again"), engine, block=(33, 3, 1))
    assert twin.ran.loaded


@every_engine
def test_shuffles_in_a_warp_that_the_block_fills_in_part(engine: Engine) -> None:
    modes = [f"SHFL.{mode}.U32 IAB, {by}, VAB" for mode in ("IDX", "UP", "DOWN", "XOR") for by in (1, 17, 31, "IC")]
    lines = ["LOADCONT %src, IA", "##", "LOADCONT %src, IB", "##", "LOADCONT %src, MB", "COPY MB, IC", "##"]
    for text in [*modes, "BALLOT IC, VAB"]:
        lines += [text, "##", "STORECONT %dst, VA", "MOVE.U16 160, %w", "CVT.U16.U32 %w, DS13"]
        lines += ["ADD.U32 %dst, DS13, %dst", "##"]
    check("\n".join(lines), engine, block=(45, 1, 1))


@every_engine
@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ("MOVE.U16 9000, %n\nCFGXYZ %w, %h, %n\nMOVE.U16 1, VA\n##", IllegalWord, "CFGXYZ sets 9000 threads"),
        (
            "MOVE.U32 0x7000, DS13\nSTGLB.U32 DS13, [dma_ch0_mod1_src_lo]\nSTGLB.U32 DS13, [dma_ch0_mod1_len]\n##",
            DmaFault,
            "the source of a transfer of 28672 bytes",
        ),
        ("XOR.U16 VA, 1, VA\n##", MissingExtension, "XOR.U16 needs the extension 'logic'"),
    ],
)
def test_faults_name_the_place(engine: Engine, body: str, kind: type[Exception], sentence: str) -> None:
    text = shaped(body)
    with pytest.raises(kind, match=sentence) as mine:
        Device().launch(kernel(text), (3, 1, 1), (40, 1, 1))
    with pytest.raises(kind, match=sentence) as theirs:
        LiftedDevice(engine=engine).launch(kernel(text), (3, 1, 1), (40, 1, 1))
    places = [error.value.place for error in (mine, theirs)]  # type: ignore[attr-defined]
    assert places[0].word == places[1].word and places[0].line == places[1].line
    assert places[0].block == places[1].block


@every_engine
def test_the_report_is_that_of_the_reference_engine(engine: Engine) -> None:
    text = shaped("LOADCONT %src, MB\nADD.U16 MB, 1, VA\n##\nSTORECONT %dst, VA\n##", "src dst")
    devices: list[Device] = [Device(), LiftedDevice(engine=engine)]
    reports = [device.launch(assemble(text, "k"), (3, 1, 1), (64, 1, 1), [SRAM, OUT]) for device in devices]
    assert reports[0] == reports[1]
