"""Weights on their way: in SRAM for good where there is room, else fetched from DDR beside the launches before."""

from __future__ import annotations

from typing import Final

from openrpp.graph.memory import Rules, lives, place
from openrpp.graph.plan import Constant, Move, Plan, Step, touched
from openrpp.kernels.launch import Launch, Region

AHEAD: Final = 2
"""Launches before the one that reads weights at which their copy starts."""


def keep_weights(plan: Plan, room: int, rules: Rules) -> int:
    """Turn copies of constants into constants in SRAM, all but the largest that leave the rest no room.

    The bytes of SRAM that they take.
    """
    contents = {constant.region: constant for constant in plan.constants}
    fetched = _fetched(plan, contents)
    apart = set(contents) | set(plan.states.values())
    kept = sorted(fetched, key=lambda region: region.bytes)
    while True:
        taken = sum(rules.footprint(region) for region in kept)
        _, rest = place(lives(plan.steps, apart | set(kept)), "sram", rules)
        if not kept or taken + rest <= room:
            break
        kept.pop()
    _replace(plan, {region: fetched[region] for region in kept}, contents)
    return taken


def _fetched(plan: Plan, contents: dict[Region, Constant]) -> dict[Region, Move]:
    """Regions of SRAM that hold one constant whole and nothing else, and its copy."""
    found: dict[Region, Move] = {}
    spoiled: set[Region] = set()
    for step in plan.steps:
        if isinstance(step, Move) and step.source.region in contents and step.target.region.memory == "sram":
            region = step.target.region
            whole = step.bytes == region.bytes == step.source.region.bytes
            if not whole or step.target.offset or region in found:
                spoiled.add(region)
            found[region] = step
        elif isinstance(step, Move | Launch):
            spoiled.update(step.writes)
        elif touched(step):
            spoiled.update(touched(step))
    return {region: move for region, move in found.items() if region not in spoiled}


def _replace(plan: Plan, kept: dict[Region, Move], contents: dict[Region, Constant]) -> None:
    moves = set(map(id, kept.values()))
    plan.steps = [step for step in plan.steps if id(step) not in moves]
    used = {region for step in plan.steps for region in touched(step)}
    plan.constants = [constant for constant in plan.constants if constant.region in used]
    for region, move in kept.items():
        constant = contents[move.source.region]
        plan.constants.append(Constant(region, f"{region.memory}:{region.name}:{constant.key}", constant.content))


def fetch_ahead(plan: Plan) -> None:
    """Put copies of constants some launches ahead of their place, so that they run beside those."""
    constants = {constant.region for constant in plan.constants}
    steps: list[Step] = []
    for step in plan.steps:
        if isinstance(step, Move) and step.source.region in constants:
            steps.insert(_ahead(steps), step)
        else:
            steps.append(step)
    plan.steps = steps


def _ahead(steps: list[Step]) -> int:
    """The place before the last launches, behind whatever else stops them."""
    index, left = len(steps), AHEAD
    while index and left and isinstance(steps[index - 1], Launch | Move):
        index -= 1
        left -= isinstance(steps[index], Launch)
    return index
