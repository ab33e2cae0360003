"""Tokens: slabs of height 1 without a border, a row of channels each. Checks that families for tokens share."""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.kernels.slabs import Slabs

_WARPS = 255


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


@dataclass(frozen=True)
class Split:
    """How rows are reduced: `groups` threads per lane take `per` slabs of a row each; a block has `rows` rows."""

    groups: int
    per: int
    rows: int


def split(x: Slabs) -> Split:
    """The split of a tensor of tokens; a row's share of it depends on the channels only."""
    groups = min(_divisors(x.slabs), key=lambda groups: x.slabs // groups + groups)
    blocks = -(-x.width // min(_WARPS // groups, x.width))
    return Split(groups, x.slabs // groups, -(-x.width // blocks))


def _divisors(slabs: int) -> list[int]:
    return [groups for groups in range(1, min(slabs, _WARPS) + 1) if slabs % groups == 0]
