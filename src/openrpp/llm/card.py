"""A language model whose tokens go one by one through launches on a card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from openrpp.graph.compile import plan_memory
from openrpp.graph.plan import Plan
from openrpp.graph.run import Memory, Runner
from openrpp.kernels.launch import Argument, Launch, Variable
from openrpp.kernels.slabs import Element
from openrpp.llm.checkpoint import EMBEDDING, Checkpoint
from openrpp.llm.decode import EMBEDDED, LOGITS, decode_plan
from openrpp.machine.report import Span
from openrpp.runtime.card import Card
from openrpp.runtime.graph import Node
from openrpp.runtime.program import ProgramOperation

CHUNK = 64
"""Tokens of a step; they go through the card one after the other."""


class _Runner(Runner):
    """A plan whose variables have a value for each run."""

    def __init__(self, plan: Plan, memory: Memory) -> None:
        super().__init__(plan, memory)
        (self.graph,) = self.graphs()
        launches = [step for step in plan.steps if isinstance(step, Launch)]
        self._variables = [
            (node, index, value.name)
            for node, launch in zip(self.graph.nodes, launches, strict=True)
            for index, value in enumerate(launch.arguments)
            if isinstance(value, Variable)
        ]

    def value(self, argument: Argument) -> int | float | None:
        """What a launch passes when it is captured."""
        return argument.value if isinstance(argument, Variable) else super().value(argument)

    def put(self, **values: int) -> None:
        """Values of variables from now on."""
        for node, index, name in self._variables:
            node.update(**{_parameter(node, index): values[name]})


def _parameter(node: Node, index: int) -> str:
    """The name of a kernel's parameter."""
    operation = node.operation
    assert isinstance(operation, ProgramOperation)
    return operation.function.kernel.params[index].name


class CardModel:
    """A checkpoint on a card.

    Rows of the embedding are taken on the host, where tokens come from, and copied to the card.

    Attributes:
        context, chunk: see `openrpp.llm.generate.Model`.
        plan: what a token runs.
    """

    def __init__(self, checkpoint: Checkpoint, card: Card, *, context: int, dtype: Element) -> None:
        self.context = context
        self.chunk = CHUNK
        self.plan = decode_plan(checkpoint, context, dtype)
        self._embedding = checkpoint.weights[EMBEDDING]
        memory = Memory(card)
        for constant in self.plan.constants:
            memory.constant(constant)
        plan_memory(self.plan, memory.room, memory.rules("sram"), memory.rules("ddr"))
        self._runner = _Runner(self.plan, memory)

    def step(self, tokens: Sequence[int], past: int) -> NDArray[np.float32]:
        """Go on behind `past` tokens with some more; logits after the last."""
        logits: NDArray[np.float32] | None = None
        for index, row in enumerate(self._embedding.take(tokens)):
            self._runner.put(past=past + index)
            logits = self._runner.run({EMBEDDED: row[None, None]})[LOGITS][0, 0]
        assert logits is not None
        return logits

    def card_time(self, tokens: int, past: int) -> Span | None:
        """Card time of a token's launches, those in the middle of the step for all."""
        self._runner.put(past=past + tokens // 2)
        seconds = self._runner.graph.time().seconds
        return None if seconds is None else seconds.scaled(tokens)
