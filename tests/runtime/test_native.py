"""Kernel IR on cards, without any CUDA: memory that is shared with RPP programs, variables, engines, faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openrpp.codegen.errors import CodegenError
from openrpp.kir import parse_module
from openrpp.machine import LaunchError
from openrpp.runtime import BufferFreed, Card, KernelFault, OutOfMemory, Program

TEXT = """\
module "shorts"
global @step constant size 2 align 2 data "0500"
global @runs global size 8 align 8
global @link global size 8 align 8 reloc 0 @runs 0

kernel @grow(%src: ptr.global, %dst: ptr.global) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %n = ntid axis=x : i32
  %start = mul %b, %n : i32
  %i = add %start, %t : i32
  %o = shl %i, 1:i32 : i32
  %from = ptr_add %src, %o : ptr.global
  %to = ptr_add %dst, %o : ptr.global
  %step = global_addr symbol=step : ptr.constant
  %s = load align=2 %step : i16
  %x = load align=2 %from : i16
  %y = add %x, %s : i16
  store align=2 %y, %to
  %link = global_addr symbol=link : ptr.global
  %runs = load align=8 %link : ptr.global
  %old = atomic_add %runs, 1:i32 : i32
  ret
}

kernel @halt(%at: i32) {
^entry:
  %t = tid axis=x : i32
  %c = icmp pred=eq %t, %at : i1
  cbr %c, ^stop, ^out
^stop:
  trap  !"halt.cu":7:3
  ret
^out:
  ret
}
"""


@pytest.fixture(params=["native", "reference", "interpreter"])
def card(request: pytest.FixtureRequest) -> Card:
    return Card("ae7100x", request.param)


@pytest.fixture
def program(card: Card) -> Program:
    return card.program(parse_module(TEXT))


def test_kernels_and_programs_in_machine_code_share_the_cards_memory(
    card: Card, program: Program, add_file: Path
) -> None:
    x, y, z = (card.array(np.full(64, value, np.uint16), memory="sram") for value in (1, 0, 0))
    program["grow"](2, 32, x, y)
    card.module(add_file)["add"](1, 64, y, z, 100)
    far = card.empty(64, np.uint16)
    program["grow"](1, 64, z, far)
    assert far.numpy().tolist() == [1 + 5 + 100 + 5] * 64


def test_variables_hold_their_initial_content_and_addresses_of_others(card: Card, program: Program) -> None:
    x = card.array(np.zeros(8, np.uint16))
    program["grow"](1, 8, x, x)
    program["grow"](1, 4, x, x)
    assert program.variables["runs"].view("uint32").numpy().tolist() == [12, 0]
    assert program.variables["link"].view("uint64").numpy().tolist() == [program.addresses["runs"]]
    second = card.program(program.module)
    assert second.variables["runs"].view("uint32").numpy().tolist() == [0, 0]
    assert second.addresses["runs"] != program.addresses["runs"]


def test_variables_are_given_back_with_the_program(card: Card) -> None:
    used = card.memory_info("ddr").used
    made = card.program(parse_module(TEXT))
    assert card.memory_info("ddr").used > used
    assert set(made.addresses.values()) <= set(card.allocations())
    del made
    assert card.memory_info("ddr").used == used
    big = parse_module('module "big"\nglobal @all global size 99999999999 align 4\n')
    with pytest.raises(OutOfMemory):
        card.program(big)


def test_a_stopped_kernel_names_its_place_and_the_card_goes_on(card: Card, program: Program) -> None:
    with pytest.raises(KernelFault, match=r"halt\.cu:7: kernel halt: .*thread \(3, 0, 0\)") as found:
        program["halt"](1, 8, 3)
    assert (found.value.kernel, found.value.location) == ("halt", "halt.cu:7")
    report = program["halt"](1, 8, 9)
    assert report is not None and report.engine == card.engine and card.untimed == (card.engine != "reference")


def test_labels_are_what_messages_say(card: Card) -> None:
    labelled = card.program(parse_module(TEXT), {"halt": "mine::halt<3>"})
    with pytest.raises(KernelFault, match=r"kernel mine::halt<3>: "):
        labelled["halt"](1, 1, 0)
    with pytest.raises(LaunchError, match=r"kernel mine::halt<3> takes 1 arguments \(at: a 32-bit integer\)"):
        labelled["halt"](1, 1)
    with pytest.raises(LaunchError, match="shorts has no kernel hatl; did you mean 'halt'"):
        labelled["hatl"]
    assert list(labelled) == ["grow", "halt"] and "grow" in labelled and len(labelled) == 2


def test_freed_buffers_are_refused(card: Card, program: Program) -> None:
    x = card.array(np.zeros(8, np.uint16))
    x.free()
    with pytest.raises(BufferFreed, match=r"kernel grow, argument 1 \(src: a pointer\): .*after it was freed"):
        program["grow"](1, 8, x, None)


def test_the_cost_of_a_launch_is_on_the_clock_and_nothing_is_made_up_for_the_kernel(card: Card) -> None:
    program = card.program(parse_module(TEXT))
    program["halt"](1, 8, 9)
    now, cost = card.synchronize().nominal, card.arch.launch.stream_us.value * 1e-6
    records = [(record.engine, record.name) for record in card.timeline]
    if card.engine == "reference":
        assert now > cost and records == [("host queue", "halt"), ("array", "halt")]
    else:
        assert now == pytest.approx(cost) and records == [("host queue", "halt")]


def test_an_op_that_the_native_engine_cannot_translate_names_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    from openrpp.runtime import native

    def refuse(*_: object, **__: object) -> None:
        raise CodegenError("no such op", "_Z4haltv")

    monkeypatch.setattr(native, "host_compile", refuse)
    labelled = Card(engine="native").program(parse_module(TEXT), {"halt": "halt"})
    with pytest.raises(CodegenError, match="kernel halt: no such op"):
        labelled["halt"](1, 1, 0)


def test_views_of_buffers_as_other_types(card: Card) -> None:
    x = card.array(np.arange(6, dtype=np.uint16).reshape(2, 3))
    assert x.view("uint32").numpy().tolist() == [1 << 16, 3 << 16 | 2, 5 << 16 | 4]
    with pytest.raises(LaunchError, match="12 bytes are no whole number of float64 elements"):
        x.view("float64")
