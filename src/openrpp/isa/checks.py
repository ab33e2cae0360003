"""What the registers of a column allow (specification 4.1); no published text breaks any of these rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from openrpp.isa.columns import Column, loads, reads, writes
from openrpp.isa.form import Op, Slot
from openrpp.isa.registers import HALF_NAMES
from openrpp.isa.source import Place

_MA, _MB = 6, 7
_PORT = (Slot.SEQUENTIAL, Slot.GATHER, Slot.ADDRESS)
Finding = tuple[Place, str]


def _name(code: int) -> str:
    return "DVA" if code == 14 else HALF_NAMES[code]


def _filled(op: Op) -> set[int]:
    """Which of MA and MB an operation fills."""
    return loads(op) & {_MA, _MB}


def _written_twice(ops: list[Op], places: Mapping[int, Place]) -> Iterator[Finding]:
    seen: dict[int, Op] = {}
    for op in ops:
        for code in sorted(writes(op) | _filled(op)):
            if code in seen:
                line = places[id(seen[code])].line
                yield places[id(op)], f"{_name(code)} is written twice in one column; line {line} writes it too"
            seen[code] = op


def _stale(ops: list[Op], places: Mapping[int, Place]) -> Iterator[Finding]:
    """The processing element reads a register that this column writes."""
    writers = {code: op for op in ops for code in writes(op)}
    for op in ops:
        if op.form.slot is Slot.PE:
            for code in sorted(reads(op) & writers.keys()):
                line = places[id(writers[code])].line
                fix = "end the column with ## between them"
                yield places[id(op)], f"{_name(code)} is read here and written by line {line} of the same column; {fix}"


def _empty_ports(ops: list[Op], places: Mapping[int, Place]) -> Iterator[Finding]:
    """MA, MB and WARPVEC live only inside the column that loads them, and only behind the memory port."""
    filled = {code for op in ops for code in _filled(op)}
    for op in ops:
        for code in sorted(reads(op) & {_MA, _MB}):
            if op.form.slot in _PORT:
                yield places[id(op)], f"{_name(code)} cannot be read by the memory port, only by copies and the PE"
            elif code not in filled:
                yield places[id(op)], f"{_name(code)} is read, but no load of this column fills it"
        if op.form.effect.startswith("dot") and not any(other.form.effect == "warp-load" for other in ops):
            yield places[id(op)], f"{op.form.name} needs an LDWARP in the same column; WARPVEC does not outlive it"
        if op.form.effect == "atomic" and op.values.get("d") == _MA:
            yield places[id(op)], "MAB gets the old low word; name another pair for the high word"
        if op.form.name.endswith("CAS.U64") and not any(other.form.effect == "compare" for other in ops):
            yield places[id(op)], f"{op.form.name} needs an ATOMCMP in the same column; it says what is compared"


def _closed_twice(column: Column, ops: list[Op], places: Mapping[int, Place]) -> Iterator[Finding]:
    if column.closed and (ops or column.forward or column.terms):
        message = "a .word closes this column; its vector instructions, FORWARD and TERM must be words too"
        yield places[id(column.scalars[-1])], message


def check(column: Column, places: Mapping[int, Place]) -> list[Finding]:
    """Complaints about one column, in the order of the rules."""
    ops = [op for op in column.ops if op.form.slot is not Slot.SCALAR]
    findings = [*_written_twice(ops, places), *_stale(ops, places), *_empty_ports(ops, places)]
    return findings + list(_closed_twice(column, ops, places))


def advise(column: Column, places: Mapping[int, Place]) -> list[Finding]:
    """What a column may do, but no published one does: MA filled by a sequential load, MB by a gather."""
    found: list[Finding] = []
    for op in column.ops:
        unusual = {Slot.SEQUENTIAL: _MA, Slot.GATHER: _MB}.get(op.form.slot)
        if _filled(op) == {unusual}:
            kind = op.form.slot.value
            found.append((places[id(op)], f"no published kernel fills {_name(unusual or 0)} by a {kind}"))
    return found
