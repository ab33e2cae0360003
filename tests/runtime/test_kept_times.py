"""Card times are kept between processes, for the same kernel, launch and card only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openrpp.arch import load
from openrpp.cuda import compile_source, read
from openrpp.machine.device import Device
from openrpp.runtime.card import Card
from openrpp.runtime.card_time import CardTime
from openrpp.storage import Cache

SLOWER = 'inherits = "ae7100x"\nname = "slower"\n[array.stage_latency]\nnominal = 6\n'


STAGED = """#include <rpp.h>
extern "C" __global__ void twice(float *x) {
    __shared__ float tile[64];
    rpp::stage_in(tile, x, 64);
    rpp::wait();
    x[threadIdx.x] = tile[threadIdx.x] * 2;
}"""


def time_of(tmp_path: Path, arch: object = "ae7100x", each: int = 4, block: int = 64, source: str = "") -> CardTime:
    source = source or f'extern "C" __global__ void twice(float *x) {{ x[{each} * threadIdx.x] *= 2; }}'
    card = Card(arch, engine="native")  # type: ignore[arg-type]
    module = read(compile_source(source)).module
    x = card.array(np.ones(4096, np.float32))
    report = card.program(module, store=Cache(tmp_path / "cache"))["twice"](1, block, x)
    assert report is not None
    return report.taken


def test_a_second_process_reads_what_the_first_has_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = time_of(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it is walked again")

    monkeypatch.setattr(Device, "time", refuse)
    assert time_of(tmp_path) == first and first.launches


def test_another_kernel_launch_or_card_is_walked(tmp_path: Path) -> None:
    times = [time_of(tmp_path), time_of(tmp_path, each=40), time_of(tmp_path, block=1024)]
    (tmp_path / "slower.toml").write_text(SLOWER)
    times.append(time_of(tmp_path, load(tmp_path / "slower.toml")))
    assert len({str(taken.seconds) for taken in times}) == 4


def test_a_damaged_entry_is_made_anew(tmp_path: Path) -> None:
    first = time_of(tmp_path)
    for path in (tmp_path / "cache" / "times").iterdir():
        if path.is_file():
            path.write_bytes(b"{")
    assert time_of(tmp_path) == first


def test_a_kept_time_of_a_kernel_that_starts_transfers_is_whole(tmp_path: Path) -> None:
    first, second = (time_of(tmp_path, source=STAGED) for _ in range(2))
    assert second == first
    assert all(type(mine) is type(theirs) for mine, theirs in _fields(first, second))


def _fields(first: CardTime, second: CardTime) -> list[tuple[object, object]]:
    return [
        (vars(mine)[name], vars(theirs)[name])
        for mine, theirs in zip(first.launches, second.launches, strict=True)
        for name in vars(mine)
    ]
