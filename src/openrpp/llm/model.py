"""A language model on a card: its graph in a session, its cache kept from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.session import Session
from openrpp.kernels.slabs import BYTES, Element
from openrpp.llm.card import CardModel
from openrpp.llm.checkpoint import Checkpoint
from openrpp.llm.errors import ModelError
from openrpp.llm.generate import Model
from openrpp.llm.llama import LOGITS, build, feed
from openrpp.llm.plan import takes
from openrpp.machine.report import Span
from openrpp.runtime.card import Card

CONTEXT: Final = 2048
"""Tokens of a cache if nobody says otherwise and the model takes them."""
CHUNK: Final = 64
"""Tokens that go through the card at once; a shorter chunk is filled up, a single token goes alone."""


class SessionModel:
    """A checkpoint in a `Session`.

    Attributes:
        context, chunk: see `openrpp.llm.generate.Model`.
        session: what runs it.
    """

    def __init__(
        self, checkpoint: Checkpoint, card: Card, *, context: int, dtype: Element = "bf16", chunk: int = CHUNK
    ) -> None:
        self.context = context
        self.chunk = min(chunk, context)
        self.session = Session(build(checkpoint, context), card, dtype=dtype)
        self._outputs = [port.name for port in self.session.get_outputs()]
        self._cache: dict[str, NDArray[np.float32]] = {
            port.name: np.zeros([int(extent) for extent in port.shape], np.float32)
            for port in self.session.get_inputs()
            if port.name.startswith("past_")
        }

    def step(self, tokens: Sequence[int], past: int) -> NDArray[np.float32]:
        """Go on behind `past` tokens with some more; logits after the last."""
        if len(tokens) > 1 and past + self.chunk <= self.context:
            # What is filled in lies behind the chunk's own tokens, which do not see it; the next step writes over it.
            filled = [*tokens, *[0] * (self.chunk - len(tokens))]
            return self._step(filled, past, len(tokens) - 1)
        return [self._step([token], past + index, 0) for index, token in enumerate(tokens)][-1]

    def card_time(self, tokens: int, past: int) -> Span | None:
        """Card time of the plan that ran last, if all of it was on the card."""
        report = self.session.report()
        return None if report.host_nodes else report.card

    def _step(self, tokens: Sequence[int], past: int, last: int) -> NDArray[np.float32]:
        values: list[Any] = self.session.run(None, {**feed(tokens, past, [last]), **self._cache})
        named = dict(zip(self._outputs, values, strict=True))
        self._cache = {name: named[name.replace("past_", "present_", 1)] for name in self._cache}
        return named[LOGITS][0, 0]


def open_model(
    checkpoint: Checkpoint,
    *,
    context: int | None = None,
    card: str | Path | Card = "ae7100",
    engine: str = "native",
    dtype: Element = "bf16",
) -> Model:
    """A checkpoint on a card; `context` is the tokens of its cache, by default `CONTEXT` or what the model takes.

    Raises ModelError for a context that the model was not made for, or a model that the card has no room for.
    """
    most = checkpoint.shape.context
    if context is not None and not 1 <= context <= most:
        raise ModelError(f"a context of {context} tokens; {checkpoint.name} takes 1 to {most}")
    made = card if isinstance(card, Card) else Card(card, engine, keep_timeline=False)
    room = context or min(CONTEXT, most)
    check_fits(checkpoint, room, made, dtype)
    if takes(checkpoint):
        return CardModel(checkpoint, made, context=room, dtype=dtype)
    return SessionModel(checkpoint, made, context=room, dtype=dtype)


def check_fits(checkpoint: Checkpoint, context: int, card: Card, dtype: Element) -> None:
    """Raises ModelError, with the figures, for weights and cache that are larger than the card's DDR."""
    shape = checkpoint.shape
    cache = 2 * shape.layers * shape.kv_heads * shape.head * context * BYTES[dtype]
    room = card.pools["ddr"].size
    if checkpoint.bytes + cache > room:
        raise ModelError(
            f"{checkpoint.name} does not fit the card: {checkpoint.bytes / 1e9:.2f} GB of weights and "
            f"{cache / 1e9:.2f} GB of cache for {context} tokens; {card.arch.name} has {room / 1e9:.2f} GB"
        )
