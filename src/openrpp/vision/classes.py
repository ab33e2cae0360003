"""From a classifier's numbers to names."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from openrpp.vision.errors import VisionError
from openrpp.vision.facts import Facts


@dataclass(frozen=True)
class Guess:
    """A class: its number, its name and its share between 0 and 1."""

    label: int
    name: str
    score: float

    def as_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary."""
        return asdict(self)


def best_classes(output: NDArray[Any], facts: Facts, count: int = 5) -> list[Guess]:
    """The best classes of an output [1, classes], best first.

    Scores that are no shares yet (negative, or with another sum than 1) go through a softmax.
    Raises VisionError for an output of another shape.
    """
    from openrpp.vision.boxes import name_of

    if output.ndim < 2 or output.shape[0] != 1 or output.size != output.shape[1]:
        raise VisionError(f"an output of shape {list(output.shape)} is no classifier's; it has [1, classes]")
    scores = np.asarray(output, np.float64).ravel()
    if scores.min() < 0 or abs(scores.sum() - 1) > 1e-2:
        shares = np.exp(scores - scores.max())
        scores = shares / shares.sum()
    order = np.argsort(-scores, kind="stable")[:count]
    return [Guess(int(label), name_of(facts, int(label)), float(scores[label])) for label in order]


def read_labels(path: Path) -> tuple[str, ...]:
    """Names of classes from a file: a JSON list, a JSON table by number, or one name per line.

    Raises VisionError for a file that is neither, OSError.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".json":
            return tuple(line.strip() for line in text.splitlines() if line.strip())
        found: Any = json.loads(text)
        if isinstance(found, dict):
            table = {int(number): name for number, name in cast("dict[str, Any]", found).items()}
            found = [table[number] for number in range(len(table))]
        return tuple(str(name) for name in cast("list[Any]", found))
    except (ValueError, TypeError, KeyError) as error:
        raise VisionError(f"{path}: no list of names: {error}") from None
