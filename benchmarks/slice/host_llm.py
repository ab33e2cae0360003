"""SmolLM2 on the native engine and in llama.cpp: host time of a prompt and of decoding, one thread each, in turn.

The file is the catalogue's (`rpp pull smollm2-135m-instruct`); llama.cpp is its llama-bench, named by LLAMA_BENCH or
found on PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.slice.board import Found, HostRow, Skipped
from openrpp import weights
from openrpp.llm.checkpoint import open_checkpoint
from openrpp.llm.model import SessionModel, open_model
from openrpp.runtime.card import Card

MODEL = "smollm2-135m-instruct"
PROMPT, DECODE, ROUNDS = 128, 32, 3


def measure() -> Found:
    """Tokens per second of both."""
    try:
        path = weights.find(MODEL)
    except weights.WeightsError as error:
        raise Skipped(str(error)) from None
    peer, version = llama_bench()
    card = Card("ae7100", "native", workers=1, keep_timeline=False)
    model = open_model(open_checkpoint(path), context=512, card=card)
    _own(model)  # compiles
    own, other = [], []
    for _ in range(ROUNDS):
        own.append(_own(model))
        other.append(_llama(peer, path))
    rows = [
        HostRow(f"SmolLM2-135M Q4_1, {what}", count, "tokens", *_columns(own, other, place), peer=version)
        for place, (what, count) in enumerate(((f"prompt of {PROMPT}", PROMPT), (f"{DECODE} tokens behind it", DECODE)))
    ]
    ratios = [row.ratio for row in rows]
    bars = {name: ratio for name, ratio in zip(("host_prefill", "host_decode"), ratios, strict=True) if ratio}
    return Found(bars, host=rows)


def llama_bench() -> tuple[str, str]:
    """The command and its version. Raises Skipped."""
    found = os.environ.get("LLAMA_BENCH") or shutil.which("llama-bench")
    if not found or not Path(found).is_file():
        raise Skipped("there is no llama-bench to compare with; build llama.cpp and set LLAMA_BENCH to its path")
    return found, "llama.cpp"


def _own(model: SessionModel) -> tuple[float, float]:
    """Seconds of the prompt and of the tokens behind it."""
    begun = time.perf_counter()
    for past in range(0, PROMPT, model.chunk):
        model.step(range(100 + past, 100 + min(past + model.chunk, PROMPT)), past)
    read = time.perf_counter()
    for past in range(PROMPT, PROMPT + DECODE):
        model.step([100 + past], past)
    return read - begun, time.perf_counter() - read


def _llama(command: str, path: Path) -> tuple[float, float]:
    """The same of llama.cpp, which decodes behind the prompt as well."""
    arguments = ["-m", str(path), "-t", "1", "-r", "1", "-o", "json"]
    work = ["-p", str(PROMPT), "-n", "0"], ["-p", "0", "-n", str(DECODE), "-d", str(PROMPT)]
    seconds: list[float] = []
    for part in work:
        done = subprocess.run([command, *arguments, *part], capture_output=True, text=True, check=True)
        (entry,) = (item for item in _entries(done.stdout))
        seconds.append(entry["avg_ns"] * 1e-9)
    return seconds[0], seconds[1]


def _entries(text: str) -> list[dict[str, Any]]:
    return json.loads(text)


def _columns(
    own: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]], place: int
) -> tuple[list[float], list[float]]:
    return [item[place] for item in own], [item[place] for item in other]
