"""What `rpp run` and `rpp trace` share: the options of a launch, and its steps on a card."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from openrpp.cli.errors import InputError
from openrpp.cli.values import Input, Output, Param, Reference, extent, input_buffer, output_buffer, parameter

if TYPE_CHECKING:
    from openrpp.machine.report import LaunchReport
    from openrpp.runtime import Buffer, Card, Function
    from openrpp.runtime.arguments import Argument
    from openrpp.runtime.clock import Notice

ENGINE = "reference"
"""What carries out programs in machine code."""
P = ParamSpec("P")
R = TypeVar("R")
ORDERS_HELP = "Order of execution inside a block: column, warp, random, descending or shuffled."

CHECKS_HELP = "Checks: tokens, order, undefined; for CUDA memory, init, race, sync or all."

_OPTIONS = (
    click.argument("program", metavar="PROG"),
    click.option("--kernel", metavar="NAME", help="Kernel of an object that holds several."),
    click.option(
        "--param", "params", type=parameter, multiple=True, metavar="[NAME=]VALUE", help="A parameter, see below."
    ),
    click.option(
        "--in", "inputs", type=input_buffer, multiple=True, metavar="[NAME=]FILE[:DTYPE][:MEMORY]",
        help="A buffer with the array of a .npy file.",
    ),
    click.option(
        "--out", "outputs", type=output_buffer, multiple=True, metavar="[NAME=]FILE[:DTYPE:COUNT][:MEMORY]",
        help="A buffer to save as a .npy file afterwards.",
    ),
    click.option("--grid", type=extent, default="1", show_default=True, metavar="X[,Y[,Z]]", help="Blocks."),
    click.option("--block", type=extent, required=True, metavar="X[,Y[,Z]]", help="Threads of a block, 8160 at most."),
    click.option(
        "--tail", type=extent, metavar="X[,Y[,Z]]", help="Shape of the last blocks (shadow dimensions), if another."
    ),
    click.option(
        "--arch", default="ae7100", help="Preset name or architecture file; by default ae7100, ae7100x for CUDA."
    ),
    click.option(
        "--engine",
        help="reference, native or interpreter; by default reference, native for CUDA. Programs in machine code are "
        "lifted to kernel IR for the last two.",
    ),
    click.option("--check", "checks", multiple=True, metavar="NAME[,NAME]", help=CHECKS_HELP),
    click.option("--order", default="column", show_default=True, help=ORDERS_HELP),
    click.option("--seed", default=0, show_default=True, help="Seed of the random orders."),
    click.option("--strict", is_flag=True, help="Check the token rules of every column; as --check tokens."),
    click.option("--max-words", default=1 << 28, show_default=True, help="Words after which a launch is stopped."),
)  # fmt: skip
SYNTAX = """\b
Every parameter of the kernel is given once, by one of
  --in NAME=FILE     a buffer with FILE's array; the kernel gets its address
  --out NAME=FILE    a buffer that is saved afterwards; the kernel gets its address
  --param NAME=VALUE a number: 7, 0x10, -1; 1.5 passes as float32, bf16:1.5 as bf16
  --param NAME=@BUF  the address of buffer BUF; @BUF+BYTES, @BUF.high, @BUF.low
  --in FILE, --out FILE, --param VALUE
                     the same without a name, for the first parameters that nothing names: inputs, outputs, values

Arrays go to SRAM unless :ddr follows. FILE:bf16 converts floats to bf16 on the way in, and bf16 to float32 on the way
out. FILE:DTYPE:COUNT sizes an output, where COUNT may be a shape such as 16x32; without it an output is like the first
input."""


def launch_options(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command with all options of a launch; it takes them as the fields of `Request`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Request:
    """A launch as it was asked for on the command line."""

    program: str
    kernel: str | None
    params: tuple[Param, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    grid: tuple[int, ...]
    block: tuple[int, ...]
    tail: tuple[int, ...] | None
    arch: str
    engine: str | None
    checks: tuple[str, ...]
    order: str
    seed: int
    strict: bool
    max_words: int


@dataclass
class Prepared:
    """A card with its buffers filled, ready to launch."""

    request: Request
    card: Card
    function: Function
    buffers: dict[str, Buffer]
    args: list[Argument]
    engine: str = ENGINE
    host_seconds: float = 0.0
    saved: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def launch(self) -> LaunchReport:
        """Run the kernel to its end, with progress on a terminal."""
        from openrpp.cli.progress import BlockProgress
        from openrpp.cli.wild import explain_wild_accesses

        if self.engine == "native":
            explain_wild_accesses(self.function.name, f"--engine {ENGINE}")
        request, begun = self.request, time.perf_counter()
        with ExitStack() as stack:
            progress = BlockProgress(self.function.name, prod(request.grid))
            if progress.visible:
                self.card.observe(stack.enter_context(progress))
            report = self.function(request.grid, request.block, *self.args, tail=request.tail)
            assert report is not None  # the stream is not captured
        self.card.synchronize()
        self.host_seconds = time.perf_counter() - begun
        return report

    def save(self) -> None:
        """Write the outputs."""
        from openrpp.cli.arrays import write_array

        dtypes = {item.name: item.dtype for item in self.request.inputs}
        like = self.request.inputs[0].dtype if self.request.inputs else ""
        for output in self.request.outputs:
            buffer = self.buffers[output.name]
            dtype = output.dtype or dtypes.get(output.name, like)
            write_array(output.file, buffer.numpy(), dtype)
            shown = "float32" if dtype == "bf16" else str(buffer.dtype)
            self.saved.append({"name": output.name, "file": output.file, "dtype": shown, "shape": list(buffer.shape)})


def prepare(request: Request, watcher: Callable[[Notice], object] | None = None) -> Prepared:
    """Check everything that can be wrong before the launch, load the program, fill the buffers.

    `watcher` sees what the card does from the first copy on.
    Raises InputError, and what `Card`, its modules and buffers raise.
    """
    from openrpp.cli.arrays import check_writable, read_array
    from openrpp.runtime import Card
    from openrpp.runtime.engines import check_engine

    for output in request.outputs:
        check_writable(output.file)
    engine = request.engine or ENGINE
    check_engine(engine)
    card = Card(
        request.arch,
        strict=request.strict,
        order=request.order,  # type: ignore[arg-type]  # the device refuses what is no order
        seed=request.seed,
        check=[name for names in request.checks for name in names.split(",")],
        max_words=request.max_words,
        programs=engine,
    )
    if watcher:
        card.watch(watcher)
    function = _function(card, request)
    request = _placed(request, [param.name for param in function.params])
    _check_names(request, [param.name for param in function.params])
    buffers: dict[str, Buffer] = {}
    for item in request.inputs:
        buffers[item.name] = card.array(read_array(item.file, item.dtype), item.memory or "sram")
    for output in request.outputs:
        if output.name not in buffers:
            first = next(iter(buffers.values()), None)
            shape, dtype = (output.shape, output.dtype) if output.dtype or first is None else (first.shape, first.dtype)
            buffers[output.name] = card.empty(shape, dtype, output.memory or "sram")
    return Prepared(request, card, function, buffers, _arguments(request, function, buffers), engine)


def _function(card: Card, request: Request) -> Function:
    module = card.module(request.program)
    if request.kernel is not None:
        return module[request.kernel]
    if len(module) > 1:
        raise InputError(f"{request.program} holds {', '.join(module)}; choose one with --kernel")
    return next(iter(module.values()))


def _placed(request: Request, declared: Sequence[str]) -> Request:
    """Give buffers without a name the first parameters that nothing names, inputs before outputs."""
    named = {item.name for item in (*request.inputs, *request.outputs, *request.params) if item.name}
    free = [name for name in declared if name not in named]
    wanted = [item for item in (*request.inputs, *request.outputs) if not item.name]
    if len(wanted) > len(free):
        raise InputError(f"{wanted[len(free)].file}: no parameter is left for this buffer; {_listed(declared)}")
    places = iter(free)
    inputs = tuple(item if item.name else replace(item, name=next(places)) for item in request.inputs)
    outputs = tuple(item if item.name else replace(item, name=next(places)) for item in request.outputs)
    return replace(request, inputs=inputs, outputs=outputs)


def _check_names(request: Request, declared: Sequence[str]) -> None:
    """Names given twice, outputs without a size, and buffers that nothing uses."""
    inputs = [item.name for item in request.inputs]
    outputs = [item.name for item in request.outputs]
    buffers = {*inputs, *outputs}
    named = [param.name for param in request.params if param.name]
    for names, what in ((inputs, "--in"), (outputs, "--out"), (named, "--param")):
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"{what} {name} is given twice")
            if what == "--param" and name in buffers:
                raise InputError(f"parameter {name} is given by --param and by a buffer of that name")
            if what == "--param" and name not in declared:
                raise InputError(f"--param {name}: the kernel has no such parameter; {_listed(declared)}")
    for output in request.outputs:
        if not output.dtype and not inputs:
            raise InputError(
                f"--out {output.name}={output.file} needs :DTYPE:COUNT, since there is no input to be like"
            )
        if output.dtype and output.name in inputs:
            raise InputError(f"--out {output.name}: an input's buffer has its dtype and shape already; leave them out")
    used = {param.value.name for param in request.params if isinstance(param.value, Reference)}
    for name in [*inputs, *outputs]:
        if name not in declared and name not in used:
            raise InputError(f"buffer {name} is used by no parameter; {_listed(declared)}; @{name} passes its address")
    for name in sorted(used - buffers):
        raise InputError(f"@{name}: no buffer has that name; buffers are {', '.join(sorted(buffers)) or 'none'}")


def _listed(declared: Sequence[str]) -> str:
    return f"parameters are {', '.join(declared) or 'none'}"


def _arguments(request: Request, function: Function, buffers: dict[str, Buffer]) -> list[Argument]:
    """One argument per declared parameter, in order."""
    named = {param.name: param.value for param in request.params if param.name}
    positional = [param.value for param in request.params if not param.name]
    args: list[Argument] = []
    missing: list[str] = []
    for param in function.params:
        if param.name in named:
            args.append(_argument(named[param.name], buffers))
        elif param.name in buffers:
            args.append(buffers[param.name])
        elif positional:
            args.append(_argument(positional.pop(0), buffers))
        else:
            missing.append(param.name)
    declared = [param.name for param in function.params]
    if missing:
        what = "parameters have" if len(missing) > 1 else "parameter has"
        raise InputError(f"{what} no value: {', '.join(missing)}; give --param, --in or --out ({_listed(declared)})")
    if positional:
        raise InputError(f"{len(positional)} --param too many; {_listed(declared)}")
    return args


def _argument(value: int | float | Reference, buffers: dict[str, Buffer]) -> Argument:
    if not isinstance(value, Reference):
        return value
    address = buffers[value.name].address + value.offset
    match value.part:
        case "high":
            return address >> 32
        case "low":
            return address & 0xFFFF_FFFF
        case _:
            return address
