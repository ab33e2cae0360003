"""What one pass over assembly text collects: columns, declared names, labels; and how names are declared."""

from __future__ import annotations

from dataclasses import dataclass, field

from openrpp.isa.columns import COPY_FORMS, Column, bank_of
from openrpp.isa.form import Form, Op
from openrpp.isa.fram import MAX_PARAMETERS
from openrpp.isa.program import Parameter
from openrpp.isa.registers import BANK, FIXED_SCALARS, PAIR_CODES, SCALAR_REGISTERS, SCRATCH_PAIR, halves_of
from openrpp.isa.syntax import Label, Scope, Value


class Complaint(Exception):
    """A line cannot be assembled; `column` is where in the line."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class Place:
    """A line and a column of the text, counted from 1."""

    line: int
    column: int


@dataclass
class Source:
    """The state of one pass."""

    name: str
    forward: bool
    columns: list[Column] = field(default_factory=lambda: [Column()])
    scope: Scope = field(default_factory=lambda: Scope({}, {}))
    params: list[Parameter] = field(default_factory=list[Parameter])
    labels: dict[str, int] = field(default_factory=dict[str, int])
    fixups: dict[int, tuple[str, Op]] = field(default_factory=dict[int, tuple[str, Op]])
    places: dict[int, Place] = field(default_factory=dict[int, Place])  # identity of an operation -> where it stands
    read: dict[str, tuple[Form, dict[str, int]]] = field(default_factory=dict[str, "tuple[Form, dict[str, int]]"])
    uses: list[tuple[Label, int]] = field(default_factory=list[tuple[Label, int]])
    pending: list[tuple[str, Place]] = field(default_factory=list[tuple[str, Place]])  # copies behind a macro target
    scratch: int | None = None  # what this column's DS13 holds for a wide immediate
    next_register: int = 0
    open: bool = False  # the current column has text
    tail: list[int] | None = None
    warnings: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    @property
    def column(self) -> Column:
        """The column under construction."""
        return self.columns[-1]

    def add(self, op: Op, place: Place, values: dict[str, Value] | None = None) -> None:
        """Append an operation to the current column; labels among its values are filled in at the end."""
        self.column.ops.append(op)
        self.places[id(op)] = place
        for value in (values or {}).values():
            if isinstance(value, Label):
                self.fixups[id(op)] = (value.name, op)
                self.uses.append((value, place.line))

    def close(self) -> None:
        """End the current column; a macro destination adds the column that copies the result there."""
        for target, place in self.pending:
            self.columns.append(Column(line=place.line))
            for move in copies("VAB" if target in PAIR_CODES else "VA", target):
                self.add(move, place)
        self.pending.clear()
        self.columns.append(Column())
        self.scratch = None
        self.open = False


def copies(source: str, target: str) -> list[Op]:
    """Moves of the switch box for one COPY or COPYEXT line; a pair is two moves."""
    moves: list[Op] = []
    for read, written in zip(halves_of(source), halves_of(target), strict=True):
        moves.append(Op(COPY_FORMS[bank_of(written)], {"s": read, "d": written % BANK}))
    return moves


# --- declarations ----------------------------------------------------------------------------------------------


def declare(source: Source, kind: str, type_name: str, name: str, place: Place, type_column: int) -> None:
    """A `.param` or `.var` line; a variable's name comes with its '%'."""
    if type_name.lower() not in ("u16", "u32"):
        raise Complaint(f"type '.{type_name}' is not known; .u16 and .u32 are", type_column)
    if kind.lower() == "param":
        _declare_parameter(source, name, type_name.lower(), place.column)
        return
    if not name.startswith("%"):
        raise Complaint(f"a variable's name starts with '%': '%{name}'", place.column)
    if name[1:] in FIXED_SCALARS:
        raise Complaint(f"'{name}' is reserved", place.column)
    if name[1:] in source.scope.variables:
        raise Complaint(f"'{name}' is declared twice", place.column)
    _allocate(source, name[1:], 32 if type_name.lower() == "u32" else 16, place)


def _declare_parameter(source: Source, name: str, type_name: str, column: int) -> None:
    if name.startswith("%"):
        raise Complaint(f"a parameter's name has no '%': '{name[1:]}'", column)
    if name in source.scope.parameters:
        raise Complaint(f"parameter '{name}' is declared twice", column)
    if len(source.params) == MAX_PARAMETERS:
        count = MAX_PARAMETERS + 1
        raise Complaint(f"parameter '{name}' is number {count}; a launch passes at most {MAX_PARAMETERS}", column)
    source.scope.parameters[name] = 4 * len(source.params)
    source.params.append(Parameter(name, type_name))


def _allocate(source: Source, name: str, width: int, place: Place) -> None:
    """Give a variable the next register, or the next even one and its neighbour."""
    register = source.next_register
    if width == 32:
        register += register % 2
    after = register + width // 16
    if after > SCALAR_REGISTERS:
        need = f"the variables need {after} of {SCALAR_REGISTERS}"
        raise Complaint(f"no scalar register is left for '%{name}': {need}", place.column)
    if after > SCRATCH_PAIR:
        message = f"'%{name}' overlaps S{SCRATCH_PAIR} and above (scratch pair and block indices)"
        source.warnings.append((place.line, message))
    source.scope.variables[name] = (register, width)
    source.next_register = after
