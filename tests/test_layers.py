"""Imports point one way: a package uses only packages above it in docs/design.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "openrpp"
ORDER = (
    "storage", "weights", "arch", "isa", "machine", "kir", "codegen", "runtime", "cuda", "kernels", "graph",
    "llm", "vision", "report", "cli",
)  # fmt: skip


def imported(path: Path) -> set[str]:
    """First-level packages of openrpp that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("openrpp.") and name.count(".") >= 1}
    return found


@pytest.mark.parametrize("package", [name for name in ORDER if (SOURCE / name).is_dir()])
def test_a_package_imports_only_packages_above_it(package: str) -> None:
    allowed = set(ORDER[: ORDER.index(package) + 1])
    wrong = {
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in (SOURCE / package).rglob("*.py")
        for name in imported(path)
        if name in ORDER and name not in allowed
    }
    assert not wrong


def test_every_package_has_a_place_in_the_order() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages <= set(ORDER)
