"""Random forms, columns and programs for the tests; `random` may be a `random.Random` or hypothesis's shrinking one."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from openrpp.isa.columns import COPY_FORMS, bank_of, loads, reads, writes
from openrpp.isa.form import VECTOR_KINDS, Form, Kind, Op, Slot
from openrpp.isa.fram import BUILTINS
from openrpp.isa.registers import (
    HALF_CODES,
    HALF_NAMES,
    PAIR_CODES,
    ROLE_HALVES,
    ROLE_PAIRS,
    TOKEN_BITS,
    UPPER,
    token_mask,
    token_names,
)
from openrpp.isa.syntax import operand_text
from openrpp.isa.table import TABLE

FORMS = [form for row in TABLE for form in row.forms]
PARAMS = ("input", "output", "count")
_BY_SLOT = {slot: [form for form in FORMS if form.slot is slot] for slot in Slot}
_PLAIN_SCALARS = [form for form in _BY_SLOT[Slot.SCALAR] if form.effect not in ("jump", "end")]
_JUMPS = [form for form in _BY_SLOT[Slot.SCALAR] if form.effect == "jump"]
_OPERATIONS = [form for form in _BY_SLOT[Slot.PE] if form.effect != "nop"]
_I_CODES = [HALF_CODES[name] for name in ROLE_HALVES]
_I_PAIR_CODES = [PAIR_CODES[name] for name in ROLE_PAIRS]
_UPPER_CHANCE = 0.3


def _some(codes: list[int], random: Random) -> list[int]:
    """All codes, or only those without a fifth bit, so that columns without upper registers stay common."""
    return codes if random.random() < _UPPER_CHANCE else [code for code in codes if code < UPPER]


def _number(form: Form, name: str, random: Random) -> int:
    """A number that the field holds; registers may be any."""
    operand = form.operands[name]
    scale = operand.field.scale
    limit = operand.field.limit
    if operand.kind in (Kind.S16, Kind.S32, Kind.S64):
        limit = min(limit, {Kind.S16: 31, Kind.S32: 30, Kind.S64: 28}[operand.kind])
        scale = max(scale, 2 if operand.kind is Kind.S32 else 1)
    return scale * random.randint(0, limit // scale)


def _vector(kind: Kind, random: Random, role: tuple[int, ...] = ()) -> int:
    """A register that every column may name; `role` are the memory port registers that may be named as well."""
    halves, pairs = _some(_I_CODES, random), _some(_I_PAIR_CODES, random)
    match kind:
        case Kind.V16:
            return random.choice([*halves, 4, 5, *role])
        case Kind.STORE16:
            return random.choice([*halves, 4, 5])
        case Kind.LOAD16:
            return random.choice([*halves, *role])
        case Kind.LOAD32:
            return random.choice([*pairs, *([6] if role else [])])
        case Kind.V32:
            return random.choice([*pairs, 4, *([6] if len(role) == 2 else [])])
        case Kind.A32:
            return random.choice([*pairs, 4, 14])
        case _:
            return random.choice([*pairs, 4])


def operand_values(form: Form, random: Random, role: tuple[int, ...] = ()) -> dict[str, int]:
    """Operand values of a form that the assembler accepts."""
    values: dict[str, int] = {}
    for name, operand in form.operands.items():
        is_vector = operand.kind in VECTOR_KINDS
        values[name] = _vector(operand.kind, random, role) if is_vector else _number(form, name, random)
    return values


@dataclass
class Program:
    """Text of a random kernel under construction."""

    random: Random
    manual: bool
    lines: list[str] = field(default_factory=list[str])

    def line(self, op: Op, overrides: dict[str, str] | None = None) -> None:
        """One instruction."""
        self.lines.append(f"    {op.form.name} {operand_text(op, overrides or {})}".rstrip())


def _scalars(program: Program, labels: list[str]) -> None:
    random = program.random
    for _ in range(random.choice([0, 0, 1, 3])):
        form = random.choice(_PLAIN_SCALARS)
        op = Op(form, operand_values(form, random))
        names = {}
        if "p" in form.operands:
            names["p"] = random.choice([*PARAMS, *BUILTINS, f"{op.values['p']:#x}"])
        program.line(op, names)
    if labels and random.random() < 0.3:
        form = random.choice(_JUMPS)
        program.line(Op(form, operand_values(form, random)), {"target": f"${random.choice(labels)}"})


def _port(program: Program) -> list[Op]:
    """Port operations that may share a column."""
    random, ops = program.random, list[Op]()
    for slot, chance in ((Slot.SEQUENTIAL, 0.4), (Slot.GATHER, 0.4), (Slot.ADDRESS, 0.3)):
        if random.random() > chance:
            continue
        form = random.choice(_BY_SLOT[slot])
        role = {Slot.SEQUENTIAL: (7,), Slot.GATHER: (6,)}.get(slot, ())
        if any(each.kind is Kind.LOAD32 for each in form.operands.values()):
            role = ()
        target = "r" if form.effect.startswith("load") else ""
        values = {
            **operand_values(form, random),
            **({target: _vector(form.operands[target].kind, random, role)} if target else {}),
        }
        op = Op(form, values)
        taken = {code for other in ops for code in writes(other) | loads(other)}
        needs_warp = form.effect.startswith("dot") and not any(other.form.effect == "warp-load" for other in ops)
        needs_warp |= form.name.endswith("CAS.U64") and not any(other.form.effect == "compare" for other in ops)
        if not needs_warp and not taken & (writes(op) | loads(op)):
            ops.append(op)
    return ops


def _copies(program: Program, filled: tuple[int, ...], taken: set[int]) -> set[int]:
    random, written = program.random, set[int]()
    free = [code for code in _some(_I_CODES, random) if code not in taken]
    for code in random.sample(free, random.choice([0, 0, 1, 2, min(4, len(free)), len(free)])):
        name = COPY_FORMS[bank_of(code)].name
        program.lines.append(f"    {name} {HALF_NAMES[random.choice([4, 5, *filled])]}, {HALF_NAMES[code]}")
        written.add(code)
    return written


def _operation(program: Program, filled: tuple[int, ...], written: set[int]) -> None:
    random = program.random
    if random.random() < 0.2:
        return
    form = random.choice(_OPERATIONS)
    op = Op(form, operand_values(form, random, filled))
    if reads(op) & written or ("MB" in form.sources and 7 not in filled):
        return
    program.line(op)


def _masks(program: Program) -> None:
    for name in ("FORWARD", "TERM"):
        codes = _some(list(TOKEN_BITS), program.random)
        mask = token_mask({code for code in codes if program.random.random() < 0.5})
        if mask and program.random.random() < 0.4:
            program.lines.append(f"    {name} {', '.join(token_names(mask))}")


def program_text(random: Random, columns: int) -> str:
    """A kernel that assembles: random columns, jumps to labels before any of them, masks by hand or by rule."""
    program = Program(random, manual=random.random() < 0.4)
    labels = [f"L{index}" for index in range(columns) if random.random() < 0.5]
    program.lines += [f".forward {'manual' if program.manual else 'auto'}", *(f".param .u32 {name}" for name in PARAMS)]
    for index in range(columns):
        if f"L{index}" in labels:
            program.lines.append(f"$L{index}:")
        _scalars(program, labels)
        if program.manual:
            _masks(program)
        ops = _port(program)
        for op in ops:
            program.line(op)
        filled = tuple(sorted({code for op in ops for code in loads(op)} & {6, 7}))
        written = {code for op in ops for code in writes(op)}
        written |= _copies(program, filled, written)
        _operation(program, filled, written)
        program.lines.append("##")
    return "\n".join(program.lines) + "\n"
