"""Random statements.

`together` says that all threads of the block that have not returned execute a statement, and equally often.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from openrpp.kir.build import Builder
from openrpp.kir.floats import FORMATS
from openrpp.kir.fuzz.expressions import TYPES, Expressions
from openrpp.kir.ir import Block, BlockParam, Constant, Edge, Instr, Kernel, Value, constant
from openrpp.kir.types import F16, F32, F64, I8, I16, I32, I64, PTR_CONSTANT, PTR_SHARED, Type, parse_type

INPUTS: Final = 64
SLOTS: Final = 8
ATOMICS: Final = (
    *("atomic_add", "atomic_sub", "atomic_and", "atomic_or", "atomic_xor", "atomic_smin", "atomic_smax"),
    *("atomic_umin", "atomic_umax", "atomic_inc", "atomic_dec", "atomic_fadd", "atomic_fmin", "atomic_fmax"),
)
CELLS: Final = 2 * len(ATOMICS)
LOCAL_WORDS: Final = 8
FULL: Final = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Features:
    """What programs may use: types of values, atomics of 64 bits, barriers with a result, ops in which the lanes of a
    warp meet and atomics (`meetings`), loops that lanes leave at several places (`breaks`); and which pure ops they do
    not use."""

    types: tuple[Type, ...] = TYPES
    wide_atomics: bool = True
    barrier_results: bool = True
    meetings: bool = True
    without: frozenset[str] = frozenset()
    breaks: bool = False


ALL: Final = Features()


class Statements:
    """Writes a kernel, statement by statement."""

    def __init__(self, rng: random.Random, kernel: Kernel, threads: int, features: Features = ALL) -> None:
        self.rng = rng
        self.features = features
        self.kernel = kernel
        self.threads = threads
        self.build = Builder(kernel)
        self.exprs = Expressions(rng, self.build, features.types, features.without)
        self.mask: Value = constant(I32, FULL)
        kernel.local("buffer", 4 * LOCAL_WORDS, 4)
        b = self.build
        self.linear, self.thread = self._indices(b)
        self.buffer = b("local_addr", symbol="buffer")
        for place in range(LOCAL_WORDS):
            b("store", self.linear, b.element(self.buffer, place, I32), align=4)
        tile = b("global_addr", kind=PTR_SHARED, symbol="tile")
        b("store", constant(I64, 0), b.element(tile, self.linear, I64))
        self._sources(b)

    def _indices(self, b: Builder) -> tuple[Instr, Instr]:
        """Linear index in the block, and in the whole grid."""

        def flat(index: str, shape: str) -> Instr:
            x, y, z = (b(index, axis=axis) for axis in "xyz")
            nx, ny = b(shape, axis="x"), b(shape, axis="y")
            return b("add", x, b("mul", nx, b("add", y, b("mul", ny, z))))

        linear = flat("tid", "ntid")
        return linear, b("add", b("mul", flat("ctaid", "nctaid"), self.threads), linear, label="thread")

    def _sources(self, b: Builder) -> None:
        given, _, _, n, x, struct = self.kernel.params
        index = b("and", self.thread, INPUTS - 1)
        loaded = b("load", b.element(given, index, I32), kind=I32, align=4)
        at = b("ptr_add", struct, 8)
        wide = b("load", at, kind=I64)
        table = b("global_addr", kind=PTR_CONSTANT, symbol="table")
        entry = b("lut", table, b("and", self.linear, 63), kind=I16)
        for value in (self.linear, self.thread, n, x, loaded, wide, entry, b("laneid"), b("ntid", axis="x")):
            self.exprs.keep(value)
        self.exprs.keep(b("sitofp", loaded, kind=F32))
        if F16 in self.exprs.types:
            self.exprs.keep(b("bitcast", entry, kind=F16))
        if F64 in self.exprs.types:
            self.exprs.keep(b("load", table, kind=F64))
        self.exprs.keep(b("trunc", loaded, kind=I8))

    def body(self, size: int) -> None:
        """The whole kernel."""
        self.sequence(size, 0, True)
        self._results()
        self.build.ret()

    def sequence(self, size: int, depth: int, together: bool) -> None:
        """Some statements."""
        for _ in range(size):
            for _ in range(self.rng.randrange(1, 4)):
                self.exprs.expression()
            self._statement(depth, together)()

    def _statement(self, depth: int, together: bool) -> Callable[[], object]:
        choices: list[Callable[[], object]] = [
            self.exprs.flagged,
            self._private,
            *([self._atomic, self._warp] if self.features.meetings else []),
            self._lookup,
        ]
        if depth < 3:
            choices += [
                lambda: self._conditional(depth, together),
                lambda: self._loop(depth, together),
                lambda: self._switch(depth),
            ]
            choices += [lambda: self._search(depth)] * 2 if self.features.breaks else []
        if together:
            choices += [self._exchange, *([self._count] if self.features.meetings else [])]
            choices += [self._vote_block] if self.features.barrier_results else []
            if depth == 0:
                choices.append(self._early_return)
        return self.rng.choice(choices)

    # --- memory ------------------------------------------------------------------------------------------------

    def _private(self) -> None:
        b = self.build
        place = b.element(self.buffer, self.exprs.small(LOCAL_WORDS), I32)
        b("store", self.exprs.value(I32), place, align=4)
        other = b.element(self.buffer, self.exprs.small(LOCAL_WORDS), I32)
        self.exprs.keep(b("load", other, kind=I32, align=4))

    def _lookup(self) -> None:
        table = self.build("global_addr", kind=PTR_CONSTANT, symbol="table")
        self.exprs.keep(self.build("lut", table, self.exprs.small(64), kind=I16))
        kind = self.rng.choice([kind for kind in (I8, I32, F32, F64) if kind in self.exprs.types])
        self.exprs.keep(self.build("load", self.build.element(table, self.exprs.small(16), kind), kind=kind))

    def _atomic(self) -> None:
        name = self.rng.choice(ATOMICS)
        b, place = self.build, ATOMICS.index(name)
        kinds = (F32, F64) if name[7] == "f" else (I32, I64)
        wide = self.rng.random() < 0.5 and self.features.wide_atomics
        kind = kinds[wide]
        cell = b("ptr_add", self.kernel.params[2], 8 * (2 * place + wide))
        b(name, cell, self._operand(name, kind))

    def _operand(self, name: str, kind: Type) -> Value:
        """Values for which the order of updates does not matter."""
        if name == "atomic_fadd":
            return self.build("uitofp", self.exprs.small(16), kind=kind)
        if name in ("atomic_inc", "atomic_dec"):
            return constant(kind, 5)
        return self.exprs.value(kind)

    def _exchange(self) -> None:
        """Every thread writes its place of a shared array and reads another."""
        b = self.build
        kind = self.rng.choice([kind for kind in self.exprs.types if kind.bits >= 8])
        tile = b("global_addr", kind=PTR_SHARED, symbol="tile")
        b("barrier")
        b("store", self.exprs.value(kind), b.element(tile, self.linear, I64))
        b("barrier")
        other = b("urem", b("add", self.linear, self.rng.randrange(self.threads)), self.threads)
        self.exprs.keep(b("load", b.element(tile, other, I64), kind=kind))

    def _count(self) -> None:
        """A counter in shared memory that all threads add to."""
        b = self.build
        place = b("global_addr", kind=PTR_SHARED, symbol="count")
        b("barrier")
        zero, start = self.kernel.block("zero"), self.kernel.block("start")
        b.cbr(b("icmp", self.linear, 0, pred="eq"), zero, start)
        b.at(zero)("store", constant(I32, 0), place)
        b.br(start)
        b.at(start)("barrier")
        b("atomic_add", place, self.exprs.small(256), scope="block")
        b("barrier")
        self.exprs.keep(b("load", place, kind=I32))

    # --- meetings ----------------------------------------------------------------------------------------------

    def _warp(self) -> None:
        """A shuffle, vote or match of the lanes that are here."""
        b, e = self.build, self.exprs
        name = self.rng.choice(
            ("shfl_idx", "shfl_up", "shfl_down", "shfl_xor", "vote_any", "vote_all", "ballot", "match")
        )
        if name.startswith("shfl"):
            width = self.rng.choice((4, 8, 16, 32))
            value = e.value(self.rng.choice(self.exprs.types))
            e.keep(b(name, self.mask, value, e.small(32), width))
        elif name == "match":
            e.keep(b("match_any", self.mask, e.small(4)))
            e.keep(b("redux", self.mask, e.value(I32), combine=self.rng.choice(("add", "umin", "xor", "smax"))))
        else:
            e.keep(b(name, self.mask, e.condition()))

    def _vote_block(self) -> None:
        name = self.rng.choice(("barrier_count", "barrier_and", "barrier_or"))
        self.exprs.keep(self.build(name, self.exprs.condition()))

    # --- control flow ------------------------------------------------------------------------------------------

    def _joined(self, count: int) -> tuple[Block, list[BlockParam]]:
        block = self.kernel.block("join")
        return block, [block.param(self.rng.choice(self.exprs.types)) for _ in range(count)]

    def _conditional(self, depth: int, together: bool) -> None:
        b, e = self.build, self.exprs
        uniform = together and self.rng.random() < 0.3
        condition = b("icmp", self.kernel.params[3], self.rng.randrange(100), pred="ult") if uniform else e.condition()
        then, other = self.kernel.block("then"), self.kernel.block("else")
        join, params = self._joined(self.rng.randrange(3))
        masks = (self.mask, self.mask) if uniform else self._masks(condition)
        b.cbr(condition, then, other)
        for block, mask in zip((then, other), masks, strict=True):
            self._arm(block, mask, depth, together and uniform, lambda: b.br(join, *[e.value(p.type) for p in params]))
        b.at(join)
        e.pool.extend(params)

    def _masks(self, condition: Value) -> tuple[Value, Value]:
        """The lanes that go each way."""
        if not self.features.meetings:
            return self.mask, self.mask
        b = self.build
        yes = b("ballot", self.mask, condition)
        return yes, b("ballot", self.mask, b("xor", condition, 1))

    def _arm(self, block: Block, mask: Value, depth: int, together: bool, leave: Callable[[], object]) -> None:
        before, pool = self.mask, list(self.exprs.pool)
        self.mask = mask
        self.build.at(block)
        self.sequence(self.rng.randrange(1, 3), depth + 1, together)
        leave()
        self.mask, self.exprs.pool = before, pool

    def _switch(self, depth: int) -> None:
        """Cases that differ between lanes; warps meet again behind them."""
        b, e = self.build, self.exprs
        value = e.small(8)
        join, params = self._joined(1)
        cases = self.rng.sample(range(8), self.rng.randrange(1, 6))
        arms = [self.kernel.block(f"case{case}") for case in (*cases, "default")]
        b.switch(value, Edge(arms[-1]), [(case, Edge(arm)) for case, arm in zip(cases, arms, strict=False)])
        pool = list(e.pool)
        for arm in arms:
            b.at(arm)
            for _ in range(self.rng.randrange(3)):
                e.expression()
            b.br(join, *[e.value(param.type) for param in params])
            e.pool = list(pool)
        b.at(join)
        e.pool.extend(params)

    def _loop(self, depth: int, together: bool) -> None:
        """A counted loop; a count that differs between lanes ends the loop at different times."""
        b, e = self.build, self.exprs
        uniform = self.rng.random() < 0.5
        trips = b("and", self.kernel.params[3], 3) if uniform else e.small(4)
        header, inside, behind = (self.kernel.block(name) for name in ("header", "inside", "behind"))
        counter, here = header.param(I32, "i"), header.param(I32, "here")
        carried = [header.param(self.rng.choice(self.exprs.types)) for _ in range(self.rng.randrange(1, 3))]
        b.br(header, constant(I32, 0), self.mask, *[e.value(param.type) for param in carried])
        b.at(header)
        before, pool = self.mask, list(e.pool)
        e.pool.extend((counter, *carried))
        going = b("icmp", counter, trips, pred="ult")
        inner = here if uniform or not self.features.meetings else b("ballot", here, going)
        b.cbr(going, inside, behind)

        def again() -> None:
            following = b("add", counter, 1, nuw=True, nsw=True)
            b.br(header, following, inner, *[e.value(param.type) for param in carried])

        self._arm(inside, inner, depth, together and uniform, again)
        self.mask, e.pool = before, pool
        b.at(behind)
        e.pool.extend(carried)

    def _search(self, depth: int) -> None:
        """A loop that lanes leave at several places, each with values of its own; nothing meets in it."""
        b, e = self.build, self.exprs
        header, (behind, params) = self.kernel.block("turn"), self._joined(self.rng.randrange(1, 3))
        counter = header.param(I32, "turns")
        carried = [header.param(self.rng.choice(e.types)) for _ in range(self.rng.randrange(1, 3))]
        most = self.rng.randrange(1, 6) if self.rng.random() < 0.3 else e.small(4)
        b.br(header, constant(I32, 0), *[e.value(param.type) for param in carried])
        b.at(header)
        pool = list(e.pool)
        e.pool.extend((counter, *carried))
        for _ in range(self.rng.randrange(3)):
            self._segment(behind, params, depth)
        following = b("add", counter, 1, nuw=True, nsw=True)
        again, found = ([e.value(param.type) for param in given] for given in (carried, params))
        b.cbr(b("icmp", following, most, pred="ult"), header, behind, [following, *again], found)
        b.at(behind)
        e.pool = [*pool, counter, *carried, *params]

    def _segment(self, behind: Block, params: list[BlockParam], depth: int) -> None:
        """Part of a turn: some lanes go a way of their own, or leave the loop, at once or over a block."""
        b, e = self.build, self.exprs
        for _ in range(self.rng.randrange(3)):
            e.expression()
        condition, on = e.condition(), self.kernel.block("on")
        shape = self.rng.randrange(4)
        if shape == 0:
            given: list[Value] = [e.value(param.type) for param in params]
            if self.rng.random() < 0.5:
                b.cbr(condition, behind, on, given)
            else:
                b.cbr(condition, on, behind, (), given)
        elif shape == 3 and depth < 2:
            self._detour(on, condition, depth)
            return
        else:
            out, pool = self.kernel.block("out"), list(e.pool)
            edges = (out, on) if self.rng.random() < 0.5 else (on, out)
            b.cbr(condition, *edges)
            b.at(out)
            for _ in range(self.rng.randrange(2)):
                e.expression()
            b.br(behind, *[e.value(param.type) for param in params])
            e.pool = pool
        b.at(on)

    def _detour(self, on: Block, condition: Value, depth: int) -> None:
        """Some lanes do more, perhaps in a loop of their own."""
        b, e = self.build, self.exprs
        aside, pool = self.kernel.block("aside"), list(e.pool)
        param = on.param(self.rng.choice(e.types))
        b.cbr(condition, aside, on, (), [e.value(param.type)])
        b.at(aside)
        if self.rng.random() < 0.5:
            self._search(depth + 1)
        b.br(on, e.value(param.type))
        e.pool = [*pool, param]
        b.at(on)

    def _early_return(self) -> None:
        """Some threads are done."""
        b = self.build
        gone, rest = self.kernel.block("gone"), self.kernel.block("rest")
        b.cbr(b("icmp", self.linear, self.threads - self.rng.randrange(1, 4), pred="uge"), gone, rest)
        b.at(gone)
        self._results()
        b.ret()
        b.at(rest)

    def _results(self) -> None:
        """Store the last values of the pool into the thread's slots."""
        b = self.build
        base = b.element(self.kernel.params[1], b("mul", self.thread, SLOTS), I64)
        for slot, value in enumerate(self.exprs.pool[-SLOTS:]):
            b("store", self._shown(value), b("ptr_add", base, 8 * slot))

    def _shown(self, value: Value) -> Value:
        """The bits of a value; those of a NaN differ between engines, so one pattern stands for all."""
        if not value.type.is_float:
            return value
        b, bits = self.build, parse_type(f"i{value.type.bits}")
        none = b("fcmp", value, value, pred="uno")
        return b("select", none, Constant(bits, FORMATS[value.type].nan), b("bitcast", value, kind=bits))
