"""`rpp pull`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Rpp

CATALOGUE = '[net]\ntitle = "A net"\nlicence = "MIT"\nsource = {{ url = "{url}" }}\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RPP_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("RPP_MODELS", str(tmp_path / "models.toml"))
    source = tmp_path / "source.onnx"
    source.write_bytes(b"weights")
    (tmp_path / "models.toml").write_text(CATALOGUE.format(url=source.as_uri()))
    return tmp_path


def test_without_a_name_the_catalogue_is_listed(rpp: Rpp) -> None:
    result = rpp("pull")
    assert result.exit_code == 0, result.stderr
    assert "smollm2-135m-instruct" in result.stdout and "models.toml" in result.stdout
    listed = json.loads(rpp("pull", "--list", "net", "--json").stdout)["models"]
    assert [(row["name"], row["here"], row["licence"]) for row in listed] == [("net", False, "MIT")]


def test_a_model_is_pulled_listed_and_removed(rpp: Rpp, home: Path) -> None:
    result = rpp("pull", "net")
    assert result.exit_code == 0, result.stderr
    assert "source.onnx (0.0 MB, fetched, checked; licence MIT); its sha256 is 9a12903" in result.stdout
    again = rpp("pull", "net", "--json")
    (row,) = json.loads(again.stdout)["models"]
    assert not row["fetched"] and Path(row["path"]).read_bytes() == b"weights"
    assert json.loads(rpp("pull", "net", "--remove", "--json").stdout) == {
        "models": [{"name": "net", "removed_bytes": 7}]
    }
    assert not Path(row["path"]).exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("nett", "rpp: weights: no model is called nett; did you mean net?\n"),
        ("--remove", "rpp: pull: --remove needs the NAME of a model\n"),
        ("net --from missing.onnx", "rpp: pull: missing.onnx: No such file or directory\n"),
        ("net --from a.onnx --remove", "rpp: pull: --from brings one model; give one NAME, and no --remove\n"),
        ("--catalogue missing.toml", "rpp: pull: missing.toml: No such file or directory\n"),
    ],
)
def test_mistakes_are_one_sentence(rpp: Rpp, words: str, says: str) -> None:
    result = rpp("pull", *words.split())
    assert (result.exit_code, result.stderr) == (2, says)
