"""What loads ahead of their use, and loop bodies of the ring's size, are worth on the card.

    python -m benchmarks.mapping.loops

Loops that add words up: each load in the column that uses it, each load ahead of the one that is used, each load a
column before its use; from SRAM on ae7100, from DDR on ae7100x. Then loops of 24 to 40 columns, around the 32 of the
ring. Cycles per turn, without data; the programs are assembled here.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.bars import RESULTS
from openrpp.isa.assembler import assemble
from openrpp.machine import Device

TURNS = 64
WARPS = (4, 32, 128, 240)
SIZES = (24, 28, 31, 32, 33, 36, 40)
PLACES = {"SRAM": ("ae7100", 0x0401_0000, "LOADCONT DS0"), "DDR": ("ae7100x", 0x5000_0000, "LOAD.D16 [DS0 + DVA]")}
"""Memory -> card, address, and the load of each lane's word."""
_HEAD = """.param .u32 src
LDPARAM.U16 [tid_xyz], S4
MOVE.U16 1, S5
CFGXYZ S4, S5, S4
LDPARAM.U32 [src], DS0
MOVE.U32 0, DS1
MOVE.U16 {turns}, S6
MMOV 0, DVA
MOVE.U32 0, VAB
##
COPY VAB, IAB
##
$turn:
"""
_TAIL = """SUB.U16 S6, S5, S6
JMPC S6, $turn
MOVE.U16 VA, VA
##
"""
_MOVED = "ADD.U32 DS0, DS1, DS0\n"
FORMS = {  # two loads a turn, since no column reads and writes one register
    "in the column of its use": 2 * "{load}, {same}\nADD.U16 VA, {same}, VA\n##\n",
    "a load ahead": "{load}, IA\nADD.U16 VA, IB, VA\n##\n{load}, IB\nADD.U16 VA, IA, VA\n##\n",
    "a column before": 2 * "{load}, IA\nMOVE.U16 VA, VA\n##\nADD.U16 VA, IA, VA\n##\n",
}


@dataclass(frozen=True)
class Measured:
    """A loop with blocks of so many warps: nominal cycles of a turn."""

    what: str
    memory: str
    columns: int
    warps: int
    cycles: float


def cycles_per_turn(body: str, memory: str, warps: int) -> float:
    """Nominal cycles by which a turn makes the launch longer."""
    card, address, _ = PLACES[memory]
    times = [
        Device(card).time(assemble(_HEAD.format(turns=turns) + body + _TAIL, "loop"), (1,), (32 * warps,), [address])
        for turns in (TURNS, 2 * TURNS)
    ]
    return (times[1].cycles - times[0].cycles) / TURNS


def loads() -> list[Measured]:
    """Where the load of a turn stands."""
    found: list[Measured] = []
    for memory, (_, _, load) in PLACES.items():
        for what, form in FORMS.items():
            body = _MOVED + form.format(load=load, same="MB" if memory == "SRAM" else "MA")
            for warps in WARPS:
                found.append(Measured(what, memory, body.count("##"), warps, cycles_per_turn(body, memory, warps)))
    return found


def bodies() -> list[Measured]:
    """Loops of different sizes."""
    return [
        Measured("body", "SRAM", size, warps, cycles_per_turn("ADD.U16 VA, 1, VA\n##\n" * size, "SRAM", warps))
        for size in SIZES
        for warps in WARPS
    ]


def _print(title: str, rows: list[Measured], per_column: bool) -> None:
    table = Table(title=title)
    for column in ("loop", "memory", "columns", *(f"{warps} warps" for warps in WARPS)):
        table.add_column(column, justify="left" if column in ("loop", "memory") else "right")
    for key in dict.fromkeys((row.what, row.memory, row.columns) for row in rows):
        cycles = [row.cycles for row in rows if (row.what, row.memory, row.columns) == key]
        shown = [f"{value / key[2]:.2f}" if per_column else f"{value:.1f}" for value in cycles]
        table.add_row(key[0], key[1], str(key[2]), *shown)
    Console(width=120).print(table)


def main() -> int:
    """Print both tables."""
    ahead, sized = loads(), bodies()
    _print("cycles of a turn, by where its load stands", ahead, per_column=False)
    _print("cycles of a column, by the size of the body", sized, per_column=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {"loads": [asdict(row) for row in ahead], "bodies": [asdict(row) for row in sized]}
    (RESULTS / "loops.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
