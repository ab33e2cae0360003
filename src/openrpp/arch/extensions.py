"""Names of the groups of instructions that the published machine lacks and `ae7100x` adds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "ddr": "loads and stores that reach DDR through the bank caches",
        "wide": "memory accesses of 8, 32 and 64 bits",
        "vote": "any, all and ballot of a predicate over the block, into scalar registers",
        "shuffle": "exchange of values between the lanes of a warp",
        "atomic": "atomic read-modify-write in memory",
        "int64": "64-bit integer and float values",
        "math": "exp2, log2, rsqrt and reciprocal units",
        "fma32": "float32 fused multiply-add",
        "dot8": "int8 dot product of 16 terms at the memory port",
    }
)
"""Group name to one-line meaning. A program lists the groups that it uses; a card, those that it has."""
