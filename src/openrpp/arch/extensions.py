"""Names of the groups of instructions that the published machine lacks and `ae7100x` adds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "wide": "memory accesses of 8 and 32 bits",
        "ddr": "loads and stores that reach DDR through the bank caches",
        "logic": "exclusive or, complement and arithmetic shift in sequencer and array; selection of a scalar",
        "compare": "comparisons by every relation and type",
        "convert": "conversions between all integer and float types, and float32 to bf16 to nearest even",
        "fma32": "float32 fused multiply-add",
        "math": "reciprocal, roots, quotient, exp2 and log2 units",
        "double": "64-bit floats: arithmetic, comparisons and conversions, one 32-bit word of a result per column",
        "int8": "int8 dot product of 16 terms at the memory port",
        "vote": "any, all, count and ballot of a predicate over the block or warp",
        "shuffle": "exchange of values between the lanes of a warp",
        "atomic": "atomic read-modify-write in memory",
        "far": "jumps beyond the first 65,536 words of a program",
        "registers": "four more register pairs per lane, IIJ, IKL, IMN and IOP",
    }
)
"""Group name to one-line meaning. A program lists the groups that it uses; a card, those that it has."""
