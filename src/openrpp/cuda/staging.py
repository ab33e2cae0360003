"""A launch with NumPy arrays: copies before and after it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from openrpp.cuda.mangling import elements, mismatch
from openrpp.cuda.texture import Texture
from openrpp.kir.ir import Kernel
from openrpp.machine.faults import LaunchError
from openrpp.machine.memory import as_bytes
from openrpp.runtime import Buffer, CaptureError, Card, KernelFault, ProgramFunction, ProgramReport, Stream
from openrpp.runtime.operations import Extent
from openrpp.runtime.values import Value, check_count

if TYPE_CHECKING:
    from openrpp.cuda.rawmodule import RawKernel
    from openrpp.kir.check import Report as CheckReport

Args = Sequence[Value | Texture]
Array = NDArray[Any]


def launch(
    function: RawKernel,
    grid: Extent,
    block: Extent,
    args: Args,
    shared_bytes: int,
    stream: Stream | None,
    card: Card | None,
) -> ProgramReport | None:
    """Launch a kernel, see `RawKernel.__call__`."""
    launched, plain = _prepared(function, args, stream, card)
    target = stream or launched.program.card.default_stream
    with staged(function.name, function.kernel, plain, target) as values:
        try:
            report = launched(grid, block, *values, shared_bytes=shared_bytes, stream=target)
        except KernelFault as error:
            _show(error.output)
            raise
    if report is not None:
        _show(report.output)
        if report.dropped:
            warnings.warn(f"kernel {report.kernel}: {report.dropped} printf calls found no room", stacklevel=3)
    return report


def check(
    function: RawKernel, grid: Extent, block: Extent, args: Args, checks: str, shared_bytes: int, card: Card | None
) -> CheckReport:
    """Run a kernel under checks, see `RawKernel.check`."""
    launched, plain = _prepared(function, args, None, card)
    with staged(function.name, function.kernel, plain, launched.program.card.default_stream) as values:
        return launched.check(grid, block, *values, checks=checks, shared_bytes=shared_bytes)


def _prepared(
    function: RawKernel, args: Args, stream: Stream | None, card: Card | None
) -> tuple[ProgramFunction, list[Value]]:
    """The kernel on the card that a launch means, and its arguments, checked as far as they can be before copies."""
    if not isinstance(args, Sequence) or isinstance(args, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise LaunchError(f"kernel {function.name}: args is a tuple with one value per parameter")
    check_count(function.name, function.kernel, args)
    program = function.module.on(_card(function, args, stream, card))
    for arg in args:
        if isinstance(arg, Texture) and arg.buffer.card is not program.card:
            raise LaunchError(f"kernel {function.name}: {arg!r} belongs to another card")
    plain = [arg.handle if isinstance(arg, Texture) else arg for arg in args]
    check_elements(function, plain)
    return program[function.kernel.name], plain


def check_elements(function: RawKernel, args: Sequence[object]) -> None:
    """Raises LaunchError for an array or buffer whose elements are not those that its parameter points to."""
    kernel = function.kernel
    known = elements(kernel.name, len(kernel.params))
    for index, (param, arg, element) in enumerate(zip(kernel.params, args, known, strict=True)):
        dtype = _dtype(arg)
        wanted = mismatch(element, dtype) if dtype is not None and param.type.is_pointer else ""
        if wanted:
            where = f"kernel {function.name}, argument {index + 1} ({param.name}: {element} *)"
            raise LaunchError(
                f"{where}: the array is {dtype}; pass {wanted}, or array.view({wanted!r}) if its bits are meant"
            )


def _dtype(arg: object) -> np.dtype[Any] | None:
    if isinstance(arg, Buffer):
        return arg.dtype
    return cast("Array", arg).dtype if isinstance(arg, np.ndarray) else None


def _show(output: str) -> None:
    if output:
        sys.stdout.write(output)
        sys.stdout.flush()


def _card(function: RawKernel, args: Iterable[object], stream: Stream | None, card: Card | None) -> Card | None:
    """The card that a launch names, by itself or by its stream or buffers; None where it names none."""
    if card is not None and stream is not None and stream.card is not card:
        raise LaunchError(f"kernel {function.name}: stream {stream.name} belongs to another card than the one given")
    if card is not None or stream is not None:
        return card or (stream.card if stream else None)
    buffers = (arg.buffer if isinstance(arg, Texture) else arg for arg in args)
    return next((arg.card for arg in buffers if isinstance(arg, Buffer)), None)


@contextmanager
def staged(name: str, kernel: Kernel, args: Sequence[Value], stream: Stream) -> Generator[list[Value]]:
    """Arguments with arrays in the card's memory; behind the launch, writeable arrays get what is there then.

    An array that is given twice is one buffer. Raises LaunchError for arrays that cannot be copied.
    """
    places = [index for index, arg in enumerate(args) if _is_pointed_to(kernel, index, arg)]
    if not places:
        yield list(args)
        return
    if stream.capture is not None:
        raise CaptureError(f"kernel {name}: arrays of the host cannot be captured; pass buffers of the card")
    values, copies = list(args), list[tuple[Array, Buffer]]()
    try:
        for index in places:
            values[index] = _buffer(name, kernel, index, args[index], stream, copies)
        yield values
        for array, buffer in copies:
            if array.flags.writeable:
                stream.copy(array, buffer)
        stream.synchronize()
    finally:
        for _, buffer in copies:
            buffer.free()


def _is_pointed_to(kernel: Kernel, index: int, arg: object) -> bool:
    param = kernel.params[index]
    return isinstance(arg, np.ndarray) and param.type.is_pointer and not param.is_by_value


def _plain(array: Array) -> Array:
    """An array of structs as bytes."""
    is_struct = array.dtype.kind == "V" and not array.dtype.hasobject and array.flags.c_contiguous
    return array.reshape(-1).view(np.uint8) if is_struct else array


def _buffer(
    name: str, kernel: Kernel, index: int, arg: Any, stream: Stream, copies: list[tuple[Array, Buffer]]
) -> Buffer | None:
    """The buffer of an array, the null pointer for an empty one."""
    array: Array = _plain(arg)
    where = f"kernel {name}, argument {index + 1} ({kernel.params[index].name})"
    try:
        as_bytes(array)
    except LaunchError as error:
        raise LaunchError(f"{where}: {error}") from None
    if not array.size:
        return None
    for other, buffer in copies:
        if not np.may_share_memory(array, other):
            continue
        if array.ctypes.data == other.ctypes.data and array.nbytes == other.nbytes:
            return buffer
        raise LaunchError(
            f"{where}: the array overlaps another argument in part; copy both to the card and pass buffers"
        )
    buffer = stream.card.empty(array.shape or (1,), array.dtype)
    copies.append((array, buffer))
    stream.copy(buffer, array.reshape(buffer.shape))
    return buffer
