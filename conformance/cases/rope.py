"""Rotary embedding of halves: with c, s from the tables, (x0, x1) becomes (x0*c - x1*s, x1*c + x0*s).

Each result is a bfloat16 product and a bfloat16 fused multiply-add: two roundings, to nearest even.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from conformance.case import Bench, Check, bf16, case
from conformance.cases.common import Words
from conformance.cases.quant import bf16_fma, bf16_mul, random_bf16

ROPE = "rpp_rope/kernel"
MOST_TOKENS = 64  # per block
SIGN = np.uint16(0x8000)


def _tables(tokens: int, width: int) -> tuple[Words, Words]:
    """Cosines and sines `[tokens, width]`, the angles repeated in both halves (ggml_cpu_rope_sincos_f32)."""
    half = width // 2
    angles = np.arange(tokens)[:, None] * 10000.0 ** (-np.arange(half) / half)
    return bf16(np.tile(np.cos(angles), 2).astype(np.float32)), bf16(np.tile(np.sin(angles), 2).astype(np.float32))


def rotated(x: Words, cos: Words, sin: Words, half: int) -> Words:
    """`[tokens, heads, width]`; elements from 2*half on pass unchanged."""
    x0, x1 = x[..., :half], x[..., half : 2 * half]
    c, s = cos[:, None, :half], sin[:, None, :half]
    y0 = bf16_fma(x1 ^ SIGN, s, bf16_mul(x0, c))
    y1 = bf16_fma(x1, c, bf16_mul(x0, s))
    return np.concatenate([y0, y1, x[..., 2 * half :]], axis=-1)


def _rope(bench: Bench, tokens: int, heads: int, width: int, rotary: int) -> Iterator[Check]:
    """In place, a block per 64 tokens and head (rpp_rope_build, mode 2, bfloat16 in and out)."""
    x = random_bf16(bench.rng, (tokens, heads, width))
    cos, sin = _tables(tokens, width)
    address = bench.put(x)
    tokens_per_block = min(tokens, MOST_TOKENS)
    pitch = heads * width
    params = [address, bench.put(cos), bench.put(sin), address, pitch, width, pitch]
    params += [tokens_per_block * pitch * 2, width * 2, tokens_per_block * width * 2]
    params += [tokens_per_block * pitch * 2, width * 2]
    bench.launch((1, tokens // tokens_per_block, heads), (rotary // 2, tokens_per_block, 1), params)
    got = bench.read(address, x.size, np.uint16)
    yield Check(f"{tokens} tokens, {rotary} of {width}", got, rotated(x, cos, sin, rotary // 2).ravel())


@case("llama3_loop1_pat0_fuse", ROPE)
def whole_width(bench: Bench) -> Iterable[Check]:
    """All of a head's 128 elements rotate: 128 tokens in two blocks, and 3 tokens."""
    yield from _rope(bench, 128, 4, 128, 128)
    yield from _rope(bench, 3, 5, 128, 128)


@case("rope_mode2_align_fuse", ROPE)
def aligned_part(bench: Bench) -> Iterable[Check]:
    """128 of 192 elements rotate: 64 pairs are whole warps."""
    yield from _rope(bench, 128, 3, 192, 128)
    yield from _rope(bench, 5, 2, 192, 128)


@case("rope_mode2_gen_fuse", ROPE)
def other_part(bench: Bench) -> Iterable[Check]:
    """96 of 128 elements rotate: 48 pairs need an address per lane."""
    yield from _rope(bench, 128, 3, 128, 96)
    yield from _rope(bench, 7, 2, 128, 96)
