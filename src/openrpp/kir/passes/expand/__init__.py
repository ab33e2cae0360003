"""Expansion: ops that a 32-bit lane machine lacks, written with ops that it has."""

from __future__ import annotations

from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.expander import Expand
from openrpp.kir.passes.expand.legal import is_legal, is_legal_with_full_warps
from openrpp.kir.passes.expand.rules import RULES
from openrpp.kir.passes.expand.table import Key, Rule, Table, key_of

__all__ = ["RULES", "Emit", "Expand", "Key", "Rule", "Table", "is_legal", "is_legal_with_full_warps", "key_of"]
