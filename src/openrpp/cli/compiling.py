"""What `rpp compile` makes of a CUDA source: programs for the block shapes that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openrpp.cli.errors import InputError

if TYPE_CHECKING:
    from openrpp.codegen.card import Program
    from openrpp.codegen.card.published.answer import PublishedAnswer
    from openrpp.cuda import RawModule
    from openrpp.runtime.compiled import Form

DEFAULT_THREADS = 256
"""Threads of a block where neither the command line nor the kernel's launch bounds say."""


@dataclass(frozen=True)
class Built:
    """A kernel for one block shape and number of merged blocks. `error` says why there is no program."""

    name: str
    symbol: str
    form: Form | None
    program: Program | None = None
    answer: PublishedAnswer | None = None
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary."""
        row: dict[str, Any] = {"kernel": self.name, "symbol": self.symbol, "error": self.error}
        if self.form is not None:
            row |= {"block": list(self.form.block), "merged_blocks": self.form.merge}
        if self.program is not None:
            row |= _figures(self.program)
        if self.answer is not None:
            row["published"] = _answer(self.answer)
        return row


def _figures(program: Program) -> dict[str, Any]:
    return {
        "columns": program.columns,
        "words": len(program.machine.words),
        "loops": [{"columns": loop.columns, "depth": loop.depth} for loop in program.loops],
        "scratch_accesses": program.spills,
        "scratch_bytes": program.planes_bytes,
        "parameter_bytes": program.area_bytes,
        "shared_bytes": program.shared_bytes,
        "private_bytes": program.private_bytes,
        "extensions": list(program.machine.extensions),
        "notes": list(program.notes),
    }


def _answer(answer: PublishedAnswer) -> dict[str, Any]:
    return {
        "runs": answer.runs,
        "compiles": answer.compiles,
        "missing": [
            {"instruction": need.instruction, "extension": need.group, "source": str(need.location or "")}
            for need in answer.missing
        ],
        "refusals": list(answer.refusals),
    }


def build(module: RawModule, names: Sequence[str], blocks: Sequence[tuple[int, ...]], target: str) -> list[Built]:
    """Compile kernels (all if none is named) for blocks (a usual one if none is given).

    Raises InputError for a source without kernels, CudaError and UnsupportedError for a kernel that was named.
    """
    from openrpp.cuda import UnsupportedError

    if not module.kernels:
        raise InputError("the source has no kernel; a template counts once it is named, as --kernel 'scale<float>'")
    found: list[Built] = []
    for name in names or module.kernels:
        try:
            kernel = module.get_function(name).kernel
        except UnsupportedError as error:
            if names:
                raise
            found.append(Built(name, name, None, error=str(error)))
            continue
        for block in blocks or [(kernel.max_threads or DEFAULT_THREADS,)]:
            found += _forms(module, name, kernel.name, block, target)
    return found


def _forms(module: RawModule, name: str, symbol: str, block: tuple[int, ...], target: str) -> list[Built]:
    """One block as a block of the card, and as many together as fill the ring."""
    from openrpp.arch import load
    from openrpp.codegen.errors import CodegenError, Unsupported
    from openrpp.runtime.compiled import Form, compiled, sram_sizes, sram_text
    from openrpp.runtime.legality import checked_shape
    from openrpp.runtime.merging import merges

    arch, program = load(target), module.ir
    limit = arch.limits.grid.value
    _, shape = checked_shape(arch, name, program.kernels[symbol], 1, block)
    found: list[Built] = []
    for merge in dict.fromkeys((1, merges(arch, (limit, 1, 1), shape)[0])):
        form = Form(shape, merge, target)
        try:
            made = compiled(program, symbol, form, module.store)
            sizes, most = sram_sizes(made), arch.sram.plannable.value
            if sum(sizes) > most:
                sentence = f"{sram_text(made, sizes)}; the card's SRAM has {most:,}"
                raise Unsupported(sentence, symbol, made.kernel.location)
        except CodegenError as error:
            where = f"{error.location}: " if error.location else ""
            found.append(Built(name, symbol, form, error=where + error.sentence))
            if merge == 1:
                break
            continue
        found.append(Built(name, symbol, form, made, _published(module, symbol, made) if merge == 1 else None))
    return found


def _published(module: RawModule, symbol: str, program: Program) -> PublishedAnswer:
    from openrpp.codegen.card.prepare import prepared
    from openrpp.codegen.card.published.answer import published_answer

    return published_answer(prepared(module.ir, symbol, target="ae7100"), program)
