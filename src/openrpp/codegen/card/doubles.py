"""64-bit floats: steps on two words per value, one step for each word of a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from openrpp.codegen.card import wide
from openrpp.codegen.card.lowering import Lowering
from openrpp.codegen.card.steps import Pe, Read, Source
from openrpp.kir.ir import Instr, Value
from openrpp.kir.types import F64

OPERATIONS = {
    **{"fadd": "ADD", "fsub": "SUB", "fmul": "MUL", "fdiv": "DIV", "fma": "FMA", "fmin": "MIN", "fmax": "MAX"},
    **{"fsqrt": "SQRT", "ffloor": "FLOOR", "fceil": "CEIL", "ftrunc": "TRUNC", "frint": "RINT"},
}
_COMMUTE = ("ADD.", "MUL.", "FMA.", "MIN.", "MAX.")
MIRROR = {"LT": "GT", "GT": "LT", "LE": "GE", "GE": "LE", "EQ": "EQ", "NE": "NE"}
"""Relations with their operands the other way round."""
_NAMES = {"f64": "F64", "f32": "F32", "bf16": "F16", "f16": "H16"}


def reads(lower: Lowering, value: Value) -> tuple[Read, ...]:
    """The words of a value as operands."""
    return tuple(map(Read, lower.sources(value)))


def operation(lower: Lowering, instr: Instr) -> None:
    """An operation on float64 values that gives one."""
    operands = [read for value in instr.operands for read in reads(lower, value)]
    _both_words(lower, instr, f"{OPERATIONS[instr.op.name]}.F64", operands)


def _both_words(lower: Lowering, instr: Instr, text: str, operands: Sequence[Read]) -> None:
    for word, part in zip(lower.values.words(instr), ("LOW", "HIGH"), strict=True):
        lower.append(Pe(f"{text}.{part}", tuple(operands), word, location=lower.location))


def conversion(lower: Lowering, instr: Instr) -> None:
    """From or to float64."""
    (value,) = instr.operands
    source, target = value.type, instr.type
    sign = "S" if instr.op.name in ("sitofp", "fptosi") else "U"
    a, b = (_NAMES.get(str(kind), f"{sign}{kind.bits}") for kind in (source, target))
    text = f"CVT.{a}.{b}"
    if target is F64 or target.bits == 64:
        _both_words(lower, instr, text, reads(lower, value))
        return
    wide.operate(lower, instr, f"{text}.RN" if target.bits == 16 else text, *reads(lower, value))


# --- operands of the processing element --------------------------------------------------------------------------


def is_double(text: str) -> bool:
    """Whether an operation is one on 64-bit floats."""
    return ".F64." in text


def ordered(text: str, given: Sequence[Read], is_scalar: Callable[[Source], bool]) -> tuple[str, list[Read]]:
    """The operation with a scalar first operand behind the second, where that means the same."""
    twos = _twos(given)
    if len(twos) > 1 and _are_scalar(twos[0], is_scalar) and not _are_scalar(twos[1], is_scalar):
        relation = text.rsplit(".", 1)[1]
        if text.startswith("CMP."):
            text = f"CMP.F64.{MIRROR[relation]}"
        elif not text.startswith(_COMMUTE):
            return text, list(given)
        twos[:2] = twos[1::-1]
    return text, [read for two in twos for read in two]


def scalar_indices(given: Sequence[Read], is_scalar: Callable[[Source], bool]) -> frozenset[int]:
    """Operands that are scalar registers: both words of the second, or else of the third."""
    twos = _twos(given)
    place = next((index for index in range(1, len(twos)) if _are_scalar(twos[index], is_scalar)), None)
    return frozenset() if place is None else frozenset((2 * place, 2 * place + 1))


def _twos(given: Sequence[Read]) -> list[Sequence[Read]]:
    return [given[index : index + 2] for index in range(0, len(given), 2)]


def _are_scalar(two: Sequence[Read], is_scalar: Callable[[Source], bool]) -> bool:
    return all(is_scalar(read.source) for read in two)
