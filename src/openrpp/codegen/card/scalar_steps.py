"""Steps that the scalar sequencer carries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openrpp.codegen.card.steps import Part, Pe, Scalar, Source, Step, Word
from openrpp.kir.location import Location

_SAME: Final = {
    "ADD.U32",
    "SUB.U32",
    "MUL.U32.LOW",
    "AND.U32",
    "OR.U32",
    "XOR.U32",
    "SHL.U32",
    "SHR.U32",
    "SAR.S32",
    "MOVE.U32",
    "MUL.U16.WIDE",
}
_SWAPPED: Final = {"GT": "LT", "GE": "LE"}


@dataclass(slots=True)
class ScalarOp:
    """An operation of the sequencer: mnemonic, operands (with the part that each is), result (LOW: 0 or 1)."""

    text: str
    reads: tuple[tuple[Source, Part], ...]
    result: Word
    makes: Part = Part.PAIR
    location: Location | None = None


def as_scalar(step: Step, scalars: set[Word]) -> Step | ScalarOp | None:
    """A step as one of the sequencer, if it can be; its result is then among the scalars."""
    if isinstance(step, Scalar):
        scalars.add(step.result)
        return step
    if not isinstance(step, Pe) or not all(isinstance(r.source, int) or r.source in scalars for r in step.reads):
        return None
    reads = tuple((read.source, read.part) for read in step.reads)
    text = step.text
    if text.startswith("CMP.") and text.split(".")[1] in ("U32", "S32"):
        head, relation = text.rsplit(".", 1)
        if relation in _SWAPPED:
            text, reads = f"{head}.{_SWAPPED[relation]}", reads[::-1]
    elif text not in _SAME:
        return None
    scalars.add(step.result)
    return ScalarOp(text, reads, step.result, step.makes, step.location)
