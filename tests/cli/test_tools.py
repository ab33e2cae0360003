"""asm, dis, info and isa."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openrpp.arch import as_dict, load, sheet
from openrpp.isa.columns import END_WORD
from openrpp.isa.objects import read_object
from openrpp.isa.table import TABLE
from openrpp.machine import load_text

from .conftest import Rpp


def test_asm_writes_an_object_named_after_the_text(rpp: Rpp, folder: Path) -> None:
    result = rpp("asm", "add.s")
    assert (result.exit_code, result.stderr) == (0, "")
    words = load_text("add.s").words
    assert result.stdout == f"add(u32 src, u32 dst, u16 n): {len(words)} words -> add.o\n"
    kernel = read_object("add.o")["add"]
    assert kernel.words == words and [param.name for param in kernel.params] == ["src", "dst", "n"]


def test_asm_hex_prints_the_words_and_writes_nothing(rpp: Rpp, folder: Path) -> None:
    result = rpp("asm", "add.s", "--hex")
    words = load_text("add.s").words
    assert result.stdout.splitlines() == [f"// add: {len(words)} words", *(f"{word:08X}" for word in words)]
    assert not Path("add.o").exists()


def test_asm_puts_several_texts_into_one_object(rpp: Rpp, folder: Path) -> None:
    Path("plus.s").write_text(Path("add.s").read_text())
    result = rpp("asm", "add.s", "plus.s", "-o", "lib.o", "--json")
    document = json.loads(result.stdout)
    assert [kernel["name"] for kernel in document["kernels"]] == ["add", "plus"] and document["output"] == "lib.o"
    assert list(read_object("lib.o")) == ["add", "plus"]
    result = rpp("asm", "add.s", "plus.s")
    assert (result.exit_code, result.stderr) == (
        2,
        "rpp: asm: 2 files need -o FILE.o for the object that holds them all\n",
    )
    result = rpp("asm", "add.s", "plus.s", "-o", "lib.bin")
    assert result.stderr == "rpp: asm: lib.bin: a raw image holds one kernel, not 2; write an object (.o)\n"
    result = rpp("asm", "add.s", "add.s", "-o", "lib.o")
    assert result.stderr == "rpp: asm: two files give a kernel named add\n"


@pytest.mark.parametrize("ending", ["o", "bin"])
def test_dis_gives_text_that_assembles_to_the_same_words(rpp: Rpp, folder: Path, ending: str) -> None:
    assert rpp("asm", "add.s", "-o", f"add.{ending}").exit_code == 0
    result = rpp("dis", f"add.{ending}")
    Path("again.s").write_text(result.stdout)
    assert load_text("again.s").words == load_text("add.s").words
    annotated = rpp("dis", f"add.{ending}", "--annotate").stdout
    Path("again.s").write_text(annotated)
    assert load_text("again.s").words == load_text("add.s").words and annotated != result.stdout
    document = json.loads(rpp("dis", f"add.{ending}", "--json").stdout)
    assert document == {"kernels": [{"name": "add", "text": result.stdout}]}


@pytest.mark.parametrize(
    ("name", "content", "line", "said"),
    [
        ("x.bin", b"123", "dis x.bin", "dis: x.bin: 3 bytes are no whole number of 32-bit words"),
        ("x.bin", b"1234", "dis x.bin", f"dis: x.bin: kernel 'x': the image has no terminator ({END_WORD:#x})"),
        ("x.o", b"none", "dis x.o", "object: x.o: not an ELF file; a kernel object starts with the bytes 7F 45 4C 46"),
        ("x.o", b"\x7fELF", "dis x.o", "object: x.o: truncated: the ELF header takes 64 bytes, the file has 4"),
        ("y", b"", "dis none.bin", "dis: none.bin: No such file or directory"),
        ("y", b"", "dis add.s", "dis: add.s is assembly text already; give an object (.o) or a raw image (.bin)"),
        ("y", b"", "asm none.s", "asm: none.s: No such file or directory"),
        ("y", b"", "isa LODCONT", "isa: 'LODCONT' is not an instruction; did you mean 'LOADCONT'?"),
        ("y", b"", "isa QQQ", "isa: 'QQQ' is not an instruction; 'rpp isa' lists all"),
        ("y", b"", "info --arch none.toml", "arch: none.toml: no such file"),
    ],
)  # fmt: skip
def test_tools_refuse_bad_files_in_one_sentence(
    rpp: Rpp, folder: Path, name: str, content: bytes, line: str, said: str
) -> None:
    (folder / name).write_bytes(content)
    result = rpp(*line.split())
    assert (result.stderr, result.stdout, result.exit_code) == (f"rpp: {said}\n", "", 2)


def test_dis_names_the_kernels_that_there_are(rpp: Rpp, folder: Path) -> None:
    rpp("asm", "add.s")
    result = rpp("dis", "add.o", "--kernel", "sub")
    assert (result.exit_code, result.stderr) == (2, "rpp: dis: add.o has no kernel sub; it has add\n")


def test_info_prints_every_figure_with_its_source(rpp: Rpp) -> None:
    result = rpp("info")
    lines = result.stdout.splitlines()
    for row in sheet(load("ae7100")):
        found = [line for line in lines if line.startswith(row.key + " ") and row.reference in line]
        assert any(f" {row.source} " in line and row.text in line for line in found), row.key
    assert "2 / 4 / 8" in result.stdout
    assert json.loads(rpp("info", "--arch", "ae7100x", "--json").stdout) == as_dict(load("ae7100x"))


def test_info_takes_a_user_s_file_and_reports_its_faults(rpp: Rpp, folder: Path) -> None:
    Path("wide.toml").write_text('inherits = "ae7100"\narray.columns = 48\n')
    assert "48" in next(line for line in rpp("info", "--arch", "wide.toml").stdout.splitlines() if "columns" in line)
    Path("wrong.toml").write_text('inherits = "ae7100"\narray.colums = 48\n')
    result = rpp("info", "--arch", "wrong.toml")
    assert result.exit_code == 2
    assert result.stderr == "rpp: arch: wrong.toml: array.colums: unknown key; did you mean 'columns'?\n"


def test_isa_lists_every_row_of_the_table_and_describes_one(rpp: Rpp) -> None:
    lines = rpp("isa").stdout.splitlines()
    assert len(lines) == len(TABLE) + 1
    document = json.loads(rpp("isa", "LOADCONT", "--json").stdout)
    forms = [form for row in document["instructions"] for form in row["forms"]]
    assert "LOADCONT" in [form["name"] for form in forms]
    shown = rpp("isa", "loadcont").stdout
    assert "memory port" in shown and all(f"{form['text']}  " in shown and form["word"] in shown for form in forms)
    assert "LDLANE_BFMAD" in rpp("isa", "ldlane").stdout
