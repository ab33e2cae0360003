"""`python -m openrpp.kir.passes.expand [WORD ...]`: what each rule costs; words choose rows."""

from __future__ import annotations

import sys

from openrpp.kir.passes.expand.cost import costs, table


def main() -> None:
    """Print the table."""
    words = sys.argv[1:]
    print(table(row for row in costs() if not words or any(word in row.what for word in words)))


if __name__ == "__main__":
    main()
