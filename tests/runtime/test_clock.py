"""The clock: a task that is alone is carried to its end at once, as steps would carry it."""

from __future__ import annotations

import random

from openrpp.runtime.clock import Clock, Notice, Phase, Task

ENGINES = ("queue", "array", "link in", "dma")


class Stepping(Clock):
    """Goes from moment to moment even where only one task is under way."""

    def _coast(self, task: Task) -> None:
        speeds = self._speeds()
        self._go(speeds)


def _run(kind: type[Clock], seed: int) -> tuple[object, ...]:
    rng, log = random.Random(seed), list[Notice]()
    clock = kind({"queue": 1, "array": 1, "link in": 1, "link out": 1, "dma": 2}, 10.0, log.append)
    tasks: list[Task] = []
    waits: list[float] = []
    for number in range(rng.randint(1, 12)):
        phases = [_phase(rng) for _ in range(rng.randint(0, 5))]
        after = [task for task in tasks if rng.random() < 0.4]
        tasks.append(clock.submit(str(number), "s", phases, after))
        if rng.random() < 0.3:
            waits.append(clock.run_until(rng.choice(tasks)))
    return clock.drain(), [task.finish for task in tasks], waits, log


def _phase(rng: random.Random) -> Phase:
    engine = rng.choice(ENGINES)
    delay, seconds = rng.choice((0.0, 0.0, 1.5, rng.random())), rng.choice((0.0, 2.0, rng.random()))
    name, ddr = rng.choice(("", "phase")), rng.choice((0.0, 0.0, 7.0, 20.0))
    return Phase(engine, (engine,) if rng.random() < 0.8 else ("array", "dma"), delay, seconds, ddr, 3, name)


def test_a_task_that_is_alone_takes_what_steps_take() -> None:
    for seed in range(300):
        assert _run(Clock, seed) == _run(Stepping, seed), f"seed {seed}"
