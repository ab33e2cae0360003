"""Launch shapes of the kernels that expand quantised weights: a block of threads, and a walk over blocks.

A thread owns `per_thread` k of one column. A block is 32 columns by one super block of 256 k (on y) by some super
blocks (on z). The grid is a single block: the kernel itself walks columns, then rows, by adding steps to its pointers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.case import Check
from conformance.cases.common import MAX_THREADS, Output
from conformance.cases.quant import LANES, SUPER, Words, from_weight_tiles

WORD = 2
TILE_ROW = LANES * WORD


def unsigned(params: Sequence[int]) -> list[int]:
    """Parameters are 32-bit words; steps backwards wrap around."""
    return [value & 0xFFFF_FFFF for value in params]


@dataclass(frozen=True)
class Steps:
    """How one operand is addressed: strides between threads in elements, steps between blocks in bytes."""

    stride_y: int
    stride_z: int
    step_x: int
    step_y: int


@dataclass(frozen=True)
class Tiling:
    """The block and the walk over `[K, N]` weights."""

    k: int
    n: int
    per_thread: int
    z: int

    @classmethod
    def host(cls, k: int, n: int, per_thread: int) -> Tiling:
        """The host's *_dequant_blocks: z doubles up to 4096 threads or K, then halves until it divides the rows."""
        supers, z = k // SUPER, 1
        while cls(k, n, per_thread, z).threads < 128 * LANES and z < supers:
            z *= 2
        while supers % z:
            z //= 2
        return cls(k, n, per_thread, z)

    @classmethod
    def exact(cls, k: int, n: int, per_thread: int) -> Tiling:
        """The host's dequant_blocks_matid_exact: the largest z up to 4096 threads that divides the rows."""
        supers = k // SUPER
        z = min(128 * per_thread // SUPER, supers)
        while supers % z:
            z -= 1
        return cls(k, n, per_thread, z)

    @property
    def y(self) -> int:
        return SUPER // self.per_thread

    @property
    def threads(self) -> int:
        return LANES * self.y * self.z

    @property
    def block(self) -> tuple[int, int, int]:
        return LANES, self.y, self.z

    @property
    def walk(self) -> tuple[int, int]:
        return self.n // LANES, self.k // (SUPER * self.z)

    def plane(self, words: int, walked: int = 0) -> Steps:
        """An input `[K / per_thread * words, N]` of which the kernel's own loops advance `walked` rows per thread."""
        row = self.n * WORD
        return Steps(
            stride_y=words * self.n,
            stride_z=self.y * words * self.n,
            step_x=TILE_ROW - walked * row,
            step_y=self.y * self.z * words * row - self.walk[0] * TILE_ROW,
        )

    def output(self) -> Steps:
        """The weights `[N/32, K, 32]`."""
        tile = self.k * TILE_ROW
        own = self.per_thread * LANES
        return Steps(
            stride_y=own,
            stride_z=self.y * own,
            step_x=tile - own * WORD,
            step_y=self.y * self.z * own * WORD - self.walk[0] * tile,
        )

    def tail(self, *planes: Steps) -> list[int]:
        """The common end of the parameter lists: strides, row sizes, steps, walk."""
        operands = (*planes, self.output())
        strides = [value for p in operands for value in (p.stride_y, p.stride_z)]
        steps = [value for p in operands for value in (p.step_x, p.step_y)]
        return [*strides, self.n * WORD, TILE_ROW, *steps, *self.walk]


@dataclass(frozen=True)
class ScaleTiling:
    """Launch of a super-scale kernel: one thread per column and super block, columns split only if they must be."""

    k: int
    n: int
    x: int

    @classmethod
    def host(cls, k: int, n: int) -> ScaleTiling:
        """The host's *_super_scale_blocks."""
        x = n
        while x * (k // SUPER) >= MAX_THREADS:
            x //= 2
        return cls(k, n, x)

    @property
    def block(self) -> tuple[int, int, int]:
        return self.x, 1, self.k // SUPER

    def strides(self, words: int, groups: int) -> list[int]:
        """Element strides of the packed scales (`words` per super block) and of the result (`groups`)."""
        return [self.n, words * self.n, self.n, groups * self.n]

    @property
    def row(self) -> int:
        return self.n * WORD

    @property
    def walk(self) -> list[int]:
        """Bytes between neighbouring column blocks and their number."""
        return [self.x * WORD, self.n // self.x]


def written(out: Output, what: str, want: Words) -> Iterable[Check]:
    """A row-major result, and the marks behind it."""
    yield Check(what, out.read().reshape(want.shape), want)
    yield out.behind()


def written_tiles(out: Output, want: Words) -> Iterable[Check]:
    """Expanded weights `[K, N]`, stored as `[N/32, K, 32]`, and the marks behind them."""
    yield Check("weights", from_weight_tiles(out.read(), *want.shape), want)
    yield out.behind()
