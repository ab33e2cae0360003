"""`rpp dis`: machine words back to text that assembles to the same words."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openrpp.cli.errors import InputError
from openrpp.cli.output import emit, json_option

if TYPE_CHECKING:
    from openrpp.isa.program import Kernel

EPILOG = """\b
Examples:
  rpp dis scale.o
  rpp dis lib.o --kernel add --annotate
  rpp dis scale.bin
"""


@click.command("dis", epilog=EPILOG, short_help="Print machine code as assembly text.")
@click.argument("file", metavar="FILE.o|FILE.bin")
@click.option("--kernel", help="Only this kernel of the object.")
@click.option("--annotate", is_flag=True, help="Add word numbers, machine words and the masks of each column.")
@json_option
def command(file: str, kernel: str | None, annotate: bool, as_json: bool) -> None:
    """Print the kernels of an object, or a raw image of little-endian words, as assembly text."""
    from openrpp.isa.disassembler import disassemble

    kernels = _kernels(Path(file))
    if kernel is not None:
        if kernel not in kernels:
            raise InputError(f"{file} has no kernel {kernel}; it has {', '.join(kernels)}")
        kernels = {kernel: kernels[kernel]}
    texts = {name: disassemble(found, annotate) for name, found in kernels.items()}
    if as_json:
        emit({"kernels": [{"name": name, "text": text} for name, text in texts.items()]})
        return
    for name, text in texts.items():
        if len(texts) > 1:
            click.echo(f"// kernel {name}")
        click.echo(text.rstrip("\n"))


def _kernels(path: Path) -> dict[str, Kernel]:
    from openrpp.isa.objects import parse_object, read_object
    from openrpp.isa.program import from_words

    if path.suffix == ".o":
        return read_object(path)
    data = path.read_bytes()
    if data.startswith(b"\x7fELF"):
        return parse_object(data)
    if path.suffix == ".s":
        raise InputError(f"{path} is assembly text already; give an object (.o) or a raw image (.bin)")
    if len(data) % 4:
        raise InputError(f"{path}: {len(data)} bytes are no whole number of 32-bit words")
    try:
        return {path.stem: from_words(struct.unpack(f"<{len(data) // 4}I", data), (), path.stem)}
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
