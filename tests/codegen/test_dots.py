"""The dot of bf16 values gives the interpreter's bits on lanes and on tiles, whatever the values are."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.codegen.host import llvm, tiles_machine
from openrpp.codegen.host.dots_loads import loads_of
from openrpp.codegen.host.geometry import partition
from openrpp.codegen.host.module import Options, translate
from openrpp.codegen.host.tiers import TIERS, choose
from openrpp.codegen.host.tiles import group_lanes
from openrpp.codegen.host.writer import Writer
from openrpp.kir import parse_module

from .dot_programs import NAME, DotProgram, equal
from .tile_model import run_tile, tile_dot

RUNNABLE = [name for name, tier in TIERS.items() if llvm.is_runnable(tier)]
ON_TILES = [name for name in RUNNABLE if TIERS[name].tiles]
CONDITIONS = (
    "",
    "  %live = icmp pred=ult %x, 11:i32 : i1",
    "  %live = icmp pred=ult %y, 5:i32 : i1",
    "  %mixed = xor %x, %y : i32\n  %odd = and %mixed, 1:i32 : i32\n  %live = icmp pred=eq %odd, 1:i32 : i1",
    "  %live = icmp pred=ult %x, %y : i1",
)
BLOCKS = ((16, 16, 1), (8, 32, 1), (32, 8, 1), (16, 4, 1), (16, 9, 1), (8, 8, 1), (32, 3, 1), (64, 2, 1), (12, 5, 1))
KINDS = ("plain", "safe", "edge", "wild")

programs = st.builds(
    DotProgram,
    seed=st.integers(0, 1 << 32),
    block=st.sampled_from(BLOCKS),
    rows=st.integers(1, 2),
    columns=st.integers(1, 3),
    each=st.integers(1, 3),
    turns=st.integers(1, 2),
    swapped=st.booleans(),
    from_memory=st.booleans(),
    condition=st.sampled_from(CONDITIONS),
    shuffled=st.booleans(),
    leaks=st.booleans(),
)


def check(program: DotProgram, tier: str, kind: str, start: str, lanes: int | None = None) -> None:
    data = program.data(kind, start)
    assert equal(program.native(data, program.compiled(tier, lanes)), program.interpreted(data))


@pytest.mark.parametrize("tier", RUNNABLE)
@settings(max_examples=10, deadline=None)
@given(program=programs, kind=st.sampled_from(KINDS), start=st.sampled_from(KINDS))
def test_random_programs(tier: str, program: DotProgram, kind: str, start: str) -> None:
    check(program, tier, kind, start)


@pytest.mark.parametrize("tier", ON_TILES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_tiles_under_masks(tier: str, kind: str, condition: str) -> None:
    check(DotProgram(7, rows=2, columns=2, each=2, condition=condition, from_memory=True), tier, kind, kind)


@pytest.mark.parametrize("tier", ON_TILES)
def test_groups_larger_than_a_tile(tier: str) -> None:
    check(DotProgram(8, block=(32, 8, 1), rows=2, columns=3, each=2, from_memory=True), tier, "safe", "plain", 256)
    check(DotProgram(9, block=(8, 32, 1), rows=2, each=2), tier, "safe", "plain", 256)


def _without_dot(*_: object) -> None:
    """In place of the tile instruction."""


@pytest.mark.parametrize(("kind", "start", "is_on_tiles"), [
    ("plain", "plain", True), ("safe", "safe", True), ("wild", "plain", False), ("plain", "wild", False),
])  # fmt: skip
def test_tiles_are_taken_where_they_are_exact_and_only_there(
    monkeypatch: pytest.MonkeyPatch, kind: str, start: str, is_on_tiles: bool
) -> None:
    """Seen by leaving out the tile instruction, which must change the result in the first two cases only."""
    program = DotProgram(3, rows=2, columns=2, each=2, turns=1, from_memory=True)
    data = program.data(kind, start)
    monkeypatch.setattr(tiles_machine.Emulated, "dot", _without_dot)
    assert equal(program.native(data, program.compiled("amx-emulated")), program.interpreted(data)) != is_on_tiles


@pytest.mark.parametrize("half", [0x2400, 0x5EFF, 0x23FF, 0x5F00, 0x0001, 0x7F80, 0x8000, 0x0000])
@pytest.mark.parametrize("side", [0, 1])
def test_one_value_decides(monkeypatch: pytest.MonkeyPatch, half: int, side: int) -> None:
    program = DotProgram(4, turns=1)
    data = program.data("plain")
    data[side].view(np.uint16)[5] = half
    monkeypatch.setattr(tiles_machine.Emulated, "dot", _without_dot)
    is_on_tiles = (half & 0x7FFF) == 0 or 0x2400 <= (half & 0x7FFF) < 0x5F00
    assert equal(program.native(data, program.compiled("amx-emulated")), program.interpreted(data)) != is_on_tiles


@pytest.mark.parametrize("tier", RUNNABLE)
def test_products_beyond_the_range_are_rounded_before_they_are_added(tier: str) -> None:
    """2^64 2^64 is infinite, though with -2^127 it would fit; fused sums of tiny products would differ as well."""
    program = DotProgram(5, turns=1)
    a, b, c = program.data("plain")
    words = a.view(np.uint16).reshape(-1, 8)
    words[:] = [0xDF00, 0, 0x5F80, 0, 0, 0, 0, 0]
    b.view(np.uint16).reshape(-1, 8)[:] = [0x5F00, 0, 0x5F80, 0, 0, 0, 0, 0]
    found = program.native((a, b, c), program.compiled(tier))
    assert np.isposinf(found.view(np.float32)).all()
    words[:] = [0x1080, 0, 0x0500, 0, 0, 0, 0, 0]  # 2^-94 2^-30 + 2^-117 1.1b 2^-32: half an ulp and less than one
    b.view(np.uint16).reshape(-1, 8)[:] = [0x3080, 0, 0x2FC0, 0, 0, 0, 0, 0]
    assert equal(program.native((a, b, c), program.compiled(tier)), program.interpreted((a, b, c)))


# --- joint loads ----------------------------------------------------------------------------------------------------


def _block(*lines: str) -> str:
    head = 'module "m"\nkernel @k(%p: ptr.global, %n: i64) {\n^start:\n'
    return head + "\n".join(f"  {line}" for line in lines) + "\n  ret\n}\n"


def _loads(*lines: str) -> tuple[list[list[str]], dict[str, str]]:
    (block,) = parse_module(_block(*lines)).kernels["k"].blocks
    found = loads_of(block)
    joints = {id(joint): [str(item.name) for item in joint.members] for joint in found.joints.values()}
    return list(joints.values()), {str(again.name): str(first.name) for again, first in found.earlier.items()}


def test_neighbours_are_found_through_sums_in_any_order() -> None:
    joints, _ = _loads(
        "%q = ptr_add %p, 8:i64 : ptr.global", "%r = ptr_add %q, %n : ptr.global", "%b = load %r : i32",
        "%s = ptr_add %p, %n : ptr.global", "%t = ptr_add %s, 4:i64 : ptr.global", "%a = load %t : i32",
    )  # fmt: skip
    assert joints == [["a", "b"]]


def test_a_store_parts_loads() -> None:
    joints, again = _loads(
        "%a = load %p : i32", "store 1:i32, %p", "%q = ptr_add %p, 4:i64 : ptr.global", "%b = load %q : i32",
        "%c = load %p : i32", "%d = load %p : i32", "%e = load %p : f32", "%f = load volatile %p : i32",
    )  # fmt: skip
    assert joints == [["c", "b"]]
    assert again == {"d": "c"}


# --- the tile instruction -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["amx-emulated", "amx"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_tile_instruction_does_what_its_manual_says(tier: str, kind: str) -> None:
    if not llvm.is_runnable(TIERS[tier]):
        pytest.skip(f"this host has no {tier}")
    program = DotProgram(11, turns=1)
    a, b, c = program.data(kind, kind)
    columns = np.ascontiguousarray(b.reshape(16, 4).T)
    assert equal(run_tile(TIERS[tier], a, columns, c), tile_dot(a.reshape(16, 4), columns, c.reshape(16, 16)).ravel())


def _assembly(tier: str, program: DotProgram) -> str:
    module = program.module()
    kernel = module.kernels[NAME]
    geometry = partition(program.block, group_lanes(kernel, program.block, TIERS[tier]))
    return llvm.assembly(translate(module, kernel, geometry, TIERS[tier], Options()).text, TIERS[tier])


def test_amx_code_is_complete() -> None:
    """Four sums over two dots: factors are loaded once for two of them, sums once for all."""
    text = _assembly("amx", DotProgram(1, rows=2, columns=2, each=2))
    assert len(re.findall(r"\btdpbf16ps\b", text)) == 8
    assert len(re.findall(r"\btileloadd\b", text)) == 4 + 8
    assert len(re.findall(r"\btilestored\b", text)) == 4
    assert text.index("ldtilecfg") < text.index("tileloadd")
    assert "tilerelease" in text


def test_the_tile_configuration_is_a_constant_of_the_module() -> None:
    """Palette 1; bytes of a row from byte 16, rows from byte 48, as LDTILECFG reads them."""
    writer, declared = Writer(), dict[str, str]()
    text = tiles_machine.functions(partition((16, 8, 1), 256), TIERS["amx"], declared)
    tiles_machine.Amx().zero(writer, 1)
    found = re.search(r'@tile_config = internal constant \[64 x i8\] c"([^"]*)"', text)
    assert found is not None
    content = bytes.fromhex(found[1].replace("\\", ""))
    assert content[0] == 1 and not any(content[1:16])
    assert np.frombuffer(content[16:32], np.uint16).tolist() == [64, 64, 64, 64, 16, 16, 64, 64]
    assert list(content[48:56]) == [8, 8, 8, 8, 8, 8, 4, 4]
    assert "llvm.x86.ldtilecfg" in declared


def test_kernels_without_dots_have_no_tiles() -> None:
    assert "tile" not in _assembly("amx", DotProgram(1, block=(256, 1, 1)))


def test_amx_is_chosen_where_the_host_has_it() -> None:
    features = {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
    assert choose(frozenset(features), "x86_64").name == "avx512"
    assert choose(frozenset({*features, "amx-bf16"}), "x86_64").name == "avx512"
    assert choose(frozenset({*features, "amx-bf16", "amx-tile"}), "x86_64").name == "amx"
    assert choose(frozenset({*features, "avx512bf16"}), "x86_64").name == "avx512-bf16"
    assert choose(frozenset({*features, "avx512bf16", "amx-bf16", "amx-tile"}), "x86_64").name == "amx"


@pytest.mark.parametrize(("block", "rows"), [((32, 40, 5), 8), ((16, 16, 1), 16), ((8, 32, 1), 0), ((64, 2, 1), 2)])
def test_rows_of_threads_share_factors_by_pairs(block: tuple[int, int, int], rows: int) -> None:
    program, tier = DotProgram(1, block=block), TIERS["avx512-bf16"]
    module = parse_module(program.text())
    kernel = module.kernels[NAME]
    geometry = partition(block, group_lanes(kernel, block, tier))
    text = translate(module, kernel, geometry, tier, Options()).text
    assert geometry.rows == rows or not rows
    assert ("dpbf16ps" in text) == bool(rows)
