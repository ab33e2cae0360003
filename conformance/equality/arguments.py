"""Arguments for a kernel that nobody described: found from its kernel IR and tried under the interpreter's checks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.equality.params import Roles, roles
from conformance.equality.trial import Argument, Struct, Trial, Triple, place
from openrpp.kir import KirError
from openrpp.kir.check import run as checked
from openrpp.kir.interp import Memory
from openrpp.kir.ir import Kernel, Module, Parameter
from openrpp.kir.layout import symbols
from openrpp.kir.types import Type

STEPS: Final = 300_000
"""Steps of all threads that a trial may take: the interpreter makes some 100,000 in a second under checks."""
PATIENCE: Final = 20.0  # seconds of host time that a search may take
ELEMENTS: Final = 16_384
DYNAMIC: Final = 16_384  # bytes of dynamic shared memory
_BY_CHANCE: Final = {
    "clock": "it reads the clock",
    "activemask": "it asks which lanes happen to run together",
}
_NUMPY: Final = {"i1": np.uint8, "i8": np.uint8, "i16": np.uint16, "i32": np.uint32, "i64": np.uint64}
_FLOATS: Final = {"f16": np.float16, "bf16": np.uint16, "f32": np.float32, "f64": np.float64}


@dataclass(frozen=True)
class Attempt:
    """Numbers of a try: whole-number arguments (one for all, or drawn), and the bound of those in buffers."""

    scalars: tuple[int, ...]
    bound: int
    seed: int


def attempts(seed: int) -> Iterator[Attempt]:
    """From the likeliest to the smallest."""
    for scalar, bound in ((32, 16), (16, 8), (64, 4), (8, 8), (4, 4), (2, 2), (1, 1), (0, 1)):
        yield Attempt((scalar,), bound, seed)
    for extra in range(6):
        yield Attempt((1, 2, 4, 8, 16, 32), 4, seed + extra + 1)


def find(module: Module, symbol: str, name: str, seed: int) -> Trial | str:
    """A clean launch: all accesses inside buffers, no races, all threads meet. A sentence where none is found."""
    kernel = module.kernels[symbol]
    known = roles(kernel)
    if known.nested:
        return "pointers behind pointers"
    for op, why in _BY_CHANCE.items():
        if any(instr.op.name == op for instr in kernel.instructions()):
            return why
    why, end = "", monotonic() + PATIENCE
    for attempt in attempts(seed):
        for grid, block in _shapes(kernel, known):
            trial = _trial(module, kernel, name, known, attempt, grid, block)
            found = _fault(trial)
            if not found:
                return trial
            why = why or found
            if monotonic() > end:
                return why
    return why


def _fault(trial: Trial) -> str:
    """What is wrong with a launch, empty if nothing."""
    memory = Memory()
    args, _ = place(trial.args, memory)
    try:
        report = checked(
            trial.module, trial.symbol, trial.grid, trial.block, args, memory=memory,
            checks="all", shared_bytes=trial.shared_bytes, max_steps=STEPS, limit=20,
        )  # fmt: skip
    except KirError as error:
        return str(error)
    if report.stopped is not None:
        return report.stopped
    errors = [item for item in report.findings if item.severity == "error"]
    return errors[0].sentence if errors else ""


def _shapes(kernel: Kernel, known: Roles) -> list[tuple[Triple, Triple]]:
    most = kernel.max_threads or 1024
    y, z = "tid.y" in known.axes, "tid.z" in known.axes
    if z:
        shapes: list[Triple] = [(4, 4, 4), (4, 2, 2)]
    elif y:
        shapes = [(16, 16, 1), (8, 8, 1), (32, 2, 1)]
    else:
        shapes = [(64, 1, 1), (most, 1, 1)] if kernel.max_threads else [(64, 1, 1), (256, 1, 1)]
    fit = [shape for shape in shapes if shape[0] * shape[1] * shape[2] <= most] or [(min(most, 32), 1, 1)]
    x, y, z = (2 if f"ctaid.{axis}" in known.axes else 1 for axis in "xyz")
    grids: list[Triple] = [(x, y, z), (1, 1, 1)] if x * y * z > 1 else [(1, 1, 1)]
    return [(grid, shape) for grid in grids for shape in fit]


def _trial(
    module: Module, kernel: Kernel, name: str, known: Roles, attempt: Attempt, grid: Triple, block: Triple
) -> Trial:
    rng = random.Random(f"{name} {attempt.seed}")
    made = [_argument(param, known, attempt, rng) for param in kernel.params]
    dynamic = any(module.globals[item].dynamic for item in symbols(kernel))
    return Trial(name, module, kernel.name, grid, block, made, DYNAMIC if dynamic else 0)


def _argument(param: Parameter, known: Roles, attempt: Attempt, rng: random.Random) -> Argument:
    if not param.is_by_value:
        if param.type.is_pointer:
            return _buffer(known.buffers.get((param, 0)), attempt, rng)
        return _number(param.type, attempt, rng)
    data, pointers = bytearray(param.size), dict[int, NDArray[Any]]()
    for source, kind in known.fields.items():
        if source[0] is not param or source[1] + kind.bytes > param.size:
            continue
        if kind.is_pointer:
            pointers[source[1]] = _buffer(known.buffers.get(source), attempt, rng)
        else:
            data[source[1] : source[1] + kind.bytes] = _bytes(kind, _number(kind, attempt, rng))
    return Struct(bytes(data), pointers)


def _number(kind: Type, attempt: Attempt, rng: random.Random) -> int | float:
    if kind.is_float:
        return rng.randrange(1, 64) / 16
    value = rng.choice(attempt.scalars)
    return value & kind.mask if kind.bits > 1 else value & 1


def _bytes(kind: Type, value: float) -> bytes:
    if not kind.is_float:
        return int(value).to_bytes(kind.bytes, "little")
    if kind.name == "bf16":
        return np.float32(value).tobytes()[2:]
    return np.array(value, _FLOATS[kind.name]).tobytes()


def _buffer(kind: Type | None, attempt: Attempt, rng: random.Random) -> NDArray[Any]:
    """Elements of a type: whole numbers below the bound; floats whose sums are exact in any order."""
    source = np.random.default_rng(rng.randrange(1 << 32))
    if kind is None:
        return np.zeros(ELEMENTS, np.uint32)
    if kind.name in _FLOATS:
        values = source.integers(-64, 64, ELEMENTS) / 16
        if kind.name == "bf16":
            return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return values.astype(_FLOATS[kind.name])
    return source.integers(0, max(attempt.bound, 1), ELEMENTS).astype(_NUMPY.get(kind.name, np.uint64))
