"""How many values a thread keeps live: small kernels whose figures are counted by hand."""

from __future__ import annotations

from openrpp.kir import Module
from openrpp.kir.analysis.affine import Affine
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.indices import only_addresses
from openrpp.kir.analysis.pressure import BASE, MACHINE, Model, pressure
from openrpp.kir.analysis.ranges import CARD_GRID, Facts
from openrpp.kir.passes import order_for_pressure
from tests.kir.kernels import kernel_of, value

LANE = """
  %t = tid axis=x : i32
  %w = sext %t : i64
  %o = mul %w, 4:i64 : i64
  %p = ptr_add %x, %o : ptr.global"""


def need(text: str, model: Model = BASE, merge: int = 1, ordered: bool = False) -> float:
    kernel = kernel_of(text)
    kernel.merge = merge
    if ordered:
        order_for_pressure(kernel, Module())
    return pressure(Affine(Cfg(kernel), facts=Facts(indices_fit=True, most_blocks=CARD_GRID)), model).most


GRID_STRIDE = f"""kernel @k(%x: ptr.global, %n: i64) {{
^e:{LANE}
  %first = load %p : f32
  br ^loop(%w)
^loop(%i: i64):
  %io = mul %i, 4:i64 : i64
  %a = ptr_add %x, %io : ptr.global
  %v = load %a : f32
  %s = fadd %v, %first : f32
  store %s, %a
  %step32 = ntid axis=x : i32
  %step = zext %step32 : i64
  %next = add nsw %i, %step : i64
  %more = icmp pred=slt %next, %n : i1
  cbr %more, ^loop(%next), ^end
^end:
  ret
}}"""


def test_a_counter_whose_step_is_read_in_the_loop_is_affine() -> None:
    # %first, %v: the counter is tid + trips x blockDim. The exit test adds half.
    assert need(GRID_STRIDE) == 2.0


def test_without_rematerialisation_affine_values_stay() -> None:
    # Additionally %w, %o or the counter, at 64 bits that fit in 32, and the address of the store.
    assert need(GRID_STRIDE, Model(rematerialised=False)) > need(GRID_STRIDE)


def test_a_counter_is_kept_behind_a_loop_that_lanes_leave_at_different_times() -> None:
    text = """kernel @k(%x: ptr.global, %n: i32) {
    ^e:
      %t = tid axis=x : i32
      br ^loop(0:i32)
    ^loop(%i: i32):
      %next = add nsw nuw %i, 1:i32 : i32
      %more = icmp pred=slt %next, LIMIT : i1
      cbr %more, ^loop(%next), ^end
    ^end:
      %w = sext %i : i64
      %o = mul %w, 4:i64 : i64
      %p = ptr_add %x, %o : ptr.global
      store %t, %p
      ret
    }"""
    assert need(text.replace("LIMIT", "%n")) == 0
    assert need(text.replace("LIMIT", "%t")) == 1.5  # %i, and the exit test beside it


def test_wide_indices_count_as_narrow_ones() -> None:
    text = f"""kernel @k(%x: ptr.global, %m: i64) {{
    ^e:{LANE}
      %i = load %p : i64
      %j = udiv %i, %m : i64
      %jo = shl %j, 2:i64 : i64
      %a = ptr_add %x, %jo : ptr.global
      barrier
      %v = load %a : f32
      store %v, %USED
      ret
    }}"""
    kernel = kernel_of(text.replace("USED", "a"))
    folded, indices = only_addresses(Cfg(kernel))
    assert value(kernel, "jo") in folded
    assert value(kernel, "j") in indices - folded
    assert need(text.replace("USED", "a")) == 2.0  # %j and %v; %i is an index too
    assert need(text.replace("store %v, %USED", "store %j, %a")) == 3.0  # %j at 64 bits as it is stored, %jo


def test_places_of_private_variables_need_nothing() -> None:
    text = f"""kernel @k(%x: ptr.global) {{
      local @a size 16 align 4
    ^e:{LANE}
      %a = local_addr symbol=a : ptr.private
      %v = load %p : f32
      store %v, %a
      barrier
      %r = load %a : f32
      store %r, %p
      ret
    }}"""
    assert need(text) == 1.0


IF = f"""kernel @k(%x: ptr.global, %y: ptr.global) {{
^e:{LANE}
  %v = load %p : f32
  %c = fcmp pred=olt %v, 0.0:f32 : i1
  cbr %c, ^then, ^end
^then:
  %q = ptr_add %y, %o : ptr.global
  %u = load %q : f32
  %s = fadd %v, %u : f32
  store %s, %p
  br ^end
^end:
  ret
}}"""


def test_a_mask_waits_while_lanes_are_parted() -> None:
    assert need(IF) == 2.0  # %v, %u
    assert need(IF, Model(masks=True)) == 2.5


def test_a_result_waits_outside_the_registers() -> None:
    # %c and %u are used by the next instruction only, so %v and the mask are all that is kept.
    assert need(IF, Model(waiting=True)) == 1.0
    assert need(IF, Model(waiting=True, masks=True)) == 1.5


def test_uniform_loads_cost_lanes_in_the_machine_model() -> None:
    text = f"""kernel @k(%x: ptr.global, %y: ptr.global) {{
    ^e:{LANE}
      %f = load %y : f32
      barrier
      %v = load %p : f32
      %s = fmul %v, %f : f32
      store %s, %p
      ret
    }}"""
    assert need(text) == 1.0
    assert need(text, Model(loads_in_lanes=True)) == 2.0
    assert need(text, MACHINE) == 1.0  # %f; %v waits


def test_a_multiple_of_a_merged_block_index_stays_affine() -> None:
    text = """kernel @k(%x: ptr.global) {
    ^e:
      %b = ctaid axis=x : i32
      %s = shl %b, 13:i32 : i32
      %w = sext %s : i64
      %o = mul %w, 4:i64 : i64
      %p = ptr_add %x, %o : ptr.global
      %v = load %p : f32
      barrier
      store %v, %p
      ret
    }"""
    assert need(text, merge=8) == 1.0  # %v, which all threads of a block hold
    assert need(text) == 0.0


def test_the_order_of_demand_shortens_lives() -> None:
    loads = "\n".join(f"%q{k} = ptr_add %p, {4 * k}:i64 : ptr.global\n%v{k} = load %q{k} : f32" for k in range(4))
    text = f"""kernel @k(%x: ptr.global) {{
    ^e:{LANE}
      {loads}
      %a = fadd %v0, %v1 : f32
      %b = fadd %a, %v2 : f32
      %c = fadd %b, %v3 : f32
      store %c, %p
      ret
    }}"""
    assert need(text) == 4.0
    assert need(text, ordered=True) == 2.0


def test_loads_stay_in_front_of_writes() -> None:
    text = f"""kernel @k(%x: ptr.global) {{
    ^e:{LANE}
      %v = load %p : f32
      store 0.0:f32, %p
      %s = fadd %v, 1.0:f32 : f32
      %w1 = load %p : f32
      %r = fadd %s, %w1 : f32
      store %r, %p
      ret
    }}"""
    kernel = kernel_of(text)
    order_for_pressure(kernel, Module())
    assert [item.op.name for item in kernel.entry.body if item.op.name in ("load", "store")] == [
        *("load", "store", "load", "store")
    ]
