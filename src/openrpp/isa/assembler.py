"""Assembly text to machine words.

The grammar is that of the published kernels: directives, `.var` allocation, labels, `##` column ends, macros. Two
modes set the token masks: automatic (`is_forward`, the default) and manual, where only explicit FORWARD and TERM lines
count; the directive `.forward auto|manual` or the argument of `assemble` chooses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from openrpp.isa.columns import Column, bank_of, lay_out, plain, set_masks
from openrpp.isa.form import Form, Op, Slot, Unit
from openrpp.isa.fram import MAX_PARAMETERS
from openrpp.isa.program import Kernel, Parameter
from openrpp.isa.registers import (
    FIXED_SCALARS,
    HALF_CODES,
    I_HALVES,
    I_PAIRS,
    PAIR_CODES,
    SCALAR_REGISTERS,
    SCRATCH_PAIR,
    halves_of,
    token_mask,
)
from openrpp.isa.suggest import did_you_mean
from openrpp.isa.syntax import Label, OperandError, Scope, Token, Value, match, number, scalar_register, tokens
from openrpp.isa.table import forms_by_name, mnemonics, spelling

_LABEL = re.compile(r"\s*\$([\w.]+)\s*:\s*$")
_SYMBOL = re.compile(r"\s*[A-Za-z_.][\w.]*\s*:\s*$")
_DIRECTIVE = re.compile(r"\s*\.(param|var)\s+\.(\w+)\s+(%?)([\w.]+)\s*$", re.IGNORECASE)
_MODE = re.compile(r"\s*\.forward\s+(\w+)\s*$")
_INSTRUCTION = re.compile(r"\s*([A-Za-z_][\w.]*)(.*)$")
_END = re.compile(r"\s*#")
MAX_ERRORS = 20


@dataclass(frozen=True)
class Diagnostic:
    """A sentence about a place in the source."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class AssemblyError(ValueError):
    """The text cannot be assembled; `diagnostics` has every complaint."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        super().__init__("\n".join(map(str, diagnostics)))


class _Complaint(Exception):
    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


MOVE16 = next(form for form in forms_by_name()[spelling("MOVE.U16")] if form.slot is Slot.SCALAR and form.base & 1 << 20)
RETURN_FILLER = Op(
    next(form for form in forms_by_name()[spelling("MOVE.U16")] if form.slot is Slot.SCALAR and not form.base & 1 << 20),
    {"a": 0, "d": 0},
)
"""RET is a column that copies S0 to itself, then the final column."""
_MACROS = {"RET", "DMB_ORI", "POLL.CHN1", "ISS_PRINT"}


@dataclass
class _Source:
    """What one pass over the text collects."""

    name: str
    forward: bool
    columns: list[Column] = field(default_factory=lambda: [Column()])
    scope: Scope = field(default_factory=lambda: Scope({}, {}))
    params: list[Parameter] = field(default_factory=list[Parameter])
    labels: dict[str, int] = field(default_factory=dict[str, int])
    fixups: dict[int, tuple[str, Op]] = field(default_factory=dict[int, tuple[str, Op]])
    uses: list[tuple[Label, int]] = field(default_factory=list[tuple[Label, int]])
    pending: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])  # copies behind a macro target
    next_register: int = 0
    open: bool = False  # the current column has text
    warnings: list[str] = field(default_factory=list[str])

    @property
    def column(self) -> Column:
        return self.columns[-1]

    def close(self) -> None:
        """End the current column; a macro destination adds the column that copies the result there."""
        for target, line in self.pending:
            copy = Column(line=line)
            copy.ops += copies(_pair_source(target), target)
            self.columns.append(copy)
        self.pending.clear()
        self.columns.append(Column())
        self.open = False


def _pair_source(target: str) -> str:
    return "VAB" if target in PAIR_CODES else "VA"


def copies(source: str, target: str) -> list[Op]:
    """Moves of the switch box for one COPY or COPYEXT line; a pair is two moves."""
    moves: list[Op] = []
    for read, written in zip(halves_of(source), halves_of(target), strict=True):
        form = plain("COPYEXT" if bank_of(written) is Slot.COPYEXT else "COPY")
        moves.append(Op(form, {"s": read, "d": written % 8}))
    return moves


# --- declarations ----------------------------------------------------------------------------------------------


def _declare(source: _Source, kind: str, type_name: str, percent: str, name: str) -> None:
    if type_name.lower() not in ("u16", "u32"):
        raise _Complaint(f"type '.{type_name}' is not known; .u16 and .u32 are")
    if kind.lower() == "param":
        if len(source.params) == MAX_PARAMETERS:
            raise _Complaint(f"parameter '{name}' is number {MAX_PARAMETERS + 1}; a launch passes at most {MAX_PARAMETERS}")
        source.scope.parameters[name] = 4 * len(source.params)
        source.params.append(Parameter(name, type_name.lower()))
        return
    if not percent:
        raise _Complaint(f"a variable's name starts with '%': '%{name}'")
    if name in FIXED_SCALARS:
        raise _Complaint(f"'%{name}' is reserved")
    if name in source.scope.variables:
        raise _Complaint(f"'%{name}' is declared twice")
    _allocate(source, name, 32 if type_name.lower() == "u32" else 16)


def _allocate(source: _Source, name: str, width: int) -> None:
    register = source.next_register
    if width == 32:
        register += register % 2
    after = register + width // 16
    if after > SCALAR_REGISTERS:
        raise _Complaint(f"no scalar register is left for '%{name}': the variables need {after} of {SCALAR_REGISTERS}")
    if after > SCRATCH_PAIR:
        source.warnings.append(f"'%{name}' overlaps S{SCRATCH_PAIR} and above (scratch pair and block indices)")
    source.scope.variables[name] = (register, width)
    source.next_register = after


# --- instructions ----------------------------------------------------------------------------------------------


def _best_match(forms: tuple[Form, ...], given: list[Token], scope: Scope, end: int) -> tuple[Form, dict[str, Value]]:
    """The first form that fits, or the complaint that got furthest into the text."""
    worst: OperandError | None = None
    for form in forms:
        try:
            return form, match(form, given, scope, end)
        except OperandError as error:
            if worst is None or error.column > worst.column:
                worst = error
    assert worst is not None
    raise _Complaint(str(worst), worst.column)


def _candidates(name: str, column: int) -> tuple[Form, ...]:
    forms = forms_by_name().get(spelling(name), ())
    if forms:
        return forms
    head, _ = spelling(name)
    if head in mnemonics():
        spelled = sorted({form.name for (first, _), row in forms_by_name().items() if first == head for form in row})
        raise _Complaint(f"'{name}' is not a form of {head}; there are {', '.join(spelled)}", column)
    hint = did_you_mean(head, mnemonics() | {macro.split(".")[0] for macro in _MACROS})
    raise _Complaint(f"'{name}' is not an instruction{hint}", column)


def _macro_target(forms: tuple[Form, ...], given: list[Token]) -> str | None:
    """The I register that a processing element result is to be copied to, if the text names one."""
    if not given or not any(form.slot is Slot.PE for form in forms):
        return None
    last = given[-1].text
    return last if last in I_HALVES or last in I_PAIRS else None


def _wide_immediate(forms: tuple[Form, ...], given: list[Token], source: _Source) -> list[Token]:
    """Move an immediate above 16 bits of a vector instruction into the scratch pair; the text that reads it there."""
    if not any(form.slot is Slot.PE or form.slot is Slot.ADDRESS for form in forms):
        return given
    if given and scalar_register(given[-1].text, source.scope) is not None:
        return given
    changed: list[Token] = []
    for token in given:
        value = number(token.text)
        if value is None or -0x8000 <= value <= 0xFFFF:
            changed.append(token)
            continue
        if not -(1 << 31) <= value < 1 << 32:
            raise _Complaint(f"'{token.text}' does not fit 32 bits", token.column)
        source.column.ops += _two_moves(value, SCRATCH_PAIR)
        changed.append(Token(f"DS{SCRATCH_PAIR // 2}", token.column))
    return changed


def _two_moves(value: int, register: int) -> list[Op]:
    return [
        Op(MOVE16, {"a": value & 0xFFFF, "d": register}),
        Op(MOVE16, {"a": value >> 16 & 0xFFFF, "d": register + 1}),
    ]


def _wide_move(forms: tuple[Form, ...], given: list[Token], source: _Source) -> bool:
    """A scalar MOVE of an immediate above 16 bits becomes two moves."""
    if forms[0].name not in ("MOVE.U32", "MOVE.S32") or len(given) != 2:
        return False
    value, register = number(given[0].text), scalar_register(given[1].text, source.scope)
    if value is None or register is None or 0 <= value <= 0xFFFF:
        return False
    if not -(1 << 31) <= value < 1 << 32:
        raise _Complaint(f"'{given[0].text}' does not fit 32 bits", given[0].column)
    source.column.ops += _two_moves(value, register)
    return True


def _token_line(name: str, given: list[Token], source: _Source) -> None:
    codes: set[int] = set()
    for token in given:
        if token.text not in HALF_CODES and token.text not in PAIR_CODES or token.text[0] == "M":
            raise _Complaint(f"expected IA to IH, VA, VB, a pair of them or DVA, found '{token.text}'", token.column)
        codes |= set(halves_of(token.text))
    mask = token_mask(frozenset(codes))
    if name == "FORWARD":
        source.column.forward |= 0 if source.forward else mask
    elif source.forward and source.column.terms:
        source.column.terms[0] |= mask
    else:
        source.column.terms.append(mask)


def _copy_line(name: str, given: list[Token], source: _Source, end: int) -> None:
    bank = "IA to ID, IAB or ICD" if name == "COPY" else "IE to IH, IEF or IGH"
    if len(given) != 2:
        raise _Complaint(f"{name} takes a source and a destination", end)
    origin, target = given
    wide = target.text in PAIR_CODES
    known = PAIR_CODES if wide else HALF_CODES
    if target.text not in (*I_HALVES, *I_PAIRS) or bank_of(known[target.text]) is not (
        Slot.COPY if name == "COPY" else Slot.COPYEXT
    ):
        raise _Complaint(f"expected a destination of {name} ({bank}), found '{target.text}'", target.column)
    allowed = ("VAB", "MAB") if wide else ("VA", "VB", "MA", "MB")
    if origin.text not in allowed:
        raise _Complaint(f"expected {' or '.join(allowed)}, found '{origin.text}'", origin.column)
    moves = copies(origin.text, target.text)
    if len(source.column.of(moves[0].form.slot)) + len(moves) > 4:
        raise _Complaint(f"more than four moves of {name} in one column", origin.column)
    source.column.ops += moves


_ONE_PER_COLUMN = {
    Slot.SEQUENTIAL: "sequential memory access",
    Slot.GATHER: "gather memory access",
    Slot.ADDRESS: "DVA operation",
    Slot.PE: "processing element operation",
}


def _check_slot(form: Form, column: Column, at: int) -> None:
    """At most one operation per unit; a load and a store may share the sequential slot, as one published column does."""
    if form.slot is Slot.SCALAR:
        if form.effect == "jump" and any(op.form.slot is not Slot.SCALAR for op in column.ops):
            raise _Complaint("a jump must stand before the vector instructions of its column; end the column first", at)
        return
    present = column.of(form.slot)
    if form.slot is Slot.SEQUENTIAL and len(present) == 1 and {present[0].form.effect, form.effect} == {"load", "store"}:
        return
    if present and form.slot in _ONE_PER_COLUMN:
        raise _Complaint(f"a second {_ONE_PER_COLUMN[form.slot]} in one column; end the column with ## first", at)


def _instruction(source: _Source, line: int, name: str, rest: str, column: int) -> None:
    upper = name.upper()
    end = column + len(name) + len(rest.rstrip())
    given = tokens(rest, column + len(name))
    if upper in ("FORWARD", "TERM"):
        return _token_line(upper, given, source)
    if upper in ("COPY", "COPYEXT"):
        return _copy_line(upper, given, source, end)
    forms = _candidates(name, column)
    if _wide_move(forms, given, source):
        return None
    target = _macro_target(forms, given)
    given = _wide_immediate(forms, given, source)
    if target:
        given = [*given[:-1], Token(_pair_source(target), given[-1].column)]
    if upper == "NOP" and not given:
        return None  # the column end supplies it
    form, values = _best_match(forms, given, source.scope, end)
    _check_slot(form, source.column, column)
    op = Op(form, {key: 0 if isinstance(value, Label) else value for key, value in values.items()})
    for value in values.values():
        if isinstance(value, Label):
            source.fixups[id(op)] = (value.name, op)
            source.uses.append((value, line))
    source.column.ops.append(op)
    if target:
        source.pending.append((target, line))
    return None


def _macro(source: _Source, name: str, line: int, column: int) -> bool:
    """Instructions that stand for whole columns."""
    if name.startswith("ISS_PRINT"):
        return True
    if name not in ("RET", "DMB_ORI", "POLL.CHN1"):
        return False
    if name == "RET":
        source.close()
        source.column.ops.append(RETURN_FILLER)
        source.column.line = line
        source.close()
        source.open = True
        return True
    if any(op.form.slot is not Slot.SCALAR for op in source.column.ops):
        raise _Complaint(f"{name} takes a column of its own; end the column with ## first", column)
    if name == "DMB_ORI":
        source.column.ops.append(Op(plain("DMB.BEGIN")))
        source.column.line = line
        source.close()
        source.column.ops.append(Op(plain("DMB.END")))
    else:
        source.column.ops.append(Op(plain("POLL.CHN1")))
    return True


# --- lines -----------------------------------------------------------------------------------------------------


def _line(source: _Source, number_: int, text: str) -> None:
    if _END.match(text):
        return source.close()
    label = _LABEL.match(text)
    if label:
        if label[1] in source.labels:
            raise _Complaint(f"label '${label[1]}' stands on line {source.labels[label[1]]} already")
        source.labels[label[1]] = number_
        source.column.labels.append((label[1], len(source.column.scalars)))
        source.open = True
        return None
    declared = _DIRECTIVE.match(text)
    if declared:
        return _declare(source, declared[1], declared[2], declared[3], declared[4])
    mode = _MODE.match(text)
    if mode:
        if mode[1] not in ("auto", "manual"):
            raise _Complaint(f"'.forward {mode[1]}' is not a mode; auto and manual are")
        source.forward = mode[1] == "auto"
        return None
    if text.lstrip().startswith(".") or _SYMBOL.match(text):
        return None
    found = _INSTRUCTION.match(text)
    if not found:
        raise _Complaint(f"cannot read '{text.strip()}'; a line is a directive, a label, an instruction or ##")
    source.open = True
    source.column.line = source.column.line or number_
    at = found.start(1) + 1
    if not _macro(source, found[1].upper(), number_, at):
        _instruction(source, number_, found[1], found[2], at)
    return None


def _strip(text: str) -> str:
    return text.split("//", 1)[0].rstrip()


def assemble(text: str, name: str, file: str = "<text>", forward: bool = True) -> Kernel:
    """Assemble kernel text.

    Args:
        text: the source.
        name: the kernel's name.
        file: what error messages call the source.
        forward: automatic token masks (`is_forward`); a `.forward` line in the text overrides it.

    Raises:
        AssemblyError: with file, line, column and what would have been right, up to 20 complaints.
    """
    source = _Source(name, forward)
    errors: list[Diagnostic] = []
    for index, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        stripped = _strip(raw.replace("\ufeff", ""))
        if not stripped.strip():
            continue
        try:
            _line(source, index, stripped)
        except (_Complaint, OperandError) as error:
            errors.append(Diagnostic(file, index, error.column, str(error)))
    if source.open or len(source.columns) == 1 or source.pending:
        source.close()
    source.columns.pop()
    for label, line in source.uses:
        if label.name not in source.labels:
            hint = did_you_mean(label.name, source.labels)
            errors.append(Diagnostic(file, line, label.column, f"label '${label.name}' is not defined{hint}"))
    if errors:
        raise AssemblyError(sorted(errors, key=lambda error: error.line)[:MAX_ERRORS])
    return _finish(source, file)


def _finish(source: _Source, file: str) -> Kernel:
    if source.forward:
        set_masks(source.columns)
    layout = lay_out(source.columns, source.fixups)
    warnings = tuple(f"{file}: {warning}" for warning in source.warnings)
    return Kernel(source.name, layout.words, tuple(source.params), layout.lines, file, warnings)


def assemble_file(path: str | Path, name: str | None = None, forward: bool | None = None) -> Kernel:
    """Assemble a file; the kernel is named after it, and `kernel_cfg.json` beside it sets the mode where it lists it.

    Raises OSError, AssemblyError, or AssemblyError for a file that is not UTF-8.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is not UTF-8; is this an object file?"
        raise AssemblyError([Diagnostic(str(path), 1, 1, message)]) from None
    if forward is None:
        forward = listed_mode(path)
    return assemble(text, name or path.stem, str(path), forward)


def listed_mode(path: Path) -> bool:
    """The `is_forward` flag of a source in the `kernel_cfg.json` beside it; True where there is none."""
    import json

    listing = path.with_name("kernel_cfg.json")
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    for entry in entries.values() if isinstance(entries, dict) else ():
        if isinstance(entry, dict) and entry.get("asm_source") == path.name:
            return bool(entry.get("is_forward", True))
    return True


__all__ = ["AssemblyError", "Diagnostic", "Unit", "assemble", "assemble_file", "listed_mode"]
