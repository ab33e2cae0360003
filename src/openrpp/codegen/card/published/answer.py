"""Whether a kernel runs on the published chip, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from openrpp.codegen.card.program import PUBLISHED, Program, compile
from openrpp.codegen.card.published.reasons import Lacking, Need
from openrpp.codegen.errors import Unsupported
from openrpp.kir.ir import Module


@dataclass(frozen=True, slots=True)
class PublishedAnswer:
    """What a program needs beyond the published chip, and whether the kernel compiles for it with `target="ae7100"`.

    `missing` are the instructions of the program as it is; `refusals` the sentences of the compile, empty if it works,
    or would work if products and sums rounded by themselves (`unfused`), as `rpp compile --target ae7100` has it.
    """

    missing: tuple[Need, ...]
    groups: tuple[str, ...]
    refusals: tuple[str, ...]
    unfused: bool = False

    @property
    def runs(self) -> bool:
        """Whether the program as it is has published words only."""
        return not self.groups

    @property
    def compiles(self) -> bool:
        """Whether the kernel can be compiled for the published chip."""
        return not self.refusals

    def __str__(self) -> str:
        if self.runs:
            return "published chip: yes"
        used = f"it uses {', '.join(self.groups)}"
        if self.compiles:
            how = " (-fmad=false, so that product and sum round by themselves)" if self.unfused else ""
            return f"published chip: no, because {used}; with --target ae7100: yes{how}"
        return f"published chip: no, because {used}; with --target ae7100: no, because {'; '.join(self.refusals)}"


def published_answer(module: Module, program: Program) -> PublishedAnswer:
    """The answer for a program of a kernel of a module, which is compiled once more for the published chip."""
    kernel = program.kernel
    groups = program.machine.extensions
    if not groups:
        return PublishedAnswer((), (), ())
    try:
        compile(module, kernel.name, program.block, target=PUBLISHED)
    except Lacking as lacking:
        if all(need.group == "fma32" for need in lacking.missing):
            return PublishedAnswer(program.needs, groups, (), unfused=True)
        return PublishedAnswer(program.needs, groups, tuple(f"{need}: {need.advice}" for need in lacking.missing))
    except Unsupported as error:
        where = f"{error.location}: " if error.location else ""
        return PublishedAnswer(program.needs, groups, (where + error.sentence,))
    return PublishedAnswer(program.needs, groups, ())
