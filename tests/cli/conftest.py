"""A small kernel, arrays for it, and the command line inside this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from openrpp.cli.main import app
from tests.runtime.conftest import ADD

Rpp = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: add.s and a.npy, 1024 words counting up."""
    (tmp_path / "add.s").write_text(ADD)
    np.save(tmp_path / "a.npy", np.arange(1024, dtype=np.uint16))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rpp(folder: Path) -> Rpp:
    """`rpp("run", "add.s", ...)` in the folder; options may stand in one string."""

    def call(*words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    return call
