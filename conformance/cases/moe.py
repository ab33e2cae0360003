"""Mixture of experts: gathering tokens, merging expert outputs, counters in FRAM, and the top-k images.

A token chooses SLOTS experts. The host sorts the (token, slot) pairs by expert and tells the kernels through two FRAM
words how many pairs belong to the present expert and where they begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conformance.case import Array, Bench, Check, case, f32, truncated
from conformance.cases.dma import BANK, BLOCK, FRAM, GRID, fram_words, poke, split
from conformance.cases.quant import Floats, Words, bf16_add, bf16_mul, random_bf16

EXPERTS = "rpp_expert_forward/kernel"
COMBINE = "rpp_expert_forward/kernel_vxm/kernel_topk_combine"
ROUTING = "rpp_expert_routing/kernel"
LAYERS = "rpp_flash_attn_ext/kernel_vxm"
SLOTS = 8
COUNT_WORD, OFFSET_WORD, EXPERT_WORD = 6, 7, 10
LOWEST = 0xFF80  # minus infinity in bfloat16: padding, and the mark of what has been chosen


# --- tokens and experts -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """(token, slot) pairs sorted by expert; expert e owns `counts[e]` of them from `offsets[e]` on."""

    tokens: Words
    slots: Words
    counts: NDArray[np.uint32]
    offsets: NDArray[np.uint32]

    def chosen(self) -> Iterator[tuple[int, slice]]:
        """(number of pairs, their place) of every expert that a token chose."""
        for count, offset in zip(self.counts.tolist(), self.offsets.tolist(), strict=True):
            if count:
                yield count, slice(offset, offset + count)


def random_pairs(bench: Bench, tokens: int, experts: int) -> Pairs:
    choice = np.stack([bench.rng.permutation(experts)[:SLOTS] for _ in range(tokens)])
    order = np.argsort(choice.ravel(), kind="stable")
    counts = np.bincount(choice.ravel(), minlength=experts).astype(np.uint32)
    offsets = (np.cumsum(counts) - counts).astype(np.uint32)
    return Pairs((order // SLOTS).astype(np.uint16), (order % SLOTS).astype(np.uint16), counts, offsets)


@case("gather_expert_tokens", EXPERTS)
def gather_tokens(bench: Bench) -> Iterable[Check]:
    """dense[i] = sparse[token of pair i], one launch per expert. Host: launch_gather_expert_tokens."""
    width, tokens = 1536, 24
    pairs, source = random_pairs(bench, tokens, 16), random_bf16(bench.rng, (tokens, width))
    dense, ids, source_at = bench.sram(2 * width * tokens), bench.put(pairs.tokens), bench.put(source)
    for count, place in pairs.chosen():
        poke(bench, COUNT_WORD, count)
        poke(bench, OFFSET_WORD, place.start)
        bench.launch(GRID, (width, 1, 1), [source_at, dense, ids, 2 * width])
        want = source[pairs.tokens[place]].ravel()
        yield Check(f"{count} pairs at {place.start}", bench.read(dense, count * width, np.uint16), want)


@case("moe_topk_combine_dyn", EXPERTS)
def combine(bench: Bench) -> Iterable[Check]:
    """out[token] += weight[token][slot] * dense[i], both rounded to bfloat16. Host: launch_moe_topk_combine_dyn."""
    width, tokens = 1536, 12
    pairs, weight = random_pairs(bench, tokens, 16), random_bf16(bench.rng, (tokens, SLOTS))
    want: Words = np.zeros((tokens, width), np.uint16)
    out, dense = bench.put(want), bench.sram(2 * width * tokens)
    weight_at, slots_at, tokens_at = bench.put(weight), bench.put(pairs.slots), bench.put(pairs.tokens)
    for count, place in pairs.chosen():
        value = random_bf16(bench.rng, (count, width))
        bench.device.write(dense, value)
        poke(bench, COUNT_WORD, count)
        poke(bench, OFFSET_WORD, place.start)
        params = [dense, weight_at, slots_at, tokens_at, out, 2 * width, SLOTS, 2 * width]
        bench.launch(GRID, (width, 1, 1), params)
        token, slot = pairs.tokens[place], pairs.slots[place]
        want[token] = bf16_add(want[token], bf16_mul(value, weight[token, slot][:, None]))
    yield Check("merged", bench.read(out, want.size, np.uint16), want.ravel())


def weighted_sum_check(bench: Bench, weight: Words | Floats, factor: Floats) -> Check:
    width = 2048
    value = random_bf16(bench.rng, (factor.size, width))
    out = bench.put(bench.rng.integers(0, 1 << 16, width, dtype=np.uint16))
    bench.launch(GRID, (width, 1, 1), [bench.put(value), bench.put(weight), 2 * width, out, factor.size])
    total: Array = np.zeros(width, np.float32)
    for row, scale in zip(f32(value), factor, strict=True):
        total = row * scale + total
    return Check(f"{factor.size} rows", bench.read(out, width, np.uint16), truncated(total))


@case("moe_topk_comb_fp16", COMBINE)
def weighted_sum_bf16(bench: Bench) -> Iterable[Check]:
    """Sum of weight[k] * x[k] in float32, truncated. Host: ggml_rpp_launch_moe_topk_combine_slot_major."""
    for count in (SLOTS, 2):
        weight = random_bf16(bench.rng, (count,))
        yield weighted_sum_check(bench, weight, f32(weight))


@case("moe_topk_comb_fp32", COMBINE)
def weighted_sum_f32(bench: Bench) -> Iterable[Check]:
    """The same with float32 weights. Host: ggml_rpp_launch_moe_topk_combine_slot_major."""
    for count in (SLOTS, 2):
        weight = bench.rng.standard_normal(count).astype(np.float32)
        yield weighted_sum_check(bench, weight, weight)


# --- counters in FRAM -------------------------------------------------------------------------------------------------


def counter(bench: Bench, word: int) -> NDArray[np.int64]:
    """A run-time word in the bank that the last launch used."""
    return np.array([bench.device.fram_read(0x800 + 4 * word, 4)])


def in_banks(bench: Bench, word: int) -> list[int]:
    """A run-time word as it stands in each bank."""
    return [int(bench.read(FRAM + BANK * bank + 0x800 + 4 * word, 1, np.uint32)[0]) for bank in range(2)]


@case("init_expert_id", EXPERTS)
def first_expert(bench: Bench) -> Iterable[Check]:
    """FRAM word 10 = the parameter. Host: launch_init_expert_id, twice in a row, once for each bank."""
    for value in (0, 0, 0x0012_3456, 0x0012_3456):
        poke(bench, EXPERT_WORD, 0xDEAD_BEEF)
        bench.launch(GRID, BLOCK, [value])
        yield Check(f"start {value}", counter(bench, EXPERT_WORD), np.array([value]))


@case("update_next_expert_id", EXPERTS)
def next_expert(bench: Bench) -> Iterable[Check]:
    """FRAM word 10 += the parameter. Host: launch_update_next_expert_id, twice in a row, once for each bank."""
    for start, step in ((5, 1), (5, 1), (0xFFFF, 3), (0xFFFF, 3)):
        poke(bench, EXPERT_WORD, start)
        bench.launch(GRID, BLOCK, [step])
        yield Check(f"{start} + {step}", counter(bench, EXPERT_WORD), np.array([start + step]))


@case("dma_expert_params_to_fram", EXPERTS)
def expert_to_fram(bench: Bench) -> Iterable[Check]:
    """Count and offset of expert FRAM[10], from DDR to FRAM words 6 and 7. Host: launch_dma_expert_params_to_fram."""
    pairs = random_pairs(bench, 40, 16)
    tables = split(bench.put_ddr(pairs.counts), bench.put_ddr(pairs.offsets))
    count0, count1, high = fram_words(COUNT_WORD)
    offset0, offset1, _ = fram_words(OFFSET_WORD)
    for expert in (0, 11, 15):
        poke(bench, EXPERT_WORD, expert)
        for word in (COUNT_WORD, OFFSET_WORD):
            poke(bench, word, 0xDEAD)
        bench.launch(GRID, BLOCK, [*tables, count0, count1, offset0, offset1, high])
        for word, table in ((COUNT_WORD, pairs.counts), (OFFSET_WORD, pairs.offsets)):
            want = np.array([table[expert]] * 2, np.int64)
            yield Check(f"expert {expert}, word {word}", np.array(in_banks(bench, word)), want)


@case(
    "update_next_layer_id",
    LAYERS,
    geometry="reduced",
    sources=("image",),
    note="no host code calls it",
)
def next_layer(bench: Bench) -> Iterable[Check]:
    """FRAM word 9 += the parameter, back to 0 when it reaches word 8 times the parameter."""
    for layers, now, step in ((32, 5, 1), (32, 31, 1), (4, 3 * 4096, 4096), (4, 2 * 4096, 4096)):
        poke(bench, 8, layers)
        poke(bench, 9, now)
        bench.launch(GRID, BLOCK, [step])
        after = now + step if now + step < layers * step else 0
        yield Check(f"{layers} layers, {now} + {step}", counter(bench, 9), np.array([after]))


# --- top-k ------------------------------------------------------------------------------------------------------------


def padded_row(experts: int) -> int:
    """Row length that halves down to 32 (host: CalcTopKInputRoundLen)."""
    if experts >= 4096:
        return -(-experts // 4096) * 4096
    row = -(-experts // 64) * 64
    return 1 << (row - 1).bit_length()


@dataclass(frozen=True)
class Part:
    """One launch of a top-k kernel: `grid` blocks of `rows` tokens from token `first` on."""

    first: int
    rows: int
    grid: int
    tail: bool

    @property
    def stride_rows(self) -> int:
        """Rows between blocks; the host passes 0 to the single block of a tail."""
        return 0 if self.tail else self.rows


def parts(tokens: int, row: int) -> tuple[list[Part], int, int]:
    """Launches, block x and steps along a row (host: config_topk_2d_block)."""
    if row >= 4096:
        return [Part(0, 1, tokens, False)], 4096, row // 4096
    rows = min(-(-4096 // row), tokens)
    count, rest = divmod(tokens, rows)
    launches = [Part(0, rows, count, False)]
    if rest:
        launches.append(Part(rows * count, rest, 1, True))
    return launches, row, 1


def score_rows(bench: Bench, tokens: int, row: int) -> Words:
    """bfloat16 scores with ties, some of them already marked as chosen."""
    values = bench.rng.choice(random_bf16(bench.rng, (97,)), (tokens, row))
    values[bench.rng.random((tokens, row)) < 0.1] = LOWEST
    return values


def index_planes(indices: NDArray[np.int64]) -> tuple[Words, Words]:
    return (indices & 0xFFFF).astype(np.uint16), (indices >> 16).astype(np.uint16)


def blank(bench: Bench, count: int) -> int:
    return bench.put(bench.rng.integers(0, 1 << 16, count, dtype=np.uint16))


def read_block(bench: Bench, address: int, shape: tuple[int, int]) -> Array:
    return bench.read(address, shape[0] * shape[1], np.uint16).reshape(shape)


@case("topk_2d_padding", ROUTING, sources=("image",))
def pad(bench: Bench) -> Iterable[Check]:
    """Rows of scores to longer rows that end in minus infinity. Host: rpp_expert_routing_build."""
    for tokens, experts in ((100, 40), (40, 200), (3, 5000)):
        row = padded_row(experts)
        score = score_rows(bench, tokens, experts)
        at, to = bench.put(score), blank(bench, tokens * row)
        launches, x, steps = parts(tokens, row)
        for part in launches:
            addresses = [at + 2 * experts * part.first, to + 2 * row * part.first]
            strides = [2 * experts * part.stride_rows, 2 * row * part.stride_rows]
            bench.launch((part.grid, 1, 1), (x, part.rows, 1), [*addresses, *strides, experts, steps, LOWEST])
        want = np.full((tokens, row), LOWEST, np.uint16)
        want[:, :experts] = score
        yield Check(f"{tokens}x{experts}", read_block(bench, to, (tokens, row)), want)


@case("topk_2d_init_indices", ROUTING, sources=("image",))
def number_columns(bench: Bench) -> Iterable[Check]:
    """The column number of every score, as planes of low and high halves. Host: rpp_expert_routing_build."""
    for tokens, row in ((100, 64), (5, 256), (2, 69632)):
        low, high = blank(bench, tokens * row), blank(bench, tokens * row)
        launches, x, steps = parts(tokens, row)
        for part in launches:
            addresses = [plane + 2 * row * part.first for plane in (low, high)]
            params = [*addresses, 2 * row * part.stride_rows, steps]
            bench.launch((part.grid, 1, 1), (x, part.rows, 1), params)
        wanted = index_planes(np.broadcast_to(np.arange(row), (tokens, row)))
        for name, plane, want in zip(("low", "high"), (low, high), wanted, strict=True):
            yield Check(f"{name} {tokens}x{row}", read_block(bench, plane, (tokens, row)), want)


def winners(score: Words, indices: NDArray[np.int64]) -> tuple[Words, NDArray[np.int64]]:
    """`[tokens, candidates, columns]` -> the first of the largest and its index, 0 if all are minus infinity."""
    place = np.argmax(f32(score), axis=1)[:, None]
    best = np.take_along_axis(score, place, axis=1)[:, 0]
    index = np.take_along_axis(indices, place, axis=1)[:, 0]
    return best, np.where(best == LOWEST, 0, index)


@dataclass(frozen=True)
class Planes3:
    """Addresses of scores, low and high halves of indices."""

    score: int
    low: int
    high: int

    def after(self, elements: int) -> list[int]:
        return [self.score + 2 * elements, self.low + 2 * elements, self.high + 2 * elements]


def put3(bench: Bench, score: Words, indices: NDArray[np.int64]) -> Planes3:
    low, high = index_planes(indices)
    return Planes3(bench.put(score), bench.put(low), bench.put(high))


def blank3(bench: Bench, count: int) -> Planes3:
    return Planes3(blank(bench, count), blank(bench, count), blank(bench, count))


def interleaved(source: list[int], target: list[int]) -> list[int]:
    return [address for pair in zip(source, target, strict=True) for address in pair]


def winner_checks(bench: Bench, out: Planes3, best: Words, index: NDArray[np.int64], what: str) -> Iterable[Check]:
    low, high = index_planes(index)
    planes = (("score", out.score, best), ("low", out.low, low), ("high", out.high, high))
    for name, address, want in planes:
        yield Check(f"{name} {what}", bench.read(address, want.size, np.uint16), want.ravel())


def random_row(bench: Bench, tokens: int, row: int) -> tuple[Words, NDArray[np.int64]]:
    return score_rows(bench, tokens, row), bench.rng.integers(0, 1 << 18, (tokens, row))


def halve_checks(bench: Bench, tokens: int, row: int) -> Iterable[Check]:
    """One step of the reduction: a row to 4096 columns, or to half its length."""
    target = 4096 if row > 4096 else row // 2
    score, indices = random_row(bench, tokens, row)
    source, out = put3(bench, score, indices), blank3(bench, tokens * target)
    launches, x, _ = parts(tokens, target)
    for part in launches:
        addresses = interleaved(source.after(row * part.first), out.after(target * part.first))
        strides = [2 * row * part.stride_rows, 2 * target * part.stride_rows]
        params = [*addresses, *strides, row, 2 * target, row // target]
        bench.launch((part.grid, 1, 1), (x, 1, part.rows), params)
    best, index = winners(score.reshape(tokens, -1, target), indices.reshape(tokens, -1, target))
    yield from winner_checks(bench, out, best, index, f"{tokens}x{row}")


@case("topk_2d_opt_reduce_max", ROUTING, sources=("image",))
def halve(bench: Bench) -> Iterable[Check]:
    """The largest of the columns that coincide when a row is cut, with its index. Host: rpp_expert_routing_build."""
    for tokens, row in ((100, 128), (33, 4096), (3, 12288)):
        yield from halve_checks(bench, tokens, row)


@case("topk_2d_gen_reduce_max", ROUTING, sources=("image",))
def last_step(bench: Bench) -> Iterable[Check]:
    """The largest score of each short row with its index. Host: rpp_expert_routing_build, target row length 1."""
    for tokens, row in ((50, 32), (5, 32), (1, 64)):
        lanes = max(tokens, 33)  # a block exceeds one warp; its spare lanes work on what lies behind
        score, indices = random_row(bench, lanes, row)
        source, out = put3(bench, score, indices), blank3(bench, lanes)
        params = [*interleaved(source.after(0), out.after(0)), 2 * row * tokens, 2 * tokens, row, row, 2]
        bench.launch(GRID, (1, lanes, 1), params)
        best, index = winners(score[:, :, None], indices[:, :, None])
        yield from winner_checks(bench, out, best[:tokens], index[:tokens], f"{tokens}x{row}")


def record_checks(bench: Bench, tokens: int, experts: int, chosen: int, place: int) -> Iterable[Check]:
    row = padded_row(experts)
    score = score_rows(bench, tokens, row)
    best, index = random_bf16(bench.rng, (tokens,)), bench.rng.integers(0, experts, tokens)
    source = put3(bench, np.resize(best, max(tokens, 33)), np.resize(index, max(tokens, 33)))
    values = random_bf16(bench.rng, (tokens, chosen))
    numbers = bench.rng.integers(0, 1 << 32, (tokens, experts), dtype=np.uint32)
    score_at, value_at, number_at = bench.put(score), bench.put(values), bench.put(numbers)
    addresses = [score_at, source.score, source.low, source.high, value_at + 2 * place, number_at + 4 * place]
    per_token = [2 * row, 2 * chosen, 4 * experts]
    blocks = [2 * row * tokens, 2 * tokens, 2 * chosen * tokens, 4 * experts * tokens]
    bench.launch(GRID, (1, max(tokens, 33), 1), [*addresses, *blocks, *per_token, LOWEST, tokens])
    score[np.arange(tokens), index] = LOWEST
    values[:, place], numbers[:, place] = best, index
    for name, address, want in (
        ("scores", score_at, score),
        ("values", value_at, values),
        ("numbers", number_at, numbers),
    ):
        yield Check(f"{name} {tokens}x{experts}", bench.read(address, want.size, want.dtype), want.ravel())


@case("topk_2d_finalize", ROUTING, sources=("image",))
def record(bench: Bench) -> Iterable[Check]:
    """Write the winner's value and number to place k of its token and strike it out. Host: rpp_expert_routing_build."""
    for tokens, experts, chosen, place in ((50, 128, 8, 3), (5, 60, 4, 0), (2, 70000, 8, 7)):
        yield from record_checks(bench, tokens, experts, chosen, place)
