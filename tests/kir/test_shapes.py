"""Uniformity, ranges, affine forms and register need: by hand, and held against what threads do."""

from __future__ import annotations

import pytest

from openrpp.kir import Kernel
from openrpp.kir.analysis.affine import TID, Affine, Pattern
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.pressure import pressure
from openrpp.kir.analysis.ranges import Facts, Interval, Ranges
from openrpp.kir.analysis.uniformity import Shape, Uniformity
from openrpp.kir.fuzz import program
from openrpp.kir.fuzz.claims import Claims
from openrpp.kir.fuzz.program import NAME
from openrpp.kir.interp import Order, launch
from tests.kir.kernels import accesses, block, instr, kernel_of, value


def shapes(text: str, merge: int = 1) -> dict[str, str]:
    """Class of every named value."""
    kernel = kernel_of(text)
    kernel.merge = merge
    uniformity = Uniformity(Cfg(kernel))
    values = [v for b in kernel.blocks for v in (*b.params, *b.body) if v.name]
    return {item.name: uniformity.of(item).name for item in values}


SIMPLE = """
global @t shared size 4 align 4
kernel @k(%n: i32, %x: f32, %p: ptr.global, %s: byval 8 align 8) {
^e:
  %tid = tid axis=x : i32
  %bx = ctaid axis=x : i32
  %by = ctaid axis=y : i32
  %sum = add %bx, %n : i32
  %div = udiv %n, 3:i32 : i32
  %float = fadd %x, 1.0:f32 : f32
  %param = load %s : i32
  %same = load %p : i32
  %t = global_addr symbol=t : ptr.shared
  %mine = add %tid, %n : i32
  %at = ptr_add %p, %mine : ptr.global
  %theirs = load %at : i32
  %old = atomic_add %p, 1:i32 : i32
  %count = barrier_count 1:i1 : i32
  %vote = vote_any -1:i32, 1:i1 : i1
  ret
}"""


def test_three_classes_of_values() -> None:
    found = shapes(SIMPLE)
    by_class = {
        name: {key for key, shape in found.items() if shape == name} for name in ("SEQUENCER", "UNIFORM", "LANE")
    }
    assert by_class["SEQUENCER"] == {"bx", "by", "sum", "param", "t"}
    assert by_class["UNIFORM"] == {"div", "float", "same", "count"}
    assert by_class["LANE"] == {"tid", "mine", "at", "theirs", "old", "vote"}


def test_merging_makes_the_block_index_a_value_per_lane() -> None:
    alone, merged = shapes(SIMPLE), shapes(SIMPLE, merge=4)
    changed = {name for name in alone if alone[name] != merged[name]}
    assert changed == {"bx", "sum", "t", "count"}
    assert {merged[name] for name in changed} == {"LANE"}


def joined(condition: str, setup: str = "") -> str:
    text = f"""kernel @k(%n: i32, %p: ptr.global) {{
    ^e:
      %tid = tid axis=x : i32
      {setup}
      %c = icmp pred=eq {condition}, 0:i32 : i1
      cbr %c, ^a, ^b
    ^a:
      br ^join(1:i32)
    ^b:
      br ^join(2:i32)
    ^join(%v: i32):
      ret
    }}"""
    return shapes(text)["v"]


def test_a_join_has_the_class_of_its_branch() -> None:
    assert joined("%n") == "SEQUENCER"
    assert joined("%tid") == "LANE"
    assert joined("%m", "%m = load %p : i32") == "UNIFORM"


def test_a_uniform_choice_inside_a_divergent_branch_stays_uniform() -> None:
    text = """kernel @k(%n: i32, %c: i1) {
    ^e:
      %tid = tid axis=x : i32
      %d = icmp pred=eq %tid, 0:i32 : i1
      cbr %d, ^in, ^end
    ^in:
      cbr %c, ^a, ^b
    ^a:
      br ^j(1:i32)
    ^b:
      br ^j(2:i32)
    ^j(%v: i32):
      br ^end
    ^end:
      ret
    }"""
    assert shapes(text)["v"] == "SEQUENCER"


BREAK = """kernel @k(%n: i32, %p: ptr.global) {
^e:
  %tid = tid axis=x : i32
  br ^loop(0:i32)
^loop(%i: i32):
  %more = icmp pred=slt %i, %n : i1
  cbr %more, ^body, ^out(%i, 0:i32)
^body:
  %hit = icmp pred=eq %i, %tid : i1
  cbr %hit, ^out(%i, 1:i32), ^next
^next:
  %i2 = add nsw %i, 1:i32 : i32
  br ^loop(%i2)
^out(%at: i32, %found: i32):
  %behind = add %i, 1:i32 : i32
  ret
}"""


def test_a_counter_is_uniform_in_a_loop_that_threads_leave_one_by_one_and_not_behind_it() -> None:
    found = shapes(BREAK)
    assert found["i"] == found["i2"] == found["more"] == "SEQUENCER"
    assert found["at"] == found["found"] == found["behind"] == "LANE"
    kernel = kernel_of(BREAK)
    uniformity = Uniformity(Cfg(kernel))
    (loop,) = uniformity.loops.loops
    assert uniformity.parting(loop) is Shape.LANE
    assert uniformity.seen(value(kernel, "i"), block(kernel, "out")) is Shape.LANE
    assert uniformity.branch(block(kernel, "body")) is Shape.LANE
    assert uniformity.branch(block(kernel, "loop")) is Shape.SEQUENCER


def test_two_latches_of_a_divergent_branch_make_the_header_differ() -> None:
    text = """kernel @k(%n: i32) {
    ^e:
      %tid = tid axis=x : i32
      br ^h(0:i32, 0:i32)
    ^h(%i: i32, %v: i32):
      %i2 = add nsw %i, 1:i32 : i32
      %d = icmp pred=slt %tid, %i : i1
      %m = icmp pred=slt %i2, %n : i1
      cbr %m, ^body, ^out
    ^body:
      cbr %d, ^h(%i2, 1:i32), ^h(%i2, 2:i32)
    ^out:
      ret
    }"""
    assert shapes(text)["v"] == "LANE"


def test_irreducible_control_flow_gives_up_on_parameters() -> None:
    text = """kernel @k(%c: i1) {
    ^e:
      cbr %c, ^a(1:i32), ^b(1:i32)
    ^a(%x: i32):
      cbr %c, ^b(%x), ^end
    ^b(%y: i32):
      cbr %c, ^a(%y), ^end
    ^end:
      ret
    }"""
    assert set(shapes(text).values()) == {"LANE"}


# --- ranges ----------------------------------------------------------------------------------------------------


def test_a_counter_has_the_range_of_its_test() -> None:
    kernel = kernel_of(BREAK)
    ranges = Ranges(Cfg(kernel), facts=Facts(params={"n": Interval(1, 100)}))
    assert ranges.of(value(kernel, "i")) == Interval(0, 100)
    assert ranges.within(value(kernel, "i"), block(kernel, "body")) == Interval(0, 99)
    assert ranges.of(value(kernel, "tid")) == Interval(0, 1023)


@pytest.mark.parametrize(
    ("start", "step", "test", "wanted"),
    [
        ("0:i32", "1:i32", "icmp pred=slt %next, 10:i32", Interval(0, 9)),
        ("0:i32", "3:i32", "icmp pred=sle %i, 10:i32", Interval(0, 13)),
        ("9:i32", "-1:i32", "icmp pred=sgt %next, -1:i32", Interval(0, 9)),
        ("9:i32", "-1:i32", "icmp pred=ugt %i, 0:i32", Interval(0, 9)),
        ("0:i32", "1:i32", "icmp pred=ne %next, 8:i32", Interval(0, 7)),
        ("0:i32", "1:i32", "icmp pred=ugt 8:i32, %i", Interval(0, 8)),
        ("0:i32", "1:i32", "icmp pred=sgt %next, 3:i32", Interval(0, 2**31 - 1)),
    ],
)
def test_ranges_of_counters(start: str, step: str, test: str, wanted: Interval) -> None:
    text = f"""kernel @k() {{
    ^e:
      br ^loop({start})
    ^loop(%i: i32):
      %next = add nsw %i, {step} : i32
      %go = {test} : i1
      cbr %go, ^loop(%next), ^out
    ^out:
      ret
    }}"""
    kernel = kernel_of(text)
    assert Ranges(Cfg(kernel)).of(value(kernel, "i")) == wanted


def test_an_inequality_bounds_a_counter_only_if_nothing_else_ends_the_loop() -> None:
    text = """kernel @k(%c: i1, %m: i32) {
    ^e:
      br ^loop(5:i32)
    ^loop(%i: i32):
      %next = add nsw %i, 1:i32 : i32
      cbr %c, ^out, ^latch
    ^latch:
      %go = icmp pred=ne %next, %m : i1
      cbr %go, ^loop(%next), ^out
    ^out:
      ret
    }"""
    kernel = kernel_of(text)
    behind = Ranges(Cfg(kernel), facts=Facts(params={"m": Interval(0, 3)}))
    assert behind.of(value(kernel, "i")).high == 2**31 - 1
    ahead = Ranges(Cfg(kernel), facts=Facts(params={"m": Interval(7, 9)}))
    assert ahead.of(value(kernel, "i")) == Interval(5, 8)


@pytest.mark.parametrize(
    ("op", "wanted"),
    [
        ("and %n, 15:i32", (0, 15)),
        ("urem %n, 10:i32", (0, 9)),
        ("srem %n, 10:i32", (-(2**31), 2**31 - 1)),
        ("lshr %n, 28:i32", (0, 15)),
        ("ashr %n, 28:i32", (-8, 7)),
        ("smin %tid, 5:i32", (0, 5)),
        ("smax %n, 0:i32", (0, 2**31 - 1)),
        ("mul %tid, 4:i32", (0, 4 * 1023)),
        ("shl %tid, 2:i32", (0, 4 * 1023)),
        ("sub 0:i32, %tid", (-1023, 0)),
        ("or %tid, 4096:i32", (0, 8191)),
        ("udiv %tid, 2:i32", (0, 511)),
        ("popc %n", (0, 32)),
        ("add %n, 1:i32", (-(2**31), 2**31 - 1)),
        ("add nsw %n, 1:i32", (-(2**31) + 1, 2**31 - 1)),
    ],
)
def test_ranges_of_operations(op: str, wanted: tuple[int, int]) -> None:
    kernel = kernel_of(f"kernel @k(%n: i32) {{\n^e:\n %tid = tid axis=x : i32\n %v = {op} : i32\n ret\n}}")
    assert Ranges(Cfg(kernel)).of(value(kernel, "v")) == Interval(*wanted)


# --- forms -----------------------------------------------------------------------------------------------------

SAXPY = """kernel @k(%n: i32, %x: ptr.global, %k: i32) {
^e:
  %b = ctaid axis=x : i32
  %s = ntid axis=x : i32
  %f = mul %b, %s : i32
  %t = tid axis=x : i32
  %i = add %f, %t : i32
  %go = icmp pred=slt %i, %n : i1
  cbr %go, ^body, ^done
^body:
  %w = sext %i : i64
  %o = mul %w, 4:i64 : i64
  %p = ptr_add inbounds %x, %o : ptr.global
  %v = load %p : f32
  %r = mul %i, %k : i32
  %rw = sext %r : i64
  %ro = mul %rw, 4:i64 : i64
  %rp = ptr_add inbounds %x, %ro : ptr.global
  store %v, %rp
  br ^done
^done:
  ret
}"""


@pytest.mark.parametrize("merge", [1, 8])
def test_global_indices_stay_affine_under_merging_if_the_launch_is_checked(merge: int) -> None:
    kernel = kernel_of(SAXPY)
    kernel.merge = merge
    checked = Affine(Cfg(kernel), facts=Facts(indices_fit=True))
    load = instr(kernel, "v")
    assert checked.pattern(load) is Pattern.CONTIGUOUS
    assert checked.is_affine(instr(kernel, "p"))
    free = Affine(Cfg(kernel))
    assert free.pattern(load) is Pattern.GATHER


def test_a_merged_block_index_is_group_and_slice() -> None:
    kernel = kernel_of(SAXPY)
    kernel.merge = 8
    form = Affine(Cfg(kernel)).form(value(kernel, "b"))
    assert str(form) == "8*group + 1*slice"


def test_a_run_time_stride_is_a_uniform_form() -> None:
    kernel = kernel_of(SAXPY)
    facts = Facts((64, 1, 1), (4, 1, 1), params={"k": Interval(0, 1000)})
    affine = Affine(Cfg(kernel), facts=facts)
    store = accesses(kernel)[1]
    assert affine.pattern(store) is Pattern.RUNTIME_STRIDED
    assert str(affine.stride(affine.form(value(kernel, "rp")))) == "4*value.k"
    split = affine.split(affine.form(value(kernel, "p")))
    assert TID["x"] in split.lane.symbols()
    assert {symbol.kind for symbol in split.uniform.symbols()} == {"value"}


def pattern(address: str, kind: str = "f32") -> Pattern:
    text = f"""
    global @t shared size 4096 align 4
    kernel @k(%x: ptr.global, %k: i32) {{
      local @l size 16 align 4
    ^e:
      %t = tid axis=x : i32
      %y = tid axis=y : i32
      %p = global_addr symbol=t : ptr.shared
      %l = local_addr symbol=l : ptr.private
      {address}
      %v = load %a : {kind}
      ret
    }}"""
    kernel = kernel_of(text)
    return Affine(Cfg(kernel)).pattern(accesses(kernel)[-1])


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("%o = shl %t, 2:i32 : i32\n%a = ptr_add %x, %o : ptr.global", Pattern.CONTIGUOUS),
        ("%o = shl %t, 4:i32 : i32\n%a = ptr_add %x, %o : ptr.global", Pattern.STRIDED),
        ("%m = or %t, 4096:i32 : i32\n%o = mul %m, 4:i32 : i32\n%a = ptr_add %p, %o : ptr.shared", Pattern.GATHER),
        ("%d = shl %t, 4:i32 : i32\n%m = or %d, 4:i32 : i32\n%a = ptr_add %p, %m : ptr.shared", Pattern.STRIDED),
        ("%o = mul %y, 4:i32 : i32\n%a = ptr_add %p, %o : ptr.shared", Pattern.ROW),
        ("%o = mul %k, 4:i32 : i32\n%a = ptr_add %p, %o : ptr.shared", Pattern.BROADCAST),
        ("%o = mul %t, %t : i32\n%a = ptr_add %p, %o : ptr.shared", Pattern.GATHER),
        (
            "%i = load %p : i32\n%j = add %i, %t : i32\n%o = mul %j, 4:i32 : i32\n%a = ptr_add %p, %o : ptr.shared",
            Pattern.CONTIGUOUS,
        ),
        ("%o = and %t, 7:i32 : i32\n%a = ptr_add %p, %o : ptr.shared", Pattern.GATHER),
        ("%a = ptr_add %l, 4:i32 : ptr.private", Pattern.PRIVATE),
    ],
)
def test_patterns_of_accesses(address: str, wanted: Pattern) -> None:
    assert pattern(address) is wanted


def test_a_pointer_that_walks_has_a_stride_per_trip() -> None:
    text = """kernel @k(%x: ptr.global, %n: i32) {
    ^e:
      %t = tid axis=x : i32
      %o = mul %t, 4:i32 : i32
      %first = ptr_add inbounds %x, %o : ptr.global
      br ^loop(%first, 0:i32)
    ^loop(%p: ptr.global, %i: i32):
      %v = load %p : f32
      %q = ptr_add inbounds %p, 128:i64 : ptr.global
      %j = add nsw %i, 1:i32 : i32
      %go = icmp pred=slt %j, %n : i1
      cbr %go, ^loop(%q, %j), ^out
    ^out:
      ret
    }"""
    kernel = kernel_of(text)
    affine = Affine(Cfg(kernel))
    (loop,) = affine.loops.loops
    form = affine.form(value(kernel, "p"))
    assert affine.pattern(instr(kernel, "v")) is Pattern.CONTIGUOUS
    stride = affine.trip_stride(form, loop)
    assert stride is not None
    assert stride.constant == 128


def test_what_a_divergent_loop_leaves_is_no_uniform_start_for_the_next() -> None:
    text = """kernel @k(%x: ptr.shared, %n: i32) {
    ^e:
      %t = tid axis=x : i32
      br ^first(0:i32)
    ^first(%i: i32):
      %i2 = add nsw %i, 4:i32 : i32
      %more = icmp pred=slt %i2, %t : i1
      cbr %more, ^first(%i2), ^second(%i)
    ^second(%j: i32):
      %p = ptr_add %x, %j : ptr.shared
      %v = load %p : f32
      %direct = ptr_add %x, %i : ptr.shared
      %w = load %direct : f32
      %j2 = add nsw %j, 4:i32 : i32
      %again = icmp pred=slt %j2, %n : i1
      cbr %again, ^second(%j2), ^out
    ^out:
      ret
    }"""
    kernel = kernel_of(text)
    affine = Affine(Cfg(kernel))
    assert affine.pattern(instr(kernel, "v")) is Pattern.GATHER
    assert affine.pattern(instr(kernel, "w")) is Pattern.GATHER
    assert affine.uniformity.of(value(kernel, "again")) is Shape.LANE


# --- register need ---------------------------------------------------------------------------------------------


def need(text: str, merge: int = 1) -> float:
    kernel = kernel_of(text)
    kernel.merge = merge
    return pressure(Affine(Cfg(kernel), facts=Facts(indices_fit=True))).most


def test_affine_values_need_no_register() -> None:
    assert need(SAXPY) == need(SAXPY, merge=8) == 1.0


def test_only_the_index_of_a_gather_is_live() -> None:
    text = """kernel @k(%x: ptr.global, %y: ptr.global) {
    ^e:
      %t = tid axis=x : i32
      %o = mul %t, 4:i32 : i32
      %p = ptr_add %x, %o : ptr.global
      %i = load %p : i32
      %w = sext %i : i64
      %wo = mul %w, 8:i64 : i64
      %a = ptr_add %x, %wo : ptr.global
      %b = ptr_add %y, %wo : ptr.global
      barrier
      %v = load %a : f32
      store %v, %b
      ret
    }"""
    assert need(text) == 2.0


def test_widths_count_in_units_of_32_bits() -> None:
    loads = "\n".join(
        f"%o{k} = mul %t, {size}:i32 : i32\n%p{k} = ptr_add %x, %o{k} : ptr.global\n%v{k} = load %p{k} : {kind}"
        for k, (kind, size) in enumerate([("f64", 8), ("f32", 4), ("f16", 2), ("i8", 1)])
    )
    stores = "\n".join(f"store %v{k}, %p{k}" for k in range(4))
    text = f"kernel @k(%x: ptr.global) {{\n^e:\n%t = tid axis=x : i32\n{loads}\nbarrier\n{stores}\nret\n}}"
    assert need(text) == 2 + 1 + 0.5 + 0.5


# --- held against what threads do ------------------------------------------------------------------------------


def claims(kernel: Kernel, facts: Facts) -> Claims:
    return Claims(Affine(Cfg(kernel), facts=facts))


@pytest.mark.parametrize("merge", [1, 2])
@pytest.mark.parametrize("seed", range(8))
def test_analyses_claim_only_what_threads_do(seed: int, merge: int) -> None:
    made = program(seed)
    made.kernel.merge = merge
    facts = Facts(made.block, made.grid, True) if seed % 2 else Facts(indices_fit=True)
    watch = claims(made.kernel, facts)
    launch(made.module, NAME, made.grid, made.block, made.arguments(), order=Order.RANDOM, seed=seed, watch=watch)
    assert watch.checked > 1000
