"""What is known of the corpora beyond their files: the development list, flags that a program needs, its libraries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

HECBENCH: Final = tuple(Path(__file__).with_name("hecbench.txt").read_text(encoding="utf-8").split())
"""HeCBench programs that this project looks at while it grows: each checks its own result, needs no data file and no
cu* library. Other programs of HeCBench are kept unseen, for measuring."""


LIBRARIES: Final = {
    **{"cub/": "cub", "thrust/": "thrust", "cublas": "cublas", "cusparse": "cusparse", "cufft": "cufft"},
    **{"curand": "curand", "cusolver": "cusolver", "cudnn": "cudnn", "mpi": "mpi", "nccl": "nccl", "cuda/": "cuda"},
}
"""Start of a header's name -> the library that it belongs to, by its namespace where it has one."""


@dataclass(frozen=True)
class Extra:
    """What a program needs beyond the rules. `why` says what for; without it there is nothing special."""

    flags: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    why: str = ""


EXTRA: Final[dict[tuple[str, str], Extra]] = {
    ("hecbench", "adv"): Extra(("-Ddfloat=double", "-Ddlong=int"), why="its number types are macros"),
    ("hecbench", "degrid"): Extra(("-DPRECISION=double",), why="its number type is a macro"),
}
"""(corpus, program) -> special case."""
