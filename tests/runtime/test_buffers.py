from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from openrpp.machine import LaunchError
from openrpp.runtime import BufferFreed, Card, OutOfMemory

SRAM, DATA = 0x0400_0000, 0x5000_0000


def sentence(error: pytest.ExceptionInfo[Exception]) -> str:
    return str(error.value)


@pytest.mark.parametrize("memory", ["ddr", "sram"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "int64", "float64"])
def test_arrays_come_back_bit_for_bit(card: Card, memory: str, dtype: str) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 5, 7)).astype(dtype)
    buffer = card.array(values, memory=memory)  # type: ignore[arg-type]
    assert (buffer.shape, buffer.dtype, buffer.nbytes) == ((3, 5, 7), values.dtype, values.nbytes)
    np.testing.assert_array_equal(buffer.numpy(), values)


def test_sram_buffers_are_rounded_and_guarded_and_ddr_ones_rounded(card: Card) -> None:
    addresses = [card.empty(513, "uint8", "sram").address for _ in range(1)]
    held = [card.empty(size, "uint8", "sram") for size in (1, 512, 513)]
    assert addresses == [SRAM]
    assert [buffer.address - SRAM for buffer in held] == [0, 1024, 2048]
    ddr = [card.empty(size, "uint8") for size in (1, 512, 513, 1)]
    assert [buffer.address - DATA for buffer in ddr] == [0, 512, 1024, 2048]


def test_sram_hands_out_22_mib_and_never_the_top(card: Card) -> None:
    assert card.memory_info("sram").total == 22 << 20
    with pytest.raises(OutOfMemory) as caught:
        card.empty(22 << 20, "uint8", "sram")
    assert sentence(caught) == (
        "SRAM has no room for 23068672 bytes (23069184 with rounding and guard): "
        "23068672 are free, the largest gap has 23068672"
    )
    whole = card.empty((22 << 20) - 512, "uint8", "sram")
    assert whole.address + whole.nbytes <= SRAM + (24 << 20) - (256 << 10)
    assert card.memory_info("sram").free == 0


def test_ddr_exhaustion_names_the_figures(card: Card) -> None:
    kept = card.empty(15 << 30, "uint8")
    assert card.memory_info("ddr").total == 15 << 30
    with pytest.raises(OutOfMemory) as caught:
        card.empty((2, 300), "float32")
    assert sentence(caught) == (
        "DDR has no room for 2400 bytes (2560 with rounding and guard): 0 are free, the largest gap has 0"
    )
    kept.free()
    assert card.empty((2, 300), "float32").address == DATA


def test_a_buffer_is_given_back_when_nothing_refers_to_it(card: Card) -> None:
    buffer = card.empty(4096, "uint8", "sram")
    view = buffer[10:20]
    del buffer
    gc.collect()
    assert card.memory_info("sram").used == 4096 + 512
    del view
    gc.collect()
    assert card.memory_info("sram").used == 0


def test_with_block_frees(card: Card) -> None:
    with card.empty(4, "uint8", "sram") as buffer:
        assert not buffer.freed
    assert buffer.freed and card.memory_info("sram").used == 0


def test_use_after_free_is_refused(card: Card) -> None:
    buffer = card.array(np.zeros(4, np.float32))
    view = buffer[1:]
    buffer.free()
    with pytest.raises(BufferFreed) as caught:
        buffer.numpy()
    assert sentence(caught) == "Buffer(ddr 0x50000000, shape (4,), float32) is used after it was freed"
    with pytest.raises(BufferFreed):
        view.numpy()
    with pytest.raises(BufferFreed) as caught:
        buffer.free()
    assert sentence(caught) == "Buffer(ddr 0x50000000, shape (4,), float32) is freed a second time"


def test_rows_are_views(card: Card) -> None:
    values = np.arange(24, dtype=np.int32).reshape(4, 3, 2)
    buffer = card.array(values, "sram")
    np.testing.assert_array_equal(buffer[1:3].numpy(), values[1:3])
    np.testing.assert_array_equal(buffer[-1].numpy(), values[-1])
    buffer[2].write(np.full((3, 2), 7, np.int32))
    assert (buffer.numpy()[2] == 7).all()
    assert len(buffer) == 4 and buffer.size == 24


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (slice(0, 4, 2), "[0:4:2] of 4 rows is no view; rows must follow each other, at least one"),
        (slice(3, 3), "[3:3] of 4 rows is no view; rows must follow each other, at least one"),
        (4, "row 4 of 4 does not exist"),
    ],
)
def test_what_is_no_row_range_is_refused(card: Card, key: int | slice, said: str) -> None:
    with pytest.raises(LaunchError) as caught:
        _ = card.empty(4, "uint8")[key]
    assert sentence(caught) == said


def test_iteration_over_a_buffer_ends(card: Card) -> None:
    assert [row.numpy().tolist() for row in card.array(np.eye(2, dtype=np.uint8))] == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("shape", "dtype", "memory", "said"),
    [
        ((0,), "uint8", "ddr", "shape (0,): every extent must be a whole number of at least 1"),
        ((2, -1), "uint8", "ddr", "shape (2, -1): every extent must be a whole number of at least 1"),
        ((2.0,), "uint8", "ddr", "shape (2.0,): every extent must be a whole number of at least 1"),
        (4, "object", "ddr", "dtype object cannot live on the card; use a fixed-size number type"),
        (4, "U5", "ddr", "dtype <U5 cannot live on the card; use a fixed-size number type"),
        (4, ">u2", "ddr", "dtype >u2 is not little-endian; use <u2"),
        (4, "f9", "ddr", "'f9' is not a dtype; there are uint8, int16, float32, bf16 and the like"),
        (4, "uint8", "hbm", "memory 'hbm' is not known; there are ddr and sram"),
    ],
)
def test_bad_buffers_are_refused(card: Card, shape: object, dtype: str, memory: str, said: str) -> None:
    with pytest.raises(LaunchError) as caught:
        card.empty(shape, dtype, memory)  # type: ignore[arg-type]
    assert sentence(caught) == said


def test_bf16_travels_as_uint16(card: Card) -> None:
    assert card.empty(4, "bf16").dtype == np.uint16


@pytest.mark.parametrize(
    ("array", "said"),
    [
        ([1, 2], "expected a NumPy array, got list; use numpy.asarray first"),
        (
            np.zeros((4, 4), np.uint8)[:, ::2],
            "the array is not contiguous (strides (4, 2)); use numpy.ascontiguousarray",
        ),
        (np.zeros(2, object), "dtype object cannot live on the card; use a fixed-size number type"),
        (np.zeros((0, 3), np.uint8), "shape (0, 3): every extent must be a whole number of at least 1"),
    ],
)
def test_bad_arrays_are_refused_and_leave_nothing_allocated(card: Card, array: object, said: str) -> None:
    with pytest.raises(LaunchError) as caught:
        card.array(array)  # type: ignore[arg-type]
    assert sentence(caught) == said
    gc.collect()
    assert card.memory_info("ddr").used == 0


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 2), np.float64), "cannot copy float64 to float32; convert with array.astype or array.view"),
        (np.zeros((2, 3), np.float32), "cannot copy shape (2, 3) to shape (2, 2)"),
        (
            np.zeros((4, 2), np.float32)[::2],
            "the array is not contiguous (strides (16, 4)); use numpy.ascontiguousarray",
        ),
    ],
)
def test_writes_that_do_not_match_are_refused(card: Card, array: np.ndarray, said: str) -> None:
    with pytest.raises(LaunchError) as caught:
        card.empty((2, 2), np.float32).write(array)
    assert sentence(caught) == said


def test_a_user_file_changes_what_can_be_planned(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text('inherits = "ae7100"\nsram.plannable = 4096\n')
    small = Card(path)
    assert small.memory_info("sram").total == 4096
