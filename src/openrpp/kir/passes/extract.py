"""One kernel of a module with what it needs, so that it can be kept and read by itself."""

from __future__ import annotations

from openrpp.kir.ir import Module
from openrpp.kir.layout import symbols


def extracted(module: Module, name: str) -> Module:
    """A module with a kernel and the variables that it reaches, those behind addresses in other variables too."""
    kernel = module.kernels[name]
    made = Module(module.name)
    waiting, needed = symbols(kernel), set[str]()
    while waiting:
        symbol = waiting.pop()
        if symbol not in needed:
            needed.add(symbol)
            waiting += [target for _, target, _ in module.globals[symbol].relocations]
    for variable in module.globals.values():
        if variable.name in needed:
            made.add_global(variable)
    made.add_kernel(kernel)
    return made
