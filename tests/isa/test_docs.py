"""The written page and the rows of `rpp isa`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openrpp.isa import docs
from openrpp.isa.describe import UnknownInstruction, bits_text, describe
from openrpp.isa.form import Field
from openrpp.isa.table import TABLE

PAGE = Path(__file__).parents[2] / "docs" / "isa.md"


def test_the_page_is_current() -> None:
    message = "docs/isa.md is out of date: run `python -m openrpp.isa.docs`"
    assert PAGE.read_text(encoding="utf-8") == docs.render(), message


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    path = tmp_path / "isa.md"
    docs.main([str(path)])
    assert path.read_text(encoding="utf-8") == docs.render()


def test_every_form_is_on_the_page() -> None:
    page = docs.render()
    for row in describe():
        for form in row.forms:
            assert f"| `{form.text}` | `{form.word}` |" in page


def test_rows_tell_what_the_table_knows() -> None:
    (row,) = describe("MADD")
    assert (row.unit, row.meaning, row.equation) == ("memory port", "Add to DVA.", "DVA = a + b")
    form = row.forms[0]
    assert (form.text, form.word) == ("MADD DVA, b, DVA", "307A0001")
    assert [(field.name, field.bits) for field in form.fields] == [("b", "[15:2]")]
    assert json.loads(json.dumps(row.to_json()))["forms"][0]["fields"][0]["kind"] == "an immediate"


def test_a_name_may_be_a_mnemonic_or_a_whole_form() -> None:
    assert [row.mnemonic for row in describe("sub.f32")] == ["SUB (float)"]
    assert {row.extension for row in describe("CMP")} == {"", "compare", "double"}
    assert len(describe()) == len(TABLE)


def test_an_unknown_name_has_its_sentence() -> None:
    with pytest.raises(UnknownInstruction, match=r"^'ADDX' is not an instruction; did you mean 'ADD'\?$"):
        describe("ADDX")


def test_bit_ranges_start_at_the_high_end() -> None:
    assert bits_text(Field(((25, 3), (0, 1)))) == "[0][27:25]"
    assert bits_text(Field(((16, 5),), 2)) == "[20:16] x 2"
