"""What a program sets up before its first column: only what it needs.

Every register that is first written behind a jump or label must be alive on all ways there. So it is given some value
before: a copy of whatever VAB holds, in a column that stands there anyway.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from openrpp.codegen.card.registers import BANK, HIGH, LOW, VAB, copy_line
from openrpp.codegen.card.text import Text

_NAMES = re.compile(r"\b(?:DVA|I[A-P]{1,2})\b")
_HALVES_PER_BANK = 4


@dataclass(slots=True)
class _Column:
    """A column of the text: the index of its closing line, and what stands in it."""

    close: int
    lines: list[str]

    def copies(self, bank: int) -> int:
        """How many halves of a bank it copies to."""
        targets = [line.rsplit(", ", 1)[1] for line in self.lines if line.startswith("COPY")]
        return sum(len(_halves(target)) for target in targets if _bank(target) == bank)


def _halves(name: str) -> tuple[str, ...]:
    return (LOW[name], HIGH[name]) if name in LOW else (name,)


def _bank(name: str) -> int:
    return next(bank for pair, bank in BANK.items() if name == pair or name in _halves(pair))


def _mentioned(lines: Sequence[str]) -> set[str]:
    """Halves and DVA that lines name."""
    return {half for line in lines for name in _NAMES.findall(line) for half in _halves(name)}


def set_up(text: Text, pairs: Sequence[str]) -> str:
    """Make all registers alive where they must be; the text that comes before."""
    lines = text.lines
    first = next((at for at, line in enumerate(lines) if line.startswith(("$", "JMP"))), len(lines))
    before, behind = _mentioned(lines[:first]), _mentioned(lines[first:])
    wanted = [name for pair in pairs if (name := _missing(pair, behind - before))]
    columns = _columns(lines[:first])
    extra = "LDPARAM.U32 [planes], DS0\n" if any("DS0" in line for line in lines) else ""
    added: dict[int, list[str]] = {}
    if "DVA" in behind - before:
        if columns:
            added.setdefault(columns[0].close, []).append("MMOV 0, DVA")
        else:
            extra += "MMOV 0, DVA\n##\n"
    rest = _copied(columns, wanted, added)
    for close in sorted(added, reverse=True):
        text.insert(close, added[close])
    if rest:
        copies = "".join(f"{copy_line(VAB, name) if name in LOW else _half_copy(name)}\n" for name in rest)
        extra += f"MOVE.U32 0, VAB\n##\n{copies}##\n"
    return extra


def _missing(pair: str, halves: set[str]) -> str:
    """The pair or the half of it that is among some halves; "" for none."""
    found = [half for half in _halves(pair) if half in halves]
    return pair if len(found) == 2 else "".join(found)


def _half_copy(half: str) -> str:
    pair = next(pair for pair in BANK if half in _halves(pair))
    return copy_line("VA", pair).replace(pair, half)


def _columns(lines: Sequence[str]) -> list[_Column]:
    found: list[_Column] = []
    start = 0
    for at, line in enumerate(lines):
        if line == "##":
            found.append(_Column(at, list(lines[start:at])))
            start = at + 1
    return found


def _copied(columns: Sequence[_Column], wanted: Sequence[str], added: dict[int, list[str]]) -> list[str]:
    """Put copies of VAB into columns behind the first result; what found no place."""
    rest = list(wanted)
    is_alive = False
    for column in columns:
        for name in [name for name in rest if is_alive]:
            if column.copies(_bank(name)) + len(_halves(name)) <= _HALVES_PER_BANK:
                line = copy_line(VAB, name) if name in LOW else _half_copy(name)
                column.lines.append(line)
                added.setdefault(column.close, []).append(line)
                rest.remove(name)
        is_alive |= any(line.endswith(", VAB") and not line.startswith("STORE") for line in column.lines)
    return rest
