"""Random kernels for testing engines and passes against the interpreter."""

from __future__ import annotations

from openrpp.kir.fuzz.program import Program, program, run_interpreter
from openrpp.kir.fuzz.statements import ALL, Features

__all__ = ["ALL", "Features", "Program", "program", "run_interpreter"]
