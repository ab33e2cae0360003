"""What the sequencer computes."""

from __future__ import annotations

from openrpp.codegen.card.barriers import ASKING
from openrpp.kir.ir import Constant, Instr


def able(instr: Instr) -> bool:
    """Whether an instruction lowers to scalar operations alone."""
    name = instr.op.name
    if name in ("shl", "lshr", "ashr"):
        return instr.type.bits == 32 and isinstance(instr.operands[1], Constant)
    simple = ("add", "sub", "mul", "and", "or", "xor", "icmp", "trunc", "zext", "sext", "ptr_add", "ptrtoint", "select")
    return name in (*simple, "inttoptr", "space_cast", "barrier", *ASKING) and not instr.type.is_float
