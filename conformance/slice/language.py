"""Language models: greedy tokens and perplexity against transformers, and a published story.

`language.json` holds token ids only: what transformers continues SmolLM2's prompts with (64 greedy tokens, float32),
the tokens of `passage.txt` and their perplexity there, and the 200 greedy tokens of stories260K, whose text is
published in karpathy/llama2.c, doc/stories260K.md. `python -m conformance.slice.language_oracle` writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.slice.board import Found, Row, Skipped, weights_of
from openrpp.kernels.slabs import Element
from openrpp.llm.card import CardModel
from openrpp.llm.checkpoint import Checkpoint, open_checkpoint
from openrpp.llm.generate import Generation, perplexity
from openrpp.llm.model import open_model

MODEL = "smollm2-135m-instruct"
STORIES = Path("/work/shared/data/stories260K.bin")
ORACLE = Path(__file__).with_name("language.json")
CONTEXT = 512


def measure(dtypes: Sequence[Element]) -> Found:
    """Greedy tokens in f32, perplexity in bf16."""
    oracle = json.loads(ORACLE.read_text(encoding="utf-8"))
    checkpoint = open_checkpoint(weights_of(MODEL))
    found = Found()
    if "f32" in dtypes:
        found.add(_stories(oracle["stories"]))
        found.add(_greedy(checkpoint, oracle["greedy"]))
    if "bf16" in dtypes:
        found.add(_perplexity(checkpoint, oracle["passage"]))
    return found


def _stories(expected: list[int]) -> Found:
    if not STORIES.is_file():
        return Found([Row("stories260K", "the published story", "f32", None, f"skipped: {STORIES} is not there")])
    same, row = _compared(open_checkpoint(STORIES), "stories260K", "the published story", [1], expected)
    return Found([row], {"story_tokens_f32": same})


def _greedy(checkpoint: Checkpoint, cases: list[dict[str, Any]]) -> Found:
    results = [_compared(checkpoint, MODEL, case["prompt"], case["ids"], case["answer"]) for case in cases]
    return Found([row for _, row in results], {"greedy_tokens_f32": min(same for same, _ in results)})


def _compared(checkpoint: Checkpoint, name: str, what: str, prompt: list[int], expected: list[int]) -> tuple[int, Row]:
    """(tokens up to the first that differs, the row)."""
    model = open_model(checkpoint, context=min(CONTEXT, checkpoint.shape.context), dtype="f32")
    made = list(Generation(model, prompt, len(expected)).tokens())
    pairs = list(zip(made, expected, strict=True))
    same = next((index for index, (ours, theirs) in enumerate(pairs) if ours != theirs), len(pairs))
    launches = len(model.plan.launches) if isinstance(model, CardModel) else 0
    says = f"{same} of {len(expected)} greedy tokens"
    return same, Row(name, what, "f32", same == len(expected), says, launches=launches)


def _perplexity(checkpoint: Checkpoint, passage: dict[str, Any]) -> Found:
    model = open_model(checkpoint, context=CONTEXT, dtype="bf16")
    if not isinstance(model, CardModel):
        raise Skipped(f"{MODEL} is not taken by the kernels")
    found, expected = perplexity(model, passage["ids"]), passage["perplexity"]
    change = found / expected - 1
    card = model.card_time(1, len(passage["ids"]) // 2)
    says = f"perplexity {found:.3f}, transformers in float32 {expected:.3f} ({100 * change:+.2f} %)"
    row = Row(MODEL, "passage.txt", "bf16", abs(change) < 0.01, says, card, len(model.plan.launches))
    return Found([row], {"perplexity_change_bf16": abs(change)})
