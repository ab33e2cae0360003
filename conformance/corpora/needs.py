"""What a kernel keeps live per thread, in the variants of notes on the register need of CUDA kernels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from openrpp.kir import Kernel, KirError, Module
from openrpp.kir.analysis.affine import Affine
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.pressure import BASE, MACHINE, Model, Pressure, pressure
from openrpp.kir.analysis.ranges import CARD_GRID, Facts
from openrpp.kir.ir import Constant, Value
from openrpp.kir.passes import clone_kernel, merge_blocks, order_for_pressure

MERGED: Final = 8
"""Blocks that share one of the card in the merged variants: any number above one gives the same classes."""

Needs = dict[str, float]
VARIANTS: Final = {
    "base": "base",
    "kept": "affine values not rematerialised",
    "merged": "blocks merged",
    "machine": "machine model",
}
"""Variant -> how tables call it. `machine`: merged, results wait once, masks, uniform loads kept per lane."""


def needs(kernel: Kernel, module: Module) -> Needs:
    """The most that is live at any point, for each variant, and `median`: over the points of the base variant.

    Instructions stand as the source has them or in the order of demand, whichever needs less.
    """
    ordered = clone_kernel(kernel)
    order_for_pressure(ordered, module)
    merged = [clone_kernel(item) for item in (kernel, ordered)]
    for item in merged:
        try:
            merge_blocks(MERGED)(item, module)
        except KirError:  # a grid barrier: its blocks are never merged
            item.merge = 1
    flat = [_affine(item) for item in (kernel, ordered)]
    wide = [_affine(item) for item in merged]
    base = _least(flat, BASE)
    return {
        "base": base.most,
        "kept": _least(flat, Model(rematerialised=False)).most,
        "merged": _least(wide, BASE).most,
        "machine": _least(wide, MACHINE).most,
        "median": base.median,
    }


def _affine(kernel: Kernel) -> Affine:
    return Affine(Cfg(kernel), facts=Facts(indices_fit=True, most_blocks=CARD_GRID))


def _least(forms: list[Affine], model: Model) -> Pressure:
    return min((pressure(affine, model) for affine in forms), key=lambda found: (found.most, found.median))


def fingerprint(kernel: Kernel) -> str:
    """Equal for kernels with equal bodies, whatever they and their values are called."""
    state = hashlib.blake2b(digest_size=16)
    for line in _lines(kernel):
        state.update(line.encode())
    return state.hexdigest()


def _lines(kernel: Kernel) -> Iterator[str]:
    numbers: dict[Value, int] = {}

    def shown(value: Value) -> str:
        if isinstance(value, Constant):
            return f"{value.bits}:{value.type}"
        return f"%{numbers.setdefault(value, len(numbers))}"

    blocks = {block: place for place, block in enumerate(kernel.blocks)}
    yield " ".join(f"{shown(param)}:{param.type}:{param.size}" for param in kernel.params)
    for block in kernel.blocks:
        yield f"^{blocks[block]} " + " ".join(f"{shown(param)}:{param.type}" for param in block.params)
        for instr in block.body:
            attrs = sorted((key, str(value)) for key, value in instr.attrs.items())
            yield f"{shown(instr)} {instr.op.name} {instr.type} {attrs} {' '.join(map(shown, instr.operands))}"
        end = block.terminator
        edges = [(blocks[edge.target], [shown(value) for value in edge.args]) for edge in end.edges]
        yield f"{end.kind} {end.cases} {shown(end.value) if end.value else ''} {edges}"
