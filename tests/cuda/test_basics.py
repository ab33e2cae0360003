"""CUDA C++ through clang, the reader and the scalar interpreter, against NumPy: control flow, integers, memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openrpp.cuda.reader import DeviceModule
from openrpp.kir.interp import Memory
from openrpp.kir.types import Space

FILE = "basics"
Run = Callable[..., Any]
rng = np.random.default_rng(7)


def fused(a: Any, b: Any, c: Any) -> np.ndarray:
    """float32 multiply-add of values whose exact result fits a double."""
    return (np.float64(a) * np.float64(b) + np.float64(c)).astype(np.float32)


def test_saxpy_leaves_elements_behind_n_alone(run: Run) -> None:
    x, y = rng.integers(-9, 9, 40).astype(np.float32), rng.integers(-9, 9, 40).astype(np.float32)
    expected = np.where(np.arange(40) < 37, fused(2.5, x, y), y)
    run(FILE, "saxpy", 3, 16, [37, np.float32(2.5), x, y])
    assert np.array_equal(y, expected)


def test_matmul_on_a_ragged_two_dimensional_grid(run: Run) -> None:
    a, b = (rng.integers(-4, 5, (10, 10)).astype(np.float32) for _ in "ab")
    c = np.full((10, 10), np.nan, np.float32)
    run(FILE, "matmul", (3, 3), (4, 4), [a, b, c, 10])
    assert np.array_equal(c, a @ b)


def test_block_reduction_through_shared_memory(run: Run) -> None:
    x, out = rng.integers(0, 50, 200).astype(np.float32), np.zeros(2, np.float32)
    run(FILE, "reduce", 2, 64, [x, out, 200])
    assert np.array_equal(out, [x.sum(), x.sum()])


def _holder(memory: Memory, data: np.ndarray) -> bytes:
    pairs = [(2.0, 4), (-1.0, 0), (0.5, 7)]
    packed = np.int64(memory.bind(data)).tobytes()
    for weight, index in pairs:
        packed += np.float64(weight).tobytes() + np.int32(index).tobytes() + bytes(4)
    return packed + np.int16(-3).tobytes() + bytes(6)


def test_a_struct_by_value_is_read_through_its_fields(run: Run) -> None:
    memory, data, out = Memory(), np.arange(10, dtype=np.float32), np.zeros(6, np.float32)
    run(FILE, "by_value", 1, 6, [_holder(memory, data), out], memory=memory)
    assert np.array_equal(out, np.tile([8 - 3, 0 - 3, 3.5 - 3], 2))


def test_a_struct_by_value_that_is_changed_is_a_copy_per_thread(run: Run) -> None:
    memory, data, out = Memory(), np.zeros(1, np.float32), np.zeros(5, np.int32)
    run(FILE, "by_value_changed", 1, 5, [_holder(memory, data), out], memory=memory)
    expected = []
    for i in range(5):
        index = [4, 0, 7]
        for k in range(3):
            index[(k + i) % 3] += i * k
        expected.append(index[i % 3])
    assert out.tolist() == expected


def test_switch_with_fall_through_and_early_return(run: Run) -> None:
    x = np.array([0, 1, 2, -7, 1000000, 5], np.int32)
    y = np.full(6, 7, np.int32)
    run(FILE, "switches", 1, 6, [x, y])
    assert y.tolist() == [10, 21, 8, 9, 7, -1]


def test_loops_whose_length_differs_from_thread_to_thread(run: Run) -> None:
    x, out = np.array([1, 2, 7, 27, 97, 1000], np.uint32), np.zeros(6, np.uint32)
    run(FILE, "collatz", 1, 6, [x, out])

    def steps(v: int) -> int:
        n = 0
        while v != 1:
            v, n = 3 * v + 1 if v % 2 else v // 2, n + 1
        return n

    assert out.tolist() == [steps(int(v)) for v in x]


def test_local_arrays_with_computed_indices(run: Run) -> None:
    x, y = rng.integers(0, 100, 9).astype(np.int32), np.zeros(4, np.int32)
    run(FILE, "local_array", 1, 4, [x, y, 9])
    expected = []
    for i in range(4):
        digits = np.zeros(16, int)
        np.add.at(digits, (x + i) & 15, np.arange(1, 10))
        expected.append(int(digits.argmax()) * 1000 + int(digits.max()))
    assert y.tolist() == expected


def test_functions_that_clang_must_not_inline_are_inlined_when_read(run: Run) -> None:
    x = np.array([3, -5], np.int32)
    run(FILE, "calls", 1, 2, [x])
    assert x.tolist() == [122, -198]


def _wrapped(value: int, bits: int = 64) -> int:
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def test_integer_operations_of_64_bits(run: Run) -> None:
    edges = [0, 1, -1, 2**63 - 1, -(2**63), 1000003, -77, 2**40 + 5]
    a = np.array([x for x in edges for _ in edges], np.int64)
    b = np.array([y for _ in edges for y in edges], np.int64)
    out = np.zeros((len(a), 16), np.int64)
    run(FILE, "integers", 1, len(a), [a, b, out])
    for x, y, row in zip(a.tolist(), b.tolist(), out.tolist(), strict=True):
        u, v, quotient = x % 2**64, y % 2**64, abs(x) // abs(y) if y else 0
        quotient = -quotient if (x < 0) != (y < 0) else quotient
        low = _wrapped(x, 8)
        expected = [x + y, x * y, quotient, x - quotient * y if y else 0, u // v if v else 0, u % v if v else 0]
        expected += [
            x >> (y & 63),
            u >> (v & 63),
            x << (y & 63),
            x < y,
            u < v,
            _wrapped(x, 32),
            _wrapped(x, 16),
            x & 255,
        ]
        expected += [low ^ y, -1 if x == y else u * v >> 64]
        assert row == [_wrapped(int(value)) for value in expected], (x, y)


def test_float_to_integer_saturates_and_takes_nan_as_zero(run: Run) -> None:
    x = np.array([1.9, -1.9, 3e9, -3e9, 1e20, -1e20, np.nan, np.inf], np.float32)
    a, b, c, d = np.zeros(8, np.int32), np.zeros(8, np.uint32), np.zeros(8, np.int64), np.zeros(8, np.uint8)
    run(FILE, "floats_to_integers", 1, 8, [x, a, b, c, d])
    assert a.tolist() == [1, -1, 2**31 - 1, -(2**31), 2**31 - 1, -(2**31), 0, 2**31 - 1]
    assert b.tolist() == [1, 0, 3000000000, 0, 2**32 - 1, 0, 0, 2**32 - 1]
    assert c.tolist() == [1, -1, 3000000000, -3000000000, 2**63 - 1, -(2**63), 0, 2**63 - 1]
    assert d.tolist() == [1, 0, 255, 0, 255, 0, 0, 255]


def test_closed_forms_with_33_bit_integers(run: Run) -> None:
    n, out = np.array([0, 1, 2, 77], np.uint32), np.zeros(4, np.uint32)
    run(FILE, "triangle", 1, 4, [n, out])
    assert out.tolist() == [0, 0, 1, 77 * 76 // 2]


def test_bit_fields(run: Run) -> None:
    words = rng.integers(0, 2**32, (5, 2), dtype=np.uint32)
    expected = []
    for first, second in words.tolist():
        a, b, c, d = first & 7, first >> 3 & 0x1FFF, first >> 16, second & 31
        a = (a + 1) & 7
        b ^= a
        c = (c - b) & 0xFFFF
        expected.append([a | b << 3 | c << 16, (second & ~31) | ((d - 3) & 31)])
    run(FILE, "bit_fields", 1, 5, [words])
    assert words.tolist() == expected


def test_structs_of_more_than_a_few_words_are_copied_by_a_loop(run: Run) -> None:
    x = rng.integers(0, 256, (6, 208), dtype=np.uint8)
    expected = x[:3].copy()
    words = expected[:, :200].copy().view(np.int32)
    for i in range(3):
        words[i, i] += 5
    expected[:, :200] = words.view(np.uint8)
    expected[:, 206] = ord("z")
    run(FILE, "copies_structs", 1, 3, [x])
    assert np.array_equal(x[3:, :207], expected[:, :207])


@pytest.mark.parametrize("n", [0, 1, 5, 40])
def test_fills_of_computed_size(run: Run, n: int) -> None:
    x = np.zeros((3, 40), np.uint8)
    run(FILE, "fills", 1, 3, [x, n, 40])
    assert np.array_equal(x, np.where(np.arange(40) < n, np.arange(1, 4)[:, None], 0))


@pytest.mark.parametrize(("source", "target"), [(0, 7), (7, 0), (3, 3)])
def test_moves_of_computed_size_may_overlap(run: Run, source: int, target: int) -> None:
    x = np.arange(60, dtype=np.uint8)
    expected = x.copy()
    expected[target : target + 50] = x[source : source + 50].copy()
    run(FILE, "moves", 1, 2, [x, source, target, 50])
    assert np.array_equal(x, expected)


def test_pointers_in_memory_point_to_device_memory(run: Run, module: Callable[[str], DeviceModule]) -> None:
    memory = Memory()
    rows = [np.arange(4, dtype=np.float32) * k for k in range(1, 5)]
    table, out = np.array([memory.bind(row) for row in rows], np.int64), np.zeros(4, np.float32)
    run(FILE, "pointer_table", 1, 4, [table, out], memory=memory)
    assert out.tolist() == [0, 2, 6, 12]
    kernel = module(FILE).module.kernels["pointer_table"]
    spaces = {i.operands[0].type.space for i in kernel.instructions() if i.op.name == "load"}
    assert spaces == {Space.GLOBAL}


def test_a_pointer_to_either_memory_is_generic(run: Run, module: Callable[[str], DeviceModule]) -> None:
    x = np.arange(50, 82, dtype=np.float32)
    expected = np.where(np.arange(32) < 20, np.arange(32) + 100, x + 100).astype(np.float32)
    run(FILE, "either_space", 1, 32, [x, 20])
    assert np.array_equal(x, expected)
    kernel = module(FILE).module.kernels["either_space"]
    assert Space.GENERIC in {i.operands[-1].type.space for i in kernel.instructions() if i.op.name == "store"}


def test_kernels_can_ask_where_a_pointer_points(run: Run) -> None:
    x, out = np.zeros(1, np.float32), np.zeros(3, np.int32)
    run(FILE, "spaces", 1, 3, [x, out])
    assert out.tolist() == [9, 10, 12]


def test_private_addresses_in_memory_stay_private(run: Run) -> None:
    x = np.array([5, 11], np.int32)
    run(FILE, "linked", 1, 2, [x])

    def walked(start: int) -> int:
        following = {k: (k * 2 + 1) % 4 for k in range(3)}
        node: int | None = 0
        total = steps = 0
        while node is not None and steps < 8:
            total, node, steps = total * 3 + start + node, following.get(node), steps + 1
        return total

    assert x.tolist() == [walked(5), walked(11)]


def test_constant_and_device_variables_with_initial_values(run: Run) -> None:
    memory, x, y = Memory(), np.zeros(6, np.int32), np.zeros(6, np.float32)
    for turn in (1, 2):
        run(FILE, "variables", 1, 6, [x, y], memory=memory)
        table, grid, words = [3, 1, 4, 1], [[1, 2, 3], [4, 5, 6]], ["one", "three"]
        wanted = [table[i & 3] * 100 + grid[i & 1][i % 3] * 10 + ord(words[i & 1][i % 3]) for i in range(6)]
        wanted[0] += 7 * turn  # the counter keeps its value from launch to launch
        assert x.tolist() == wanted
    assert np.all(y == 2.5)


def test_static_and_dynamic_shared_memory_side_by_side(run: Run) -> None:
    x = np.arange(20, dtype=np.int32) * 3
    expected = x[::-1] + np.array([(16 + i if i < 4 else 8 + i) % 8 for i in np.arange(20) % 8])
    run(FILE, "dynamic_shared", 1, 20, [x], shared_bytes=80)
    assert np.array_equal(x, expected)


def test_templates_lambdas_and_structured_bindings(run: Run) -> None:
    x, y = rng.integers(0, 100, 10).astype(np.int32), np.array([50, 0, 0, 0], np.int32)
    run(FILE, "templates", 1, 1, [x, y, 10])
    best = int(x[0])
    for value in x[2::2].tolist():
        best = best if best > value else min(value, 50)
    assert y.tolist() == [x.sum(), best, int(np.bitwise_xor.reduce(x[::3])), 18]


def test_built_in_variables_on_a_three_dimensional_launch(run: Run) -> None:
    out = np.zeros(2 * 3 * 2 * 4 * 2 * 3, np.uint32)
    run(FILE, "geometry", (2, 3, 2), (4, 2, 3), [out])
    z, y, _, tz, ty, tx = np.indices((2, 3, 2, 3, 2, 4))
    assert np.array_equal(out, ((z * 3 + y) * 65536 + tz * 256 + ty * 16 + tx + 32).ravel())


def test_threads_may_return_before_a_barrier(run: Run, module: Callable[[str], DeviceModule]) -> None:
    x = np.arange(64, dtype=np.int32)
    expected = np.concatenate([x[:50][::-1], x[50:]])
    run(FILE, "early_return", 1, 64, [x, 50])
    assert np.array_equal(x, expected)
    assert module(FILE).module.kernels["early_return"].max_threads == 64


def test_short_circuit_conditions_do_not_read_out_of_bounds(run: Run) -> None:
    x, y = np.array([3, 5, 2, 2, 9], np.int32), np.full(5, -1, np.int32)
    run(FILE, "short_circuit", 1, 5, [x, y, 5])
    last = len(x) - 1
    wanted = [int((i < last and x[i + 1] > x[i]) or (i > 0 and x[i - 1] > x[i] and x[i] != 5)) for i in range(len(x))]
    assert y.tolist() == wanted


def test_double_arithmetic(run: Run) -> None:
    x, y = rng.integers(-20, 20, 8).astype(np.float64), rng.integers(1, 9, 8).astype(np.float64)
    out = np.zeros((8, 4))
    run(FILE, "doubles", 1, 8, [x, y, out])
    assert np.array_equal(out, np.stack([x * y + 1, x / y, np.sqrt(np.abs(x)), x], axis=1))


def test_volatile_accesses_are_kept(run: Run, module: Callable[[str], DeviceModule]) -> None:
    flag, out = np.zeros(1, np.int32), np.zeros(1, np.int32)
    run(FILE, "volatile_flag", 1, 2, [flag, out])
    assert out[0] == 2
    kernel = module(FILE).module.kernels["volatile_flag"]
    assert sum(bool(i.attr("volatile")) for i in kernel.instructions()) == 3


def test_lines_of_the_source_are_kept(module: Callable[[str], DeviceModule]) -> None:
    kernel = module(FILE).module.kernels["saxpy"]
    places = {i.location.line for i in kernel.instructions() if i.location}
    assert places == {5, 6}
    assert all(i.location.file.endswith("basics.cu") for i in kernel.instructions() if i.location)
