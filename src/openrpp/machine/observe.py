"""What may watch an engine at work: checkers, conflict sampling, traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openrpp.isa.form import Op
    from openrpp.isa.table.port import Lanes
    from openrpp.machine.code import ColumnCode
    from openrpp.machine.faults import Place
    from openrpp.machine.launch import Launch
    from openrpp.machine.reference import Reference, Step


class Observer:
    """Called by the reference engine; every method but `attach` and `host_write` may raise a Fault."""

    def attach(self, engine: Reference) -> None:
        """The engine that will be watched, once, before any launch."""

    def launch(self, launch: Launch, bank: int) -> None:
        """A launch begins; its parameters stand in FRAM bank `bank`."""

    def block(self, place: Place) -> None:
        """A block begins."""

    def scalar(self, op: Op, place: Place, number: int, word: int) -> None:
        """A scalar word is about to execute, `number` columns after the start of the block."""

    def tokens(self, column: ColumnCode, place: Place, number: int) -> None:
        """The sequencer hands out a column (once per block, before its lanes run)."""

    def before(self, step: Step, lanes: Lanes, part: slice) -> None:
        """A column is about to run for some lanes, on entry state."""

    def after(self, step: Step, lanes: Lanes, part: slice) -> None:
        """A column has run for some lanes."""

    def sync(self, what: str) -> None:
        """A barrier or a DMA poll: all warps meet."""

    def transfer(self, source: int, target: int, nbytes: int, place: Place, word: int) -> None:
        """A kernel-started DMA copies bytes."""

    def finish(self, place: Place, number: int, word: int) -> None:
        """A block has come to its end word."""

    def host_write(self, address: int, nbytes: int) -> None:
        """The host wrote memory between launches."""
