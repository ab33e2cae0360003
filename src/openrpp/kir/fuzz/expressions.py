"""Random straight code: any pure op of the table with any types that it allows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from openrpp.kir.build import Builder
from openrpp.kir.errors import TypeMismatch
from openrpp.kir.ir import Constant, Instr, Value, constant
from openrpp.kir.ops import OPS
from openrpp.kir.ops.form import AttrValue, Effect, Op
from openrpp.kir.types import BF16, F16, F32, F64, I1, I8, I16, I32, I64, Type, parse_type

TYPES: Final = (I1, I8, I16, I32, I32, I32, I64, F16, BF16, F32, F32, F32, F64)
INTERESTING: Final = (0, 1, -1, 2, 7, 31, 32, 33, 255, 0x7FFF, 0x7FFF_FFFF, 1 << 63)
NUMBERS: Final = (0.0, -0.0, 1.0, -1.5, 0.1, 3.0, 1e30, -1e-30, 65504.0, 1e-45, float("inf"))

# Bits of NaNs and addresses differ between engines, so nothing may show them.
_EXCLUDED: Final = frozenset({"bitcast", "copysign", "ptrtoint", "inttoptr", "space_cast", "is_space", "ptr_add"})
PURE: Final = tuple(
    op for op in OPS.values() if op.effect is Effect.PURE and op.name not in _EXCLUDED and not op.variadic
)


class Expressions:
    """A builder with a pool of values to draw from; `types` may be used, the ops `without` may not."""

    def __init__(
        self, rng: random.Random, build: Builder, types: Sequence[Type] = TYPES, without: frozenset[str] = frozenset()
    ) -> None:
        self.rng = rng
        self.types = tuple(types)
        self.ops = [op for op in PURE if op.name not in without]
        self.build = build
        self.pool: list[Value] = []

    def number(self, kind: Type) -> Constant:
        """A constant: an interesting value, a small one or random bits."""
        if kind.is_float:
            value = self.rng.choice((*NUMBERS, self.rng.uniform(-8, 8), float(self.rng.randrange(100))))
            return constant(kind, value)
        return Constant(kind, self.rng.choice((*INTERESTING, self.rng.randrange(16), self.rng.getrandbits(64))))

    def value(self, kind: Type) -> Value:
        """A value of a type: recent ones of the pool are likelier."""
        fitting = [value for value in self.pool if value.type is kind]
        if not fitting or self.rng.random() < 0.12:
            return self.number(kind)
        return self.rng.choice(fitting[-12:])

    def keep(self, value: Value) -> Value:
        """Put a value into the pool."""
        self.pool.append(value)
        return value

    def expression(self) -> Value:
        """One random pure op on values of the pool."""
        while True:
            op = self.rng.choice(self.ops)
            made = self._applied(op)
            if made is not None:
                return self.keep(made)

    def _applied(self, op: Op) -> Instr | None:
        bound = {word: self.rng.choice(kinds) for word, kinds in op.where.items()}
        if any(kind not in self.types for kind in bound.values() if not kind.is_pointer):
            return None
        kinds = [bound[word] if word in bound else parse_type(word) for word in op.operands]
        result = bound.get(op.result)
        if any(kind.is_pointer for kind in kinds):
            return None
        try:
            op.result_type(kinds, result)
        except TypeMismatch:
            return None
        operands = [self.value(kind) for kind in kinds]
        attrs = self._attrs(op)
        return self.build.append(Instr(op, operands, result if op.needs_type() else None, attrs))

    def _attrs(self, op: Op) -> dict[str, AttrValue]:
        found: dict[str, AttrValue] = {}
        for attribute in op.attributes:
            if attribute.choices:
                found[attribute.name] = self.rng.choice(attribute.choices)
            elif attribute.default is False and attribute.name not in ("nuw", "nsw"):
                found[attribute.name] = self.rng.random() < 0.5
        return found

    def small(self, limit: int) -> Value:
        """An i32 below a power of two."""
        return self.build("and", self.value(I32), limit - 1)

    def flagged(self) -> Value:
        """Arithmetic that keeps the promises `nuw` and `nsw`."""
        first, second = self.small(256), self.small(128)
        total = self.build("add", self.build("mul", first, second, nuw=True, nsw=True), second, nuw=True, nsw=True)
        return self.keep(self.build("zext" if self.rng.random() < 0.5 else "sext", total, kind=I64))

    def condition(self) -> Value:
        """An i1 that usually differs between lanes."""
        return self.build("icmp", self.small(8), self.rng.randrange(8), pred=self.rng.choice(("ult", "eq", "sgt")))
