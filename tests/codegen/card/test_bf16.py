"""Arithmetic on bfloat16 as machine code: what the interpreter gives, on values at every border."""

from __future__ import annotations

import pytest

from openrpp.codegen import card
from openrpp.kir.ops import lookup
from openrpp.kir.parser import parse_module
from openrpp.kir.types import BF16

from .opcheck import LANES, check
from .support import expanded

OPS = ["fadd", "fsub", "fmul", "fma", "fdiv", "fmin", "fneg", "frint"]


@pytest.mark.parametrize("naive", [False, True])
@pytest.mark.parametrize("name", OPS)
def test_ops(name: str, naive: bool) -> None:
    check(name, [BF16] * len(lookup(name).operands), BF16, naive=naive, rows=300)


@pytest.mark.parametrize("name", ["fadd", "fsub", "fmul", "fma"])
@pytest.mark.parametrize("place", [0, 1])
def test_constants(name: str, place: int) -> None:
    check(name, [BF16] * len(lookup(name).operands), BF16, constants={place: 0x3DCD}, rows=50)


def test_a_chain_takes_one_column_per_operation() -> None:
    """Only what leaves the chain is cut to its 16 bits."""

    def columns(operations: int) -> int:
        steps = "".join(f"%v{i + 1} = fma %v{i}, %v{i}, %v0 : bf16\n" for i in range(operations))
        text = f"""module "chain"
        kernel @op(%in: ptr.global, %out: ptr.global) {{
        ^entry:
        %i = tid axis=x : i32
        %wide = zext %i : i64
        %offset = mul %wide, 2:i64 : i64
        %from = ptr_add %in, %offset : ptr.global
        %to = ptr_add %out, %offset : ptr.global
        %v0 = load %from : bf16
        {steps}
        store %v{operations}, %to
        ret
        }}"""
        return card.compile(expanded(parse_module(text)), "op", (LANES, 1, 1)).columns

    assert columns(9) == columns(1) + 8
