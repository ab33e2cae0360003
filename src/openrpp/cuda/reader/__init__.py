"""LLVM IR of device code to kernel IR."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from openrpp.cuda import llvm
from openrpp.cuda.compile import DeviceCode
from openrpp.cuda.errors import CudaError, UnsupportedError
from openrpp.cuda.reader import types
from openrpp.cuda.reader.debug import DebugInfo
from openrpp.cuda.reader.initial import content
from openrpp.cuda.reader.kernel import read_kernel
from openrpp.cuda.reader.lexer import BadText
from openrpp.cuda.reader.parser import parse_module
from openrpp.cuda.reader.spaces import variable_space
from openrpp.cuda.reader.syntax import LlvmModule, Variable
from openrpp.kir import Global, Module, verify_module
from openrpp.kir.passes import PassManager, eliminate_dead_code, fold_constants, simplify_cfg
from openrpp.kir.types import Space


@dataclass(frozen=True)
class DeviceModule:
    """Kernels in kernel IR.

    `names` maps what a kernel or variable is called in the source to its symbols: one, or the instances of a template.
    `refused` holds the kernels that have no kernel IR.
    """

    module: Module
    names: Mapping[str, tuple[str, ...]]
    refused: Mapping[str, UnsupportedError] = field(default_factory=dict[str, UnsupportedError])


def read(code: DeviceCode, *, strict: bool = True) -> DeviceModule:
    """All kernels of compiled device code, verified.

    Raises UnsupportedError at the first kernel that has no kernel IR; with `strict=False` such kernels are left out
    and listed in `refused`.
    """
    try:
        parsed = parse_module(llvm.inlined(code.ir))
    except BadText as error:
        raise CudaError(f"{code.name}: {error}") from error
    symbols = _symbols(parsed)
    debug = DebugInfo(parsed.metadata)
    module = Module(code.name)
    refused: dict[str, UnsupportedError] = {}
    names: dict[str, list[str]] = {}
    _add_variables(module, parsed, symbols)
    for function in parsed.functions.values():
        if not function.is_kernel:
            continue
        source = debug.subprogram(function.location)[0] or function.name
        names.setdefault(source, []).append(function.name)
        try:
            module.add_kernel(read_kernel(parsed, function, debug, symbols))
        except UnsupportedError as error:
            if strict:
                raise
            refused[function.name] = error
    _drop_unused(module, {symbols[name] for name, variable in parsed.variables.items() if variable.hidden})
    verify_module(module, after="read")
    PassManager([fold_constants, simplify_cfg, eliminate_dead_code]).run(module)
    return DeviceModule(module, {name: tuple(found) for name, found in names.items()}, refused)


def _symbols(parsed: LlvmModule) -> dict[str, str]:
    """Names that kernel IR can print, all different."""
    found: dict[str, str] = {}
    for name in parsed.variables:
        plain = re.sub(r"[^A-Za-z0-9_.$]", "_", name).lstrip(".") or "v"
        while plain in found.values():
            plain += "_"
        found[name] = plain
    return found


def _add_variables(module: Module, parsed: LlvmModule, symbols: Mapping[str, str]) -> None:
    for _name, variable in parsed.variables.items():
        made = _variable(parsed, variable, symbols)
        if made is not None:
            module.add_global(made)


def _variable(parsed: LlvmModule, variable: Variable, symbols: Mapping[str, str]) -> Global | None:
    space = variable_space(variable)
    align = variable.align or types.align(variable.type)
    name = symbols[variable.name]
    if space is Space.SHARED:
        dynamic = variable.initial is None or types.size(variable.type) == 0
        return Global(name, space, 0 if dynamic else types.size(variable.type), align, dynamic=dynamic)
    if variable.initial is None:
        return None
    try:
        found = content(variable.initial, parsed.variables)
    except BadText as error:
        raise UnsupportedError(variable.name, f"its initial value has no kernel IR: {error}") from error
    relocations = tuple((offset, symbols[symbol], addend) for offset, symbol, addend in found.relocations)
    return Global(name, space, len(found.data), align, None if found.is_zero else bytes(found.data), relocations)


def _drop_unused(module: Module, hidden: set[str]) -> None:
    """Remove literals, tables and shared variables that no kernel mentions; what the host may name stays."""
    used = {str(instr.attr("symbol")) for kernel in module.kernels.values() for instr in kernel.instructions()}
    wanted = list(used)
    while wanted:
        variable = module.globals.get(wanted.pop())
        for _, symbol, _ in variable.relocations if variable else ():
            if symbol not in used:
                used.add(symbol)
                wanted.append(symbol)
    for name in list(module.globals):
        if name not in used and (name in hidden or module.globals[name].space is Space.SHARED):
            del module.globals[name]


__all__ = ["DeviceModule", "read"]
