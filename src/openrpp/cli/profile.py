"""`rpp profile`: where a kernel's card cycles go, by source line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from openrpp.cli.cuda_run import COMPILED, CudaRequest, get_ready, is_cuda
from openrpp.cli.errors import InputError
from openrpp.cli.launching import SYNTAX, Request, launch_options, prepare
from openrpp.cli.output import emit, json_option
from openrpp.cli.run import CUDA_ONLY, CUDA_SYNTAX, PROGRAM_ONLY, cuda_options, cuda_request, refuse

if TYPE_CHECKING:
    from openrpp.report.profile import Profile

EPILOG = (
    SYNTAX
    + """

"""
    + CUDA_SYNTAX
    + """

\b
Columns of the table:
  cycles, share   nominal card cycles by which the line makes the kernel longer; they add up to the kernel's
  limited by      what most of them went to: array (the ring is full), stage latency (too few warps), configuration
                  issue, ports, DDR, DDR latency, sync (barriers, votes), DMA
  columns         of the program; executed counts how often they ran, all blocks together
  lanes, ring     share of all lanes' operations, and of the ring's time, that the line takes
  conflicts       port passes beyond one per warp;  scratch: executed accesses to spilled values

\b
Examples:
  rpp profile saxpy.cu --grid 4 --block 256 --arg 1024 --arg 2.5 --arg x.npy --arg y=zeros:float32:1024
  rpp profile gemm.cu --kernel 'gemm<float, 16>' --grid 8,8 --block 16,16 --arg a.npy --arg b.npy --svg ring.svg
  rpp profile scale.s --grid 4 --block 256 --in src=a.npy --out dst=b.npy:uint16:1024 --param k=3 --json
"""
)


@click.command("profile", epilog=EPILOG, short_help="Show where a kernel's card cycles go, by source line.")
@launch_options
@cuda_options
@click.option("--svg", metavar="FILE", help="Write the picture of the ring as SVG.")
@json_option
@click.pass_context
def command(context: click.Context, svg: str | None, as_json: bool, **options: Any) -> None:
    """Walk a kernel of PROG as the card would run it, and say which source lines its cycles go to.

    The options of the launch are those of `rpp run`. A CUDA kernel is walked without running it; where its control
    depends on data, or with --engine reference, it runs as machine code. The ring is drawn around its costliest line.
    """
    from openrpp.cli.arrays import check_writable

    given = {name for name in options if context.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)}
    refuse(context, given, ("checks",), "is for 'rpp run'")
    if svg:
        check_writable(svg)
    if is_cuda(options["program"]) or options["program"].endswith(COMPILED):
        refuse(context, given, PROGRAM_ONLY, "is for programs in machine code, not for CUDA")
        found = _of_cuda(cuda_request(options, given, "reference"), "engine" in given)
    else:
        refuse(context, given, CUDA_ONLY, "is for CUDA sources (.cu), not for programs in machine code")
        found = _of_program(options)
    _show(found, svg, as_json)


def _of_cuda(request: CudaRequest, run: bool) -> Profile:
    from openrpp.cuda.staging import check_elements
    from openrpp.report.profile import Profile

    if request.engine != "reference":
        raise InputError(f"--engine {request.engine}: a profile is of machine code, which runs on the reference engine")
    ready = get_ready(request)
    check_elements(ready.kernel, ready.values)
    function = ready.kernel.module.on(ready.card)[ready.kernel.kernel.name]
    found = function.profile(request.grid, request.block, *ready.values, shared_bytes=request.shared_bytes, run=run)
    return Profile(found)


def _of_program(options: dict[str, Any]) -> Profile:
    from openrpp.report.profile import of_program

    names = {item.name for item in fields(Request)}
    prepared = prepare(Request(**{name: value for name, value in options.items() if name in names}))
    prepared.launch()
    timed = prepared.card.device.timed
    assert timed is not None
    return of_program(prepared.function.name, timed, options["program"])


def _show(found: Profile, svg: str | None, as_json: bool) -> None:
    from openrpp.report import profile as report
    from openrpp.report.tables import show

    picture = found.picture()
    if svg:
        Path(svg).write_text(report.svg(picture), encoding="utf-8")
    if as_json:
        emit(found.as_dict() | {"svg": svg})
        return
    show(*found.tables())
    click.echo(report.drawn(picture), nl=False)
    if svg:
        show(f" ring -> {svg}")
