"""Hand-written programs of `examples/` against CUDA kernels for the same jobs, with the same data in the same places.

Both run on the virtual card, the hand-written one on the published chip, and leave results that must be equal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.mapping.prototype import SLACK
from openrpp.codegen import card
from openrpp.codegen.card.prepare import prepared
from openrpp.codegen.card.program import Program
from openrpp.codegen.card.steps import Memory
from openrpp.cuda import compile_file, read
from openrpp.kir.ir import Module
from openrpp.machine import Device, LaunchReport

KERNELS = Path(__file__).parent / "kernels"
EXAMPLES = Path(__file__).parents[2] / "examples"
_SCRATCH = 0x0400_0000 + (22 << 20)
"""Behind the plannable SRAM, which the examples fill from its start: planes and parameters of compiled kernels."""
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Pair:
    """A job done twice. Columns are those in the code of the main kernel; cycles are nominal, of all launches."""

    job: str
    hand_columns: int
    hand_cycles: float
    compiled_columns: int
    compiled_cycles: float
    equal: bool

    @property
    def ratio(self) -> float:
        """Compiled cycles for one of the hand-written program."""
        return self.compiled_cycles / self.hand_cycles

    @property
    def met(self) -> bool:
        """Whether the results are equal and the cycles within the bar."""
        return self.equal and self.ratio <= SLACK


def _example(name: str) -> Any:
    """A driver of `examples/`, which import each other by plain names."""
    if str(EXAMPLES) not in sys.path:
        sys.path.append(str(EXAMPLES))
    return import_module(name)


@cache
def module(name: str) -> Module:
    """The kernels of a job."""
    return read(compile_file(KERNELS / f"{name}.cu")).module


def compiled(source: str, name: str, block: Triple, merge: int, far: Sequence[str] = ()) -> Program:
    """A kernel with its buffers in SRAM, but for some in DDR; `merge` blocks run as one of the card."""
    ready = prepared(module(source), name, merge)
    pointers = [param.name for param in ready.kernels[name].params if param.type.is_pointer]
    placement = {item: Memory.DDR if item in far else Memory.SRAM for item in pointers}
    return card.compile(ready, name, block, placement=placement)


def _blocks(threads: int) -> tuple[int, int]:
    """(threads, blocks): a block of the card as CUDA blocks, which have up to 1024 threads."""
    best = max(size for size in range(32, 1025, 32) if threads % size == 0)
    return best, threads // best


def launch(device: Device, program: Program, grid: Triple, args: Sequence[Any]) -> LaunchReport:
    """Run a compiled kernel."""
    area, end, places = program.area(grid, args, {}), _SCRATCH, list[int]()
    for size in (program.planes_bytes, len(area), program.shared_bytes, program.private_bytes):
        places.append(end)
        end = -(-(end + size + 512) // 512) * 512
    device.write(places[1], np.frombuffer(area, np.uint8))
    words: NDArray[np.uint32] = np.frombuffer(area, np.uint32)[: program.places.direct]
    x, y, z = program.block
    block = (x * y * z * program.kernel.merge, 1, 1)
    return device.launch(program.machine, program.blocks(grid), block, [*places, *map(int, words)])


def _columns(name: str) -> int:
    """Columns in the code of a hand-written program."""
    harness = _example("harness")
    text = (EXAMPLES / f"{name}.s").read_text()
    assert harness.kernel(name) is not None
    return sum(line.split("//")[0].strip().startswith("##") for line in text.splitlines())


def _pair(
    job: str, hand: str, reports: Sequence[LaunchReport], program: Program, own: Sequence[LaunchReport], equal: bool
) -> Pair:
    cycles = [sum(report.cycles for report in found) for found in (reports, own)]
    return Pair(job, _columns(hand), cycles[0], program.columns, cycles[1], equal)


def matmul(m: int = 255, k: int = 256, n: int = 256) -> Pair:
    """A bf16 product, rows of A in one block."""
    example = _example("matmul")
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    outcome = example.run(Device("ae7100"), a, b)
    planned, device = example.plan(m, k, n), Device("ae7100x")
    harness = _example("harness")
    device.write(planned.a, example.slabs(harness.bf16(a[None])))
    device.write(planned.b, example.column_tiles(harness.bf16(b[None])))
    rows = max(rows for rows in range(1, 33) if example.rows_per_block(m) % rows == 0)
    program = compiled("matmul", "matmul", (32, rows, 1), example.rows_per_block(m) // rows)
    args = [planned.a, planned.b, planned.c, k // 32, m, 32 * k, 32 * m]
    report = launch(device, program, (-(-m // rows), n // 128, 1), args)
    found = harness.f32(example.unslabbed(device.read(planned.c, m * n, np.uint16), 1, m, n))[0]
    return _pair("matmul", "matmul", outcome.reports, program, [report], np.array_equal(found, outcome.values))


def filtered(height: int = 256, width: int = 384) -> Pair:
    """A 5x5 filter over a grey image."""
    example = _example("filter5x5")
    image = np.random.default_rng(3).integers(0, 256, (height, width), np.uint8)
    chosen = example.FILTERS["sharpen"]
    outcome = example.run(Device("ae7100"), image, chosen)
    planned, device = example.plan(1, height, width, chosen), Device("ae7100x")
    pitch = planned.shape[2]
    device.write(planned.pixels, example.padded(image))
    taps = planned.launch.params[3]
    device.write(taps, chosen.words)
    threads, merge = _blocks(planned.launch.block[0])
    grid = (-(-planned.size // threads), 1, 1)
    convert, program = (compiled("filter", name, (threads, 1, 1), merge) for name in ("convert", "filter"))
    own = [launch(device, convert, grid, [planned.pixels, planned.work])]
    args = [planned.work, planned.out, taps, pitch, chosen.scale, chosen.bias]
    own.append(launch(device, program, grid, args))
    words = device.read(planned.out, planned.size, np.uint16).reshape(planned.shape)[0, :height, :width]
    return _pair("filter", "filter5x5", outcome.reports, program, own, np.array_equal(words, outcome.values))


def fft(batch: int = 448) -> Pair:
    """Eight stages of FFTs, a launch each."""
    example = _example("fft")
    z = example.signals(example.POINTS, batch)
    outcome = example.run(Device("ae7100"), z, stages=1)
    planned, device = example.plan_columns(batch, stages=1), Device("ae7100x")
    device.write(planned.twiddles, example.twiddle_table())
    example.write_planes(device, planned, z)
    most = 8160 // planned.pitch
    program = compiled("fft", "fft_stage", (planned.pitch, 1, 1), 1 << most.bit_length() - 1)
    own: list[LaunchReport] = []
    for stage in range(example.STAGES):
        buffers = (planned.a, planned.b) if stage % 2 == 0 else (planned.b, planned.a)
        args = [*buffers, planned.twiddles, planned.plane // 2, planned.pitch, 1 << stage]
        own.append(launch(device, program, (example.HALF, 1, 1), args))
    found = example.read_planes(device, planned)
    return _pair("fft", "fft_stage", outcome.reports, program, own, np.array_equal(found, outcome.values))


def decode(n: int = 4096, k: int = 256) -> Pair:
    """A vector times a matrix of 4-bit weights, which stay in DDR; the hand-written program streams them by DMA."""
    example = _example("decode")
    rng = np.random.default_rng(2)
    weights, x = example.random_weights(rng, n, k), rng.standard_normal(k).astype(np.float32)
    outcome = example.run(Device("ae7100"), weights, x)
    planned, device = example.plan(n, k), Device("ae7100x")
    harness = _example("harness")
    device.write(planned.weights, example.packed(weights, planned))
    device.write(planned.x, example.activation_records(harness.bf16(x), planned))
    sums = compiled("decode", "sums", (planned.launches[0].block[0], 1, 1), 1)
    own = [launch(device, sums, (1, 1, 1), [planned.x])]
    threads, merge = _blocks(planned.width)
    program = compiled("decode", "decode", (threads, 1, 1), merge, far=("weights",))
    args = [planned.weights, planned.x, planned.y_lo, planned.y_hi, k // example.GROUP, planned.width]
    own.append(launch(device, program, (merge, 1, 1), args))
    low, high = (device.read(at, n, np.uint16) for at in (planned.y_lo, planned.y_hi))
    equal = np.array_equal(harness.joined(low, high), outcome.values)
    return _pair("decode", "decode", outcome.reports, program, own, equal)


JOBS: tuple[Callable[[], Pair], ...] = (matmul, decode, filtered, fft)


def pairs() -> list[Pair]:
    """All jobs."""
    return [job() for job in JOBS]


if __name__ == "__main__":
    for row in pairs():
        columns = f"{row.compiled_columns} / {row.hand_columns} columns"
        cycles = f"{row.compiled_cycles:.0f} / {row.hand_cycles:.0f} cycles"
        print(f"{row.job:8}{columns:22}{cycles:26}{row.ratio:5.2f}  {'equal' if row.equal else 'DIFFERENT'}")
