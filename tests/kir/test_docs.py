"""The generated page, and the example in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from openrpp.kir import parse_module, print_module, verify_module
from openrpp.kir.docs import INTRODUCTION, main, render
from openrpp.kir.interp import launch
from openrpp.kir.ops import OPS

PAGE = Path(__file__).parents[2] / "docs" / "kir.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m openrpp.kir.docs"


def test_the_page_names_every_op(tmp_path: Path) -> None:
    main([str(tmp_path / "kir.md")])
    text = (tmp_path / "kir.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in OPS)


def test_the_example_of_the_page_runs() -> None:
    example = INTRODUCTION.split("```")[1].lstrip("\n")
    module = parse_module(example)
    verify_module(module)
    assert print_module(module) == example
    x, y = np.arange(70, dtype=np.float32), np.ones(70, np.float32)
    launch(module, "saxpy", 3, 32, [70, 2.0, x, y])
    assert np.array_equal(y, 2 * x + 1)
