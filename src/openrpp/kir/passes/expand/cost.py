"""What rules cost: the instructions that stand for one op, counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from openrpp.kir.build import Builder
from openrpp.kir.ir import Constant, Instr, Kernel, Module, Parameter, Value
from openrpp.kir.ops import lookup
from openrpp.kir.ops.form import AttrValue, Effect, Op
from openrpp.kir.passes.cleanup import eliminate_dead_code
from openrpp.kir.passes.expand.emit import IsLegal
from openrpp.kir.passes.expand.expander import Expand
from openrpp.kir.passes.expand.legal import is_legal
from openrpp.kir.passes.expand.rules import RULES
from openrpp.kir.passes.expand.table import Key
from openrpp.kir.passes.fold import fold_constants
from openrpp.kir.types import F64, I16, I32, I64, PTR, PTR_SHARED, VOID, Type, parse_type

_FREE: Final = frozenset({"bitcast", "ptrtoint", "inttoptr", "space_cast"})
_LOWEST: Final = {"pred": "ult"}
_WITH_CONSTANTS: Final = (
    *((name, I32, {1: value}) for name in ("udiv", "urem", "sdiv", "srem") for value in (7, 8, 10)),
    *((name, parse_type(kind), {1: 10}) for name in ("udiv", "sdiv") for kind in ("i8", "i16", "i64")),
    ("prmt", I32, {2: 0x5410}),
    *((name, I32, {2: 8}) for name in ("fshl", "fshr")),
    *(
        (name, kind, {3: width})
        for name in ("shfl_idx", "shfl_down", "shfl_xor")
        for kind in (I32, F64)
        for width in (32, 8)
    ),
)
"""(op, type, literal operands) worth a row of their own."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Instructions of an expansion, folded and without what is not used.

    `wide` are those on 64 bits (float64 apart), `double` those on float64, `memory` accesses, `warp` exchanges between
    lanes. `blocks` counts added blocks; their instructions are counted once, loops or not. Bit casts are free.
    """

    what: str
    ops: int
    wide: int
    double: int
    memory: int
    warp: int
    blocks: int


def costs(legal: IsLegal = is_legal) -> Iterator[Cost]:
    """One for each rule that applies under `legal`, then some with literal operands."""
    for key in sorted(RULES, key=str):
        instr = _example(key, {})
        if not legal(instr):
            yield _measured(str(key), instr, legal)
    for name, kind, literals in _WITH_CONSTANTS:
        instr = _example(Key(name, kind, kind), literals)
        words = ", ".join(f"operand {place + 1} = {value}" for place, value in literals.items())
        yield _measured(f"{name} {kind}, {words}", instr, legal)


def _measured(what: str, instr: Instr, legal: IsLegal) -> Cost:
    made = [value for value in instr.operands if isinstance(value, Instr)]
    given = [*instr.operands, *(value for item in made for value in item.operands)]
    kernel = Kernel("cost", [value for value in given if isinstance(value, Parameter)])
    b = Builder(kernel)
    for item in (*made, instr):
        b.append(item)
    if instr.type is not VOID:
        b("printf", instr, format="")  # whatever type it is, it is used
    b.ret()
    Expand(legal)(kernel, Module())
    fold_constants(kernel, Module())
    eliminate_dead_code(kernel, Module())
    found = [item for item in kernel.instructions() if item.op.name not in _FREE]
    shown = instr.type is not VOID
    return Cost(
        what,
        len(found) - shown,
        _count(found, lambda item: item.effect is Effect.PURE and _width(item) == 64 and not _is_double(item)),
        _count(found, _is_double),
        _count(found, lambda item: item.effect in (Effect.LOAD, Effect.STORE, Effect.ATOMIC)),
        _count(found, lambda item: item.effect is Effect.WARP),
        len(kernel.blocks) - 1,
    )


def _count(items: Iterable[Instr], wanted: IsLegal) -> int:
    return sum(map(wanted, items))


def _width(item: Instr) -> int:
    return max(value.type.bits for value in (item, *item.operands))


def _is_double(item: Instr) -> bool:
    return item.effect is Effect.PURE and any(value.type is F64 for value in (item, *item.operands))


def _example(key: Key, literals: Mapping[int, int]) -> Instr:
    """An instruction of a key on parameters, so general that no simpler rule applies."""
    op = lookup(key.name)
    kinds = _operand_kinds(op, key)
    operands: list[Value] = [
        Constant(kind, literals[place]) if place in literals else _operand(kind, f"p{place}")
        for place, kind in enumerate(kinds)
    ]
    attrs: dict[str, AttrValue] = {}
    for attribute in op.attributes:
        if attribute.default is None:
            attrs[attribute.name] = _LOWEST.get(attribute.name, attribute.choices[0] if attribute.choices else "")
    if key.name in ("load", "store") and not key.generic:
        attrs["align"] = 1
    return Instr(op, operands, _result(op, key), attrs)


def _operand(kind: Type, name: str) -> Value:
    """A value about which nothing is known, such as the space of a pointer."""
    if kind.is_pointer:
        return Instr(lookup("inttoptr"), [Parameter(I64, name)], kind)
    return Parameter(kind, name)


def _operand_kinds(op: Op, key: Key) -> list[Type]:
    place = {"P": PTR if key.generic else PTR_SHARED, "G": PTR, "I": I16 if op.name == "lut" else I32}
    value = I32 if key.generic else key.source
    if key.generic and op.name.startswith("atomic_f"):
        value = parse_type("f32")
    return [parse_type(word) if word not in op.where else place.get(word, value) for word in op.operands]


def _result(op: Op, key: Key) -> Type | None:
    if not op.needs_type():
        return None
    if key.generic:
        return I16 if op.name == "lut" else I32
    return key.result


def table(rows: Iterable[Cost]) -> str:
    """The costs as a Markdown table."""
    lines = ["| op | ops | 64-bit | float64 | memory | warp | blocks |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        numbers = (row.ops, row.wide, row.double, row.memory, row.warp, row.blocks)
        lines.append(f"| {row.what} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(lines)
