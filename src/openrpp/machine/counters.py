"""Exact event counts of a walk, for utilisation now and for an energy model later."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from openrpp.isa.form import Cost
from openrpp.machine.code import ColumnCode
from openrpp.machine.items import BlockItem, ColumnItem, Item, Repeat, SyncItem, TransferItem, WordsItem

FLOAT_NAMES = (
    "ADD.F",
    "SUB.F",
    "MUL.F",
    "MIN.F",
    "MAX.F",
    "FMA",
    "HFMA",
    "NEG.F",
    "RCP",
    "RSQRT",
    "SQRT",
    "DIV",
    "EX2",
    "LG2",
)
_FUSED = ("FMA", "HFMA")
DOT_TERMS = 8
"""Products of one LDLANE_BFMAD; the length is a register that every published program sets to 8."""


def tally(items: tuple[Item, ...]) -> Counter[Item]:
    """How often each item runs, repeats multiplied out; equal items count together."""
    counts: Counter[Item] = Counter()
    for item in items:
        if isinstance(item, Repeat):
            for inner, times in tally(item.items).items():
                counts[inner] += times * item.count
        else:
            counts[item] += 1
    return counts


@lru_cache(maxsize=65536)
def per_lane(column: ColumnCode) -> dict[str, int]:
    """Events of a column per lane (PE, registers, words of memory) that do not depend on its addresses."""
    events: Counter[str] = Counter()
    for op in column.port:
        effect = op.form.effect
        if op.form.cost is Cost.LANE_VECTOR:
            events["dot_macs"] += DOT_TERMS
        elif effect.startswith("load"):
            events["words_loaded"] += 1
        elif effect.startswith("store"):
            events["words_stored"] += 1
        elif effect == "address":
            events["address_ops"] += 1
    events["copies"] += len(column.moves)
    if column.pe:
        name = column.pe.form.name
        events["pe_ops"] += 1
        if name.startswith(FLOAT_NAMES):
            events["flops"] += 2 if name.startswith(_FUSED) else 1
    return dict(events)


COLUMN_KEYS = ("dot_macs", "words_loaded", "words_stored", "address_ops", "copies", "pe_ops", "flops")


def count(items: tuple[Item, ...]) -> dict[str, int]:
    """All counters of a walk; lanes, words and bytes, each an exact number."""
    total: Counter[str] = Counter(dict.fromkeys(("columns", "words", "warp_columns", "blocks", *COLUMN_KEYS), 0))
    total.update(
        {"dma_bytes": 0, "ddr_bytes_read": 0, "ddr_bytes_written": 0, "dma_transfers": 0, "barriers": 0, "polls": 0}
    )
    for item, times in tally(items).items():
        match item:
            case ColumnItem():
                total["columns"] += times
                total["words"] += times * item.fetch
                total["warp_columns"] += times * item.warps
                for name, events in per_lane(item.code).items():
                    total[name] += times * events * item.lanes
            case TransferItem():
                _count_transfer(total, item, times)
            case SyncItem():
                total["words"] += times * item.fetch
                total["polls" if item.what == "poll" else "barriers"] += times
            case WordsItem():
                total["words"] += times * item.fetch
            case BlockItem():
                total["blocks"] += times
            case _:
                pass
    return dict(total)


def _count_transfer(total: Counter[str], item: TransferItem, times: int) -> None:
    total["words"] += times * item.fetch
    total["dma_transfers"] += times
    total["dma_bytes"] += times * item.nbytes
    if item.source == "DDR":
        total["ddr_bytes_read"] += times * item.nbytes
    if item.target == "DDR":
        total["ddr_bytes_written"] += times * item.nbytes
