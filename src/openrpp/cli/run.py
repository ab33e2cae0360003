"""`rpp run`: launch a kernel on the virtual card."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from openrpp.cli import model_run
from openrpp.cli.cuda_run import COMPILED, SUFFIXES, CudaRequest, is_cuda, run_cuda
from openrpp.cli.errors import InputError
from openrpp.cli.kernel_args import kernel_arg
from openrpp.cli.launching import SYNTAX, P, Prepared, R, Request, launch_options, prepare
from openrpp.cli.model_run import is_model
from openrpp.cli.output import emit, json_option

if TYPE_CHECKING:
    from openrpp.machine.report import LaunchReport

CUDA_SYNTAX = """\b
CUDA: a PROG that ends in .cu is compiled with clang (pip install 'openrpp[cuda]') and runs on the native engine. Its
arguments are given in order by --arg, or by name; arrays go to DDR. --arg [NAME=]VALUE takes
  7, 0x10, -1.5, 2.5f, true        a number, checked against the parameter's type
  x=a.npy, a.npy:bf16              the array of a file; NAME is what --out calls it, by default the parameter's name
  out=zeros:float32:16x32          an array of zeros, ones, arange or random values of a dtype and shape
  @x, @x+BYTES, null               the address of array x, the null pointer
  bytes:0000803f, p.npy            a struct by value: its bytes, or an array of its size
A PROG that ends in .rpp is a compiled program of 'rpp compile'."""
EPILOG = (
    SYNTAX
    + """

"""
    + CUDA_SYNTAX
    + """
Card time is that of its machine code: of the launch itself with --engine reference, else walked without data; where
its control depends on data the native engine runs the machine code itself. What the kernel prints goes to standard
output.

\b
Examples:
  rpp run scale.s --grid 4 --block 256 --in src=a.npy --out dst=b.npy:uint16:1024 --param k=3
  rpp run lib.o --kernel add --block 1024 --in x=a.npy:bf16 --in y=b.npy:bf16 --out x=sum.npy --json
  rpp run saxpy.cu --grid 4 --block 256 --arg 1024 --arg 2.5 --arg x=x.npy --arg y=zeros:float32:1024 --out y=y.npy
  rpp run gemm.cu --kernel 'gemm<float, 16>' --grid 8,8 --block 16,16 -I include -D TILE=16 --arg a.npy --arg b.npy
  rpp run efficientnet-lite0 --input cat.jpg
  rpp run histogram.cu --block 64 --arg data.npy --arg bins=zeros:int32:256 --out bins=h.npy --check memory,race
"""
)
EXTENDED = "ae7100x"
"""The card that CUDA runs on unless another is asked for: kernels in general need its instructions."""
CUDA_ONLY = ("timed", "args", "shared", "include_dirs", "macros", "standard", "workers")
PROGRAM_ONLY = ("tail", "order", "seed", "strict", "max_words")


CUDA_OPTIONS = (
    click.option(
        "--arg", "args", type=kernel_arg, multiple=True, metavar="[NAME=]VALUE", help="CUDA: an argument, see below."
    ),
    click.option(
        "--shared", default=0, show_default=True, metavar="BYTES", help="CUDA: dynamic shared memory of a block."
    ),
    click.option("-I", "include_dirs", multiple=True, metavar="DIR", help="CUDA: folder of headers."),
    click.option("-D", "macros", multiple=True, metavar="NAME[=VALUE]", help="CUDA: a macro."),
    click.option("-std", "--std", "standard", metavar="STANDARD", help="CUDA: language standard, c++17 by default."),
    click.option("--time/--no-time", "timed", default=True, help="CUDA: work out its card time."),
    click.option("--workers", type=click.IntRange(1), help="CUDA: threads of the native engine, one per core."),
)  # fmt: skip


def cuda_options(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command with the options of CUDA."""
    for option in reversed(CUDA_OPTIONS):
        command = option(command)
    return command


class Run(click.Command):
    """`rpp run` for kernels; for models the other command of this name takes over, with options of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the command that the words are for."""
        if is_model(args):
            return model_run.command.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("run", cls=Run, epilog=EPILOG, short_help="Run a kernel or a model on the virtual card.")
@launch_options
@cuda_options
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool, **options: Any) -> int:
    """Run a kernel of PROG on the virtual card and print its report.

    PROG is assembly text or an object, a CUDA source (.cu), or what `rpp compile` made of one (.rpp). For ONNX
    models, by file or by name, see `rpp run MODEL.onnx --help`.
    """
    given = {name for name in options if context.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)}
    if is_cuda(options["program"]) or options["program"].endswith(COMPILED):
        refuse(context, given, PROGRAM_ONLY, "is for programs in machine code, not for CUDA")
        return run_cuda(cuda_request(options, given), as_json)
    refuse(context, given, CUDA_ONLY, "is for CUDA sources (.cu), not for programs in machine code")
    names = {item.name for item in fields(Request)}
    prepared = prepare(Request(**{name: value for name, value in options.items() if name in names}))
    report = prepared.launch()
    prepared.save()
    show_result(prepared, report, as_json, {})
    return 0


def _target(program: str) -> str:
    """The card that a program is meant for."""
    from openrpp.runtime.bundle import target_in

    return target_in(program) if program.endswith(COMPILED) else EXTENDED


def refuse(context: click.Context, given: Collection[str], names: Iterable[str], why: str) -> None:
    """Raises InputError for an option among `names` that was given."""
    for param in context.command.params:
        if param.name in given and param.name in names:
            raise InputError(f"{param.opts[-1]} {why}")


def cuda_request(options: Mapping[str, Any], given: Collection[str], engine: str = "native") -> CudaRequest:
    """A launch of CUDA from the options of the command line, of which some were `given`."""
    from openrpp.arch import load
    from openrpp.runtime.compiled import PUBLISHED, target_of

    flags = [*(f"-I{folder}" for folder in options["include_dirs"]), *(f"-D{macro}" for macro in options["macros"])]
    if options["standard"]:
        flags.append(f"-std={options['standard']}")
    if options["program"].endswith(SUFFIXES) and target_of(load(options["arch"])) == PUBLISHED:
        flags.append("-fmad=false")  # the published chip has no float32 FMA
    return CudaRequest(
        program=options["program"],
        kernel=options["kernel"],
        args=options["args"],
        inputs=options["inputs"],
        outputs=options["outputs"],
        params=options["params"],
        grid=options["grid"],
        block=options["block"],
        shared_bytes=options["shared"],
        arch=options["arch"] if "arch" in given else _target(options["program"]),
        engine=options["engine"] or engine,
        workers=options["workers"],
        checks=options["checks"],
        timed=options["timed"],
        flags=tuple(flags),
    )


def show_result(prepared: Prepared, report: LaunchReport, as_json: bool, extra: dict[str, Any]) -> None:
    """Print the report, what was saved, and the two kinds of time apart from each other."""
    total = prepared.card.synchronize()
    if as_json:
        document = {
            "report": report.as_dict(),
            "card": prepared.card.arch.name,
            "engine": prepared.engine,
            "total_card_seconds": {"low": total.low, "nominal": total.nominal, "high": total.high},
            "outputs": prepared.saved,
            "host_seconds": prepared.host_seconds,
            **extra,
        }
        emit(document)
        return
    from openrpp.report.figures import duration, durations
    from openrpp.report.launch import launch_table
    from openrpp.report.tables import show

    show(launch_table(report, prepared.card.arch.limits.warp.value))
    show(f" with launch and copies over the link and DMA: {durations(total)} of card time")
    for item in prepared.saved:
        shape = " x ".join(map(str, item["shape"])) or "one value"
        show(f" {item['name']} -> {item['file']} ({item['dtype']}, {shape})")
    for name, value in extra.items():
        show(f" {name.replace('_', ' ')}: {value}")
    show(f" host time {duration(prepared.host_seconds)} ({prepared.engine} engine on this computer; not card time)")
