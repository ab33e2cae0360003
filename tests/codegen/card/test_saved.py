"""Programs as data and back."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from openrpp.codegen import card
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.card.saved import BadProgram, from_data, to_data
from openrpp.kir.parser import parse_module

from .test_lines import TEXT


def _data(merge: int = 1) -> tuple[card.Program, Any]:
    program = card.compile(prepared(parse_module(TEXT), "scale", merge), "scale", (32, 1, 1))
    return program, json.loads(json.dumps(to_data(program)))


@pytest.mark.parametrize("merge", [1, 4])
def test_a_program_comes_back_as_it_was(merge: int) -> None:
    program, data = _data(merge)
    again = from_data(data, parse_module(TEXT).kernels["scale"])
    for item in fields(program):
        if item.name != "kernel":
            assert getattr(again, item.name) == getattr(program, item.name), item.name
    assert again.machine.lines == program.machine.lines
    assert again.kernel.merge == merge
    args = (4096, 8192, 2.5)
    assert again.area((4, 1, 1), args, {}) == program.area((4, 1, 1), args, {})


@pytest.mark.parametrize("break_it", ["places", "program", "merge"])
def test_data_without_a_part_is_refused(break_it: str) -> None:
    _, data = _data()
    del data[break_it]
    with pytest.raises(BadProgram, match="its machine code cannot be read"):
        from_data(data, parse_module(TEXT).kernels["scale"])


def test_data_of_a_wrong_type_is_refused() -> None:
    _, data = _data()
    data["program"]["area_bytes"] = "many"
    with pytest.raises(BadProgram, match="'many' is no int"):
        from_data(data, parse_module(TEXT).kernels["scale"])
