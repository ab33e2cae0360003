"""The examples give the bits that their NumPy models give, in every legal order and with strict tokens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openrpp.machine import Device

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import decode  # noqa: E402
import fft  # noqa: E402
import filter5x5  # noqa: E402
import harness  # noqa: E402
import matmul  # noqa: E402
import softmax  # noqa: E402

ORDERS = ("column", "warp", "random")


@pytest.fixture(params=ORDERS)
def device(request: pytest.FixtureRequest) -> Device:
    """A card that checks tokens, in each order of execution."""
    return Device("ae7100", strict=True, order=request.param, seed=7)


def normal(*shape: int, seed: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def passed(outcome: harness.Outcome) -> None:
    failed = [str(check) for check in outcome.checks if not check.passed]
    assert outcome.checks and not failed, failed


# --- matmul -----------------------------------------------------------------------------------------------------------


def test_matmul_equals_the_model_of_the_dot(device: Device) -> None:
    passed(matmul.run(device, normal(37, 64), normal(64, 256)))


def test_matmul_covers_a_shorter_last_row_block() -> None:
    outcome = matmul.run(Device("ae7100", strict=True), normal(257, 32), normal(32, 128))
    assert outcome.reports[0].grid == (1, 2, 1) and outcome.reports[0].block == (32, 129, 1)
    passed(outcome)


def test_matmul_runs_a_batch_with_ragged_blocks() -> None:
    passed(matmul.run(Device("ae7100", strict=True), normal(3, 301, 64), normal(3, 64, 128)))


def test_matmul_rounds_ties_to_even() -> None:
    # 1 + 2^-8 lies between the bf16 numbers 1 and 1 + 2^-7, 1 + 3 2^-8 between 1 + 2^-7 and 1 + 2^-6.
    a = np.zeros((2, 32), np.float32)
    a[:, 0], a[0, 1], a[1, 1] = 1, 2.0**-8, 3 * 2.0**-8
    b = np.zeros((32, 128), np.float32)
    b[:2] = 1
    got = matmul.run(Device("ae7100"), a, b).values
    assert np.all(got[0] == 1) and np.all(got[1] == 1 + 2.0**-6)


def test_matmul_loop_is_all_dots_and_few_words() -> None:
    text = (EXAMPLES / "matmul.s").read_text()
    loop = text[text.index("$SLAB:") : text.index("JMPC %left, $SLAB")]
    assert loop.count("##") == loop.count("LDLANE_BFMAD") == 16
    short, long = (matmul.run(Device("ae7100"), normal(2, k), normal(k, 128)) for k in (32, 64))
    words = long.reports[0].counters["words"] - short.reports[0].counters["words"]
    assert words == 102


@pytest.mark.parametrize(
    ("m", "k", "n", "what"), [(1, 32, 128, "m = 1"), (4, 33, 128, "k = 33"), (4, 32, 96, "n = 96")]
)
def test_matmul_refuses_what_its_kernel_does_not_cover(m: int, k: int, n: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        matmul.plan(m, k, n)


def test_matmul_refuses_what_sram_does_not_hold() -> None:
    with pytest.raises(harness.OutOfMemory, match="SRAM"):
        matmul.plan(4096, 4096, 4096)


def test_matmul_keeps_the_dot_units_busy() -> None:
    report = matmul.plan(1020, 1024, 1024).launch.timed(Device("ae7100"))
    assert report.utilisation["dot"] >= 0.9 and report.limiter == "array"


# --- decode -----------------------------------------------------------------------------------------------------------


def test_decode_equals_the_model(device: Device) -> None:
    passed(decode.run(device, decode.random_weights(np.random.default_rng(6), 96, 256), normal(256)))


def test_decode_streams_tiles_across_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_WARPS", 4)
    monkeypatch.setattr(decode, "MAX_TILE", 5000)
    weights = decode.random_weights(np.random.default_rng(8), 333, 160)
    planned = decode.plan(333, 160)
    assert (planned.panels, planned.width, planned.tile_groups) == (3, 128, 1)
    passed(decode.run(Device("ae7100", strict=True), weights, normal(160)))


def test_decode_crosses_a_4_gb_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "DDR_BASE", (1 << 32) - 512)
    monkeypatch.setattr(decode, "MAX_TILE", 1)
    weights = decode.random_weights(np.random.default_rng(9), 64, 128)
    assert decode.plan(64, 128).weights < 1 << 32
    passed(decode.run(Device("ae7100"), weights, normal(128)))


def test_decode_moves_each_weight_once() -> None:
    planned = decode.plan(4096, 11008)
    assert planned.stream_bytes == 4096 * 11008 * 5 // 8
    tile = planned.tile_groups * decode.ROWS * 2 * planned.width
    assert (1 << 18) <= tile <= (1 << 20)


@pytest.mark.parametrize(("n", "k"), [(4096, 4096), (11008, 4096)])
def test_decode_runs_at_the_rate_of_ddr(n: int, k: int) -> None:
    report = decode.plan(n, k).launches[1].timed(Device("ae7100"))
    assert report.utilisation["ddr"] >= 0.95 and report.limiter == "DDR"


# --- softmax ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("in_place", [False, True])
def test_softmax_equals_the_model(device: Device, layout: softmax.Layout, in_place: bool) -> None:
    passed(softmax.run(device, 4 * normal(70, 24), layout, in_place))


def test_softmax_covers_a_shorter_last_block() -> None:
    outcome = softmax.run(Device("ae7100", strict=True), normal(8201, 3))
    assert outcome.reports[0].grid == (2, 1, 1)
    passed(outcome)


def test_softmax_gives_nothing_to_masked_scores() -> None:
    scores = normal(40, 9)
    scores[:, 5:] = -np.inf
    got = softmax.run(Device("ae7100"), scores, check=False).values
    assert np.all(got[:, 5:] == 0) and np.allclose(got.sum(axis=1), 1, atol=0.02)


# --- FFT --------------------------------------------------------------------------------------------------------------


def test_fft_down_columns_equals_the_model(device: Device) -> None:
    passed(fft.run(device, fft.signals(256, 64)))


@pytest.mark.parametrize(("stages", "launches"), [(1, 8), (2, 4), (3, 3), (8, 1)])
def test_fft_takes_any_number_of_stages_in_a_launch(stages: int, launches: int) -> None:
    outcome = fft.run(Device("ae7100"), fft.signals(256, 64), stages)
    assert len(outcome.reports) == launches
    passed(outcome)


@pytest.mark.parametrize(("batch", "butterflies"), [(96, 128), (300, 32), (33, 4), (512, 16)])
def test_fft_in_other_block_shapes(batch: int, butterflies: int) -> None:
    passed(fft.run(Device("ae7100", strict=True), fft.signals(256, batch), 8, butterflies))


@pytest.mark.parametrize("batch", [64, 192])
def test_fft_along_rows_in_ddr(batch: int) -> None:
    passed(fft.run_rows(Device("ae7100", strict=True), np.ascontiguousarray(fft.signals(256, batch).T)))


def test_fft_rows_are_loaded_and_stored_in_any_order(device: Device) -> None:
    planned = fft.plan_rows(64)
    z = np.ascontiguousarray(fft.signals(256, 64).T)
    device.write(planned.source, z)
    planned.launches[0].on(device)
    assert np.array_equal(fft.read_planes(device, planned.planes), z.T)
    planned.launches[-1].on(device)
    assert np.array_equal(device.read(planned.target, z.size, np.complex64), z.ravel())


def test_fft_of_an_impulse_is_flat() -> None:
    z = np.zeros((256, 64), np.complex64)
    z[0] = 1
    assert np.all(fft.run(Device("ae7100"), z).values == 1)


# --- filter -----------------------------------------------------------------------------------------------------------


def picture(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(10).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("name", filter5x5.FILTERS)
def test_filter_equals_the_model(device: Device, name: str) -> None:
    passed(filter5x5.run(device, picture(23, 37, 3), name))


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (100, 130), (9, 8, 4)])
def test_filter_takes_any_image(shape: tuple[int, ...]) -> None:
    outcome = filter5x5.run(Device("ae7100", strict=True), picture(*shape), "emboss")
    assert outcome.values.shape == shape
    passed(outcome)


def test_filter_that_only_copies_gives_the_image_back() -> None:
    taps = tuple(tuple(float((x, y) == (2, 2)) for x in range(5)) for y in range(5))
    image = picture(40, 33)
    assert np.array_equal(filter5x5.run(Device("ae7100"), image, filter5x5.Filter(taps)).values, image)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.float32), np.zeros(4, np.uint8)])
def test_filter_refuses_what_is_no_8_bit_image(image: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="an image is uint8"):
        filter5x5.run(Device("ae7100"), image)
