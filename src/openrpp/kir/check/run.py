"""Running a kernel under checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from time import monotonic

from openrpp.kir.check.guard import Checker
from openrpp.kir.check.memories import Memories
from openrpp.kir.check.regions import Allocation
from openrpp.kir.check.report import CHECKS, Findings, Report
from openrpp.kir.interp.faults import Fault, LaunchError
from openrpp.kir.interp.launch import MAX_STEPS, Argument, Order, launch
from openrpp.kir.interp.memory import Memory
from openrpp.kir.interp.state import LaunchState
from openrpp.kir.ir import Kernel, Module
from openrpp.kir.ops.threads import Triple


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a checked launch is: blocks that have ended, blocks that run in all, steps, host seconds."""

    blocks_done: int
    blocks: int
    steps: int
    seconds: float


def parse(names: str | Iterable[str]) -> tuple[str, ...]:
    """The checks of `memory,race` or of a sequence of such, in the order of `CHECKS`; `all` stands for all of them.

    Raises LaunchError for a name that is none, and for no name at all.
    """
    given = [names] if isinstance(names, str) else list(names)
    wanted = [name.strip() for item in given for name in item.split(",") if name.strip()]
    for name in wanted:
        if name not in (*CHECKS, "all"):
            raise LaunchError(f"there is no check {name!r}; there are {', '.join(CHECKS)}, and all")
    if not wanted:
        raise LaunchError(f"no check is named; there are {', '.join(CHECKS)}, and all")
    return tuple(name for name in CHECKS if name in wanted or "all" in wanted)


def run(
    module: Module,
    name: str,
    grid: int | Sequence[int],
    block: int | Sequence[int],
    args: Sequence[Argument],
    *,
    memory: Memory | None = None,
    allocations: Sequence[Allocation] | None = None,
    checks: str | Iterable[str] = CHECKS,
    shared_bytes: int = 0,
    max_steps: int = MAX_STEPS,
    order: Order = Order.ASCENDING,
    seed: int = 0,
    blocks: int | Iterable[Triple] | None = None,
    limit: int = 100,
    label: str = "",
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """Run a kernel on the scalar interpreter and report what is wrong with it.

    Arguments are as for `openrpp.kir.interp.launch`. `allocations` are what the kernel may touch in `memory`, besides
    the module's variables and arrays among `args`; None stands for all allocations of `memory`, all of them written.
    `blocks` are the blocks that run: all, a number of them spread over the grid, or those given. At most `limit`
    different findings are kept. `label` is what messages call the kernel, by default `name`. `progress` is called
    about five times a second.

    A wrong access is not made: it reads zeros and writes nothing. A block whose threads cannot meet is abandoned.
    Nothing else changes the results, which are in `memory` afterwards.

    Raises LaunchError for a launch that cannot start. Faults of the kernel are findings, or end the run.
    """
    chosen, memory = parse(checks), Memory() if memory is None else memory
    _check_allocations(allocations or ())
    kernel = module.kernels.get(name)
    shape = _shape(grid)
    ran = _blocks(shape, blocks)
    if ran is not None and kernel is not None and _waits_for_grid(kernel):
        raise LaunchError("the kernel has a grid barrier, so all of its blocks must run", name)
    findings, total = Findings(limit), len(ran) if ran is not None else shape[0] * shape[1] * shape[2]
    before, start = frozenset(item.base for item in memory.allocations), monotonic()
    made: list[tuple[LaunchState, Checker]] = []

    def guard(state: LaunchState, values: Sequence[int]) -> Checker:
        memories = Memories(state, values, allocations, before)
        show = partial(_show, progress, total, start) if progress is not None else None
        checker = Checker(state, memories, findings, frozenset(chosen), label or name, show)
        made.append((state, checker))
        return checker

    stopped = None
    try:
        launch(
            module, name, grid, block, args, memory=memory, shared_bytes=shared_bytes, order=order, seed=seed,
            max_steps=max_steps, guard=guard, blocks=ran,
        )  # fmt: skip
    except Fault as fault:
        stopped = str(fault).removeprefix("rpp: kir: ")
    ((state, checker),) = made
    counts = checker.started_blocks, shape[0] * shape[1] * shape[2]
    return Report(
        label or name,
        chosen,
        findings.found(),
        stopped,
        findings.dropped,
        "".join(state.output),
        state.steps,
        counts,
        monotonic() - start,
    )


def _show(progress: Callable[[Progress], None], total: int, start: float, ended: int, steps: int) -> None:
    progress(Progress(ended, total, steps, monotonic() - start))


def _check_allocations(allocations: Sequence[Allocation]) -> None:
    for item in allocations:
        if item.written is not None and len(item.written) != item.size:
            sentence = f"allocation {item.name} has {item.size} bytes, but {len(item.written)} marks of written ones"
            raise LaunchError(sentence)


def _shape(grid: int | Sequence[int]) -> Triple:
    """The grid in three extents; `launch` refuses what is none."""
    x, y, z = (*((grid,) if isinstance(grid, int) else grid), 1, 1, 1)[:3]
    return x, y, z


def _waits_for_grid(kernel: Kernel) -> bool:
    return any(instr.op.name == "grid_barrier" for instr in kernel.instructions())


def _blocks(grid: Triple, blocks: int | Iterable[Triple] | None) -> Collection[Triple] | None:
    if blocks is None:
        return None
    if not isinstance(blocks, int):
        chosen = frozenset(blocks)
        for index in chosen:
            if any(not 0 <= place < extent for place, extent in zip(index, grid, strict=True)):
                raise LaunchError(f"block {index} does not lie in the grid {grid}")
        return chosen
    total = grid[0] * grid[1] * grid[2]
    count = min(blocks, total)
    if count < 1:
        raise LaunchError(f"{blocks} blocks cannot be checked; name 1 or more")
    places = {round(step * (total - 1) / max(count - 1, 1)) for step in range(count)}
    every = product(range(grid[2]), range(grid[1]), range(grid[0]))
    return frozenset((x, y, z) for place, (z, y, x) in enumerate(every) if place in places)
