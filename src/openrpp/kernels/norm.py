"""RMSNorm and LayerNorm of tokens: sums in float32, in an order that depends on the channels only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from openrpp.kernels.launch import Argument, At, Launch, Region
from openrpp.kernels.slabs import SLAB, Slabs
from openrpp.kernels.tokens import Split, check_tokens, same_shape, split


def rms_norm(x: Slabs, y: Slabs, weight: Region, eps: float, node: str = "") -> list[Launch]:
    """y = x / sqrt(mean(x^2) + eps) * weight, for every token (ONNX RMSNormalization over the last axis).

    `weight` is float32 in SRAM, packed by `scales`. y is not x; it may be bfloat16 where x is float32.

    Raises ValueError for tensors that are not tokens of the same shape.
    """
    mixed = (x.element, y.element) == ("f32", "bf16")
    split = _split(x, replace(y, element=x.element) if mixed else y)
    arguments = (x.start, y.start, At(weight), split.per, x.plane, x.width, 1.0 / x.channels, eps)
    return [_launch("rms", x, y, split, arguments, (weight,), node)]


def layer_norm(x: Slabs, y: Slabs, weight: Region, bias: Region, eps: float, node: str = "") -> list[Launch]:
    """y = (x - mean) / sqrt(variance + eps) * weight + bias, for every token (ONNX LayerNormalization, last axis).

    `weight` and `bias` are float32 in SRAM, packed by `scales`. y is not x.

    Raises ValueError for tensors that are not tokens of the same shape.
    """
    split = _split(x, y)
    sizes = (split.per, x.plane, x.width, x.channels)
    arguments = (x.start, y.start, At(weight), At(bias), *sizes, 1.0 / x.channels, eps)
    return [_launch("layer", x, y, split, arguments, (weight, bias), node)]


def scales(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """A weight or bias per channel as the kernels take it: float32, zeros up to a full slab."""
    packed = np.zeros(-(-values.size // SLAB) * SLAB, np.float32)
    packed[: values.size] = values.reshape(-1)
    return packed


def _split(x: Slabs, y: Slabs) -> Split:
    check_tokens(x, y)
    same_shape(x, y)
    if (x.region, x.offset) == (y.region, y.offset):
        raise ValueError("a norm does not work in place")
    return split(x)


def _launch(
    name: str, x: Slabs, y: Slabs, split: Split, arguments: tuple[Argument, ...], more: tuple[Region, ...], node: str
) -> Launch:
    return Launch(
        f"norm/{name}_{x.element if x.element == y.element else f'{x.element}_{y.element}'}",
        grid=(-(-x.width // split.rows), 1, 1),
        block=(SLAB, split.rows, split.groups),
        arguments=arguments,
        reads=(x.region, *more),
        writes=(y.region,),
        shared_bytes=4 * SLAB * split.rows * (split.groups + 1),
        node=node,
    )
