"""What items read and write, and which words of the sequencer are made where they are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openrpp.codegen.card.flow import Assign, Begin, End, Item, Jump, Label, Point, Vote
from openrpp.codegen.card.scalar_steps import ScalarOp
from openrpp.codegen.card.steps import Scalar, Word, operands


def made_at_use(items: Sequence[Item]) -> dict[Word, str]:
    """Words that are loaded wherever they are used, with the FRAM word or register."""
    return {item.result: item.register for item in items if isinstance(item, Scalar)}


def uses(item: Item) -> Iterator[Word]:
    """Words that an item reads."""
    if isinstance(item, ScalarOp):
        yield from (source for source, _ in item.reads if isinstance(source, Word))
    elif isinstance(item, Assign):
        yield from (word for word in (item.source, item.mask) if isinstance(word, Word))
        if item.mask is not None:
            yield item.target
    elif isinstance(item, Vote):
        yield item.predicate
    elif isinstance(item, Jump):
        if item.condition is not None:
            yield item.condition
    elif isinstance(item, Point):
        sources = (item.place.base, item.place.lane, *(item.place.planes or ()), item.by)
        yield from (source for source in sources if isinstance(source, Word))
    elif not isinstance(item, Label | Begin | End):
        yield from (source for source in operands(item) if isinstance(source, Word))


def defines(item: Item) -> Word | None:
    """The word that an item writes."""
    if isinstance(item, Assign):
        return item.target
    return getattr(item, "result", None)
