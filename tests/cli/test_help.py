from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from openrpp.cli.main import app


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(app))


def examples() -> Iterator[str]:
    for command in COMMANDS.values():
        for line in (command.epilog or "").splitlines():
            if line.startswith("  rpp "):
                yield line.split("   ")[0].strip()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_shows_an_example_of_its_command(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0 and result.stderr == ""
    _, _, shown = result.stdout.partition("Examples:")
    assert " ".join(["rpp", *path[:1]]) in shown


@pytest.mark.parametrize("line", sorted(set(examples())))
def test_every_example_is_a_command_line_that_parses(line: str) -> None:
    command, words, context = app, shlex.split(line)[1:], None
    while isinstance(command, click.Group):
        context = command.make_context("rpp", list(words), parent=context)
        _, command, words = command.resolve_command(context, list(words))
        assert command is not None
    if "--help" not in words:
        command.make_context("rpp", list(words), parent=context)


def test_the_commands_are_those_of_the_documentation() -> None:
    assert sorted(app.commands) == [
        "asm",
        "cache",
        "chat",
        "compile",
        "demo",
        "detect",
        "dis",
        "info",
        "isa",
        "profile",
        "pull",
        "run",
        "trace",
    ]


def test_help_imports_neither_numpy_nor_rich() -> None:
    program = (
        "import sys, openrpp.cli.main as main\n"
        "try: main.app(['--help'])\n"
        "except SystemExit as leave: assert not leave.code\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'rich', 'elftools'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("[]\n")


def test_help_takes_less_than_three_tenths_of_a_second_of_processor_time() -> None:
    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "openrpp.cli", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(once() for _ in range(3)) < 0.3


def test_version_is_the_package_s() -> None:
    import openrpp

    result = CliRunner().invoke(app, ["--version"])
    assert result.stdout == f"rpp {openrpp.__version__}\n"


def test_a_command_line_without_a_command_shows_the_help() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2 and result.stdout == "" and result.stderr.startswith("Usage: rpp [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("frobnicate", "rpp: No such command 'frobnicate'; see 'rpp --help'"),
        ("info --bogus", "rpp: info: No such option '--bogus'; see 'rpp info --help'"),
        ("demo photo", "rpp: demo photo: Missing option '--out'; see 'rpp demo photo --help'"),
        ("run", "rpp: run: Missing argument 'PROG'; see 'rpp run --help'"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_code_2(line: str, said: str) -> None:
    result = CliRunner().invoke(app, line.split())
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{said}\n")


def test_a_reader_that_leaves_causes_no_noise() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "openrpp.cli", "isa"], check=False, stdout=closed, stderr=subprocess.PIPE, text=True
        )
    assert done.stderr == "" and done.returncode == 1
