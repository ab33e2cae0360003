"""Tokens: slabs of height 1 without a border, a row of channels each. Checks that families for tokens share."""

from __future__ import annotations

from openrpp.kernels.slabs import Slabs


def check_tokens(*tensors: Slabs) -> None:
    """Raises ValueError for a tensor that is not tokens beginning at a slab."""
    for tensor in tensors:
        if tensor.height != 1 or tensor.border or tensor.first:
            raise ValueError(
                f"tokens are slabs of height 1 without border from a slab's first channel on, "
                f"not height {tensor.height}, border {tensor.border}, channel {tensor.first}"
            )


def same_shape(x: Slabs, *others: Slabs) -> None:
    """Raises ValueError for tensors of different extents or element types."""
    for other in others:
        if (x.channels, x.height, x.width, x.element) != (other.channels, other.height, other.width, other.element):
            raise ValueError(f"{_shape(x)} and {_shape(other)} differ")


def _shape(x: Slabs) -> str:
    return f"{x.element}[{x.channels}][{x.height}][{x.width}]"
