"""Results on standard output: a table for people, or one JSON document and nothing else."""

from __future__ import annotations

import json
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of tables.")


def emit(document: Any) -> None:
    """Print a JSON document. Numbers that JSON does not have are refused by `json`, so there are none."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))
