"""Reading and printing operand text by a form's syntax: one template serves both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from openrpp.isa.form import VECTOR_KINDS, Form, Kind, Op, Operand
from openrpp.isa.fram import BUILTINS, builtin_name, builtin_offset
from openrpp.isa.registers import FIXED_SCALARS, HALF_CODES, HALF_NAMES, PAIR_CODES, PAIR_NAMES, SCALAR_REGISTERS
from openrpp.isa.suggest import did_you_mean

_TOKEN = re.compile(
    r"\s*(?:(?P<t>%[\w.]+|\$[\w.]+|-?0[xX][0-9a-fA-F]+|-?\d+|[A-Za-z_][\w.]*|<<|[\[\]()+,:])|(?P<bad>\S))"
)
_SCALAR = re.compile(r"(D?)S(\d+)")


@dataclass(frozen=True)
class Token:
    """A piece of operand text and its column (1-based) in the line."""

    text: str
    column: int


class OperandError(Exception):
    """Operand text that does not fit; `column` says where.

    `expected` and `found` are set where another form of the instruction might have accepted another kind of operand;
    an error without them says what is wrong with an operand of the right kind.
    """

    def __init__(self, message: str, column: int, expected: str = "", found: str = "") -> None:
        super().__init__(message)
        self.column = column
        self.expected = expected
        self.found = found


def _unexpected(expected: str, token: Token) -> OperandError:
    return OperandError(f"expected {expected}, found '{token.text}'", token.column, expected, token.text)


def tokens(text: str, start: int) -> list[Token]:
    """Split operand text; commas are dropped, since they separate nothing that blanks do not.

    Raises OperandError at a character that no operand has.
    """
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        if match["bad"]:
            raise OperandError(f"unexpected character {match['bad']!r}", start + match.start("bad"))
        if match["t"] and match["t"] != ",":
            found.append(Token(match["t"], start + match.start("t")))
    return found


@cache
def template(syntax: str) -> tuple[str, ...]:
    """Tokens of a form's syntax; an operand keeps its braces."""
    return tuple(re.findall(r"\{\w+\}|\w+|<<|[\[\]()+:]", syntax))


@dataclass
class Scope:
    """Names that a kernel declares."""

    variables: dict[str, tuple[int, int]]  # name -> (register, width)
    parameters: dict[str, int]  # name -> byte offset


@dataclass(frozen=True)
class Label:
    """A jump target that is not placed yet."""

    name: str
    column: int


Value = int | Label


def scalar_register(text: str, scope: Scope) -> int | None:
    """Register number of a scalar operand's text, None if it is not one."""
    if text.startswith("%"):
        name = text[1:]
        if name in scope.variables:
            return scope.variables[name][0]
        return FIXED_SCALARS.get(name)
    found = _SCALAR.fullmatch(text)
    if found and int(found[2]) < SCALAR_REGISTERS // (2 if found[1] else 1):
        return int(found[2]) * (2 if found[1] else 1)
    return None


def number(text: str) -> int | None:
    """Value of a decimal or hexadecimal literal."""
    return int(text, 0) if re.fullmatch(r"-?(0[xX][0-9a-fA-F]+|\d+)", text) else None


def _vector(text: str, names: dict[str, int], allowed: Callable[[str], bool] = lambda _: True) -> int | None:
    return names[text] if text in names and allowed(text) else None


def _read(kind: Kind, text: str, column: int, scope: Scope) -> Value | None:
    match kind:
        case Kind.S16 | Kind.S32 | Kind.S64:
            return scalar_register(text, scope)
        case Kind.V16:
            return _vector(text, HALF_CODES)
        case Kind.V32:
            return _vector(text, PAIR_CODES, lambda name: name != "DVA")
        case Kind.LOAD32:
            return _vector(text, PAIR_CODES, lambda name: name not in ("DVA", "VAB"))
        case Kind.STORE32:
            return _vector(text, PAIR_CODES, lambda name: name not in ("DVA", "MAB"))
        case Kind.A32:
            return _vector(text, PAIR_CODES)
        case Kind.LOAD16:
            return _vector(text, HALF_CODES, lambda name: name[0] != "V")
        case Kind.STORE16:
            return _vector(text, HALF_CODES, lambda name: name[0] != "M")
        case Kind.IMM:
            return number(text)
        case Kind.LABEL:
            return Label(text[1:], column) if text.startswith("$") else number(text)
        case Kind.FRAM:
            offset = scope.parameters.get(text, builtin_offset(text))
            return offset if offset is not None else number(text)


def _scalar_complaint(operand: Operand, token: Token, scope: Scope) -> OperandError:
    """What is wrong with text at a scalar register's place."""
    text, column = token.text, token.column
    if text.startswith("%"):
        hint = did_you_mean(text, (f"%{name}" for name in scope.variables))
        known = ", ".join(f"%{name}" for name in scope.variables) or "none"
        return OperandError(f"'{text}' is not declared{hint or f'; declared variables: {known}'}", column)
    found = _SCALAR.fullmatch(text)
    if found and scalar_register(text, scope) is None:
        what = "pairs are DS0 to DS15" if found[1] else "registers are S0 to S31"
        return OperandError(f"'{text}' is out of range; scalar {what}", column)
    return _unexpected(operand.kind.value, token)


def _complaint(operand: Operand, token: Token, scope: Scope) -> OperandError:
    if operand.kind in (Kind.S16, Kind.S32, Kind.S64):
        return _scalar_complaint(operand, token, scope)
    if operand.kind is Kind.FRAM:
        known = ", ".join(scope.parameters) or "none"
        hint = did_you_mean(token.text, (*scope.parameters, *BUILTINS))
        message = f"'{token.text}' is neither a parameter ({known}) nor a built-in name{hint}"
        return OperandError(message, token.column)
    return _unexpected(operand.kind.value, token)


def _in_range(form: Form, name: str, value: int, token: Token) -> int:
    """The value as it is stored, or an OperandError that names the range."""
    operand = form.operands[name]
    if operand.kind in VECTOR_KINDS:
        return value  # any code of a name fits: a fifth bit goes to the column's UPPER word
    limit, scale = operand.field.limit, operand.field.scale
    if operand.kind is Kind.IMM and -0x8000 <= value < 0 and limit == 0xFFFF and form.width == 16:
        value &= 0xFFFF
    if value < 0 or value > limit:
        raise OperandError(f"'{token.text}' is out of range; {name} may be 0 to {limit}", token.column)
    if operand.kind is Kind.S64 and value > SCALAR_REGISTERS - 4:
        raise OperandError(f"'{token.text}' leaves no registers for the high half of a 64-bit value", token.column)
    if value % scale:
        what = "an even register" if operand.kind in (Kind.S32, Kind.S64) else f"a multiple of {scale}"
        raise OperandError(f"'{token.text}' does not fit; {name} must be {what}", token.column)
    return value


def match(form: Form, given: list[Token], scope: Scope, end: int) -> dict[str, Value]:
    """Operand values of `given` read by a form's syntax. Raises OperandError at the first token that does not fit."""
    values: dict[str, Value] = {}
    wanted = template(form.syntax)
    for index, piece in enumerate(wanted):
        name = piece[1:-1] if piece[0] == "{" else ""
        if index >= len(given):
            what = form.operands[name].kind.value if name else f"'{piece}'"
            raise OperandError(f"an operand is missing: expected {what}", end, what)
        token = given[index]
        if not name:
            if token.text.upper() != piece:
                raise _unexpected(f"'{piece}'", token)
            continue
        value = _read(form.operands[name].kind, token.text, token.column, scope)
        if value is None:
            raise _complaint(form.operands[name], token, scope)
        values[name] = value if isinstance(value, Label) else _in_range(form, name, value, token)
    if len(given) > len(wanted):
        extra = given[len(wanted)]
        raise OperandError(f"'{extra.text}' is one operand too many", extra.column)
    return values


def best_match(forms: Sequence[Form], given: list[Token], scope: Scope, end: int) -> tuple[Form, dict[str, Value]]:
    """The first form that fits. Raises the OperandError that got furthest, with all that would have fitted there."""
    errors: list[OperandError] = []
    for form in forms:
        try:
            return form, match(form, given, scope, end)
        except OperandError as error:
            errors.append(error)
    column = max(error.column for error in errors)
    furthest = [error for error in errors if error.column == column]
    definite = [error for error in furthest if not error.expected]
    if definite:
        raise definite[0]
    expected = list(dict.fromkeys(error.expected for error in furthest))
    either = expected[0] if len(expected) == 1 else f"{', '.join(expected[:-1])} or {expected[-1]}"
    found = furthest[0].found
    message = f"expected {either}, found '{found}'" if found else f"an operand is missing: expected {either}"
    raise OperandError(message, column)


# --- printing ------------------------------------------------------------------------------------------------


def _scalar_text(register: int, wide: bool) -> str:
    return f"DS{register // 2}" if wide and register % 2 == 0 else f"S{register}"


def value_text(kind: Kind, value: int) -> str:
    """Text of an operand value as the assembler reads it back."""
    match kind:
        case Kind.S16:
            return _scalar_text(value, wide=False)
        case Kind.S32 | Kind.S64:
            return _scalar_text(value, wide=True)
        case Kind.V16 | Kind.LOAD16 | Kind.STORE16:
            return HALF_NAMES[value]
        case Kind.V32 | Kind.A32 | Kind.LOAD32 | Kind.STORE32:
            return PAIR_NAMES[value]
        case Kind.FRAM:
            return builtin_name(value) or f"{value:#x}"
        case Kind.IMM | Kind.LABEL:
            return str(value) if value < 10 else f"{value:#x}"


def operand_text(op: Op, overrides: dict[str, str]) -> str:
    """Operand text of an operation; `overrides` replaces the text of named operands (labels, parameters)."""
    text = op.form.syntax
    for name, operand in op.form.operands.items():
        text = text.replace(f"{{{name}}}", overrides.get(name) or value_text(operand.kind, op.values[name]))
    return spaced(text)


def spaced(text: str) -> str:
    """Operand text with blanks around its operators."""
    return text.replace("+", " + ").replace("<<", " << ")
