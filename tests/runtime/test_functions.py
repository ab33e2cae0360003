from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openrpp.isa.objects import write_object
from openrpp.machine import Fault, LaunchError, load_text
from openrpp.runtime import BufferFreed, Card, Function


def sentence(error: pytest.ExceptionInfo[Exception]) -> str:
    return str(error.value)


def test_a_launch_computes_and_reports(card: Card, add: Function) -> None:
    source = card.array(np.arange(1000, dtype=np.uint16), "sram")
    target = card.empty(1000, np.uint16, "sram")
    report = add(4, 250, source, target, 7)
    assert report is not None
    np.testing.assert_array_equal(target.numpy(), np.arange(1000) + 7)
    assert (report.kernel, report.grid, report.block) == ("add", (4, 1, 1), (250, 1, 1))
    assert report.columns == 8 and report.cycles > 0


def test_extents_may_be_numpy_numbers_and_tuples(card: Card, add: Function) -> None:
    buffer = card.array(np.zeros(64, np.uint16), "sram")
    add(np.int64(2), (np.int32(32),), buffer, buffer, np.uint16(3))
    assert (buffer.numpy() == 3).all()


def test_modules_of_objects_hold_several_functions(card: Card, add_file: Path, tmp_path: Path) -> None:
    kernel = load_text(add_file)
    write_object(tmp_path / "two.o", {"add": kernel, "plus": kernel})
    module = card.module(tmp_path / "two.o")
    assert list(module) == ["add", "plus"] and len(module) == 2 and "plus" in module
    assert [param.name for param in module["plus"].params] == ["src", "dst", "n"]
    with pytest.raises(LaunchError) as caught:
        _ = module["ad"]
    assert sentence(caught) == f"{tmp_path}/two.o has no kernel ad; did you mean 'add'?"
    with pytest.raises(LaunchError) as caught:
        _ = module["xyzzy"]
    assert sentence(caught) == f"{tmp_path}/two.o has no kernel xyzzy; it has add, plus"


def test_a_loaded_kernel_is_a_module_too(card: Card, add_file: Path) -> None:
    assert list(card.module(load_text(add_file))) == ["add"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((1, 2), "kernel add takes 3 parameters (src, dst, n), got 2"),
        ((1, 2, 3, 4), "kernel add takes 3 parameters (src, dst, n), got 4"),
        ((1, 2, 65536), "kernel add, parameter n (u16): 65536 does not fit 16 bits"),
        ((1 << 32, 2, 3), "kernel add, parameter src (u32): 4294967296 does not fit 32 bits"),
        ((1, 2, np.int32(-32769)), "kernel add, parameter n (u16): -32769 does not fit 16 bits"),
        (
            (1, 2, 1.5),
            "kernel add, parameter n (u16): 1.5 is a float, which takes 32 bits; pass bf16 as its uint16 bit pattern",
        ),
        ((1e300, 2, 3), "kernel add, parameter src (u32): 1e+300 is out of float32's range"),
        ((True, 2, 3), "kernel add, parameter src (u32): True is a truth value; pass 0 or 1"),
        (
            (np.zeros(3), 2, 3),
            "kernel add, parameter src (u32): an array of the host; "
            "copy it to the card with card.array and pass the buffer",
        ),
        (
            ("x", 2, 3),
            "kernel add, parameter src (u32): a str cannot be passed; buffers, whole numbers and floats can",
        ),
    ],
)
def test_unfit_arguments_are_refused(add: Function, args: tuple[object, ...], said: str) -> None:
    with pytest.raises(LaunchError) as caught:
        add(1, 32, *args)  # type: ignore[arg-type]
    assert sentence(caught) == said


def test_buffers_that_cannot_be_passed_are_refused(card: Card, add: Function) -> None:
    buffer = card.empty(32, np.uint16, "sram")
    with pytest.raises(LaunchError) as caught:
        add(1, 32, buffer, buffer, buffer)
    assert sentence(caught) == (
        "kernel add, parameter n (u16): address 0x4000000 does not fit 16 bits; pass buffer.high and buffer.low"
    )
    with pytest.raises(LaunchError) as caught:
        add(1, 32, Card().empty(32, np.uint16, "sram"), buffer, 1)
    assert sentence(caught) == (
        "kernel add, parameter src (u32): Buffer(sram 0x4000000, shape (32,), uint16) belongs to another card"
    )
    low = card.empty(3 << 30, np.uint8)
    far = card.empty(32, np.uint16)
    assert (far.high, far.low) == (1, 0x1000_0000)
    with pytest.raises(LaunchError) as caught:
        add(1, 32, far, buffer, 1)
    assert sentence(caught) == (
        "kernel add, parameter src (u32): address 0x110000000 does not fit 32 bits; pass buffer.high and buffer.low"
    )
    low.free()
    buffer.free()
    with pytest.raises(BufferFreed) as caught:
        add(1, 32, buffer, 1, 1)
    assert sentence(caught) == (
        "kernel add, parameter src: Buffer(sram 0x4000000, shape (32,), uint16) is used after it was freed"
    )


def test_numbers_become_32_bit_patterns(card: Card, tmp_path: Path) -> None:
    path = tmp_path / "words.s"
    path.write_text(
        ".param .u32 out\n.param .u32 value\n.var .u32 %p\n.var .u32 %v\n.var .u16 %n\n.var .u16 %one\n"
        "LDPARAM.U16 [tid_xyz], %n\nMOVE.U16 1, %one\nCFGXYZ %n, %one, %n\n"
        "LDPARAM.U32 [out], %p\nLDPARAM.U32 [value], %v\nMOVE.U32 %v, VAB\n##\nSTORECONT %p, VA\n##\n"
        "MOVE.U32 256, %v\nADD.U32 %p, %v, %p\nSTORECONT %p, VB\n##\n"
    )
    function = card.module(path)["words"]
    out = card.empty((2, 128), np.uint16, "sram")
    cases = [(1.5, 0x3FC00000), (np.float64(0.1), 0x3DCCCCCD), (-1, 0xFFFFFFFF), (np.float32("inf"), 0x7F800000)]
    cases += [(np.uint32(0xDEADBEEF), 0xDEADBEEF), (np.float16(1.5), 0x3FC00000)]
    for value, bits in cases:
        function(1, 64, out, value)
        low, high = out.numpy()[:, 0]
        assert int(low) | int(high) << 16 == bits


def test_faults_leave_the_card_usable_and_take_no_card_time(card: Card, add: Function) -> None:
    buffer = card.array(np.ones(64, np.uint16), "sram")
    before = card.synchronize()
    with pytest.raises(Fault) as caught:
        add(1, 64, 0x100, buffer, 1)
    assert caught.value.kernel == "add" and caught.value.address == 0x100
    assert card.synchronize() == before
    add(1, 64, buffer, buffer, 1)
    assert (buffer.numpy() == 2).all()


def test_geometry_past_the_limits_is_refused(add: Function) -> None:
    with pytest.raises(LaunchError) as caught:
        add(1, 8161, 0, 0, 0)
    assert sentence(caught) == "block (8161, 1, 1) has 8161 threads; a block has 1 to 8160 (255 warps of 32)"
