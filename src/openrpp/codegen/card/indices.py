"""Numbers of threads in kernel IR."""

from __future__ import annotations

from openrpp.kir.build import Builder
from openrpp.kir.ir import Value
from openrpp.kir.ops.threads import AXES


def thread_number(b: Builder) -> Value:
    """The number of the thread in its CUDA block."""
    x, y, z = (b("tid", axis=axis) for axis in AXES)
    plane = b("add", y, b("mul", z, b("ntid", axis="y")))
    return b("add", x, b("mul", plane, b("ntid", axis="x")))


def thread_count(b: Builder) -> Value:
    """Threads of a CUDA block."""
    x, y, z = (b("ntid", axis=axis) for axis in AXES)
    return b("mul", x, b("mul", y, z))
