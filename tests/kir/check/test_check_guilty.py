"""One kernel per mistake: kind, line, thread, allocation, sentence, in every order of threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openrpp.cuda import DeviceModule
from openrpp.kir import check
from openrpp.kir.check import Allocation, Finding
from openrpp.kir.interp import Memory, Order
from tests.kir.check.launches import guilty, line_of

Check = Callable[..., check.Report]
ORDERS = list(Order)


def only(report: check.Report, kind: str) -> Finding:
    """The finding of a kind; there is one."""
    (found,) = [item for item in report.findings if item.kind == kind]
    return found


END, START = "right behind the end of", "before the start of"
MEMORY = [
    ("past_the_end", "out-of-bounds", 1, f"(8, 0, 0): write of 4 bytes at 0x10000260, {END} 'y' (96 bytes at"),
    (
        "before_the_start",
        "out-of-bounds",
        1,
        f"(0, 0, 0): read of 4 bytes at 0xffffffc, 4 bytes {START} 'x' (128 byte",
    ),
    (
        "into_the_neighbour",
        "out-of-bounds",
        32,
        "368 bytes past the end of 'x' (400 bytes at 0x10000000), inside 'y' (",
    ),
    (
        "misaligned",
        "misaligned",
        16,
        "(1, 0, 0): read of 4 bytes at 0x10000005, not a multiple of 4, at offset 5 of 'x'",
    ),
    ("null", "null", 32, "(0, 0, 0): read of 4 bytes through a null pointer"),
    ("writes_constant", "read-only", 1, "write of constant memory at 0x10000208, at offset 8 of constant 'table' (16"),
    ("past_a_variable", "out-of-bounds", 6, f"{END} device variable 'counters' (16 bytes at"),
    (
        "past_a_tile",
        "out-of-bounds",
        2,
        f"{END} shared variable 'tile' (128 bytes), inside shared variable 'other' (128",
    ),
    ("past_dynamic", "out-of-bounds", 1, f"(32, 0, 0): write of 4 bytes, {END} dynamic shared memory 'values' (128"),
    ("past_a_row", "out-of-bounds", 4, f"{END} local variable 'row' (16 bytes), inside local variable 'other' (16"),
    (
        "staged_past_the_end",
        "out-of-bounds",
        1,
        "read of 136 bytes at 0x10000000, the last 8 of them past the end of 'x'",
    ),
]


@pytest.mark.parametrize(("name", "kind", "count", "sentence"), MEMORY)
def test_accesses_outside_of_what_is_meant(checked: Check, name: str, kind: str, count: int, sentence: str) -> None:
    grid, block, args, options = guilty(name)
    report = checked("guilty", name, grid, block, args, **options)
    found = only(report, kind)
    assert sentence in str(found)
    assert (found.check, found.severity, found.count) == ("memory", "error", count)
    assert found.location is not None
    assert found.location.line == line_of("guilty", name)
    assert not report.clean


def test_the_rest_of_the_kernel_is_done(checked: Check) -> None:
    grid, block, args, _ = guilty("into_the_neighbour")
    checked("guilty", "into_the_neighbour", grid, block, args)
    assert not args[0].any()
    assert args[1].tolist() == [2] * 32 + [0] * 68


def test_inlined_code_names_the_calls(checked: Check) -> None:
    grid, block, args, _ = guilty("inlined")
    found = only(checked("guilty", "inlined", grid, block, args), "out-of-bounds")
    assert found.location is not None
    assert [item.line for item in found.location.chain()] == [line_of("guilty", "at"), line_of("guilty", "inlined")]
    assert f"\n    inlined at guilty.cu:{line_of('guilty', 'inlined')}:22\n" in found.text()
    inlined = found.as_dict()["location"]["inlined_at"]
    assert (inlined["file"], inlined["column"]) == ("guilty.cu", 22)


UNWRITTEN = "(1, 0, 0): read of 4 bytes that nothing has written, at offset 4 of"
INIT = [
    ("shared_unwritten", 32, f"{UNWRITTEN} shared variable 'row' (256 bytes)"),
    ("local_unwritten", 4, f"{UNWRITTEN} local variable 'row' (32 bytes)"),
]


@pytest.mark.parametrize(("name", "count", "sentence"), INIT)
@pytest.mark.parametrize("order", ORDERS)
def test_reads_of_what_nothing_has_written(checked: Check, name: str, count: int, sentence: str, order: Order) -> None:
    grid, block, args, options = guilty(name)
    report = checked("guilty", name, grid, block, args, order=order, **options)
    found = only(report, "uninitialised")
    assert (found.check, found.count) == ("init", count)
    assert found.location is not None and found.location.line == line_of("guilty", name)
    assert order is not Order.ASCENDING or sentence in str(found)
    assert len(report.findings) == 1


RACES = [
    ("neighbours", "neighbours", "neighbours writes", {"read", "write"}),
    ("within_a_warp", "within_a_warp", "within_a_warp writes", {"read", "write"}),
    ("legacy_volatile", "legacy_volatile", "legacy_volatile writes", {"read", "write"}),
    ("between_blocks", "between_blocks", "between_blocks writes", {"read", "write"}),
    ("lost_update", "lost_update", "lost_update", {"read", "write"}),
    ("read_of_a_counter", "read_of_a_counter", "read_of_a_counter adds", {"read", "atomic"}),
    ("no_fence", "no_fence", "no_fence writes", {"read", "write"}),
    ("too_early", "too_early", "too_early starts", {"read", "stage_in"}),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "one", "two", "ops"), RACES)
def test_races_in_every_order(checked: Check, name: str, one: str, two: str, ops: set[str], order: Order) -> None:
    grid, block, args, options = guilty(name)
    report = checked("guilty", name, grid, block, args, order=order, **options)
    lines = {line_of("guilty", one), line_of("guilty", two)}
    found = [item for item in report.findings if item.kind == "race" and _lines(item) == lines]
    assert found, report.text()
    for item in found:
        assert item.access is not None and item.other is not None
        mine, other = item.access, item.other
        assert {mine.op, other.op} == ops or len(lines) == 1
        assert (mine.allocation, mine.offset) == (other.allocation, other.offset)
        assert (mine.block, mine.thread) == (item.block, item.thread)
        if name != "too_early":
            assert (mine.block, mine.thread) != (other.block, other.thread)


def _lines(finding: Finding) -> set[int]:
    sides = (finding.access, finding.other)
    return {side.location.line for side in sides if side is not None and side.location is not None}


def test_sentences_of_races(checked: Check) -> None:
    def sentence(name: str) -> str:
        grid, block, args, _ = guilty(name)
        return str(checked("guilty", name, grid, block, args, checks="race").findings[0])

    assert sentence("within_a_warp").endswith(
        "write of 4 bytes at offset 4 of shared variable 'row' (128 bytes): thread (0, 0, 0) of the same warp read "
        f"the same bytes at guilty.cu:{line_of('guilty', 'within_a_warp')}:12, "
        "and no barrier or __syncwarp lies between"
    )
    assert sentence("between_blocks").endswith(
        "block (1, 0, 0), thread (0, 0, 0): read of 4 bytes at offset 0 of 'y' (12 bytes at 0x10000000): "
        "thread (0, 0, 0) of block (0, 0, 0) wrote the same bytes at guilty.cu:"
        f"{line_of('guilty', 'between_blocks writes')}:19, and nothing orders the two blocks"
    )
    assert "the 'stage_in' started at guilty.cu:" in sentence("too_early")


@pytest.mark.parametrize("order", ORDERS)
def test_writes_of_the_same_value_are_a_warning(checked: Check, order: Order) -> None:
    grid, block, args, _ = guilty("same_value")
    report = checked("guilty", "same_value", grid, block, args, order=order)
    (found,) = report.findings
    assert (found.kind, found.severity, found.count) == ("same-value", "warning", 9)
    assert "both wrote the same value" in found.sentence
    assert report.clean and (report.errors, report.warnings) == (0, 9)


def test_a_read_before_the_write_is_explained_by_the_race(checked: Check) -> None:
    grid, block, args, _ = guilty("neighbours")
    report = checked("guilty", "neighbours", grid, block, args)
    assert "this line also races" in only(report, "uninitialised").sentence


# --- sync ------------------------------------------------------------------------------------------------------


def test_a_barrier_that_some_threads_miss(checked: Check) -> None:
    grid, block, args, _ = guilty("some_meet")
    (found,) = checked("guilty", "some_meet", grid, block, args).findings
    assert (found.check, found.kind) == ("sync", "divergent-barrier")
    here, there = line_of("guilty", "some_meet"), line_of("guilty", "some_meet first")
    assert found.sentence == (
        f"thread (0, 0, 0) waits at 'barrier' (guilty.cu:{here}:5), "
        f"31 threads, (1, 0, 0) first, wait at 'barrier' (guilty.cu:{there}:9)"
    )


def test_a_shuffle_that_half_of_the_warp_reaches(checked: Check) -> None:
    grid, block, args, _ = guilty("half_a_shuffle")
    (found,) = checked("guilty", "half_a_shuffle", grid, block, args).findings
    assert found.kind == "divergent-warp"
    assert found.location is not None and found.location.line == line_of("guilty", "half_a_shuffle")
    assert "16 threads, (1, 0, 0) first, wait at 'shfl_xor' for the lanes 0xffffffff (guilty.cu:" in found.sentence


def test_a_vote_outside_of_its_mask(checked: Check) -> None:
    grid, block, args, _ = guilty("outside_of_the_mask")
    (found,) = checked("guilty", "outside_of_the_mask", grid, block, args).findings
    assert (found.kind, found.thread) == ("divergent-warp", (8, 0, 0))
    assert found.sentence == "lane 8 executes 'vote_any' with mask 0xff, which leaves it out"


def test_a_shuffle_from_a_lane_that_is_not_there(checked: Check) -> None:
    grid, block, args, _ = guilty("missing_lane")
    (found,) = checked("guilty", "missing_lane", grid, block, args).findings
    assert (found.kind, found.severity, found.count) == ("missing-lane", "warning", 4)
    assert found.sentence.startswith("lane 12 reads lane 16 by 'shfl_down', which does not take part in it")


def test_blocks_after_one_that_is_stuck_still_run(checked: Check) -> None:
    _, block, args, _ = guilty("some_meet")
    report = checked("guilty", "some_meet", 2, block, args, checks="sync")
    (found,) = report.findings
    assert found.count == 2 and report.blocks == (2, 2) and report.stopped is None


# --- ends ------------------------------------------------------------------------------------------------------


def test_a_trap_ends_the_run(checked: Check) -> None:
    grid, block, args, _ = guilty("fails")
    report = checked("guilty", "fails", grid, block, args, checks="memory")
    assert report.stopped is not None and report.stopped.endswith(
        "kernel fails: block (1, 0, 0), thread (0, 0, 0): the kernel executed a trap"
    )
    assert not report.clean and report.blocks == (2, 3)
    assert report.text().splitlines()[-1] == "memory: kernel fails, 2 of 3 blocks: nothing found"


def test_a_runaway_is_stopped(checked: Check) -> None:
    grid, block, args, options = guilty("endless")
    report = checked("guilty", "endless", grid, block, args, **options)
    assert report.stopped is not None and "more than 10000 steps" in report.stopped


# --- allocations of the caller ---------------------------------------------------------------------------------


@pytest.fixture
def buffers() -> tuple[Memory, int, int]:
    memory = Memory()
    return memory, memory.bind(np.zeros(32, np.float32), "x"), memory.bind(np.zeros(32, np.float32), "y")


def run(compiled: Callable[..., DeviceModule], name: str, memory: Memory, *allocations: Allocation) -> check.Report:
    args = [item.base for item in memory.allocations][:2]
    return check.run(compiled("guilty").module, name, 1, 32, args, memory=memory, allocations=allocations)


def test_buffers_without_content(compiled: Callable[..., DeviceModule], buffers: tuple[Memory, int, int]) -> None:
    memory, x, y = buffers
    source, target = check.unwritten(128), check.unwritten(128)
    source[:64] = b"\1" * 64
    given = Allocation("buffer 'x'", x, 128, source), Allocation("buffer 'y'", y, 128, target)
    found = only(run(compiled, "never_written", memory, *given), "uninitialised")
    assert (found.thread, found.count) == ((16, 0, 0), 16)
    assert found.sentence == (
        "read of 4 bytes that nothing has written, at offset 64 of buffer 'x' (128 bytes at 0x10000000)"
    )
    assert target == b"\1" * 128
    again = run(compiled, "never_written", memory, Allocation("", y, 128), Allocation("", x, 128, target))
    assert again.clean


def test_half_of_the_bytes_are_written(compiled: Callable[..., DeviceModule], buffers: tuple[Memory, int, int]) -> None:
    memory, x, y = buffers
    report = run(
        compiled, "half_written", memory, Allocation("x", x, 128, check.unwritten(128)), Allocation("y", y, 128)
    )
    found = only(report, "uninitialised")
    assert found.sentence.startswith("read of 4 bytes of which nothing has written 2, at offset 0 of x")


def test_freed_and_read_only_buffers(compiled: Callable[..., DeviceModule], buffers: tuple[Memory, int, int]) -> None:
    memory, x, y = buffers
    report = run(
        compiled, "never_written", memory, Allocation("x", x, 128, freed=True), Allocation("y", y, 128, read_only=True)
    )
    freed = only(report, "freed")
    assert freed.sentence == "read of 4 bytes at offset 0 of x (128 bytes at 0x10000000), which was freed"
    assert only(report, "read-only").sentence.endswith("of y (128 bytes at 0x10000200), which may only be read")
    assert not np.frombuffer(memory.read(y, 128), np.uint8).any()
    live = Allocation("x", x, 128, freed=True), Allocation("new", x, 128), Allocation("y", y, 128)
    assert run(compiled, "never_written", memory, *live).clean


def test_memory_that_is_not_listed(compiled: Callable[..., DeviceModule], buffers: tuple[Memory, int, int]) -> None:
    memory, _, y = buffers
    found = only(run(compiled, "never_written", memory, Allocation("y", y, 128)), "out-of-bounds")
    assert found.sentence == "read of 4 bytes at 0x10000000, 512 bytes before the start of y (128 bytes at 0x10000200)"
