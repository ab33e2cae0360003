"""What the rules of the published chip work with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from openrpp.codegen.card.flow import Assign, Item, Vote
from openrpp.codegen.card.lowering import ALL_ONES, Lowering
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.scalars import defines
from openrpp.codegen.card.steps import Part, Pe, Read, Source, Word

SIGN = 1 << 31


@dataclass(slots=True)
class Expander:
    """Appends steps: for the lanes to `lower`, for the sequencer to `sequence`. `conditions` are 0 or 1 in their low
    halves."""

    lower: Lowering
    conditions: set[Word]
    sequence: list[ScalarOp] = field(default_factory=list[ScalarOp])

    # --- lanes --------------------------------------------------------------------------------------------------

    def opposite(self, condition: Source) -> Source:
        """1 for 0 and 0 for anything else, of low halves."""
        if isinstance(condition, int):
            return int(not condition & 0xFFFF)
        return self.lower.compare("CMP.U16.LT", Read(condition, Part.LOW), Read(1, Part.LOW))

    def negative(self, value: Source) -> Source:
        """0 - value."""
        return self.lower.multiply(value, ALL_ONES)

    def below(self, value: Source, limit: Source) -> Source:
        """Whether a value is below a limit, unsigned."""
        return self.lower.compare("CMP.U32.LT", value, limit)

    def above(self, value: Source, limit: Source) -> Source:
        """Whether a value is above a limit, unsigned."""
        return self.lower.compare("CMP.U32.GT", value, limit)

    # --- sequencer ----------------------------------------------------------------------------------------------

    def scalar(self, text: str, *reads: Source | tuple[Source, Part], makes: Part = Part.PAIR) -> Word:
        """An operation of the sequencer; its result as a new word."""
        operands = tuple(item if isinstance(item, tuple) else (item, Part.PAIR) for item in reads)
        result = Word()
        self.sequence.append(ScalarOp(text, operands, result, makes))
        return result


Rule = Callable[..., Source]
"""A function of an expander and the operands of a step: of `Read`s for the lanes, of sources for the sequencer."""


def conditions(items: Sequence[Item]) -> set[Word]:
    """Words whose low halves are 0 or 1 whatever writes them."""
    made = [(word, item) for item in items if (word := defines(item)) is not None]
    found = {word for word, _ in made}
    changed = True
    while changed:
        wrong = {word for word, item in made if word in found and not _is_condition(item, found)}
        found -= wrong
        changed = bool(wrong)
    return found


def _is_condition(item: Item, known: set[Word]) -> bool:
    if isinstance(item, Vote):
        return True
    if isinstance(item, Assign):
        return _is_one(item.source, known)
    if not isinstance(item, Pe | ScalarOp):
        return False
    if item.text.startswith("CMP."):
        return True
    sources = [read.source if isinstance(read, Read) else read[0] for read in item.reads]
    if item.text.startswith(("AND.", "OR.", "XOR.", "MOVE.")):
        return all(_is_one(source, known) for source in sources)
    return item.text == "MERGE" and all(_is_one(source, known) for source in sources[:2])


def _is_one(source: Source, known: set[Word]) -> bool:
    return source in (0, 1) if isinstance(source, int) else source in known
