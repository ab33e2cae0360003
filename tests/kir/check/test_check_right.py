"""Right kernels and random programs: nothing may be found, and results stay what they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openrpp.cuda import DeviceModule
from openrpp.kir import check
from openrpp.kir.fuzz import program, run_interpreter
from openrpp.kir.interp import Memory, Order, launch
from tests.kir.check.launches import right

Check = Callable[..., check.Report]
NAMES = (
    *("matmul", "reduce", "scan", "warp_reduce", "warp_synchronous", "tile_sync", "histogram", "ping_pong"),
    *("grid_sync", "last_block", "fenced_by_all", "locked", "flag", "float_maximum", "leaves", "chosen", "locals"),
    "staged",
)


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found_in_a_right_kernel(checked: Check, name: str, order: Order) -> None:
    grid, block, args, options = right(name)
    report = checked("right", name, grid, block, args, order=order, **options)
    assert report.clean and not report.findings, report.text()
    assert report.text().endswith("nothing found")


@pytest.mark.parametrize("name", NAMES)
def test_results_are_those_of_a_launch_without_checks(
    checked: Check, compiled: Callable[..., DeviceModule], name: str
) -> None:
    grid, block, args, options = right(name)
    copies = [item.copy() if isinstance(item, np.ndarray) else item for item in args]
    result = launch(compiled("right").module, name, grid, block, copies, **options)
    report = checked("right", name, grid, block, args, **options)
    assert report.steps == result.steps
    assert all(np.array_equal(a, b) for a, b in zip(args, copies, strict=True))


@pytest.mark.parametrize("merge", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_random_programs_have_no_races(seed: int, merge: int) -> None:
    made = program(seed)
    made.kernel.merge = merge
    args = made.arguments()
    report = check.run(made.module, "fuzz", made.grid, made.block, args, order=Order.RANDOM, seed=seed)
    assert report.clean, report.text()
    assert {item.kind for item in report.findings} <= {"missing-lane"}
    out, cells, result = run_interpreter(made, Order.RANDOM)
    assert (result.output, result.steps) == (report.output, report.steps)
    assert np.array_equal(out, args[1]) and np.array_equal(cells, args[2])


def test_structs_are_copied_with_padding_that_nothing_has_written(compiled: Callable[..., DeviceModule]) -> None:
    memory, pairs, written = Memory(), np.zeros(200, np.int32), check.unwritten(800)
    base = memory.bind(pairs, "pairs")
    source = np.zeros(50, np.uint8)
    report = check.run(
        compiled("right").module, "leaves", 1, 64, [source, source.copy(), base, 50],
        memory=memory, allocations=[check.Allocation("pairs", base, 800, written)],
    )  # fmt: skip
    assert not report.findings, report.text()
    assert written == (b"\1\0\0\0\1\1\1\1" * 100)
