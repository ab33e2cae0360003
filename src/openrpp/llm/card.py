"""A language model as plans on a card: one for chunks of a prompt, one for single tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.compile import plan_memory
from openrpp.graph.plan import Plan
from openrpp.graph.run import Memory, Runner
from openrpp.kernels.launch import Launch, Variable
from openrpp.kernels.slabs import Element
from openrpp.llm.checkpoint import EMBEDDING, Checkpoint
from openrpp.llm.plan import EMBEDDED, LOGITS, Weights, token_plan
from openrpp.machine.report import Span
from openrpp.runtime.card import Card
from openrpp.runtime.graph import Graph, Node
from openrpp.runtime.program import ProgramOperation

CHUNK = 64
"""Tokens of a step."""


class _Runner(Runner):
    """A plan whose variables have a value for each run."""

    def __init__(self, plan: Plan, memory: Memory) -> None:
        super().__init__(plan, memory)
        launches = [step for step in plan.steps if isinstance(step, Launch)]
        self._variables = [
            (number, index, value.name)
            for number, launch in enumerate(launches)
            for index, value in enumerate(launch.arguments)
            if isinstance(value, Variable)
        ]

    @property
    def graph(self) -> Graph:
        """All launches; captured anew where the arena has moved."""
        (graph,) = self.graphs()
        return graph

    def put(self, **values: int) -> None:
        """Values of variables from now on."""
        nodes = self.graph.nodes
        for number, index, name in self._variables:
            nodes[number].update(**{_parameter(nodes[number], index): values[name]})


def _parameter(node: Node, index: int) -> str:
    """The name of a kernel's parameter."""
    operation = node.operation
    assert isinstance(operation, ProgramOperation)
    return operation.function.kernel.params[index].name


class CardModel:
    """A checkpoint on a card.

    A prompt goes through a plan of `chunk` rows, its last chunk filled up; a single token, or what is too near the end
    of the cache, through a plan of one. Rows of the embedding are taken on the host, where tokens come from, and copied
    to the card.

    Attributes:
        context, chunk: see `openrpp.llm.generate.Model`.
    """

    def __init__(self, checkpoint: Checkpoint, card: Card, *, context: int, dtype: Element, chunk: int = CHUNK) -> None:
        self.context = context
        self.chunk = max(1, min(chunk, context // 2))
        self._dtype: Element = dtype
        self._weights = Weights(checkpoint)
        self._memory = Memory(card)
        self._embedding = checkpoint.weights[EMBEDDING]
        self._runners: dict[int, _Runner] = {}

    @property
    def plan(self) -> Plan:
        """What a single token runs."""
        return self._runner(1).plan

    def step(self, tokens: Sequence[int], past: int) -> NDArray[np.float32]:
        """Go on behind `past` tokens with some more; logits after the last."""
        if self._together(len(tokens), past):
            rows = np.zeros((self.chunk, self._embedding.columns), np.float32)
            rows[: len(tokens)] = self._embedding.take(tokens)
            # What is filled in lies behind the chunk's own tokens, which do not see it; the next step writes over it.
            return self._run(rows, past=past, last=len(tokens) - 1)
        return [self._run(row[None], past=past + index) for index, row in enumerate(self._embedding.take(tokens))][-1]

    def card_time(self, tokens: int, past: int) -> Span | None:
        """Card time of the launches of such a step."""
        if self._together(tokens, past):
            return self._timed(self.chunk, past=past, last=tokens - 1)
        one = self._timed(1, past=past + tokens // 2)
        return None if one is None else one.scaled(tokens)

    def _together(self, tokens: int, past: int) -> bool:
        return tokens > 1 and past + self.chunk <= self.context

    def _run(self, rows: NDArray[np.float32], **variables: int) -> NDArray[np.float32]:
        runner = self._runner(len(rows))
        runner.put(**variables)
        return runner.run({EMBEDDED: rows[None]})[LOGITS][0, 0]

    def _timed(self, rows: int, **variables: int) -> Span | None:
        runner = self._runner(rows)
        runner.put(**variables)
        return runner.graph.time().seconds

    def _runner(self, rows: int) -> _Runner:
        found = self._runners.get(rows)
        if found is None:
            plan = token_plan(self._weights, self.context, self._dtype, rows)
            memory = self._memory
            for constant in plan.constants:
                memory.constant(constant)
            plan_memory(plan, memory.room, memory.rules("sram"), memory.rules("ddr"))
            found = self._runners[rows] = _Runner(plan, memory)
        return found
