"""Commands that measure: each prints a table and writes build/results/NAME.json."""
