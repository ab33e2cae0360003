"""What programs may rely on: the names below. A change here is a change for users."""

from __future__ import annotations

import subprocess
import sys

import openrpp
from openrpp import runtime


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_the_package_offers_the_card_and_its_version() -> None:
    assert openrpp.__all__ == ["Card", "__version__"]
    assert openrpp.Card is runtime.Card and openrpp.__version__[0].isdigit()


def test_importing_the_package_loads_nothing_else() -> None:
    program = "import sys, openrpp; print([name for name in sys.modules if name.startswith('openrpp.')])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_public_names_of_the_runtime() -> None:
    assert public(runtime.Card) == {
        "allocations", "array", "capture", "copy", "empty", "memory_info", "module", "now", "observe", "program",
        "stream", "synchronize", "watch",
    }  # fmt: skip
    assert public(runtime.Buffer) == {
        "address", "free", "freed", "high", "low", "nbytes", "numpy", "size", "view", "write",
    }  # fmt: skip
    assert public(runtime.Stream) == {"copy", "issue", "record", "synchronize", "wait"}
    assert public(runtime.Event) == {"done", "elapsed", "record", "synchronize", "wait"}
    assert public(runtime.Graph) == {"add", "launch", "nodes", "time"}
    assert public(runtime.Node) == {"kind", "name", "update"}
    assert public(runtime.Function) == {"name", "params"}
    assert public(runtime.ProgramFunction) == {"check", "profile"}
    assert public(runtime.Program) == {"get", "items", "keys", "values"}
    assert public(runtime.ProgramReport) == {
        "as_dict", "dropped", "output", "seconds", "taken", "timer",
    }  # fmt: skip
    assert public(runtime.Module) == {"get", "items", "keys", "values"}
