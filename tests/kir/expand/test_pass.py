"""The pass itself: what it keeps, what it refuses, what it prints."""

from __future__ import annotations

import pytest

from openrpp.kir import KirError, Module
from openrpp.kir.ir import Constant, Instr
from openrpp.kir.ops import lookup
from openrpp.kir.passes import PassManager
from openrpp.kir.passes.expand import RULES, Expand, is_legal, key_of
from openrpp.kir.passes.expand.bounds import most
from openrpp.kir.passes.expand.cost import costs, table
from openrpp.kir.types import I32
from tests.kir.kernels import kernel_of, value

TEXT = """kernel @k(%n: i32, %m: i32, %p: ptr.global) {
^e:
  %a = udiv %n, %m : i32  !"x.cu":3:1 in "x.cu":9:2
  %b = shl %a, %m : i32  !"x.cu":4:1
  store %b, %p  !"x.cu":5:1
  %c = atomic_inc %p, %b : i32  !"x.cu":6:1
  store %c, %p  !"x.cu":7:1
  ret
}"""


def test_instructions_carry_the_location_of_what_they_stand_for() -> None:
    kernel = kernel_of(TEXT)
    chains = {str(item.location): item.location for item in kernel.instructions()}
    assert PassManager([Expand()]).run_kernel(kernel, Module())
    assert all(item.location is not None for item in kernel.instructions())
    lines = [item.location.line for item in kernel.instructions() if item.location]
    assert lines == sorted(lines) and set(lines) == {3, 4, 5, 6, 7}
    assert all(item.location is chains[str(item.location)] for item in kernel.instructions())
    ends = [block.terminator.location for block in kernel.blocks]
    assert [place.line for place in ends if place] == [6, 6]


def test_a_kernel_without_anything_to_expand_stays() -> None:
    kernel = kernel_of("kernel @k(%n: i32, %p: ptr.global) {\n^e:\n  store %n, %p\n  ret\n}")
    body = list(kernel.entry.body)
    assert not Expand()(kernel, Module())
    assert kernel.entry.body == body


def test_what_has_no_rule_is_refused_with_its_line() -> None:
    kernel = kernel_of(TEXT)
    with pytest.raises(KirError, match=r"x\.cu:5: kernel k: the target lacks 'store i32', and no rule says"):
        Expand(lambda item: is_legal(item) and (item.op.name != "store" or str(item.location) != "x.cu:5"))(
            kernel, Module()
        )


def test_rules_that_need_each_other_are_refused() -> None:
    """A target without 32-bit `and` cannot have shifts guarded: nothing goes on forever."""
    kernel = kernel_of(TEXT)
    with pytest.raises(KirError, match="the target lacks 'and i32'"):
        Expand(lambda item: is_legal(item) and item.op.name != "and")(kernel, Module())


def test_shifts_are_legal_only_where_the_count_is_seen_to_be_small() -> None:
    kernel = kernel_of("""kernel @k(%n: i32, %m: i32) {
    ^e:
      %lane = laneid : i32
      %low = and %m, 31:i32 : i32
      %not = xor %low, 31:i32 : i32
      %least = umin %m, 31:i32 : i32
      %smaller = icmp pred=ult %m, 32:i32 : i1
      %picked = select %smaller, %m, 31:i32 : i32
      %wrong = select %smaller, 31:i32, %m : i32
      %rest = urem %m, 32:i32 : i32
      %high = lshr %m, 27:i32 : i32
      ret
    }""")
    for name in ("lane", "low", "not", "least", "picked", "rest", "high"):
        assert most(value(kernel, name)) == 31
        assert is_legal(Instr(lookup("shl"), [value(kernel, "n"), value(kernel, name)]))
    for name in ("n", "wrong"):
        assert not is_legal(Instr(lookup("shl"), [value(kernel, "n"), value(kernel, name)]))
    assert not is_legal(Instr(lookup("shl"), [value(kernel, "n"), Constant(I32, 32)]))


def test_the_table_of_costs_has_a_row_for_each_rule() -> None:
    rows = list(costs())
    optional = {"vote_any i1", "vote_all i1", "mulhi_u i32", "fdiv f32", "frcp f32", "and i1", "or i1", "xor i1"}
    optional |= {f"{name} f64" for name in ("ffloor", "fceil", "ftrunc", "frint")}
    optional |= {f"{name} {kind}" for name in ("fmin", "fmax") for kind in ("bf16", "f32", "f64")}
    optional |= {f"{name} f64 -> i64" for name in ("fptosi", "fptoui")}
    optional |= {f"{name} i64 -> f64" for name in ("sitofp", "uitofp")} | {"fptrunc f64 -> f16", "fptrunc f64 -> bf16"}
    optional |= {f"{name} bf16" for name in ("fadd", "fsub", "fmul", "fma")}
    missing = {str(key) for key in RULES} - {row.what for row in rows}
    assert {name for name in missing if not name.startswith("atomic_")} == optional
    found = {row.what: row.ops for row in rows}
    assert found["umin i32"] == 2 and found["popc i32"] == 12 and found["udiv i32, operand 2 = 8"] == 1
    assert table(rows[:1]).count("\n") == 2


def test_keys_name_op_and_types() -> None:
    kernel = kernel_of(TEXT)
    assert [str(key_of(item)) for item in kernel.instructions()] == [
        *("udiv i32", "shl i32", "store i32", "atomic_inc i32", "store i32")
    ]
