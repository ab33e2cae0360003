"""What a walked program consists of, in program order: columns, transfers, waits, and `Repeat`s of item lists."""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.machine.code import ColumnCode
from openrpp.machine.faults import MachineError


@dataclass(frozen=True, slots=True)
class ColumnItem:
    """An executed column. `passes` are its port passes over all warps, None where they depend on data."""

    code: ColumnCode
    fetch: int  # words, scalar words before it included
    lanes: int
    warps: int
    passes: int | None
    terms: int = 0  # words of each lane's vector in a dot product


@dataclass(frozen=True, slots=True)
class TransferItem:
    """A kernel-started DMA: bytes, and which memories it reads and writes ("DDR", "SRAM", ...)."""

    fetch: int
    nbytes: int
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class SyncItem:
    """A wait of the sequencer: "poll" for the DMA, "barrier" for all columns, "vote" for the result of all lanes."""

    fetch: int
    what: str


@dataclass(frozen=True, slots=True)
class WordsItem:
    """Scalar words on their own, at the end of a loop's round or of a block."""

    fetch: int


@dataclass(frozen=True, slots=True)
class BlockItem:
    """A block begins."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Items that run `count` times."""

    count: int
    items: tuple[Item, ...]


Item = ColumnItem | TransferItem | SyncItem | WordsItem | BlockItem | Repeat


class WalkError(MachineError):
    """The program cannot be walked without data, or not at all."""
