"""From exceptions to one sentence on standard error and an exit code; never a traceback for what a user did."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from openrpp.cuda.errors import CompileError

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130


class InputError(click.ClickException):
    """What was given cannot be used; the sentence says what would have been right."""

    exit_code = BAD_INPUT


def guarded(body: Callable[[], object], area: Callable[[], str]) -> int:
    """Run a command; its exit code. `area` names the command for errors that do not say where they come from."""
    try:
        code = body()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone; keep the interpreter's own flush at exit quiet as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("rpp: interrupted", err=True)
        return INTERRUPTED
    except Exception as error:
        found = explained(error, area())
        if found is None:
            raise
        sentences, code = found
        for sentence in sentences:
            click.echo(sentence, err=True)
        return code
    return code if isinstance(code, int) else 0


def explained(error: Exception, area: str) -> tuple[list[str], int] | None:
    """(sentences, exit code) of an error that a user can cause, None for any other."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        return [str(error)], BAD_INPUT
    if isinstance(error, click.UsageError):
        hint = f"; see 'rpp {area} --help'" if area else "; see 'rpp --help'"
        return [f"{_prefix(area)}{error.format_message().rstrip('.')}{hint}"], BAD_INPUT
    if isinstance(error, click.ClickException):
        return [f"{_prefix(area)}{error.format_message()}"], error.exit_code
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        return [f"{_prefix(area)}{where}{error.strerror or error}"], BAD_INPUT
    found = _explained_here(error)
    if found is None and isinstance(error, MemoryError):
        return [f"{_prefix(area)}the host has not enough memory{f': {error}' if str(error) else ''}"], BAD_INPUT
    return found


def _prefix(area: str) -> str:
    return f"rpp: {area}: " if area else "rpp: "


def compile_lines(error: CompileError) -> list[str]:
    """Clang's errors in order, each followed by its notes."""
    lines = [str(item) for found in error.errors for item in (found, *(f"  note: {note}" for note in found.notes))]
    return lines or [str(error)]


def _explained_here(error: Exception) -> tuple[list[str], int] | None:
    """The package's own errors, whose modules are loaded if they can occur at all."""
    from openrpp.arch.errors import ArchError
    from openrpp.codegen.errors import CodegenError, KernelStopped
    from openrpp.cuda.errors import CompileError, CudaError
    from openrpp.graph.errors import GraphError
    from openrpp.isa.assembler import AssemblyError
    from openrpp.isa.objects import ObjectError
    from openrpp.llm.errors import ModelError
    from openrpp.machine.faults import Fault, LaunchError, MachineError
    from openrpp.runtime.bundle import BundleError
    from openrpp.runtime.errors import OutOfMemory
    from openrpp.storage import CacheError
    from openrpp.vision.errors import VisionError
    from openrpp.weights import WeightsError

    match error:
        case CacheError():
            return [f"rpp: cache: {error}"], BAD_INPUT
        case WeightsError():
            return [f"rpp: weights: {error}"], BAD_INPUT
        case ModelError():
            return [f"rpp: model: {error}"], BAD_INPUT
        case GraphError():
            return [f"rpp: graph: {error}"], BAD_INPUT
        case VisionError():
            return [f"rpp: vision: {error}"], BAD_INPUT
        case ArchError():
            return [str(error)], BAD_INPUT
        case AssemblyError():
            return [f"rpp: asm: {complaint}" for complaint in error.diagnostics], BAD_INPUT
        case ObjectError():
            return [f"rpp: object: {error}"], BAD_INPUT
        case BundleError():
            return [f"rpp: {error}"], BAD_INPUT
        case CompileError():
            return [f"rpp: cuda: {line}" for line in compile_lines(error)], BAD_INPUT
        case CudaError():
            return [f"rpp: cuda: {error}"], BAD_INPUT
        case KernelStopped():
            return [str(error)], FAILED
        case CodegenError():
            return [str(error)], BAD_INPUT
        case OutOfMemory():
            return [f"rpp: memory: {error}"], BAD_INPUT
        case LaunchError():
            return [f"rpp: launch: {error}"], BAD_INPUT
        case Fault():
            return [f"rpp: fault: {error}"], FAILED
        case MachineError():
            return [f"rpp: machine: {error}"], FAILED
        case _:
            return None
