"""Strict tokens (specification 4.2): what happens to every live register in every column.

A live half of IA to IP, or live DVA, enters a column as one token per warp, and exactly one thing becomes of it:
forwarded (FORWARD), consumed by a read, or dropped unread (TERM). A register written in the column is live behind it.
VA and VB pass the columns by themselves until they are written again or TERMed; a TERM in the column that writes VA
drops the old value. MA and MB live inside one column. FORWARD and TERM of a register that is not live are faults too.

The check follows executed columns: the forwarding words behind a taken jump are never reached. All 131 different images
among the 364 published ones keep these rules on every path through their jumps, whatever the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from openrpp.isa.columns import TOKENS, loads, reads
from openrpp.isa.registers import HALF_NAMES
from openrpp.machine.code import DVA, ColumnCode
from openrpp.machine.faults import Place, TokenFault
from openrpp.machine.launch import Launch
from openrpp.machine.memory import Memory
from openrpp.machine.observe import Observer

NAMES = {**HALF_NAMES, DVA: "DVA"}
VA, VB, MA, MB = 4, 5, 6, 7
PASSING = frozenset({VA, VB})
INSIDE = frozenset({MA, MB})


@dataclass(frozen=True)
class Plan:
    """What one column does to registers, as sets of codes."""

    read: frozenset[int]  # all registers that need a value at entry, VA and VB included
    inside: frozenset[int]  # MA and MB read
    loaded: frozenset[int]  # MA and MB written
    written: frozenset[int]  # IA to IP and DVA written
    result: frozenset[int]  # VA and VB written
    forward: frozenset[int]
    terms: frozenset[int]

    @classmethod
    def of(cls, column: ColumnCode) -> Plan:
        """The plan of a decoded column."""
        ops = (*column.port, column.pe) if column.pe else column.port
        read = {code for op in ops for code in reads(op.op)} | {source for source, _ in column.moves}
        result: set[int] = set()
        if column.pe and column.pe.form.syntax.endswith(("VA", "VAB")):  # not a vote
            result = {VA, VB} if column.pe.form.width == 32 else {VA}
        return cls(
            frozenset(read - INSIDE),
            frozenset(read & INSIDE),
            frozenset(code for op in column.port for code in loads(op.op)) & INSIDE,
            column.written & TOKENS,
            frozenset(result),
            column.forward & TOKENS,
            column.terms,
        )


class Tokens(Observer):
    """Follows the live registers of each block."""

    def __init__(self, memory: Memory) -> None:
        self._plans: dict[int, tuple[ColumnCode, Plan]] = {}  # by identity; the column is kept so that it stays unique
        self._lines: dict[int, int] = {}
        self._live: set[int] = set()
        self._born: dict[int, int] = {}  # register -> word of the column that wrote it

    def launch(self, launch: Launch, bank: int) -> None:
        """Forget the columns of earlier kernels."""
        self._plans.clear()
        self._lines = launch.kernel.lines

    def block(self, place: Place) -> None:
        """Vector state does not outlive a block."""
        self._live.clear()
        self._born.clear()

    def tokens(self, column: ColumnCode, place: Place, number: int) -> None:
        """Check one executed column and move the tokens on."""
        known = self._plans.get(id(column))
        if known is None:
            known = self._plans[id(column)] = column, Plan.of(column)
        plan = known[1]
        live = self._live
        # The one case to be fast in: nothing is wrong when these four hold.
        kept = plan.forward
        if not (
            plan.read <= live
            and kept <= live
            and not kept & (plan.written | plan.terms)
            and live - kept - plan.read - plan.terms <= PASSING
            and plan.inside <= plan.loaded
            and plan.terms <= live
            and not plan.terms & plan.read
        ):
            self._complain(plan, column, place, number)
        self._live = (live & PASSING) - plan.terms | kept | plan.written | plan.result
        for code in plan.written | plan.result:
            self._born[code] = column.start

    def finish(self, place: Place, number: int, word: int) -> None:
        """No token may be left at the end of a block."""
        left = self._live - PASSING
        if left:
            names = ", ".join(self._origin(code) for code in sorted(left))
            verb = "is" if len(left) == 1 else "are"
            self._fault(
                f"the block ends while {names} {verb} live; the last column must read or TERM every token",
                word,
                place,
                number,
            )

    # --- sentences ---------------------------------------------------------------------------------------------

    def _complain(self, plan: Plan, column: ColumnCode, place: Place, number: int) -> None:
        live, kept = self._live, plan.forward

        def fault(codes: frozenset[int] | set[int], sentence: str) -> None:
            if codes:
                self._fault(sentence.format(name=NAMES[min(codes)]), column.start, place, number)

        fault(
            plan.inside - plan.loaded,
            "{name} is read but no load of this column writes it; MA and MB live inside one column",
        )
        for code in sorted(plan.read - live):
            never = "it was never written in this block"
            was = f"its last value ended after word {self._born[code]}" if code in self._born else never
            keep = "write it first" if code in PASSING else "write it, or FORWARD it up to here"
            self._fault(f"{NAMES[code]} is read but not live: {was}; {keep}", column.start, place, number)
        fault(kept & plan.terms, "{name} is both FORWARDed and TERMed; keep one of the two")
        fault(
            kept & plan.written & live,
            "{name} is FORWARDed and written in one column; drop it from FORWARD, the new value lives by itself",
        )
        fault(kept - live, "{name} is FORWARDed but not live; drop it from FORWARD or write it before")
        fault(plan.terms - live, "{name} is TERMed but not live; drop it from TERM")
        fault(
            plan.terms & plan.read,
            "{name} is both read and TERMed; the read consumes it, drop it from TERM",
        )
        for code in sorted(live - kept - plan.read - plan.terms - PASSING):
            self._fault(
                f"{self._origin(code)} leaks: it is live but not forwarded, read or TERMed; "
                f"add FORWARD {NAMES[code]} or TERM {NAMES[code]}",
                column.start,
                place,
                number,
            )

    def _origin(self, code: int) -> str:
        return f"{NAMES[code]} (written at word {self._born[code]})"

    def _fault(self, sentence: str, word: int, place: Place, number: int) -> NoReturn:
        raise TokenFault(sentence, Place(place.kernel, place.block, number, word, self._lines.get(word)))
