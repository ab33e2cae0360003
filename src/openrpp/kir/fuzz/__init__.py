"""Random kernels for testing engines and passes against the interpreter."""

from __future__ import annotations

from openrpp.kir.fuzz.program import Program, program, run_interpreter

__all__ = ["Program", "program", "run_interpreter"]
