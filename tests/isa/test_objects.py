"""Kernel objects: what is written is read again; whatever else is read ends in one sentence."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from openrpp.isa.assembler import assemble
from openrpp.isa.objects import ObjectError, build_object, parse_object, read_object, write_object
from openrpp.isa.program import Kernel, Parameter, from_words

TEXT = ".param .u32 src\n.param .u16 count\nLDPARAM.U32 [src], DS0\nLOADCONT DS0, MB\nMOVE.U16 MB, VA\n##\n"
ONE = {"copy": assemble(TEXT, "copy")}
TWO = ONE | {"nothing": assemble("##\n", "nothing")}
BYTES = build_object(TWO)
_TEXT_AT = 64


def patched(at: int, new: bytes, data: bytes = BYTES) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def sentence(data: bytes) -> str:
    with pytest.raises(ObjectError) as caught:
        parse_object(data)
    return str(caught.value)


def test_kernels_survive_with_names_and_types(tmp_path: Path) -> None:
    path = tmp_path / "two.o"
    write_object(path, TWO)
    kernels = read_object(path)
    assert kernels == TWO
    assert list(kernels) == ["copy", "nothing"]
    assert kernels["copy"].params == (Parameter("src", "u32"), Parameter("count", "u16"))


def test_the_file_has_the_published_form(tmp_path: Path) -> None:
    path = tmp_path / "one.o"
    write_object(path, ONE)
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        assert (elf["e_type"], elf["e_machine"], elf.elfclass) == ("ET_REL", "EM_X86_64", 64)
        text, info = elf.get_section_by_name(".text.copy"), elf.get_section_by_name(".rpp.info.copy")
        assert (text["sh_type"], text["sh_flags"], text["sh_addralign"]) == ("SHT_PROGBITS", 3, 32)
        assert text.data() == ONE["copy"].image
        assert info.data() == struct.pack("<8H", 0, 0, 4, 0xBEEF, 1, 4, 4, 0xBEEF)
        symbols = {symbol.name for symbol in elf.get_section_by_name(".symtab").iter_symbols()}
        assert symbols == {"", "copy", "copy_para"}


def test_equal_kernels_give_equal_bytes() -> None:
    assert build_object(TWO) == BYTES


def test_an_object_without_stored_names_numbers_its_parameters() -> None:
    hidden = BYTES.replace(b".rpp.names.copy", b".rpp.xxxxx.copy")
    assert parse_object(hidden)["copy"].params == (Parameter("p0"), Parameter("p1"))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match=r"no\.o: No such file or directory$"):
        read_object(tmp_path / "no.o")
    with pytest.raises(ObjectError, match=r": Is a directory$"):
        read_object(tmp_path)


def test_the_sentence_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.o"
    path.write_bytes(b"")
    with pytest.raises(ObjectError, match=r"x\.o: not an ELF file"):
        read_object(path)


def test_files_of_other_kinds_have_their_sentence() -> None:
    assert sentence(b"#!/bin/sh") == "not an ELF file; a kernel object starts with the bytes 7F 45 4C 46"
    assert sentence(BYTES[:40]) == "truncated: the ELF header takes 64 bytes, the file has 40"
    assert sentence(patched(4, b"\1")) == "a 32-bit ELF file; kernel objects are 64-bit"
    assert sentence(patched(5, b"\2")) == "a big-endian ELF file; kernel objects are little-endian"
    machine = "machine type is {}; kernel objects are x86_64 files that carry RPP images as data"
    assert sentence(patched(18, b"\xb7\0")) == machine.format("aarch64")
    assert sentence(patched(18, b"\xff\xff")) == machine.format("number 65535")
    assert sentence(patched(16, b"\2\0")) == "ELF type is ET_EXEC; kernel objects are relocatable files (ET_REL)"


def test_an_object_of_ordinary_code_holds_no_kernels() -> None:
    hidden = BYTES.replace(b".rpp.info.", b".rel.info.").replace(b".rpp.names.", b".rel.names.")
    assert sentence(hidden) == "no kernels inside; a kernel is a pair of sections '.text.NAME' and '.rpp.info.NAME'"


def test_malformed_kernels_have_their_sentence() -> None:
    info = BYTES.index(struct.pack("<4H", 0, 0, 4, 0xBEEF))
    bad = sentence(patched(info + 6, b"\0\0"))
    assert bad == "kernel 'copy': parameter row 0 ends in 0x0000 instead of 0xbeef"
    bad = sentence(patched(info + 10, b"\7\0"))
    assert bad == "kernel 'copy': parameter row 1 is (1, 7, 4) instead of (1, 4, 4)"
    end = BYTES.index(struct.pack("<I", 0xD1000000))
    bad = sentence(patched(end, b"\0\0\0\0"))
    assert bad == "kernel 'copy': the image has no terminator (0xd1000000)"
    bad = sentence(BYTES.replace(b".text.copy", b".text.cope"))
    assert bad == "kernel 'copy': section '.rpp.info.copy' stands without '.text.copy'"
    bad = sentence(BYTES.replace(b'["count"', b'["count '))
    assert bad.startswith("kernel 'copy': the section of parameter names cannot be read: ")


def _resized(section: bytes, size: int) -> bytes:
    """The object with another size in the header of a section."""
    with_header = BYTES
    count = struct.unpack_from("<H", BYTES, 60)[0]
    table = struct.unpack_from("<Q", BYTES, 40)[0]
    names = struct.unpack_from("<Q", BYTES, table + 64 * (count - 1) + 24)[0]
    for index in range(count):
        header = table + 64 * index
        name = names + struct.unpack_from("<I", BYTES, header)[0]
        if BYTES[name:].startswith(section + b"\0"):
            with_header = patched(header + 32, struct.pack("<Q", size), with_header)
    return with_header


def test_sizes_that_make_no_sense_have_their_sentence() -> None:
    bad = sentence(_resized(b".text.copy", 30))
    assert bad == "kernel 'copy': an image of 30 bytes is not a whole number of 32-bit words"
    bad = sentence(_resized(b".rpp.info.copy", 12))
    assert bad == "kernel 'copy': 12 bytes of parameter rows are not a multiple of 8"
    bad = sentence(_resized(b".rpp.info.copy", 65 * 8))
    assert bad == "kernel 'copy': 65 parameters; a launch passes at most 64"
    bad = sentence(_resized(b".text.copy", 1 << 40))
    assert bad == f"truncated: section '.text.copy' ends at byte {(1 << 40) + _TEXT_AT}, the file has {len(BYTES)}"


def test_every_truncation_is_one_sentence() -> None:
    for size in range(len(BYTES)):
        assert sentence(BYTES[:size]), size


@given(random=st.randoms(use_true_random=False), count=st.integers(1, 8))
def test_random_bytes_end_in_a_sentence_or_in_kernels(random: Random, count: int) -> None:
    data = bytearray(BYTES)
    for _ in range(count):
        data[random.randrange(len(data))] = random.randrange(256)
    try:
        kernels = parse_object(bytes(data))
    except ObjectError:
        return
    assert all(isinstance(kernel, Kernel) for kernel in kernels.values())


@given(data=st.binary(max_size=200))
def test_anything_behind_the_magic_ends_in_a_sentence(data: bytes) -> None:
    assert sentence(b"\x7fELF\2\1\1" + data)


def test_kernels_that_have_no_such_form_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match=r"^no kernels to write$"):
        build_object({})
    with pytest.raises(ObjectError, match=r"^kernel name 'a\\nb' is not printable ASCII text$"):
        build_object({"a\nb": ONE["copy"]})
    with pytest.raises(ObjectError, match=r"^kernel 'k': the image has no terminator \(0xd1000000\)$"):
        build_object({"k": Kernel("k", (1, 2))})
    with pytest.raises(ObjectError, match=r"missing/k\.o: No such file or directory$"):
        write_object(tmp_path / "missing" / "k.o", ONE)


def test_images_that_are_no_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^kernel 'k': the image is empty$"):
        from_words([], [], "k")
    with pytest.raises(ValueError, match=r"^kernel 'k': word 0 is -1, not an unsigned 32-bit number$"):
        from_words([-1], [], "k")
    with pytest.raises(ValueError, match=r"^parameter 'a': type 'f32' is not known; u16 and u32 are$"):
        from_words([0xD1000000], [("a", "f32")], "k")
    with pytest.raises(ValueError, match=r"^65 parameters; a launch passes at most 64$"):
        from_words([0xD1000000], [f"p{index}" for index in range(65)], "k")
