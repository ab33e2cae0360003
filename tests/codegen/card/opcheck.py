"""One op as machine code against the interpreter, on rows of operands, one lane per row."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from openrpp.codegen import card
from openrpp.kir.floats import is_nan
from openrpp.kir.ir import Module
from openrpp.kir.ops.form import Attrs
from openrpp.kir.types import Type
from tests.kir.expand.harness import Row, op_kernel, rows_of, run_rows

from .support import Board, expanded

LANES = 64


def run_card(module: Module, rows: Sequence[Row], naive: bool, pairs: int | None = None) -> list[int]:
    """The results of a kernel of `op_kernel`."""
    count = -(-len(rows) // LANES) * LANES
    given = np.zeros((count, len(rows[0])), np.uint64)
    given[: len(rows)] = np.array(rows, np.uint64)
    out = np.zeros(count, np.uint64)
    board = Board(strict=True)
    program = card.compile(expanded(module), "op", (LANES, 1, 1), naive=naive, pairs=pairs)
    places = [board.place(given), board.place(out)]
    board.launch(program, (count // LANES, 1, 1), places, {})
    return [int(value) for value in board.read(places[1], out)[: len(rows)]]


def check(
    name: str,
    kinds: Sequence[Type],
    result: Type,
    attrs: Attrs | None = None,
    constants: dict[int, int] | None = None,
    naive: bool = False,
    rows: int = 40,
    pairs: int | None = None,
) -> None:
    """The card and the interpreter give the same on all rows; a NaN is a NaN."""
    module = op_kernel(name, kinds, result, attrs or {}, constants or {})
    seed = zlib.crc32(f"{name} {kinds} {result}".encode())
    given = rows_of(kinds, seed, rows, rows)
    if naive:
        given = given[:LANES] + given[-LANES:]
    wanted, found = run_rows(module, given, result.bits), run_card(module, given, naive, pairs)
    for row, a, b in zip(given, wanted, found, strict=True):
        b &= result.mask if not result.is_float else (1 << result.bits) - 1
        same = a == b or (result.is_float and is_nan(result, a) and is_nan(result, b))
        assert same, f"{name} {attrs} {[hex(value) for value in row]}: {a:#x} became {b:#x}"
