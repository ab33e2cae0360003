"""`rpp run` of a CUDA source: compile, fill arrays, launch, save."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.errors import FAILED, InputError
from openrpp.cli.kernel_args import FileArray, FilledArray, KernelArg, Placed, host_array, place
from openrpp.cli.output import emit
from openrpp.cli.values import Input, Output, Param, Reference

if TYPE_CHECKING:
    from openrpp.cuda import RawKernel, RawModule
    from openrpp.kir.check import Report as CheckReport
    from openrpp.runtime import Buffer, Card, ProgramReport
    from openrpp.runtime.values import Value

SUFFIXES = (".cu", ".cuh")
"""Files that `rpp run` takes for CUDA source."""
UNFUSED = "-fmad=false"
"""For the published chip, which has no float32 FMA."""
COMPILED = ".rpp"
"""Files of `rpp compile`."""
_MAIN = re.compile(r"\b(int|void)\s+main\s*\(")
"""Host programs take the C library's headers for granted."""


def is_cuda(program: str) -> bool:
    """Whether a file is CUDA source."""
    return Path(program).suffix in SUFFIXES


@dataclass(frozen=True)
class CudaRequest:
    """A launch as it was asked for on the command line."""

    program: str
    kernel: str | None
    args: tuple[KernelArg, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    params: tuple[Param, ...]
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared_bytes: int
    arch: str
    engine: str
    workers: int | None
    checks: tuple[str, ...]
    timed: bool
    flags: tuple[str, ...]


@dataclass
class Launched:
    """What came out of it; one of `report` and `checked` is there."""

    report: ProgramReport | None
    checked: CheckReport | None
    compile_seconds: float
    saved: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def output(self) -> str:
        """What the kernel printed."""
        if self.report is not None:
            return self.report.output
        return self.checked.output if self.checked is not None else ""


@dataclass(frozen=True)
class Ready:
    """A kernel on a card with its arrays filled. Of `values` there is one for each parameter."""

    card: Card
    kernel: RawKernel
    placed: Placed
    buffers: dict[str, Buffer]
    values: list[Value]
    compile_seconds: float


def run_cuda(request: CudaRequest, as_json: bool) -> int:
    """Compile, launch, save and show; the exit code. Raises InputError, OSError and what module and launch raise."""
    from openrpp.cli.wild import explain_wild_accesses
    from openrpp.runtime import KernelFault

    ready = get_ready(request)
    if request.engine == "native" and not request.checks:
        explain_wild_accesses(ready.kernel.name)
    try:
        launched = _launched(request, ready)
    except KernelFault as error:
        _show_output(error.output, as_json)
        raise
    launched.compile_seconds += ready.compile_seconds
    launched.saved = _saved(ready.placed, ready.buffers)
    _show(request, ready.card, launched, as_json)
    return FAILED if launched.checked is not None and not launched.checked.clean else 0


def get_ready(request: CudaRequest) -> Ready:
    """Compile the source and fill the arrays. Raises InputError, OSError and what module and card raise."""
    from openrpp.cli.arrays import check_writable
    from openrpp.runtime import Card
    from openrpp.runtime.compiled import PUBLISHED, target_of

    for output in request.outputs:
        check_writable(output.file)
    card = Card(request.arch, request.engine, workers=request.workers, timed=request.timed and not request.checks)
    begun, flags = time.perf_counter(), request.flags
    if target_of(card.arch) == PUBLISHED and is_cuda(request.program):
        flags = (*flags, UNFUSED)
    module = opened(request.program, (request.kernel,) if request.kernel else (), flags)
    kernel = module.get_function(request.kernel or _only(module))
    seconds = time.perf_counter() - begun
    declared = [param.name or f"arg{index}" for index, param in enumerate(kernel.kernel.params)]
    placed = place(kernel.name, declared, request.args, request.inputs, request.outputs, request.params)
    buffers, values = _filled(card, kernel, placed)
    return Ready(card, kernel, placed, buffers, values, seconds)


def opened(program: str, kernels: Sequence[str], flags: Sequence[str]) -> RawModule:
    """A CUDA source, compiled to kernel IR with the template instances that are named, or a compiled program.

    Warnings go to standard error. Raises what `RawModule` raises.
    """
    from openrpp.cuda import Options, RawModule

    if Path(program).suffix == COMPILED:
        if flags:
            raise InputError(f"{program} is compiled already: -I, -D and -std are for sources")
        return RawModule(path=program)
    text = Path(program).read_text(encoding="utf-8", errors="surrogateescape")
    options = replace(Options.from_flags(flags), program=bool(_MAIN.search(text)))
    expressions = tuple(name for name in kernels if "<" in name)
    module = RawModule(path=program, options=options, name_expressions=expressions)
    for warning in module.warnings:
        click.echo(str(warning), err=True)
    return module


def _only(module: RawModule) -> str:
    if len(module.kernels) == 1:
        return module.kernels[0]
    if not module.kernels:
        raise InputError("the source has no kernel; a template counts once it is named, as --kernel 'scale<float>'")
    raise InputError(f"the source has {', '.join(module.kernels)}; choose one with --kernel")


def _filled(card: Card, kernel: RawKernel, placed: Placed) -> tuple[dict[str, Buffer], list[Value]]:
    """Buffers by argument name, and the value of each argument."""
    buffers: dict[str, Buffer] = {}
    values: list[Value] = []
    for param, arg in zip(kernel.kernel.params, placed.args, strict=True):
        value = arg.value
        if isinstance(value, Reference):
            values.append(None)  # its array may come later
        elif isinstance(value, int | float | bytes) or value is None:
            values.append(value)
        elif param.is_by_value:
            values.append(host_array(value))
        else:
            buffers[arg.name] = card.array(host_array(value), value.memory or "ddr")
            values.append(buffers[arg.name])
    for index, arg in enumerate(placed.args):
        if isinstance(arg.value, Reference):
            values[index] = _referred(arg.value, buffers)
    return buffers, values


def _referred(reference: Reference, buffers: dict[str, Buffer]) -> int:
    if reference.part:
        raise InputError(f"@{reference.name}.{reference.part}: CUDA pointers are not split; pass @{reference.name}")
    if reference.name not in buffers:
        raise InputError(f"@{reference.name}: a struct by value has no address")
    return buffers[reference.name].address + reference.offset


def _launched(request: CudaRequest, ready: Ready) -> Launched:
    from openrpp.cli.progress import BlockProgress
    from openrpp.cuda.staging import check_elements
    from openrpp.runtime.card_time import CardTime

    card, kernel, values = ready.card, ready.kernel, ready.values
    check_elements(kernel, values)
    function = kernel.module.on(card)[kernel.kernel.name]
    if not request.checks:
        report = function(request.grid, request.block, *values, shared_bytes=request.shared_bytes)
        assert report is not None  # the stream is not captured
        card.synchronize()
        if not request.timed:
            report = replace(report, timer=lambda: CardTime(reason="not asked for (--no-time)"))
        return Launched(report, None, report.compile_seconds)
    empty = [arg.name for arg in ready.placed.args if isinstance(arg.value, FilledArray) and arg.value.fill == "empty"]
    with BlockProgress(kernel.name, prod(request.grid)) as progress:
        found = function.check(
            request.grid,
            request.block,
            *values,
            checks=",".join(request.checks),
            shared_bytes=request.shared_bytes,
            unwritten=[ready.buffers[name] for name in empty if name in ready.buffers],
            progress=lambda at: progress.reach(at.blocks_done),
        )
    return Launched(None, found, 0.0)


def _saved(placed: Placed, buffers: dict[str, Buffer]) -> list[dict[str, Any]]:
    """Write the outputs; what was written."""
    from openrpp.cli.arrays import write_array

    dtypes = {arg.name: arg.value.dtype for arg in placed.args if isinstance(arg.value, FileArray | FilledArray)}
    saved: list[dict[str, Any]] = []
    for name, output in placed.saves.items():
        if name not in buffers:
            raise InputError(f"--out {name}: a struct by value is not written by the kernel")
        buffer, dtype = buffers[name], dtypes[name]
        write_array(output.file, buffer.numpy(), dtype)
        shown = "float32" if dtype == "bf16" else str(buffer.dtype)
        saved.append({"name": name, "file": output.file, "dtype": shown, "shape": list(buffer.shape)})
    return saved


# --- what is shown -------------------------------------------------------------------------------------------------


def _show_output(text: str, as_json: bool) -> None:
    if text:
        click.echo(text, nl=not text.endswith("\n"), err=as_json)


def _show(request: CudaRequest, card: Card, launched: Launched, as_json: bool) -> None:
    if as_json:
        emit(_document(request, card, launched))
        return
    _show_output(launched.output, as_json)
    if launched.checked is not None:
        click.echo(launched.checked.text())
    from openrpp.report.figures import duration
    from openrpp.report.tables import pairs, show

    report = launched.report
    if report is not None:
        show(pairs(f"kernel {report.kernel}", _rows(report)))
    for item in launched.saved:
        shape = " x ".join(map(str, item["shape"])) or "one value"
        show(f" {item['name']} -> {item['file']} ({item['dtype']}, {shape})")
    if report is not None:
        taken = f"{duration(launched.compile_seconds)} to compile, {duration(report.host_seconds)} to run"
        show(f" host time {taken} ({report.engine} engine on this computer; not card time)")


def _rows(report: ProgramReport) -> list[tuple[str, str]]:
    from openrpp.report.figures import durations, numbers

    taken, seconds, cycles = report.taken, report.taken.seconds, report.taken.cycles
    grid, block = (" x ".join(map(str, extent)) for extent in (report.grid, report.block))
    rows = [
        ("grid", f"{grid}: {prod(report.grid):,} blocks"),
        ("block", f"{block}: {prod(report.block):,} threads"),
    ]
    if seconds is None or cycles is None:
        rows.append(("card time", taken.reason))
    else:
        rows += [
            ("card time", f"{durations(seconds)} (low / nominal / high), {numbers(cycles)} cycles"),
            ("columns", f"{taken.columns:,}"),
            ("merged", f"{taken.merge} blocks run as one block of the card" if taken.merge > 1 else "no blocks"),
            ("limited by", taken.limiter),
        ]
        if taken.data_source != "none":
            rows.append(("data from", f"the {taken.data_source} engine"))
    rows += [("note", note) for note in taken.notes]
    if report.dropped:
        rows.append(("printf", f"{report.dropped:,} calls found no room in the buffer; their output is lost"))
    return rows


def _document(request: CudaRequest, card: Card, launched: Launched) -> dict[str, Any]:
    found: dict[str, Any] = {"card": card.arch.name, "engine": request.engine, "outputs": launched.saved}
    if launched.checked is not None:
        return {"check": launched.checked.as_dict(), **found}
    assert launched.report is not None
    report = launched.report.as_dict() | {"compile_host_seconds": launched.compile_seconds}
    return {"report": report, **found}
