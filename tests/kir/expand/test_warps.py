"""Exchange between lanes: masks, lanes that have returned, warps that are not full, any type and width."""

from __future__ import annotations

import random
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.kir import Module
from openrpp.kir.build import Builder
from openrpp.kir.interp import Memory, Order, launch
from openrpp.kir.ir import Constant, Instr, Kernel, Parameter, Value, constant
from openrpp.kir.ops import lookup
from openrpp.kir.ops.form import AttrValue
from openrpp.kir.passes.expand import is_legal, is_legal_with_full_warps
from openrpp.kir.types import BF16, F16, F32, F64, I1, I8, I16, I32, I64, PTR_GLOBAL, Type, parse_type
from tests.kir.expand.harness import expanded

THREADS: Final = 77  # the third warp has 13 lanes
MASKS: Final = ("full", "split", "alone")
SHUFFLES: Final = ("shfl_idx", "shfl_up", "shfl_down", "shfl_xor")


def mask_of(b: Builder, name: str, lane: Value) -> Value:
    """All lanes; those of the same parity, both sorts at one op; only oneself."""
    if name == "full":
        return constant(I32, 0xFFFF_FFFF)
    if name == "split":
        odd = b("icmp", b("and", lane, 1), 0, pred="ne")
        return b("select", odd, constant(I32, 0xAAAA_AAAA), 0x5555_5555)
    return b("shl", constant(I32, 1), lane)


def warp_kernel(name: str, kind: Type, mask: str, operands: list[int | str], attrs: dict[str, AttrValue]) -> Module:
    """out[i] = op(mask, in[i], ...) of threads that did not return; an operand `load` is the upper half of in[i]."""
    module = Module("warp")
    kernel = module.add_kernel(Kernel("k", [Parameter(PTR_GLOBAL, "in"), Parameter(PTR_GLOBAL, "out")]))
    b = Builder(kernel)
    index, lane = b.tid(), b("laneid")
    bits = b("load", b.element(kernel.params[0], index, I64), kind=I64)
    rest, gone = kernel.block("rest"), kernel.block("gone")
    b.cbr(b("icmp", b("urem", index, 11), 3, pred="eq"), gone, rest)
    b.at(gone).ret()
    b.at(rest)
    value = _value(b, bits, kind)
    further = [
        b("trunc", b("lshr", bits, 32), kind=I32) if item == "load" else Constant(I32, int(item)) for item in operands
    ]
    made = b.append(Instr(lookup(name), [mask_of(b, mask, lane), value, *further], None, attrs))
    b("store", made, b.element(kernel.params[1], index, I64))
    b.ret()
    return module


def _value(b: Builder, bits: Value, kind: Type) -> Value:
    if kind.bits == 64:
        return bits if kind.is_int else b("bitcast", bits, kind=kind)
    low = b("trunc", bits, kind=parse_type(f"i{kind.bits}"))
    return low if kind.is_int else b("bitcast", low, kind=kind)


def check(module: Module, given: NDArray[Any]) -> None:
    results: list[NDArray[Any]] = []
    for item in (module, expanded(module)):
        for order in (Order.ASCENDING, Order.RANDOM):
            out = np.full(THREADS, 0x1234_5678_9ABC_DEF0, np.uint64)
            launch(item, "k", 1, THREADS, [given.copy(), out], memory=Memory(), order=order)
            results.append(out)
    assert all(np.array_equal(results[0], other) for other in results[1:])


def inputs(seed: int, few: int = 0, limit: int = 40) -> NDArray[Any]:
    """Random bits (or few different values), with a small number in the upper half."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    low = [rng.randrange(few) if few else rng.getrandbits(32) for _ in range(THREADS)]
    high = [rng.choice((rng.randrange(limit), rng.getrandbits(32))) for _ in range(THREADS)]
    return np.array([a | b << 32 for a, b in zip(low, high, strict=True)], np.uint64)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", [I1, I8, I16, I32, I64, F16, BF16, F32, F64], ids=str)
@pytest.mark.parametrize("name", SHUFFLES)
def test_shuffles_of_every_type(name: str, kind: Type, mask: str) -> None:
    for width in (32, 8):
        check(warp_kernel(name, kind, mask, ["load", width], {}), inputs(41))


@pytest.mark.parametrize("width", [1, 2, 3, 5, 16, 31, 33, 48, 64, 1 << 31, (1 << 32) - 1, "load"])
@pytest.mark.parametrize("name", SHUFFLES)
def test_shuffles_of_every_width(name: str, width: int | str) -> None:
    given = inputs(42)
    given |= np.uint64(1 << 32)  # a width of 0 has no meaning
    check(warp_kernel(name, I32, "full", ["load", width], {}), given)
    for lanes in (0, 1, 7, 16, 31, 32, 1 << 31, (1 << 32) - 1, (1 << 32) - 30):
        check(warp_kernel(name, I32, "split", [lanes, width], {}), given)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", [I1, I8, I16, I32, I64, F16, BF16, F32, F64], ids=str)
@pytest.mark.parametrize("name", ["match_any", "match_all"])
def test_matches(name: str, kind: Type, mask: str) -> None:
    for few in (1, 3, 0):
        given = inputs(43, few)
        check(warp_kernel(name, kind, mask, [], {}), given)
        check(warp_kernel(name, kind, mask, [], {}), given & np.uint64(0xFFFF_FFFF))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("combine", ["add", "and", "or", "xor", "umin", "umax", "smin", "smax"])
def test_reductions(combine: str, mask: str) -> None:
    check(warp_kernel("redux", I32, mask, [], {"combine": combine}), inputs(44))


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", ["vote_any", "vote_all", "vote_uni", "ballot"])
def test_votes(name: str, mask: str) -> None:
    for seed, few in ((45, 0), (46, 1)):
        module = warp_kernel(name, I1, mask, [], {})
        check(module, inputs(seed, few))
        check(module, ~inputs(seed, few))


def test_votes_by_ballots() -> None:
    """A target may lack all votes but the ballot."""
    for name in ("vote_any", "vote_all"):
        module = warp_kernel(name, I1, "split", [], {})
        made = expanded(module, lambda item: is_legal(item) and not item.op.name.startswith("vote"))
        outs: list[NDArray[Any]] = []
        for item in (module, made):
            outs.append(np.zeros(THREADS, np.uint64))
            launch(item, "k", 1, THREADS, [inputs(47), outs[-1]], memory=Memory())
        assert np.array_equal(outs[0], outs[1])


def test_one_ballot_serves_the_shuffles_of_a_block() -> None:
    """Nobody leaves in between."""
    module = Module("chain")
    kernel = module.add_kernel(Kernel("k", [Parameter(PTR_GLOBAL, "in"), Parameter(PTR_GLOBAL, "out")]))
    b = Builder(kernel)
    full = constant(I32, 0xFFFF_FFFF)
    total: Value = b("load", b.element(kernel.params[0], b.tid(), I64), kind=I32)
    for distance in (16, 8, 4, 2, 1):
        total = b("add", total, b("shfl_down", full, total, distance, 32))
    b("store", total, b.element(kernel.params[1], b.tid(), I64))
    b.ret()
    check(module, inputs(48))
    names = [instr.op.name for instr in expanded(module).kernels["k"].instructions()]
    assert names.count("ballot") == 1 and names.count("shfl_idx") == 5


@pytest.mark.parametrize("width", [32, 8, 4, 3, 48])
@pytest.mark.parametrize("kind", [I8, I32, F32, I64], ids=str)
@pytest.mark.parametrize("name", SHUFFLES)
def test_full_warps_need_no_ballot(name: str, kind: Type, width: int) -> None:
    """Where the target knows that all lanes are there: one exchange per word where the machine's is the same."""
    module = Module("full")
    kernel = module.add_kernel(Kernel("k", [Parameter(PTR_GLOBAL, "in"), Parameter(PTR_GLOBAL, "out")]))
    b = Builder(kernel)
    bits = b("load", b.element(kernel.params[0], b.tid(), I64), kind=I64)
    lanes = b("and", b("trunc", b("lshr", bits, 32), kind=I32), 63)
    full = constant(I32, 0xFFFF_FFFF)
    for place, operand in enumerate((lanes, constant(I32, 2), constant(I32, 31))):
        made = b(name, full, _value(b, bits, kind), operand, width)
        b("store", made, b("ptr_add", b.element(kernel.params[1], b.tid(), I64), 8 * 64 * place))
    b.ret()
    made_module = expanded(module, is_legal_with_full_warps)
    outs: list[NDArray[Any]] = []
    for item in (module, made_module):
        outs.append(np.zeros(3 * 64, np.uint64))
        launch(item, "k", 1, 64, [np.resize(inputs(49), 64), outs[-1]], memory=Memory())
    assert np.array_equal(outs[0], outs[1])
    names = [instr.op.name for instr in made_module.kernels["k"].instructions()]
    assert "ballot" not in names
    if width == 32:
        assert names.count(name) == 3 * -(-kind.bits // 32) and "laneid" not in names
