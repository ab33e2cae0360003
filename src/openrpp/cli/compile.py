"""`rpp compile`: CUDA C++ to programs of the card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.compiling import Built, build
from openrpp.cli.cuda_run import UNFUSED, is_cuda, opened
from openrpp.cli.errors import FAILED, InputError
from openrpp.cli.output import emit, json_option
from openrpp.cli.values import extent

if TYPE_CHECKING:
    from openrpp.cuda import RawModule

EPILOG = """\b
Every kernel is compiled for each --block (by default its launch bounds, or 256 threads), alone and with as many CUDA
blocks merged into one block of the card as fill the ring. The file holds the kernel IR too: rpp run takes it where no
clang is installed, with any block shape.

\b
Examples:
  rpp compile saxpy.cu                              writes saxpy.rpp
  rpp compile gemm.cu -o gemm.rpp --block 16,16 --kernel 'gemm<float, 16>' -I include
  rpp compile saxpy.cu --target ae7100              for the published chip: what it lacks is refused by name and line
  rpp compile saxpy.cu --emit columns               columns one per line with their units and source lines
  rpp compile saxpy.cu --emit asm         assembly text with source lines
"""
EMITTED = ("kir", "asm", "columns")


@click.command("compile", epilog=EPILOG, short_help="Compile CUDA C++ for the card.")
@click.argument("program", metavar="PROG.cu")
@click.option("-o", "--output", metavar="FILE.rpp", help="File to write; by default PROG.rpp, none with --emit.")
@click.option("--target", default="ae7100x", show_default=True, help="ae7100x, or ae7100: the published chip.")
@click.option("--block", "blocks", type=extent, multiple=True, metavar="X[,Y[,Z]]", help="Threads of a block.")
@click.option("--kernel", "kernels", multiple=True, metavar="NAME", help="Only this kernel, or an instance of it.")
@click.option("--emit", "emitted", type=click.Choice(EMITTED), help="Print kernel IR, assembly text or columns.")
@click.option("-I", "include_dirs", multiple=True, metavar="DIR", help="Folder of headers.")
@click.option("-D", "macros", multiple=True, metavar="NAME[=VALUE]", help="A macro.")
@click.option("-std", "--std", "standard", metavar="STANDARD", help="Language standard, c++17 by default.")
@json_option
def command(program: str, as_json: bool, **options: Any) -> int:
    """Compile the kernels of a CUDA source to programs of the card, and say what they take."""
    from openrpp.runtime.compiled import PUBLISHED, TARGETS

    target: str = options["target"]
    if target not in TARGETS:
        raise InputError(f"--target {target} is not known; there are {' and '.join(TARGETS)}")
    if not is_cuda(program):
        raise InputError(f"{program} is no CUDA source (.cu); 'rpp asm' assembles programs in machine code")
    output = options["output"] or (None if options["emitted"] else f"{Path(program).stem}.rpp")
    flags = [*(f"-I{folder}" for folder in options["include_dirs"]), *(f"-D{macro}" for macro in options["macros"])]
    flags += [f"-std={options['standard']}"] if options["standard"] else []
    flags += [UNFUSED] if target == PUBLISHED else []
    module = opened(program, options["kernels"], tuple(flags))
    built = build(module, options["kernels"], options["blocks"], target)
    if output:
        _write(output, module, built, target)
    if as_json:
        emit(_document(module, built, output, target, options["emitted"]))
    elif options["emitted"]:
        _emit(module, built, options["emitted"])
    else:
        _show(built, output)
    return FAILED if any(_is_refused(item) for item in built) else 0


def _is_refused(built: Built) -> bool:
    """A kernel without a program; that some of its blocks do not merge is no error."""
    return bool(built.error) and (built.form is None or built.form.merge == 1)


def _write(output: str, module: RawModule, built: Sequence[Built], target: str) -> None:
    if Path(output).suffix != ".rpp":
        raise InputError(f"-o {output}: a compiled program is called FILE.rpp; --emit asm prints assembly text")
    programs = {(item.symbol, item.form): item.program for item in built if item.program and item.form}
    module.save(output, programs, target)


def _document(
    module: RawModule, built: Sequence[Built], output: str | None, target: str, emitted: str | None
) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for item in built:
        text = {"text": _text(item, emitted)} if emitted in ("asm", "columns") and item.program else {}
        rows.append(item.as_dict() | text)
    kir = {"kir": _kir(module, built)} if emitted == "kir" else {}
    return {"output": output, "target": target, "kernels": rows, **kir}


# --- what is shown -------------------------------------------------------------------------------------------------


def _show(built: Sequence[Built], output: str | None) -> None:
    from openrpp.report.tables import grid, show

    heads = ("kernel", "block", "merged", "columns", "in loops", "words", "scratch", "shared", "private", "extensions")
    rows = [_row(item) for item in built if item.program]
    if rows:
        show(grid(heads, rows))
    for item in built:
        if item.answer is not None:
            show(f"{item.name}: {item.answer}")
        for note in item.program.notes if item.program else ():
            show(f"{item.name}: {note}")
        if item.error:
            what = "" if _is_refused(item) else f"{item.form.merge if item.form else 1} blocks are not merged: "
            show(f"{item.name}: {what}{item.error}")
    if output:
        show(f"-> {output}")


def _row(item: Built) -> tuple[str, ...]:
    program = item.program
    assert program is not None and item.form is not None
    x, y, z = program.block
    threads = x * y * z * item.form.merge
    loops = ", ".join(str(loop.columns) for loop in program.loops) or "-"
    return (
        item.name,
        " x ".join(str(size) for size in program.block),
        str(item.form.merge),
        str(program.columns),
        loops,
        str(len(program.machine.words)),
        f"{program.spills} accesses, {program.planes_bytes // threads} B/thread" if program.planes_bytes else "-",
        f"{program.shared_bytes:,} B" if program.shared_bytes else "-",
        f"{program.private_bytes // threads:,} B/thread" if program.private_bytes else "-",
        " ".join(program.machine.extensions) or "none",
    )


def _emit(module: RawModule, built: Sequence[Built], emitted: str) -> None:
    if emitted == "kir":
        click.echo(_kir(module, built), nl=False)
        return
    for item in built:
        if item.error:
            click.echo(f"{item.name}: {item.error}", err=True)
        elif emitted == "asm":
            click.echo(_text(item, emitted), nl=False)
        else:
            _show_columns(item)


def _title(item: Built) -> str:
    assert item.form is not None
    merged = f", {item.form.merge} blocks merged" if item.form.merge > 1 else ""
    return f"{item.name}, block {' x '.join(map(str, item.form.block))}{merged}"


def _text(item: Built, emitted: str | None) -> str | list[dict[str, Any]]:
    from dataclasses import asdict

    from openrpp.report.machine_code import annotated, columns_of

    assert item.program is not None
    if emitted == "columns":
        return [asdict(column) for column in columns_of(item.program.machine, item.program.lines)]
    return f"// {_title(item)}\n" + annotated(item.program.machine, item.program.lines)


def _show_columns(item: Built) -> None:
    from openrpp.report.machine_code import columns_table
    from openrpp.report.tables import show

    assert item.program is not None
    show(columns_table(item.program.machine, item.program.lines, _title(item)))


def _kir(module: RawModule, built: Sequence[Built]) -> str:
    """Variables and the chosen kernels."""
    from openrpp.kir.printer import print_global, print_kernel

    found = module.ir
    chosen = dict.fromkeys(item.symbol for item in built if item.symbol in found.kernels)
    texts = [f'module "{found.name}"\n', *(print_global(item) + "\n" for item in found.globals.values())]
    return "".join(texts) + "".join("\n" + print_kernel(found.kernels[symbol]) for symbol in chosen)
