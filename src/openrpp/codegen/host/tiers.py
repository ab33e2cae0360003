"""Host tiers: sets of CPU features that code is generated for. All give the same bits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """A host tier. `lanes` is the group size that suits its registers: so many, of so many floats each.

    `tiles` says how dots of bf16 values are done together: on tiles, "amx" or "emulated"; by "pairs", with VDPBF16PS;
    or "", one by one.
    """

    name: str
    triple: str
    cpu: str
    features: str
    lanes: int
    fma: bool
    half: bool
    registers: int
    floats: int
    tiles: str = ""


_X86 = "x86_64-unknown-linux-gnu"
_AVX2 = "+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+movbe"
_AVX512 = _AVX2 + ",+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
_AMX = _AVX512 + ",+amx-tile,+amx-bf16"

TIERS = {
    tier.name: tier
    for tier in (
        Tier("amx", _X86, "x86-64-v4", _AMX, 64, True, True, 32, 16, "amx"),
        Tier("avx512-bf16", _X86, "x86-64-v4", _AVX512 + ",+avx512bf16", 64, True, True, 32, 16, "pairs"),
        Tier("avx512", _X86, "x86-64-v4", _AVX512, 64, True, True, 32, 16),
        Tier("avx2", _X86, "x86-64-v3", _AVX2, 32, True, True, 16, 8),
        # For tests, on hosts without AMX.
        Tier("amx-emulated", _X86, "x86-64-v3", _AVX2, 32, True, True, 16, 8, "emulated"),
        Tier("sse", _X86, "x86-64", "", 32, False, False, 16, 4),
        Tier("neon", "aarch64-unknown-linux-gnu", "generic", "+neon", 32, True, True, 32, 4),
    )
}
"""Name -> tier."""


def choose(features: frozenset[str], machine: str) -> Tier:
    """The best tier of a host with the given CPU features."""
    if machine in ("aarch64", "arm64"):
        return TIERS["neon"]
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl", "amx-tile", "amx-bf16"} <= features:
        return TIERS["amx"]
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512bf16"} <= features:
        return TIERS["avx512-bf16"]
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= features:
        return TIERS["avx512"]
    if {"avx2", "fma", "f16c"} <= features:
        return TIERS["avx2"]
    return TIERS["sse"]
