"""Helpers: modules from text, values and blocks by name."""

from __future__ import annotations

from openrpp.kir import Block, Instr, Kernel, Module, Value, parse_module, verify_module


def module_of(text: str) -> Module:
    """A verified module; the line `module` may be left out."""
    made = parse_module(text if text.lstrip().startswith("module") else f'module "test"\n{text}')
    verify_module(made)
    return made


def kernel_of(text: str) -> Kernel:
    """The only kernel of a text."""
    (kernel,) = module_of(text).kernels.values()
    return kernel


def block(kernel: Kernel, name: str) -> Block:
    return next(item for item in kernel.blocks if item.name == name)


def value(kernel: Kernel, name: str) -> Value:
    values = [*kernel.params, *(v for b in kernel.blocks for v in (*b.params, *b.body))]
    return next(item for item in values if item.name == name)


def instr(kernel: Kernel, name: str) -> Instr:
    found = value(kernel, name)
    assert isinstance(found, Instr)
    return found


def accesses(kernel: Kernel) -> list[Instr]:
    return [item for item in kernel.instructions() if item.op.name in ("load", "store")]
