"""`python -m benchmarks.slice`: models on the card, and the native engine against what else runs them on this host.

A part is a module with a function `measure() -> Found`. It raises `Skipped` with a sentence where it cannot be measured
here; figures of such parts are not judged, and the command says so.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time

from rich.console import Console

from benchmarks.bars import compare, judge
from benchmarks.slice.board import Found, Skipped, card_table, host_table

PARTS = ("decode", "products", "prefill", "replay", "yolo", "host_llm", "host_yolo")
"""Modules of this package, in the order in which they run."""


def main() -> int:
    """Measure, print, compare with the bars; 1 where one is missed."""
    parser = argparse.ArgumentParser("python -m benchmarks.slice", description="Models on the card and on this host.")
    parser.add_argument("--only", default="", help=f"parts, with commas: {', '.join(PARTS)}")
    chosen = [name for name in parser.parse_args().only.split(",") if name] or list(PARTS)
    if unknown := sorted(set(chosen) - set(PARTS)):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    console = Console(width=180)
    found, skipped = Found(), dict[str, str]()
    found.details["load_before"] = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    for name in chosen:
        begun = time.perf_counter()
        try:
            found.add(importlib.import_module(f"benchmarks.slice.{name}").measure())
        except Skipped as why:
            skipped[name] = str(why)
            console.print(f"{name}: skipped: {why}", highlight=False)
            continue
        console.print(f"{name}: {time.perf_counter() - begun:.1f} s of host time", highlight=False)
    for made in found.tables:
        console.print(made)
    if found.card:
        console.print(card_table(found.card))
    if found.host:
        console.print(host_table(found.host))
    details = {**found.as_dict(), "skipped": skipped}
    whole = chosen == list(PARTS)
    bars = judge("slice", found.bars, details) if whole else compare("slice", found.bars)
    for bar in bars:
        console.print(str(bar), highlight=False)
    return 0 if all(bar.met for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
