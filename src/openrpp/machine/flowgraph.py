"""The control flow of a kernel's words, and the scalar registers whose values are known wherever control comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from openrpp.isa.form import Op
from openrpp.machine.code import PRINT_WORDS, Code, CodeError, ColumnCode
from openrpp.machine.scalars import Scalars, compute

Known = tuple[int | None, ...]
"""Values of the 32 scalar registers; None where they depend on the way that control took."""
_NOTHING: Known = (None,) * 32


@dataclass
class Flow:
    """Words that control reaches: scalar operations and columns by the word that they are entered at, and what follows.

    `known` are the scalar registers at each of them. `words` are the parameter words (offset / 2) that a launch starts
    with, for those that the kernel does not write.
    """

    code: Code
    words: Sequence[int]
    scalars: dict[int, Op] = field(default_factory=dict[int, Op])
    columns: dict[int, ColumnCode] = field(default_factory=dict[int, ColumnCode])
    after: dict[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    before: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    known: dict[int, Known] = field(default_factory=dict[int, Known])

    def __post_init__(self) -> None:
        self._discover()
        self._written = {
            op.values["p"] // 2 + part
            for op in self.scalars.values()
            if op.form.effect == "store-parameter"
            for part in range(op.form.width // 16)
        }
        self._propagate()

    def _discover(self) -> None:
        """Find all words that control reaches. Raises CodeError."""
        work = [0]
        while work:
            pc = work.pop()
            if pc in self.after:
                continue
            self.after[pc] = ()
            self.after[pc] = self._next(pc)
            work += self.after[pc]
        for pc, targets in self.after.items():
            for target in targets:
                self.before.setdefault(target, []).append(pc)

    def _next(self, pc: int) -> tuple[int, ...]:
        if self.code.is_print(pc):
            return (pc + PRINT_WORDS,)
        op = self.code.scalar(pc)
        if op is None:
            column = self.columns[pc] = self.code.column(pc)
            return (column.next,)
        self.scalars[pc] = op
        match op.form.effect:
            case "end":
                return ()
            case "jump":
                return (op.values["target"], pc + 1) if "a" in op.values else (op.values["target"],)
            case "repeat":
                raise CodeError("columns under REPEAT are not followed", pc)
            case _:
                return (pc + 1,)

    # --- known scalars ----------------------------------------------------------------------------------------------

    def _propagate(self) -> None:
        self.known[0] = _NOTHING
        work = [0]
        while work:
            pc = work.pop()
            out = self._through(pc, self.known[pc])
            for target in self.after[pc]:
                there = self.known.get(target)
                merged = out if there is None else _joined(there, out)
                if merged != there:
                    self.known[target] = merged
                    work.append(target)

    def _through(self, pc: int, known: Known) -> Known:
        """Registers behind a word."""
        column = self.columns.get(pc)
        if column is not None:
            vote = column.pe if column.pe and column.pe.form.effect == "vote" else None
            return known if vote is None else _with(known, vote.op.values["d"], 16, None)
        op = self.scalars.get(pc)
        if op is None or "d" not in op.values:
            return known
        register = op.values["d"]
        if op.form.effect == "load-parameter":
            return _with(known, register, op.form.width, self._parameter(op))
        width = 32 if op.form.operands["d"].kind.name == "S32" else 16
        if op.form.effect or any(known[each] is None for each in _read(op)):
            return _with(known, register, width, None)
        scalars = Scalars()
        scalars.values = [value or 0 for value in known]
        compute(op, scalars)
        return _with(known, register, width, scalars.get(register, width))

    def _parameter(self, op: Op) -> int | None:
        place, parts = op.values["p"] // 2, op.form.width // 16
        if any(place + part in self._written or place + part >= len(self.words) for part in range(parts)):
            return None
        return sum(self.words[place + part] << 16 * part for part in range(parts))


def _read(op: Op) -> list[int]:
    """Scalar registers that an operation reads."""
    found: list[int] = []
    for name, operand in op.form.operands.items():
        if name != "d" and operand.kind.name in ("S16", "S32"):
            register = op.values[name]
            found += [register] if operand.kind.name == "S16" else [register, (register + 1) & 31]
    return found


def _with(known: Known, register: int, width: int, value: int | None) -> Known:
    made = list(known)
    for part in range(width // 16):
        made[(register + part) & 31] = None if value is None else value >> 16 * part & 0xFFFF
    return tuple(made)


def _joined(first: Known, second: Known) -> Known:
    return tuple(a if a == b else None for a, b in zip(first, second, strict=True))
