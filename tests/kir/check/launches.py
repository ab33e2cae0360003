"""Launches of the kernels in kernels/: fresh arguments for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

KERNELS = Path(__file__).parent / "kernels"
rng = np.random.default_rng(3)


def reals(*shape: int) -> NDArray[Any]:
    return rng.random(shape, dtype=np.float32)


def zeros(count: int, kind: type[np.generic] = np.float32) -> NDArray[Any]:
    return np.zeros(count, kind)


def ints(count: int) -> NDArray[Any]:
    return np.arange(count, dtype=np.int32)


def flags(count: int = 1) -> NDArray[Any]:
    return np.zeros(count, np.uint32)


Launch = tuple[Any, Any, list[Any], dict[str, Any]]


def right(name: str) -> Launch:
    """Grid, block, arguments and options of a kernel in right.cu."""
    i32 = np.int32
    match name:
        case "matmul":
            return (2, 2), (8, 8), [reals(16, 16), reals(16, 16), zeros(256), 16], {}
        case "reduce":
            return 3, 64, [reals(150), zeros(3), 150], {"shared_bytes": 256}
        case "scan":
            return 1, 64, [ints(50), zeros(50, i32), 50], {}
        case "warp_reduce":
            return 1, 96, [reals(500), zeros(1), 500], {}
        case "warp_synchronous":
            return 1, 32, [reals(64), zeros(1)], {}
        case "tile_sync":
            return 1, 64, [ints(64), zeros(64, i32)], {}
        case "histogram":
            return 3, 32, [rng.integers(0, 16, 300, dtype=np.uint8), flags(16), 300], {}
        case "ping_pong":
            return 1, 64, [reals(64), zeros(64), 5], {}
        case "grid_sync":
            return 3, 8, [zeros(24, i32), zeros(24, i32)], {}
        case "last_block":
            return 5, 32, [reals(160), zeros(5), flags(), zeros(1)], {}
        case "fenced_by_all":
            return 5, 64, [zeros(320, i32), flags(), zeros(1, i32)], {}
        case "locked":
            return 3, 4, [zeros(1, i32), zeros(1, i32)], {}
        case "flag":
            return 3, 4, [zeros(1, i32), zeros(1, i32), zeros(3, i32)], {}
        case "float_maximum":
            return 2, 16, [reals(32), zeros(1)], {}
        case "leaves":
            return 1, 64, [rng.integers(0, 16, 50, dtype=np.uint8), zeros(50, np.uint8), zeros(200, i32), 50], {}
        case "chosen":
            return 1, 32, [zeros(1, i32), zeros(32, i32)], {}
        case "locals":
            return 1, 32, [ints(40), zeros(32, i32), 40], {}
        case "staged":
            return 1, 32, [reals(32), zeros(32)], {}
        case _:
            raise ValueError(name)


def guilty(name: str) -> Launch:
    """Grid, block, arguments and options of a kernel in guilty.cu."""
    i32 = np.int32
    match name:
        case "past_the_end":
            return 2, 16, [reals(24), zeros(24), 24], {}
        case "before_the_start" | "inlined":
            return 1, 32, [reals(32), zeros(32)], {}
        case "into_the_neighbour":
            return 1, 32, [zeros(100), zeros(100)], {}
        case "misaligned":
            return 1, 32, [zeros(256, np.int8), zeros(32)], {}
        case "null":
            return 1, 32, [0, zeros(32)], {}
        case "writes_constant":
            return 1, 1, [2, zeros(4)], {}
        case "past_a_variable":
            return 1, 32, [5], {}
        case "past_a_tile":
            return 1, 32, [zeros(32), 2], {}
        case "past_dynamic":
            return 1, 33, [zeros(33)], {"shared_bytes": 128}
        case "past_a_row" | "local_unwritten":
            return 1, 8, [ints(8), zeros(8, i32)], {}
        case "shared_unwritten":
            return 1, 64, [zeros(64, i32), 1], {}
        case "neighbours":
            return 1, 64, [zeros(64)], {}
        case "within_a_warp" | "legacy_volatile":
            return 1, 32, [zeros(64)], {}
        case "between_blocks":
            return 3, 1, [zeros(3, i32)], {}
        case "lost_update":
            return 2, 3, [zeros(1, i32)], {}
        case "same_value":
            return 2, 8, [zeros(1, i32), ints(16)], {}
        case "read_of_a_counter":
            return 1, 32, [flags(), flags(32)], {}
        case "no_fence":
            return 4, 4, [ints(4), zeros(4, i32), flags(), zeros(1, i32)], {}
        case "too_early":
            return 1, 32, [reals(32), zeros(32)], {}
        case "staged_past_the_end":
            return 1, 32, [reals(32), zeros(32), 34], {}
        case "some_meet":
            return 1, 32, [ints(32), zeros(32, i32)], {}
        case "half_a_shuffle":
            return 1, 32, [ints(32), zeros(32, i32)], {}
        case "outside_of_the_mask":
            return 1, 32, [zeros(32, i32)], {}
        case "missing_lane":
            return 1, 16, [ints(16), zeros(16, i32)], {}
        case "fails":
            return 3, 2, [ints(2), zeros(2, i32)], {}
        case "endless":
            return 1, 1, [zeros(1, i32)], {"max_steps": 10_000}
        case _:
            raise ValueError(name)


def line_of(file: str, marker: str) -> int:
    """The number of the line that ends in a comment."""
    lines = (KERNELS / f"{file}.cu").read_text().splitlines()
    (found,) = [number for number, line in enumerate(lines, 1) if line.endswith(f"// {marker}")]
    return found
