"""What a node of a replayed graph costs on this host: a hundred kernels that do next to nothing."""

from __future__ import annotations

import time
from statistics import median

import numpy as np

from benchmarks.slice.board import Found, HostRow
from openrpp.cuda import compile_source, read
from openrpp.runtime.card import Card

NODES = 100
ROUNDS = 30
SOURCE = """extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}"""


def measure() -> Found:
    """Host microseconds per node of replays, without and with one changed argument per node."""
    card = Card("ae7100", engine="native", workers=1, keep_timeline=False)
    saxpy = card.program(read(compile_source(SOURCE)).module)["saxpy"]
    x, y = (card.array(np.ones(256, np.float32), "sram") for _ in "xy")
    stream = card.stream()
    with card.capture(stream) as graph:
        for _ in range(NODES):
            saxpy(1, 256, 256, 0.0, x, y, stream=stream)
    plain, changed = list[float](), list[float]()
    for turn in range(ROUNDS):
        begun = time.perf_counter()
        graph.launch(stream)
        between = time.perf_counter()
        for node in graph.nodes:
            node.update(n=256 - turn % 2)
        graph.launch(stream)
        changed.append(time.perf_counter() - between)
        plain.append(between - begun)
    rows = [HostRow(f"replay of a graph{how}", NODES, "nodes", seconds)
            for how, seconds in (("", plain), (", one argument of each node changed", changed))]  # fmt: skip
    return Found({"node_microseconds": 1e6 * median(plain) / NODES}, host=rows)
