"""`python -m openrpp.cli`: the `rpp` command."""

from openrpp.cli.main import app

app()
