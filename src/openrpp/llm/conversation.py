"""Conversations: several turns, of which each goes on where the model's cache already is."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass

from openrpp.llm.chat import Message, prompt_tokens
from openrpp.llm.generate import Generation, Model, Phase, Reason
from openrpp.llm.sampling import Sampling
from openrpp.llm.tokenizer import TextStream, Tokenizer


@dataclass(frozen=True)
class Answer:
    """One turn.

    Attributes:
        text, tokens: what was answered.
        reason: why it ended, see `Generation`.
        reused: tokens of the prompt that were in the cache already.
        prompt, decode: tokens and time of both phases.
        first: host seconds until the first token was known.
    """

    text: str
    tokens: tuple[int, ...]
    reason: Reason
    reused: int
    prompt: Phase
    decode: Phase
    first: float


class Conversation:
    """What was said so far; `last` is the newest answer."""

    def __init__(
        self, model: Model, tokenizer: Tokenizer, sampling: Sampling | None = None, system: str | None = None
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._sampling = sampling or Sampling()
        self.messages: list[Message] = [{"role": "system", "content": system}] if system else []
        self._cached: list[int] = []
        self.last: Answer | None = None

    def ask(self, text: str, count: int) -> Generator[str, None, None]:
        """The answer to a text, piece by piece; at most `count` tokens.

        Raises ModelError for a conversation that has become longer than the model's context.
        """
        begun = time.perf_counter()
        messages: list[Message] = [*self.messages, {"role": "user", "content": text}]
        prompt = prompt_tokens(self._tokenizer, messages)
        # The last token of the prompt is read again, since its logits are wanted.
        reused = min(_common(prompt, self._cached), len(prompt) - 1) if prompt else 0
        generation = Generation(self._model, prompt[reused:], count, self._sampling, self._tokenizer.stops, past=reused)
        stream, pieces, tokens, first = TextStream(self._tokenizer), list[str](), list[int](), 0.0
        for token in generation.tokens():
            first = first or time.perf_counter() - begun
            tokens.append(token)
            pieces.append(stream.add(token))
            yield pieces[-1]
        pieces.append(stream.end())
        yield pieces[-1]
        answer = "".join(pieces)
        self._cached = [*prompt, *tokens][: generation.past]
        self.messages = [*messages, {"role": "assistant", "content": answer}]
        reason = generation.reason or "length"
        self.last = Answer(answer, tuple(tokens), reason, reused, generation.prompt, generation.decode, first)


def _common(left: list[int], right: list[int]) -> int:
    """Tokens that both begin with."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
