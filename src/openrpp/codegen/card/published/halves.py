"""Accesses of 32 bits as two of 16: the published memory port has no others."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from typing import Final

from openrpp.codegen.card.columns import Op

_LOW: Final = {"IAB": "IA", "ICD": "IC", "IEF": "IE", "IGH": "IG", "VAB": "VA", "MAB": "MA"}
_HIGH: Final = {"IAB": "IB", "ICD": "ID", "IEF": "IF", "IGH": "IH", "VAB": "VB", "MAB": "MB"}
_BASE: Final = r"(?P<base>DS\d+)"
_PLACE: Final = (
    r"\[(?:DVA(?:\+(?P<offset>\w+))?|" + _BASE.replace("base", "from") + r"\+\((?P<index>\w+)<<(?P<by>\d)\))\]"
)
_FORMS: Final = {
    "plane load": re.compile(rf"LOADCONT\.W32 {_BASE}, (?P<pair>\w+)"),
    "plane store": re.compile(rf"STORECONT\.W32 {_BASE}, (?P<pair>\w+)"),
    "load": re.compile(rf"LOAD\.W32 {_PLACE}, (?P<pair>\w+)"),
    "store": re.compile(rf"STORE\.W32 (?P<pair>\w+), {_PLACE}"),
    "masked store": re.compile(r"STOREMASK\.W32 (?P<pair>\w+), (?P<mask>\w+), \[DVA\]"),
}


_Spelling = Callable[[str, str], str]


class Halves:
    """Splits operations. A plane of 4 bytes per thread is a plane of low halves and one of high ones behind it."""

    def __init__(self, threads: int) -> None:
        self._plane = 2 * threads
        self._temporaries = cycle(("DS10", "DS11"))

    def __call__(self, op: Op) -> list[Op]:
        """The operations that do what one does; itself if it has no access of 32 bits."""
        if not any(".W32" in text for text in op.vector):
            return [op]
        (text,) = op.vector
        for kind, form in _FORMS.items():
            if found := form.fullmatch(text):
                return self._split(op, kind, found.groupdict(""))
        raise AssertionError(f"no published way to carry out '{text}'")

    def _split(self, op: Op, kind: str, names: dict[str, str]) -> list[Op]:
        low, high = _LOW[names["pair"]], _HIGH[names["pair"]]
        if kind == "masked store":
            return self._masked(op, low, high, names["mask"])
        if kind.startswith("plane"):
            verb = "LOADCONT" if kind == "plane load" else "STORECONT"
            base = names["base"]
            first = replace(op, vector=[f"{verb} {base}, {low}"])
            return [first, self._further(op, base, self._plane, lambda there: f"{verb} {there}, {high}")]
        is_load = kind == "load"

        def access(place: str, register: str) -> str:
            return f"LOAD [{place}], {register}" if is_load else f"STORE {register}, [{place}]"

        if names["from"]:
            return self._indexed(op, access, (low, high), names)
        start = int(names["offset"] or "0", 0)
        places = [f"DVA+{start + more}" if start + more else "DVA" for more in (0, 2)]
        rest = replace(op, scalar=[], scalar_writes=frozenset[str](), scalar_reads=frozenset[str]())
        return [replace(op, vector=[access(places[0], low)]), replace(rest, vector=[access(places[1], high)])]

    def _indexed(self, op: Op, access: _Spelling, registers: tuple[str, str], names: dict[str, str]) -> list[Op]:
        """The half that overwrites the index comes last."""
        low, high = registers
        base, index, by = names["from"], names["index"], names["by"]
        near = replace(op, vector=[access(f"{base}+({index}<<{by})", low)])
        far = self._further(op, base, 2, lambda there: access(f"{there}+({index}<<{by})", high))
        if index != low or near.vector[0].startswith("STORE"):
            return [near, far]
        carrier = replace(near, scalar=[], scalar_writes=frozenset[str](), scalar_reads=frozenset((base,)))
        ahead = replace(
            far,
            scalar=[*op.scalar, *far.scalar],
            scalar_reads=far.scalar_reads | op.scalar_reads,
            scalar_writes=far.scalar_writes | op.scalar_writes,
        )
        return [ahead, carrier]

    def _further(self, op: Op, base: str, distance: int, write: Callable[[str], str]) -> Op:
        """The same access some bytes behind a scalar base."""
        name = next(self._temporaries)
        return replace(
            op,
            vector=[write(name)],
            scalar=[f"MOVE.U32 {distance:#x}, {name}", f"ADD.U32 {base}, {name}, {name}"],
            scalar_reads=frozenset((base,)),
            scalar_writes=frozenset((name,)),
            captured=frozenset((name,)),
        )

    def _masked(self, op: Op, low: str, high: str, mask: str) -> list[Op]:
        """The address moves on in the column of the first half: a masked store takes no offset."""
        first = replace(
            op,
            vector=[f"STOREMASK {low}, {mask}, [DVA]", "MADD DVA, 2, DVA"],
            units=op.units | {"address"},
            writes=op.writes | {"DVA"},
        )
        return [first, replace(op, vector=[f"STOREMASK {high}, {mask}, [DVA]"], scalar=[])]
