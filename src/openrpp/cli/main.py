"""The entry point: `rpp COMMAND`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from openrpp.cli import asm, cache, chat, compile, demo, detect, dis, info, isa, profile, pull, run, trace
from openrpp.cli.errors import guarded

EPILOG = """\b
Examples:
  rpp demo photo --out photo.png
  rpp run scale.s --grid 4 --block 256 --in x=a.npy --out x=b.npy --param k=3
  rpp run saxpy.cu --grid 4 --block 256 --arg 1024 --arg 2.5 --arg x.npy --arg y.npy --out y=out.npy
  rpp info --arch ae7100
"""


class App(click.Group):
    """The group of all commands; errors become one sentence and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and leave with its exit code, as `click.Group.main` does."""
        words = list(sys.argv[1:] if args is None else args)
        if not standalone_mode:
            return super().main(words, "rpp", complete_var, standalone_mode=False, **extra)
        sys.exit(
            guarded(
                lambda: super(App, self).main(words, "rpp", complete_var, standalone_mode=False, **extra),
                lambda: _area(words),
            )
        )


def _area(words: Sequence[str]) -> str:
    """The command that was called, as errors name it: `run`, `demo photo`."""
    command: click.Command = app
    path: list[str] = []
    for word in words:
        if not isinstance(command, click.Group) or word not in command.commands:
            break
        command = command.commands[word]
        path.append(word)
    return " ".join(path)


@click.group(cls=App, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="openrpp", prog_name="rpp", message="rpp %(version)s")
def app() -> None:
    """OpenRPP: an RPP accelerator card as software.

    Assemble programs, run them on the virtual card, and see what the card would have taken. Card time and host time are
    never mixed: every number says which of the two it is.
    """


for module in (chat, detect, run, compile, profile, trace, asm, dis, info, isa, demo, cache, pull):
    app.add_command(module.command)
