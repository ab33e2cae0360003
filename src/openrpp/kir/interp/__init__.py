"""The scalar interpreter: the meaning of kernel IR, one thread at a time."""

from __future__ import annotations

from openrpp.kir.interp.launch import Order, Result, launch
from openrpp.kir.interp.memory import Memory
from openrpp.kir.interp.state import Access

__all__ = ["Access", "Memory", "Order", "Result", "launch"]
