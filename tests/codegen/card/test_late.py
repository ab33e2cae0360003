"""Values that only some paths need are computed there."""

from __future__ import annotations

from openrpp.codegen.card.addresses import split_addresses
from openrpp.codegen.card.late import computed_late
from openrpp.codegen.card.lowering import Places
from openrpp.codegen.card.splits import Splits
from openrpp.kir.ir import Block, Kernel
from openrpp.kir.parser import parse_kernel
from openrpp.kir.verify import verify_kernel

TEXT = """
kernel @k(%x: ptr.global, %n: i32) {
^start:
  %i = tid axis=x : i32
  %double = mul %i, 2:i32 : i32
  %square = mul %i, %i : i32
  %never = mul %i, 7:i32 : i32
  %c = icmp pred=eq %n, 0:i32 : i1
  cbr %c, ^rare, ^loop(%n)
^rare:
  %sum = add %square, %double : i32
  %wide = zext %sum : i64
  %p = ptr_add %x, %wide : ptr.global
  store 1:i32, %p
  br ^end
^loop(%k: i32):
  %next = sub %k, 1:i32 : i32
  %w = zext %double : i64
  %q = ptr_add %x, %w : ptr.global
  store %next, %q
  %more = icmp pred=ne %next, 0:i32 : i1
  cbr %more, ^loop(%next), ^end
^end:
  ret
}
"""


def _kernel() -> Kernel:
    return parse_kernel(TEXT)


def _names(block: Block) -> set[str]:
    return {instr.name for instr in block.body}


def _block(kernel: Kernel, name: str) -> Block:
    return next(block for block in kernel.blocks if block.name == name)


def test_what_one_path_reads_moves_there_and_what_nobody_reads_goes() -> None:
    kernel = _kernel()
    computed_late(kernel, Splits())
    assert _names(_block(kernel, "rare")) >= {"square", "sum"}
    assert _names(kernel.entry) == {"i", "double", "c"}
    assert not any(instr.name == "never" for instr in kernel.instructions())


def test_nothing_moves_into_a_loop() -> None:
    kernel = _kernel()
    computed_late(kernel, Splits())
    assert "double" not in _names(_block(kernel, "loop"))


def test_the_kernel_stays_well_formed_with_split_addresses() -> None:
    kernel = _kernel()
    splits = split_addresses(kernel, (64, 1, 1), Places({}, {}, (0, 8), {}, 16, 0, near=True))
    computed_late(kernel, splits)
    verify_kernel(kernel)
