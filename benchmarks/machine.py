"""`python -m benchmarks.machine`: speed of the engine and of the walk, and how near programs come to the peaks.

Host figures are medians over repetitions on this computer; card figures are the timing model's and do not vary.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.bars import judge
from openrpp.isa.assembler import assemble
from openrpp.machine import Device, Kernel, LaunchReport

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

import decode
import matmul

SRAM = 0x0400_0000
ROUNDS = 200
REPEATS = 5

_HEAD = """
.param .u32 src
.param .u32 dst
.param .u32 rounds
.var .u32 %p
.var .u32 %q
.var .u32 %three
.var .u16 %x
.var .u16 %y
.var .u16 %n
.var .u16 %left
.var .u16 %one
LDPARAM.U16 [tbDim.x], %x
LDPARAM.U16 [tbDim.y], %y
LDPARAM.U16 [tid_xyz], %n
CFGXYZ %x, %y, %n
LDPARAM.U32 [src], %p
LDPARAM.U32 [dst], %q
LDPARAM.U16 [rounds], %left
MOVE.U16 1, %one
MOVE.U32 0x40400000, %three
MMOV 0, DVA
MOVE.U32 0, VAB
##
COPY VAB, IAB
COPY VAB, ICD
COPYEXT VAB, IEF
COPYEXT VAB, IGH
##
$ROUND:
"""
_TAIL = """
SUB.U16 %left, %one, %left
JMPC %left, $ROUND
##
"""
ELEMENTWISE = """
LOADCONT %p, MB
CVT.F16.F32 MB, VAB
##
COPY VAB, IAB
MUL.F32 VAB, %three, VAB
##
ADD.F32 VAB, IAB, VAB
##
CVT.F32.F16 VAB, VA
##
STORECONT %q, VA
##
"""
GATHER = """
LOADCONT %p, MB
AND.U16 MB, 1023, VA
##
LOAD [%p + (VA << 1)], MA
ADD.U16 MA, %one, VA
##
STORECONT %q, VA
##
"""


@dataclass(frozen=True)
class Speed:
    """Lane-operations per host second of one kernel: PE, port, address and copy operations times lanes."""

    name: str
    threads: int
    operations: int
    seconds: float

    @property
    def rate(self) -> float:
        """Lane-operations per second."""
        return self.operations / self.seconds


def operations(report: LaunchReport) -> int:
    """Lane-operations of a launch. A dot of eight products counts as one port operation."""
    counted = ("pe_ops", "words_loaded", "words_stored", "address_ops", "copies")
    return sum(report.counters[name] for name in counted) + report.counters["dot_macs"] // 8


def timed(run: Callable[[], LaunchReport]) -> tuple[LaunchReport, float]:
    """A report and the median host seconds of several runs after one warm-up."""
    report = run()
    seconds: list[float] = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return report, median(seconds)


def engine_speed() -> list[Speed]:
    """The reference engine on element-wise, gather and dot kernels, at 4096 and 8160 threads."""
    rng = np.random.default_rng(1)
    found: list[Speed] = []
    for threads in (4096, 8160):
        device = Device()
        device.write(SRAM, rng.integers(0, 0x7F00, threads, np.uint16))
        for name, body in (("element-wise", ELEMENTWISE), ("gather", GATHER)):
            kernel = assemble(_HEAD + body + _TAIL, name)
            params = [SRAM, SRAM + 0x10000, ROUNDS]
            report, seconds = timed(
                lambda k=kernel, p=params, t=threads, d=device: d.launch(k, (1, 1, 1), (t, 1, 1), p)
            )
            found.append(Speed(name, threads, operations(report), seconds))
        rows = threads // 32
        plan = matmul.plan(rows, 1024, 128)
        report, seconds = timed(lambda p=plan, d=device: p.launch.on(d))
        found.append(Speed("matrix product", threads, operations(report), seconds))
    return found


def long_loops() -> Kernel:
    """Three nested loops over blocks that run more than 10^9 columns."""
    text = _HEAD.replace("$ROUND:", "MOVE.U16 1000, %x\n$OUTER:\nMOVE.U16 1000, %y\n$ROUND:")
    text += ELEMENTWISE + "SUB.U16 %y, %one, %y\nJMPC %y, $ROUND\nSUB.U16 %x, %one, %x\nJMPC %x, $OUTER\n##\n"
    return assemble(text, "long_loops")


def walk_speed() -> tuple[LaunchReport, float]:
    """A launch of more than 10^9 columns, timed without running it."""
    kernel, device = long_loops(), Device()
    return timed(lambda: device.time(kernel, (40, 5, 2), (8160, 1, 1), [SRAM, SRAM + 0x10000, 1]))


def peaks() -> tuple[LaunchReport, LaunchReport]:
    """(4-tile matrix product of 1020 x 4096 x 1024, decode of 11008 x 4096), timed without running them."""
    device = Device()
    return matmul.plan(1020, 4096, 1024).launch.timed(device), decode.plan(11008, 4096).launches[-1].timed(device)


def main() -> int:
    """Measure, print, compare with the bars."""
    console = Console(width=140)
    speeds = engine_speed()
    table = Table(title="reference engine (host time)")
    for header in ("kernel", "threads of a block", "lane-operations", "host s", "million per host s"):
        table.add_column(header, justify="left" if header == "kernel" else "right")
    for speed in speeds:
        cells = (f"{speed.operations:,}", f"{speed.seconds:.3f}", f"{speed.rate / 1e6:.0f}")
        table.add_row(speed.name, str(speed.threads), *cells)
    console.print(table)
    total = sum(speed.operations for speed in speeds) / sum(speed.seconds for speed in speeds)
    walked, walk_seconds = walk_speed()
    console.print(f"walk: {walked.columns:,} columns timed in {walk_seconds:.3f} s of host time")
    product, streamed = peaks()
    table = Table(title="against the card's peaks (card time, low / nominal / high)")
    for header in ("program", "cycles", "share of the peak", "limiter"):
        table.add_column(header)
    shares = {"dot": product, "ddr": streamed}
    for key, report in shares.items():
        span = report.span
        what = "8192 bf16 MAC per cycle" if key == "dot" else "sustained DDR rate"
        share = f"{100 * report.utilisation[key]:.1f} % of {what} (nominal)"
        table.add_row(report.kernel, f"{span.low:,.0f} / {span.nominal:,.0f} / {span.high:,.0f}", share, report.limiter)
    console.print(table)
    bars = judge(
        "machine",
        {
            "lane_operations_per_second": total,
            "walk_seconds": walk_seconds,
            "walk_columns": walked.columns,
            "matmul_share": product.utilisation["dot"],
            "decode_share": streamed.utilisation["ddr"],
        },
        {
            "engine": [vars(speed) | {"rate": speed.rate} for speed in speeds],
            "matmul": product.as_dict(),
            "decode": streamed.as_dict(),
        },
    )
    for bar in bars:
        console.print(str(bar))
    return int(any(not bar.met for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
