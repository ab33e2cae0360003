"""The report: selection of checks, repetition, limits, progress, JSON, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openrpp.kir import check
from openrpp.kir.interp.faults import LaunchError
from tests.kir.check.launches import guilty, right
from tests.kir.kernels import module_of

Check = Callable[..., check.Report]


def test_names_of_checks() -> None:
    assert check.parse("race, memory") == ("memory", "race")
    assert check.parse(["sync", "init,sync"]) == ("init", "sync")
    assert check.parse("all") == check.CHECKS == ("memory", "init", "race", "sync")
    for wrong, sentence in (
        ("memory,bounds", "there is no check 'bounds'; there are memory, init, race, sync, and all"),
        ("", "no check is named; there are memory, init, race, sync, and all"),
    ):
        with pytest.raises(LaunchError) as caught:
            check.parse(wrong)
        assert caught.value.sentence == sentence


@pytest.mark.parametrize("name", check.CHECKS)
def test_one_check_finds_its_own_only(checked: Check, name: str) -> None:
    for kernel in ("neighbours", "past_a_tile", "missing_lane"):
        grid, block, args, options = guilty(kernel)
        found = {item.check for item in checked("guilty", kernel, grid, block, args, checks=name, **options).findings}
        assert found <= {name}


def test_an_access_that_nothing_answers_is_reported_by_every_selection(checked: Check) -> None:
    grid, block, args, options = guilty("null")
    assert [item.kind for item in checked("guilty", "null", grid, block, args, checks="sync", **options).findings] == [
        "null"
    ]


def test_json_has_everything(checked: Check) -> None:
    grid, block, args, _ = guilty("within_a_warp")
    report = checked("guilty", "within_a_warp", grid, block, args, checks="race", label="within")
    data = json.loads(json.dumps(report.as_dict()))
    assert data["kernel"] == "within" and data["checks"] == ["race"] and not data["clean"]
    assert (data["errors"], data["warnings"], data["stopped"], data["dropped"]) == (32, 0, None, 0)
    assert data["blocks"] == {"checked": 1, "grid": 1} and data["steps"] == report.steps
    (found,) = data["findings"]
    assert found["sentence"] == report.findings[0].sentence and found["count"] == 32
    assert found["access"]["allocation"] == found["other"]["allocation"] == "shared variable 'row'"
    assert {found["access"]["op"], found["other"]["op"]} == {"read", "write"}
    assert found["location"]["file"] == "guilty.cu" and found["location"]["inlined_at"] is None
    assert found["other"]["thread"] == [0, 0, 0] and found["block"] == [0, 0, 0]


def test_text_ends_with_a_summary(checked: Check) -> None:
    grid, block, args, _ = guilty("within_a_warp")
    lines = checked("guilty", "within_a_warp", grid, block, args, checks="race").text().splitlines()
    assert lines[1:] == [
        "    32 times at the same lines; this is the first",
        "race: kernel within_a_warp, 1 block: 32 errors",
    ]


MANY = "\n".join(f'  store {k}:i32, %q  !"a.cu":{k}:1' for k in range(1, 9))


def test_a_limit_of_findings() -> None:
    text = f"kernel @k(%p: ptr.global) {{\n^e:\n %q = ptr_add %p, 64:i64 : ptr.global\n{MANY}\n ret\n}}"
    report = check.run(module_of(text), "k", 2, 1, [np.zeros(4, np.int32)], limit=3)
    assert [item.location and item.location.line for item in report.findings] == [1, 2, 3]
    assert (report.dropped, report.errors) == (10, 16)
    assert "\n10 occurrences of further findings are not shown\n" in report.text()


def test_some_blocks_only(checked: Check) -> None:
    _, block, args, options = right("reduce")
    args[0], args[1] = np.ones(64 * 9, np.float32), np.zeros(9, np.float32)
    args[2] = 64 * 9
    report = checked("right", "reduce", 9, block, args, blocks=3, **options)
    assert report.blocks == (3, 9) and report.text().endswith("3 of 9 blocks: nothing found")
    assert args[1].tolist() == [64, 0, 0, 0, 64, 0, 0, 0, 64]
    assert checked("right", "reduce", 9, block, args, blocks=[(1, 0, 0)], **options).blocks == (1, 9)
    assert args[1].tolist() == [64, 64, 0, 0, 64, 0, 0, 0, 64]


def test_progress_is_told(checked: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openrpp.kir.check.guard.REFRESH", 0)
    grid, block, args, options = right("reduce")
    seen: list[check.Progress] = []
    report = checked("right", "reduce", grid, block, args, progress=seen.append, **options)
    assert len(seen) > 3
    assert [item.blocks for item in seen] == [3] * len(seen)
    assert [item.blocks_done for item in seen] == sorted(item.blocks_done for item in seen)
    assert seen[-1].blocks_done == 3 and 0 < seen[0].steps < seen[-1].steps == report.steps


def test_printf_is_kept() -> None:
    module = module_of('kernel @k() {\n^e:\n %r = printf format="hello\\n" : i32\n ret\n}')
    assert check.run(module, "k", 2, 1, []).output == "hello\nhello\n"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "j"}, "there is no kernel 'j'; the module has k"),
    ({"grid": 0}, "the grid is 0; it has one to three extents of 1 or more"),
    ({"args": []}, "0 arguments; the kernel takes 1"),
    ({"checks": "bounds"}, "there is no check 'bounds'"),
    ({"blocks": 0}, "0 blocks cannot be checked; name 1 or more"),
    ({"blocks": [(4, 0, 0)]}, "block (4, 0, 0) does not lie in the grid (4, 1, 1)"),
    ({"blocks": 2}, "the kernel has a grid barrier, so all of its blocks must run"),
    ({"allocations": [check.Allocation("x", 64, 8, bytearray(4))]}, "allocation x has 8 bytes, but 4 marks of written"),
]


@pytest.mark.parametrize(("change", "sentence"), REFUSED)
def test_launches_that_cannot_start(change: dict[str, Any], sentence: str) -> None:
    module = module_of("kernel @k(%n: i32) {\n^e:\n grid_barrier\n ret\n}")
    given = {"name": "k", "grid": 4, "args": [1], **change}
    name, grid, args = given.pop("name"), given.pop("grid"), given.pop("args")
    with pytest.raises(LaunchError) as caught:
        check.run(module, name, grid, 1, args, **given)
    assert sentence in str(caught.value)
