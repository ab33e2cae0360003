"""Passes over kernels. Each is a function of a kernel and its module that says whether it changed something."""

from __future__ import annotations

from openrpp.kir.passes.cleanup import eliminate_dead_code
from openrpp.kir.passes.copying import clone_kernel
from openrpp.kir.passes.edges import split_critical_edges
from openrpp.kir.passes.fold import fold_constants
from openrpp.kir.passes.manager import Pass, PassManager
from openrpp.kir.passes.merging import merge_blocks
from openrpp.kir.passes.ordering import order_for_pressure
from openrpp.kir.passes.simplify import simplify_cfg
from openrpp.kir.passes.switches import lower_switches

__all__ = [
    "Pass",
    "PassManager",
    "clone_kernel",
    "eliminate_dead_code",
    "fold_constants",
    "lower_switches",
    "merge_blocks",
    "order_for_pressure",
    "simplify_cfg",
    "split_critical_edges",
]
