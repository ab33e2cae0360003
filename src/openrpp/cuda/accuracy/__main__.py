"""`python -m openrpp.cuda.accuracy [--stride N] [--count N] [FUNCTION ...]` measures and writes docs/cuda-math.md."""

from __future__ import annotations

import argparse
import sys

from openrpp.cuda.accuracy.functions import FUNCTIONS
from openrpp.cuda.accuracy.page import PATH, page


def main(arguments: list[str]) -> int:
    """Measure, write the page (all functions) or print the table (some)."""
    parser = argparse.ArgumentParser(prog="python -m openrpp.cuda.accuracy", description=__doc__)
    parser.add_argument("functions", nargs="*", help="measure only these and print; all are written to the page")
    parser.add_argument("--stride", type=int, default=31, help="every N-th float is tried (1: all of them)")
    parser.add_argument("--count", type=int, default=20000, help="double arguments tried per function")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    rows = tuple(row for row in FUNCTIONS if not options.functions or row.name in options.functions)
    text = page(rows, options.stride, options.count, options.seed)
    if options.functions:
        print(text)
    else:
        PATH.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
