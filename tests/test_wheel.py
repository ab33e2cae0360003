"""The wheel builds, holds what it must, and works in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "openrpp"

PROGRAM = """
import importlib.metadata, pathlib, sys
import openrpp, openrpp.arch
assert openrpp.__version__ == importlib.metadata.version("openrpp")
assert pathlib.Path(openrpp.__file__).is_relative_to(sys.prefix), openrpp.__file__
from openrpp.kernels import library
assert library.SHIPPED.is_dir() and len(library.kernel("norm/rms_bf16").kernels) == 1
assert "openrpp.cuda" not in sys.modules
card = openrpp.arch.load("ae7100")
print(card.name, card.sram.bytes.value, *openrpp.arch.load("ae7100x").extensions[:2])
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside any virtual environment; its output is shown if it fails."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    parts = [str(part) for part in command]
    done = subprocess.run(
        parts, check=False, cwd=cwd, env=clean, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def index_is_reachable(cwd: Path) -> bool:
    """Whether pip, as configured here (mirror, proxy), finds one of the wheel's dependencies."""
    ask = ("install", "--dry-run", "--ignore-installed", "--no-deps", "--retries", "0", "--timeout", "15", "click")
    return (
        subprocess.run([sys.executable, "-m", "pip", *ask], check=False, cwd=cwd, capture_output=True).returncode == 0
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built with the build back end of this environment, so without the network."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (path,) = out.glob("openrpp-*.whl")
    return path


@pytest.mark.slow
def test_wheel_holds_every_source_file_the_presets_and_the_type_marker(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        f"openrpp/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".toml") or path.name == "py.typed"
    }
    assert {"openrpp/py.typed", "openrpp/arch/ae7100.toml", "openrpp/arch/ae7100x.toml"} <= ours
    assert ours <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    kernels = {name.split("/")[3] for name in names if name.startswith("openrpp/kernels/kir/")}
    assert kernels == {path.stem for path in (PACKAGE / "kernels" / "cuda").glob("*.cu")}
    assert not any(name.startswith(("tests/", "conformance/", "benchmarks/")) for name in names)


@pytest.mark.slow
def test_wheel_installs_with_its_dependencies_and_loads_a_card(wheel: Path, tmp_path: Path) -> None:
    if not index_is_reachable(tmp_path):
        pytest.skip("no package index answers, and the wheel's dependencies come from there")
    run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    run(scripts / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    run(scripts / "python", "-m", "pip", "check", cwd=tmp_path)
    assert run(scripts / "python", "-c", PROGRAM, cwd=tmp_path).split() == ["ae7100", str(24 * 2**20), "wide", "ddr"]
    assert (scripts / "rpp").exists() or (scripts / "rpp.exe").exists()
