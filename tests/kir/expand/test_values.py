"""Every rule for ops on values, against the interpreter, on edges and random bits."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import Final

import pytest

from openrpp.kir.ir import Instr
from openrpp.kir.ops import OPS, lookup
from openrpp.kir.ops.floating import FLOAT_PREDICATES
from openrpp.kir.ops.form import Attrs, Effect, Op
from openrpp.kir.ops.integer import INT_PREDICATES
from openrpp.kir.passes.expand import RULES, Key, is_legal, key_of
from openrpp.kir.types import F64, I8, I16, I32, I64, Type, parse_type
from tests.kir.expand.harness import check, rows_of

OPTIONAL: Final = ("mulhi_u", "frcp", "and", "or", "xor", "fadd", "fsub", "fmul", "fma")
EXACT: Final = ("fneg", "fabs", "copysign")


def pure_keys() -> list[Key]:
    return sorted((key for key in RULES if lookup(key.name).effect is Effect.PURE), key=str)


def operand_kinds(key: Key) -> list[Type]:
    op = lookup(key.name)
    return [key.source if word in op.where else parse_type(word) for word in op.operands]


def attributes(op: Op) -> Iterator[Attrs]:
    """Every combination."""
    if op.name == "icmp":
        yield from ({"pred": word} for word in INT_PREDICATES)
    elif op.name == "fcmp":
        yield from ({"pred": word} for word in FLOAT_PREDICATES)
    elif op.name == "dp4a":
        yield from ({"a_signed": a, "b_signed": b} for a, b in itertools.product((False, True), repeat=2))
    else:
        yield {}


@pytest.mark.parametrize("key", pure_keys(), ids=str)
def test_a_rule_gives_what_the_op_gives(key: Key) -> None:
    op, kinds = lookup(key.name), operand_kinds(key)
    seed = zlib.crc32(str(key).encode())

    def legal(instr: Instr) -> bool:
        """Without the op, where the target could have it."""
        optional = key.name in OPTIONAL or (F64 in (key.source, key.result) and key.name != "fcmp")
        return is_legal(instr) and not (optional and key_of(instr) == key)

    for attrs in attributes(op):
        few = len(list(attributes(op))) > 1
        rows = rows_of(kinds, seed, 100 if few else 300, 200 if few else 600)
        result = key.result if op.needs_type() else None
        check(key.name, kinds, result, rows, attrs, legal=legal, exact=key.name in EXACT)


def test_every_pure_op_is_legal_or_has_a_rule() -> None:
    """An expansion of each op on each type that its row allows ends."""
    ruled = {key.name for key in RULES}
    legal = {"select", "bitcast", "trunc", "zext", "sext", "ptr_add", "space_cast", "is_space"}
    legal |= {"frsqrt", "fexp2", "flog2", "unpack4", "unpack8"}
    assert {op.name for op in OPS.values() if op.effect is Effect.PURE} - ruled == legal


@pytest.mark.parametrize(
    "selector", [0x3210, 0x5410, 0x7632, 0x0123, 0x4567, 0x1032, 0x0000, 0xBA98, 0x8F3C, 0x9913, 0x5041]
)
def test_permutations_by_a_constant(selector: int) -> None:
    check("prmt", (I32,) * 3, None, rows_of((I32,) * 3, selector, 60, 60), constants={2: selector})


@pytest.mark.parametrize("name", ["fshl", "fshr"])
@pytest.mark.parametrize("kind", [I8, I16, I32, I64], ids=str)
def test_funnel_shifts_by_a_constant(name: str, kind: Type) -> None:
    for count in (0, 1, kind.bits // 2, kind.bits - 1, kind.bits, 3 * kind.bits + 5):
        check(name, (kind,) * 3, None, rows_of((kind,) * 3, count, 40, 40), constants={2: count})
