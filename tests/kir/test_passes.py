"""Passes: what each rewrites, and that nothing they do changes what a kernel computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.kir import KirError, Module, VerifyError, print_kernel, verify_kernel
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.fuzz import program, run_interpreter
from openrpp.kir.interp import Order
from openrpp.kir.ir import Exit, Kernel
from openrpp.kir.passes import (
    Pass,
    PassManager,
    clone_kernel,
    eliminate_dead_code,
    fold_constants,
    lower_switches,
    merge_blocks,
    order_for_pressure,
    simplify_cfg,
    split_critical_edges,
)
from openrpp.kir.passes.merging import most_blocks
from tests.kir.kernels import kernel_of

EACH = [
    *(eliminate_dead_code, fold_constants, lower_switches, simplify_cfg, split_critical_edges),
    *(merge_blocks(3), order_for_pressure),
]
ALL = [*EACH[:5], merge_blocks(2), order_for_pressure]


def after(passes: list[Pass], text: str) -> str:
    """The body of the kernel `k` behind some passes."""
    kernel = kernel_of(text)
    PassManager(passes).run_kernel(kernel, Module())
    return "\n".join(line.strip() for line in print_kernel(kernel).splitlines()[1:-1])


def copied(module: Module) -> Module:
    made = Module(module.name)
    made.globals = dict(module.globals)
    for kernel in module.kernels.values():
        made.add_kernel(clone_kernel(kernel))
    return made


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.sampled_from([[item] for item in EACH] + [ALL]))
def test_passes_keep_what_a_kernel_computes(seed: int, passes: list[Pass]) -> None:
    made = program(seed, 8)
    out, cells, _ = run_interpreter(made)
    module = copied(made.module)
    PassManager(passes).run(module)
    again, cells_again, _ = run_interpreter(made, module=module)
    assert np.array_equal(out, again)
    assert np.array_equal(cells, cells_again)


@pytest.mark.parametrize("seed", range(10))
def test_random_kernels_do_not_depend_on_the_order_of_threads(seed: int) -> None:
    made = program(seed)
    out, cells, _ = run_interpreter(made)
    for order in (Order.DESCENDING, Order.RANDOM):
        again, cells_again, _ = run_interpreter(made, order)
        assert np.array_equal(out, again)
        assert np.array_equal(cells, cells_again)


def test_a_random_kernel_is_a_function_of_its_seed() -> None:
    assert print_kernel(program(5).kernel) == print_kernel(program(5).kernel)
    assert print_kernel(program(5).kernel) != print_kernel(program(6).kernel)


def test_random_kernels_use_most_of_the_op_table() -> None:
    names = {item.op.name for seed in range(40) for item in program(seed).kernel.instructions()}
    assert len(names) > 90


def test_a_clone_shares_nothing() -> None:
    kernel = program(3).kernel
    made = clone_kernel(kernel, "other")
    text = print_kernel(made)
    verify_kernel(made)
    assert text == print_kernel(kernel).replace("@fuzz", "@other")
    simplify_cfg(kernel, Module())
    kernel.merge = 4
    assert print_kernel(made) == text


def test_dead_code_goes_with_its_loop_carried_values() -> None:
    text = """kernel @k(%n: i32, %p: ptr.global) {
    ^e:
      %v = load %p : i32
      %w = load volatile %p : i32
      br ^loop(0:i32, %v)
    ^loop(%i: i32, %unused: i32):
      %u = add %unused, 1:i32 : i32
      %j = add %i, 1:i32 : i32
      %c = icmp pred=slt %j, %n : i1
      cbr %c, ^loop(%j, %u), ^out
    ^out:
      ret
    }"""
    assert after([eliminate_dead_code], text) == "\n".join(
        [
            "^e:",
            "%w = load volatile %p : i32",
            "br ^loop(0:i32)",
            "^loop(%i: i32):",
            "%j = add %i, 1:i32 : i32",
            "%c = icmp pred=slt %j, %n : i1",
            "cbr %c, ^loop(%j), ^out",
            "^out:",
            "ret",
        ]
    )


def test_constants_fold_through_the_definitions() -> None:
    text = """kernel @k(%n: i32, %p: ptr.global) {
    ^e:
      %a = add 7:i32, -9:i32 : i32
      %b = sitofp %a : f32
      %c = fma %b, 0.1:f32, 1.0:f32 : f32
      store %c, %p
      %d = udiv 1:i32, 0:i32 : i32
      %e = mul 1:i32, %n : i32
      %f = or %e, 0:i32 : i32
      %g = icmp pred=eq %d, -1:i32 : i1
      %h = select %g, %f, %d : i32
      store %h, %p
      ret
    }"""
    assert after([fold_constants, eliminate_dead_code], text) == "\n".join(
        ["^e:", "store 0.800000011920929:f32, %p", "store %n, %p", "ret"]
    )


def test_known_branches_go_and_blocks_in_a_row_join() -> None:
    text = """kernel @k(%n: i32, %p: ptr.global) {
    ^e:
      cbr 1:i1, ^a(%n), ^b
    ^a(%x: i32):
      store %x, %p
      switch 3:i32, ^b, 3 ^c
    ^b:
      trap
      br ^c
    ^c:
      store 4:i32, %p
      ret
    }"""
    assert after([simplify_cfg], text) == "^e:\nstore %n, %p\nstore 4:i32, %p\nret"


def test_empty_blocks_go_but_not_the_ends_of_loops() -> None:
    text = """kernel @k(%c: i1, %p: ptr.global) {
    ^e:
      cbr %c, ^empty, ^pre
    ^empty:
      br ^out
    ^pre:
      br ^loop
    ^loop:
      store 1:i32, %p
      cbr %c, ^latch, ^out
    ^latch:
      br ^loop
    ^out:
      ret
    }"""
    kernel = kernel_of(text)
    simplify_cfg(kernel, Module())
    assert [item.name for item in kernel.blocks] == ["e", "pre", "loop", "latch", "out"]


def test_a_branch_keeps_its_two_ways_if_they_carry_different_values() -> None:
    text = """kernel @k(%c: i1, %p: ptr.global) {
    ^e:
      cbr %c, ^a, ^b
    ^a:
      br ^join(1:i32)
    ^b:
      br ^join(2:i32)
    ^join(%v: i32):
      store %v, %p
      ret
    }"""
    kernel = kernel_of(text)
    simplify_cfg(kernel, Module())
    targets = [edge.target for edge in kernel.entry.edges]
    assert len(set(targets)) == 2


def test_critical_edges_get_a_block() -> None:
    text = """kernel @k(%c: i1, %p: ptr.global) {
    ^e:
      cbr %c, ^join(1:i32), ^a
    ^a:
      br ^join(2:i32)
    ^join(%v: i32):
      ret
    }"""
    kernel = kernel_of(text)
    assert split_critical_edges(kernel, Module())
    verify_kernel(kernel)
    cfg = Cfg(kernel)
    assert all(len(source.edges) == 1 or len(cfg.incoming[e.target]) == 1 for source in cfg.order for e in source.edges)
    assert not split_critical_edges(kernel, Module())


def test_switches_become_comparisons() -> None:
    cases = ", ".join(f"{case} ^x({case}:i32)" for case in (-5, 0, 1, 2, 9, 100, 7))
    text = f"""kernel @k(%n: i32) {{
    ^e:
      switch %n, ^x(-1:i32), {cases}
    ^x(%v: i32):
      ret
    }}"""
    kernel = kernel_of(text)
    assert lower_switches(kernel, Module())
    verify_kernel(kernel)
    assert not any(item.terminator.kind is Exit.SWITCH for item in kernel.blocks)


def test_merging_is_bounded_by_the_warps_of_a_block() -> None:
    assert [most_blocks(threads) for threads in (32, 33, 256, 1024, 8160, 8192)] == [255, 127, 31, 7, 1, 0]


def test_a_grid_barrier_forbids_merging() -> None:
    kernel = kernel_of("kernel @k() {\n^e:\n  grid_barrier\n  ret\n}")
    with pytest.raises(KirError, match="a kernel with a grid barrier cannot have its blocks merged"):
        PassManager([merge_blocks(2)]).run_kernel(kernel, Module())


def test_the_manager_names_the_pass_that_broke_a_kernel() -> None:
    def breaks(kernel: Kernel, module: Module) -> bool:
        kernel.entry.terminator.kind = Exit.BRANCH
        return True

    with pytest.raises(VerifyError, match=r"\(after pass breaks\)"):
        PassManager([breaks]).run_kernel(kernel_of("kernel @k() {\n^e:\n  ret\n}"), Module())


def test_the_manager_shows_a_kernel_after_each_pass_that_changed_it() -> None:
    seen: list[str] = []
    kernel = kernel_of("kernel @k(%n: i32) {\n^e:\n  %a = add %n, 1:i32 : i32\n  ret\n}")
    manager = PassManager([simplify_cfg, eliminate_dead_code], lambda name, _: seen.append(name))
    assert manager.run_kernel(kernel, Module())
    assert seen == ["eliminate_dead_code"]
