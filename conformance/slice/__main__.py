"""`python -m conformance.slice`: real models answer on the card as independent implementations do.

A part is a module with a function `measure(dtypes) -> Found`. It raises `Skipped` with a sentence where it cannot be
compared here; figures of such parts are not judged, and the command says so.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time

from rich.console import Console

from benchmarks.bars import compare, judge
from conformance.slice.board import Found, Skipped, table

PARTS = ("detectors", "classifiers", "language", "layers")
"""Modules of this package, in the order in which they run."""
DTYPES = ("bf16", "f32")


def main() -> int:
    """Compare everything; 0 if the bars are met."""
    parser = argparse.ArgumentParser("python -m conformance.slice", description=__doc__)
    parser.add_argument("--only", default="", help=f"parts, with commas: {', '.join(PARTS)}")
    parser.add_argument("--dtype", choices=DTYPES, help="what the card computes in; by default both")
    parser.add_argument("--json", action="store_true", help="print all rows as JSON instead of a table")
    given = parser.parse_args()
    chosen = [name for name in given.only.split(",") if name] or list(PARTS)
    if unknown := sorted(set(chosen) - set(PARTS)):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    console = Console(width=200, stderr=given.json)
    found, skipped = Found(), dict[str, str]()
    for name in chosen:
        begun = time.perf_counter()
        try:
            part = importlib.import_module(f"conformance.slice.{name}").measure(
                (given.dtype,) if given.dtype else DTYPES
            )
        except Skipped as why:
            skipped[name] = str(why)
            console.print(f"{name}: skipped: {why}", highlight=False)
            continue
        console.print(f"{name}: {time.perf_counter() - begun:.1f} s of host time", highlight=False)
        found.add(part)
        if part.rows and not given.json:  # at once: the parts together take minutes
            console.print(table(part.rows))
    details = {"rows": [row.as_dict() for row in found.rows], "skipped": skipped, **found.details}
    whole = chosen == list(PARTS) and not given.dtype
    bars = judge("answers", found.bars, details) if whole else compare("answers", found.bars)
    if given.json:
        print(json.dumps({"bars": {bar.name: bar.measured for bar in bars}, **details}, indent=1))
    else:
        for bar in bars:
            console.print(str(bar), highlight=False)
    return int(not all(bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
