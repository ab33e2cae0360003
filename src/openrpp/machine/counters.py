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
INT8_PRODUCTS = 2
"""Products of an int8 dot per word of its vectors."""


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
        if effect.startswith("load"):
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


def products(item: ColumnItem) -> tuple[str, int]:
    """Counter and number of the products per lane of a column's dot, if it has one."""
    for op in item.code.port:
        if op.form.cost is Cost.LANE_VECTOR:
            int8 = op.form.effect == "dot-int8"
            return ("int8_macs", INT8_PRODUCTS * item.terms) if int8 else ("dot_macs", item.terms)
    return "dot_macs", 0


COLUMN_KEYS = (
    "dot_macs",
    "int8_macs",
    "words_loaded",
    "words_stored",
    "address_ops",
    "copies",
    "pe_ops",
    "flops",
)


def count(tallied: Counter[Item]) -> dict[str, int]:
    """All counters of a walk; lanes, words and bytes, each an exact number."""
    total: Counter[str] = Counter(dict.fromkeys(("columns", "words", "warp_columns", "blocks", *COLUMN_KEYS), 0))
    total.update(
        dict.fromkeys(
            ("dma_bytes", "ddr_bytes_read", "ddr_bytes_written", "dma_transfers", "barriers", "polls", "votes"), 0
        )
    )
    for item, times in tallied.items():
        match item:
            case ColumnItem():
                total["columns"] += times
                total["words"] += times * item.fetch
                total["warp_columns"] += times * item.warps
                for name, events in (*per_lane(item.code).items(), products(item)):
                    total[name] += times * events * item.lanes
            case TransferItem():
                _count_transfer(total, item, times)
            case SyncItem():
                total["words"] += times * item.fetch
                total[f"{item.what}s"] += times
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
