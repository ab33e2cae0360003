"""The parameter area of a program: where arguments, addresses of variables and the geometry of a launch lie."""

from __future__ import annotations

from openrpp.codegen.card.lowering import Places
from openrpp.codegen.card.published.votes import AREA_TAIL
from openrpp.kir.ir import Kernel, Module, Parameter
from openrpp.kir.layout import private_layout, shared_layout, symbols
from openrpp.kir.types import Space


def placed(
    module: Module, kernel: Kernel, direct_words: int, near: bool = False
) -> tuple[Places, tuple[str, ...], int]:
    """(places, variables whose addresses are passed, bytes of the area).

    The first words of the area are words of parameter memory too, which the sequencer reads. Where not all have room
    there, the geometry and the addresses that accesses count from come first. With `near`, every pointer leads to SRAM,
    and there are no such addresses.
    """
    device = tuple(name for name in symbols(kernel) if module.globals[name].space is not Space.SHARED)
    pointers = 0 if near else sum(map(_is_root, kernel.params)) + len(device)
    offsets, end = _arguments(kernel, 0)
    if end + 8 * (len(device) + pointers) + AREA_TAIL <= 4 * direct_words:
        known = {name: end + 8 * index for index, name in enumerate(device)}
        first = end + 8 * len(device)
        geometry = first + 8 * pointers
        size = geometry + AREA_TAIL
    else:
        geometry, first = 0, AREA_TAIL
        offsets, end = _arguments(kernel, first + 8 * pointers)
        known = {name: end + 8 * index for index, name in enumerate(device)}
        size = end + 8 * len(device)
    roots = [offset for offset, param in zip(offsets, kernel.params, strict=True) if _is_root(param)]
    biased = {offset: first + 8 * index for index, offset in enumerate((*roots, *known.values())) if not near}
    shared, private = shared_layout(module, kernel), private_layout(kernel)
    made = Places(
        dict(shared.offsets),
        dict(private.offsets),
        tuple(offsets),
        known,
        geometry,
        -(-private.size // 16) * 16,
        -(-shared.size // 16) * 16,
        any(module.globals[name].dynamic for name in symbols(kernel)),
        biased=biased,
    )
    return made, device, size


def _is_root(param: Parameter) -> bool:
    return param.type.is_pointer and not param.is_by_value


def _slot(parameter: Parameter) -> tuple[int, int]:
    """Bytes and alignment of an argument: a word or two."""
    size = 4 if parameter.type.bytes <= 4 else 8
    return size, size


def _arguments(kernel: Kernel, start: int) -> tuple[list[int], int]:
    """Offsets of the arguments, and where they end."""
    offsets: list[int] = []
    end = start
    for parameter in kernel.params:
        size, align = (parameter.size, max(parameter.align, 8)) if parameter.is_by_value else _slot(parameter)
        offsets.append(-(-end // align) * align)
        end = offsets[-1] + size
    return offsets, -(-end // 8) * 8
