"""Kernel IR to machine code of the card."""

from __future__ import annotations

from openrpp.codegen.card.program import Program, compile

__all__ = ["Program", "compile"]
