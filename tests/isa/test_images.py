"""Images as bare words: binary files and arrays in C source."""

from __future__ import annotations

from pathlib import Path

import pytest

from openrpp.isa.assembler import assemble
from openrpp.isa.images import array_text, parse_array, read_image
from openrpp.isa.objects import ObjectError

KERNEL = assemble("MOVE.U16 1, VA\n##\n##\n", "one")


def test_a_binary_image_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(KERNEL.image)
    assert read_image(path) == KERNEL


def test_an_array_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "kernels.h"
    path.write_text(f"/* words[] = {{1}} */\n#include <stdint.h>\n{array_text(KERNEL)}")
    assert read_image(path) == KERNEL


def test_arrays_may_have_attributes_suffixes_and_comments() -> None:
    text = 'uint32_t k[2] __attribute__((section(".text.k"))) = {0xD1000000u, // end\n 7UL};'
    assert parse_array(text) == ("k", (0xD1000000, 7))


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("k.bin", b"12345", "5 bytes are not a whole number of 32-bit words"),
        ("k.bin", b"1234", "kernel 'k': the image has no terminator (0xd1000000)"),
        ("k.bin", b"", "kernel 'k': the image is empty"),
        ("k.c", b"int x;", "no array found; an image in C source is NAME[] = { 0x..., 0x... }"),
        ("k.c", b"int x[] = {1, y};", "array 'x': 'y' is not a number"),
        ("k.c", b"int x[] = {0x1D1000000};", "kernel 'x': word 0 is 7801405440, not an unsigned 32-bit number"),
    ],
)
def test_files_that_are_no_images_have_their_sentence(tmp_path: Path, name: str, data: bytes, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ObjectError) as caught:
        read_image(path)
    assert str(caught.value) == f"{path}: {sentence}"


def test_a_missing_image_has_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match=r"no\.bin: No such file or directory$"):
        read_image(tmp_path / "no.bin")
