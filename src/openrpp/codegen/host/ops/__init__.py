"""Emission of single ops, lane by lane, for any number of lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from openrpp.codegen.host.ops import convert, floating, integer
from openrpp.codegen.host.ops.lanes import Lanes
from openrpp.kir.ir import Instr

Emit = Callable[[Lanes, Instr, Sequence[str]], str]

ELEMENTWISE: Final[Mapping[str, Emit]] = {**integer.TABLE, **floating.TABLE, **convert.TABLE}
"""Op name -> function that emits it for operands given as text."""

__all__ = ["ELEMENTWISE", "Emit", "Lanes"]
