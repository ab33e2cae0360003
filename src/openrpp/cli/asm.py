"""`rpp asm`: assembly text to an object, an image or words on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.errors import InputError
from openrpp.cli.output import emit, json_option

if TYPE_CHECKING:
    from openrpp.isa.program import Kernel

EPILOG = """\b
Examples:
  rpp asm scale.s                 writes scale.o
  rpp asm scale.s add.s -o lib.o  one object with two kernels
  rpp asm scale.s --hex           prints the machine words
  rpp asm scale.s -o scale.bin    a raw image, little-endian words
"""


@click.command("asm", epilog=EPILOG, short_help="Assemble kernels into an object.")
@click.argument("files", metavar="FILE.s...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="FILE", help="Object to write, or a raw image if it ends in .bin.")
@click.option("--hex", "as_hex", is_flag=True, help="Print the words; write a file only with -o.")
@click.option(
    "--forward",
    type=click.Choice(["auto", "manual"]),
    help="Who sets FORWARD and TERM masks; by default what the text or the list beside it says.",
)
@json_option
def command(files: tuple[str, ...], output: str | None, as_hex: bool, forward: str | None, as_json: bool) -> None:
    """Assemble kernels. Each is named after its file."""
    from openrpp.isa.assembler import assemble_file

    kernels = [assemble_file(file, forward=None if forward is None else forward == "auto") for file in files]
    for kernel, file in zip(kernels, files, strict=True):
        for warning in kernel.warnings:
            click.echo(f"rpp: asm: {file}: {warning}", err=True)
    names = [kernel.name for kernel in kernels]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two files give a kernel named {name}")
    target = output or (None if as_hex else _default(files))
    if target:
        _write(Path(target), kernels)
    if as_json:
        emit({"output": target, "kernels": [_row(kernel, as_hex) for kernel in kernels]})
    elif as_hex:
        for kernel in kernels:
            click.echo(f"// {kernel.name}: {len(kernel.words)} words")
            click.echo("\n".join(f"{word:08X}" for word in kernel.words))
    else:
        for kernel in kernels:
            params = ", ".join(f"{param.type} {param.name}" for param in kernel.params)
            click.echo(f"{kernel.name}({params}): {len(kernel.words)} words -> {target}{_needs(kernel)}")


def _default(files: Sequence[str]) -> str:
    if len(files) > 1:
        raise InputError(f"{len(files)} files need -o FILE.o for the object that holds them all")
    return f"{Path(files[0]).stem}.o"


def _write(path: Path, kernels: list[Kernel]) -> None:
    from openrpp.isa.objects import write_object

    if path.suffix != ".bin":
        write_object(path, {kernel.name: kernel for kernel in kernels})
    elif len(kernels) > 1:
        raise InputError(f"{path}: a raw image holds one kernel, not {len(kernels)}; write an object (.o)")
    else:
        path.write_bytes(kernels[0].image)


def _row(kernel: Kernel, words: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": kernel.name,
        "params": [{"name": param.name, "type": param.type} for param in kernel.params],
        "words": len(kernel.words),
        "extensions": list(kernel.extensions),
        "warnings": list(kernel.warnings),
    }
    return {**row, "hex": [f"{word:08x}" for word in kernel.words]} if words else row


def _needs(kernel: Kernel) -> str:
    return f" (needs extensions: {', '.join(kernel.extensions)})" if kernel.extensions else ""
