"""Checks on kernel IR itself: what CUDA C++ does not reach, or not alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openrpp.kir import check
from openrpp.kir.check import Allocation
from openrpp.kir.check.regions import source_name
from openrpp.kir.interp import Memory, Order
from tests.kir.kernels import module_of

HEAD = """
    global @c constant size 8 align 8 data "0102030405060708"
    global @t shared size 128 align 8
    global @u shared size 128 align 8
    kernel @k(%p: ptr.global, %q: ptr.global) {
      local @l size 8 align 8
    ^e:
      %i = tid axis=x : i32
      %b = ctaid axis=x : i32
      %w = shl %i, 2:i32 : i32
      %c = global_addr symbol=c : ptr.constant
      %t = global_addr symbol=t : ptr.shared
      %u = global_addr symbol=u : ptr.shared
      %l = local_addr symbol=l : ptr.private
      %at = ptr_add %p, %w : ptr.global
      %tat = ptr_add %t, %w : ptr.shared
"""


def run(body: str, threads: int = 32, grid: int = 1, args: list[Any] | None = None, **options: Any) -> check.Report:
    args = args or [np.zeros(64, np.int32), np.zeros(64, np.int32)]
    return check.run(module_of(f"{HEAD}{body}\n}}"), "k", grid, threads, args, **options)


def kinds(report: check.Report) -> list[str]:
    return [item.kind for item in report.findings]


def sentence(report: check.Report) -> str:
    (found,) = report.findings
    return found.sentence


# --- memory ----------------------------------------------------------------------------------------------------


def test_a_generic_pointer_keeps_to_the_variable_that_it_was_made_from() -> None:
    body = " %g = space_cast %t : ptr.generic\n %h = ptr_add %g, {}:i64 : ptr.generic\n store 1:i32, %h\n ret"
    assert run(body.format(124), 1).clean
    assert "right behind the end of shared variable 't' (128 bytes), inside shared" in sentence(
        run(body.format(128), 1)
    )


def test_a_pointer_that_may_be_one_of_two_keeps_to_both() -> None:
    body = """ %odd = and %i, 1:i32 : i32
      %is = trunc %odd : i1
      %x = select %is, %p, %q : ptr.global
      %y = ptr_add %x, {}:i64 : ptr.global
      %v = load %y : i32
      ret"""
    assert run(body.format(4), 2).clean
    report = run(body.format(256), 2)
    assert report.findings[0].count == 2
    assert "right behind the end of 'q' (256 bytes" in report.findings[0].sentence


def test_a_pointer_from_memory_may_go_anywhere_that_is_allocated() -> None:
    body = " %a = load %p : ptr.global\n %v = load %a : i32\n ret"
    memory = Memory()
    pointers, x = np.zeros(1, np.uint64), np.zeros(4, np.int32)
    base, place = memory.bind(pointers, "pointers"), memory.bind(x, "x")
    for address, clean in ((place + 12, True), (place + 16, False), (base, True)):
        pointers[0] = address
        report = run(body, 1, 1, [base, base], memory=memory)
        assert report.clean is clean
    pointers[0] = place + 14
    assert kinds(run(body, 1, 1, [base, base], memory=memory)) == ["misaligned"]


def test_a_negative_offset_from_the_middle_of_an_allocation_is_inside() -> None:
    memory, x = Memory(), np.zeros(64, np.int32)
    base = memory.bind(x, "x")
    body = " %a = ptr_add %p, -8:i64 : ptr.global\n store 7:i32, %a\n ret"
    assert run(body, 1, 1, [base + 64, base], memory=memory).clean
    assert x[14] == 7


def test_local_variables_end_where_they_end() -> None:
    body = " store 1:i64, %l\n %a = ptr_add %l, 4:i64 : ptr.private\n %v = load align=4 %a : i64\n ret"
    assert sentence(run(body, 1)) == "read of 8 bytes, the last 4 of them past the end of local variable 'l' (8 bytes)"


def test_variables_of_the_module_are_known_besides_the_list() -> None:
    memory = Memory()
    base = memory.bind(np.zeros(64, np.int32), "x")
    body = " %v = load %c : i32\n store %v, %at\n ret"
    report = run(body, 4, 1, [base, base], memory=memory, allocations=[Allocation("x", base, 256)])
    assert report.clean, report.text()


def test_one_piece_of_memory_may_hold_many_allocations() -> None:
    memory, card = Memory(), np.zeros(4096, np.uint8)
    memory.bind(card, "ddr", base=0x8000)
    given = [Allocation("buffer a", 0x8000, 128), Allocation("buffer b", 0x8080, 128)]
    report = run(" store 5:i32, %at\n ret", 33, 1, [0x8000, 0x8080], memory=memory, allocations=given)
    assert sentence(report) == (
        "write of 4 bytes at 0x8080, right behind the end of buffer a (128 bytes at 0x8000), "
        "inside buffer b (128 bytes at 0x8080)"
    )
    assert card.view(np.int32)[:33].tolist() == [5] * 32 + [0]


def test_addresses_of_the_callers_choice() -> None:
    memory = Memory()
    assert memory.bind(np.zeros(16, np.uint8), "low", base=0x100) == 0x100
    high = memory.bind(np.zeros(16, np.uint8), "high")
    assert memory.find(0x10F, 1).name == "low" and memory.find(high, 16).name == "high"
    for base in (0xF8, 0x100, 0x108, high):
        with pytest.raises(ValueError, match="overlap allocation"):
            memory.bind(np.zeros(16, np.uint8), "third", base=base)
    with pytest.raises(ValueError, match="cannot lie at 0x7e"):
        memory.bind(np.zeros(16, np.uint8), "third", base=0x7E00_0000_0000)
    assert memory.bind(np.zeros(16, np.uint8), "third", base=0x110) == 0x110


# --- init ------------------------------------------------------------------------------------------------------


def test_every_kind_of_write_gives_content() -> None:
    body = """ store 1:i32, %tat
      %x = load %tat : i32
      %uat = ptr_add %u, %w : ptr.shared
      %y = atomic_xchg %uat, 1:i32 : i32
      %z = load %uat : i32
      ret"""
    assert run(body).clean


def test_an_atomic_reads_too() -> None:
    report = run(" %y = atomic_add %tat, 1:i32 : i32\n ret")
    assert kinds(report) == ["uninitialised"] and report.findings[0].count == 32


def test_shared_memory_is_new_in_every_block() -> None:
    body = """ %first = icmp pred=eq %b, 0:i32 : i1
      cbr %first, ^fill, ^next
    ^fill:
      store 1:i32, %tat
      br ^next
    ^next:
      %v = load %tat : i32
      ret"""
    report = run(body, grid=3)
    assert (report.findings[0].block, report.findings[0].count) == ((1, 0, 0), 64)


def test_a_value_that_a_select_drops_is_not_read() -> None:
    body = """ %is = icmp pred=eq %i, {}:i32 : i1
      %v = load %t : i32
      %s = select %is, %v, 3:i32 : i32
      store %s, %at
      ret"""
    assert run(body.format(99)).clean
    report = run(body.format(5))
    assert kinds(report) == ["uninitialised"] and report.findings[0].thread == (5, 0, 0)


def test_a_select_behind_a_barrier_does_not_excuse_a_race() -> None:
    body = """ store %i, %tat
      {}
      %o = xor %w, 4:i32 : i32
      %a = ptr_add %t, %o : ptr.shared
      %v = load %a : i32
      barrier
      %odd = trunc %i : i1
      %s = select %odd, %v, 3:i32 : i32
      store %s, %at
      ret"""
    for order in Order:
        assert run(body.format("barrier"), order=order).clean
        assert "race" in kinds(run(body.format(""), order=order))


# --- race ------------------------------------------------------------------------------------------------------


def test_neighbouring_bytes_do_not_race_and_overlapping_words_do() -> None:
    bytes_ = " %a = ptr_add %t, %i : ptr.shared\n store 1:i8, %a\n %v = load %a : i8\n ret"
    assert run(bytes_).clean
    words = " %h = shl %i, 1:i32 : i32\n %a = ptr_add %t, %h : ptr.shared\n store align=2 %i, %a\n ret"
    report = run(words)
    assert kinds(report) == ["race"] and report.findings[0].count == 31


def test_bytes_and_words_meet() -> None:
    body = """ %first = icmp pred=eq %i, 0:i32 : i1
      cbr %first, ^one, ^two
    ^one:
      store 1:i32, %t
      ret
    ^two:
      %a = ptr_add %t, {}:i64 : ptr.shared
      store 2:i8, %a
      ret"""
    for order in Order:
        assert kinds(run(body.format(3), 2, order=order)) == ["race"]
        assert run(body.format(4), 2, order=order).clean


def test_a_warp_barrier_orders_the_lanes_of_its_mask_only() -> None:
    body = """ %low = icmp pred=slt %i, 16:i32 : i1
      store %i, %tat
      cbr %low, ^meet, ^end
    ^meet:
      warp_sync 65535:i32
      %o = xor %w, {}:i32 : i32
      %a = ptr_add %t, %o : ptr.shared
      %v = load %a : i32
      ret
    ^end:
      ret"""
    for order in Order:
        assert run(body.format(4), order=order, checks="race").clean
        assert kinds(run(body.format(64), order=order, checks="race")) == ["race"]


def test_an_atomic_of_a_block_is_none_for_another_block() -> None:
    body = " %v = atomic_add scope={} %p, 1:i32 : i32\n ret"
    assert run(body.format("device"), 2, 2).clean
    assert run(body.format("block"), 2, 1).clean
    assert kinds(run(body.format("block"), 2, 2)) == ["race"]


def test_exited_threads_come_before_a_barrier() -> None:
    body = """ store %i, %tat
      %low = icmp pred=slt %i, 16:i32 : i1
      cbr %low, ^end, ^go
    ^go:
      barrier
      %a = ptr_add %tat, -64:i64 : ptr.shared
      %v = load %a : i32
      ret
    ^end:
      ret"""
    assert run(body).clean


def test_what_a_transfer_reads_and_writes_is_checked() -> None:
    body = " stage_in %t, %p, 128:i32\n store 1:i32, {}\n stage_wait\n ret"
    first = run(body.format("%at"), 1)
    assert kinds(first) == ["race"] and "the 'stage_in' started at an unknown line is moving" in sentence(first)
    assert run(" stage_in %t, %p, 128:i32\n %v = load %at : i32\n stage_wait\n ret", 1).clean
    out = " stage_out %p, %t, 128:i32\n stage_wait\n ret"
    assert kinds(run(out, 1)) == ["uninitialised"]
    assert kinds(run(out.replace("128", "512"), 1)) == ["out-of-bounds"]
    assert kinds(run(f" stage_in %t, %p, 128:i32\n stage_wait\n{out}", 1, 2, checks="race")) == ["race"] * 2


# --- sync ------------------------------------------------------------------------------------------------------


def test_transfers_that_threads_disagree_about() -> None:
    report = run(" %n = shl %i, 2:i32 : i32\n stage_in %t, %p, %n\n stage_wait\n ret", 2)
    assert kinds(report) == ["not-uniform"]
    assert "threads (0, 0, 0) and (1, 0, 0) give different operands to 'stage_in'" in sentence(report)


def test_leaving_before_a_barrier_is_right() -> None:
    body = " %one = icmp pred=eq %i, 1:i32 : i1\n cbr %one, ^end, ^go\n^go:\n barrier\n ret\n^end:\n ret"
    assert run(body).clean


def test_lanes_that_disagree_about_the_mask() -> None:
    report = run(" %m = shl %i, 2:i32 : i32\n %n = or %m, 3:i32 : i32\n warp_sync %n\n ret", 2)
    assert kinds(report) == ["divergent-warp"]
    assert "with a mask that others do not share" in sentence(report)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("_ZZ6matmulPKfS0_PfiE4left", "left"), ("_ZZ1kPfE4tile_0", "tile"), ("_ZL5table", "table"), ("plain", "plain"),
        ("_ZZ4scanE3row.1", "row"), ("_Z", "_Z"),
    ],
)  # fmt: skip
def test_names_of_variables_as_in_the_source(symbol: str, name: str) -> None:
    assert source_name(symbol) == name


def test_structs_by_value_end_where_they_end() -> None:
    text = """kernel @k(%s: byval 8 align 4) {{
    ^e:
      %a = ptr_add %s, {}:i64 : ptr.param
      %v = load %a : i32  !"a.cu":3:2
      ret
    }}"""
    assert check.run(module_of(text.format(4)), "k", 1, 1, [bytes(8)]).clean
    report = check.run(module_of(text.format(8)), "k", 1, 1, [bytes(8)], checks="race")
    assert sentence(report) == "read out of bounds: 4 bytes at offset 8 do not lie in param memory of 8 bytes"


def test_global_pointers_to_constant_memory_are_checked_too() -> None:
    body = """ %g = space_cast %c : ptr.generic
      %h = space_cast %g : ptr.global
      %a = ptr_add %h, {}:i64 : ptr.global
      %v = load %a : i32
      ret"""
    assert run(body.format(4), 1).clean
    assert "right behind the end of constant 'c' (8 bytes at" in sentence(run(body.format(8), 1))
