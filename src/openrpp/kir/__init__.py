"""The kernel IR: typed SSA over all threads of a block, with its op table, verifier, text form and interpreter."""

from __future__ import annotations

from openrpp.kir.build import Builder
from openrpp.kir.errors import KirError, ParseError, TypeMismatch, VerifyError
from openrpp.kir.ir import (
    Block,
    BlockParam,
    Constant,
    Edge,
    Exit,
    Global,
    Instr,
    Kernel,
    Local,
    Module,
    Parameter,
    Terminator,
    Value,
    constant,
)
from openrpp.kir.location import Location
from openrpp.kir.parser import parse_kernel, parse_module
from openrpp.kir.printer import print_kernel, print_module
from openrpp.kir.verify import verify_kernel, verify_module

__all__ = [
    "Block",
    "BlockParam",
    "Builder",
    "Constant",
    "Edge",
    "Exit",
    "Global",
    "Instr",
    "Kernel",
    "KirError",
    "Local",
    "Location",
    "Module",
    "Parameter",
    "ParseError",
    "Terminator",
    "TypeMismatch",
    "Value",
    "VerifyError",
    "constant",
    "parse_kernel",
    "parse_module",
    "print_kernel",
    "print_module",
    "verify_kernel",
    "verify_module",
]
