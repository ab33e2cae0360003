"""Instruction lines of assembly text: names, operands, slots."""

from __future__ import annotations

from openrpp.isa import macros
from openrpp.isa.columns import COPY_FORMS, Column, bank_of
from openrpp.isa.form import COPIES, Form, Op, Slot
from openrpp.isa.registers import HALF_CODES, PAIR_CODES, ROLE_HALVES, ROLE_PAIRS, halves_of, token_mask
from openrpp.isa.source import Complaint, Place, Source, copies
from openrpp.isa.suggest import did_you_mean
from openrpp.isa.syntax import Label, Token, best_match, tokens
from openrpp.isa.table import forms_by_name, mnemonics, spelling

_ONE_PER_COLUMN = {
    Slot.SEQUENTIAL: "sequential memory access",
    Slot.GATHER: "gather memory access",
    Slot.ADDRESS: "DVA operation",
    Slot.PE: "processing element operation",
}
_MOVES_PER_BANK = 4


def instruction(source: Source, name: str, rest: str, place: Place) -> None:
    """Read one instruction into the current column. Raises Complaint or OperandError."""
    known = source.read.get(name + rest)
    if known is not None:
        _check_slot(known[0], source.column, place.column)
        source.add(Op(*known), place)
        return
    upper, at = name.upper(), place.column + len(name)
    end = at + len(rest.rstrip())
    given = tokens(rest, at)
    if upper in ("FORWARD", "TERM"):
        _token_line(upper, given, source, end)
    elif upper in ("COPY", "COPYEXT"):
        _copy_line(upper, given, source, end, place)
    elif upper == "NOP" and not given:
        return  # the column end supplies it
    elif upper == "UPPER":
        raise Complaint("UPPER is no line: the assembler adds it to columns that name II to IP", place.column)
    else:
        _operation(source, name + rest, candidates(name, place.column), given, end, place)


def candidates(name: str, column: int) -> tuple[Form, ...]:
    """The forms that a name may mean. Raises Complaint with the nearest known names."""
    forms = forms_by_name().get(spelling(name), ())
    if forms:
        return forms
    head, _ = spelling(name)
    if head in mnemonics():
        spelled = sorted({form.name for (first, _), row in forms_by_name().items() if first == head for form in row})
        raise Complaint(f"'{name}' is not a form of {head}; there are {', '.join(spelled)}", column)
    hint = did_you_mean(head, mnemonics() | macros.NAMES)
    raise Complaint(f"'{name}' is not an instruction{hint}", column)


def _operation(source: Source, text: str, forms: tuple[Form, ...], given: list[Token], end: int, place: Place) -> None:
    if macros.wide_move(forms, given, source, place):
        return
    target, written = macros.target_of(forms, given), given
    given = macros.wide_immediate(forms, given, source, place)
    if target:
        given = [*given[:-1], macros.result_token(target, given[-1])]
    form, values = best_match(forms, given, source.scope, end)
    _check_slot(form, source.column, place.column)
    numbers = {key: 0 if isinstance(value, Label) else value for key, value in values.items()}
    source.add(Op(form, numbers), place, values)
    if not target and given == written and not any(token.text[0] in "%$" for token in given):
        source.read[text] = form, numbers  # the line is this operation and nothing else; long programs repeat most
    _warn_about_widths(source, form, given, place.line)
    if target:
        source.pending.append((target, place))


def _warn_about_widths(source: Source, form: Form, given: list[Token], line: int) -> None:
    """A 32-bit result in a 16-bit variable also changes the register behind it."""
    if form.slot is not Slot.SCALAR or form.width != 32 or "d" not in form.operands or not given:
        return
    name = given[-1].text
    register, width = source.scope.variables.get(name.removeprefix("%"), (0, 32))
    if name.startswith("%") and width == 16:
        source.warnings.append((line, f"'{name}' has 16 bits; {form.name} writes S{register} and S{register + 1}"))


def _check_slot(form: Form, column: Column, at: int) -> None:
    """One operation per unit; a load and a store may share the sequential slot, as one published column does."""
    if column.closed:
        raise Complaint("the last .word closes this column; end it with ## first", at)
    if form.slot is Slot.SCALAR:
        if form.effect == "jump" and any(op.form.slot is not Slot.SCALAR for op in column.ops):
            raise Complaint("a jump must stand before the vector instructions of its column; end the column first", at)
        return
    present = column.of(form.slot)
    effects = [op.form.effect for op in present] + [form.effect]
    if form.slot is Slot.SEQUENTIAL and sorted(name.removesuffix("32") for name in effects) == ["load", "store"]:
        return
    if present and form.slot in _ONE_PER_COLUMN:
        raise Complaint(f"a second {_ONE_PER_COLUMN[form.slot]} in one column; end the column with ## first", at)


# --- switch box ------------------------------------------------------------------------------------------------


def _token_line(name: str, given: list[Token], source: Source, end: int) -> None:
    """FORWARD or TERM with a list of registers."""
    if not given:
        raise Complaint(f"{name} takes one or more registers (IA to IP, VA, VB, a pair of them or DVA)", end)
    codes: set[int] = set()
    for token in given:
        if token.text not in {**HALF_CODES, **PAIR_CODES} or token.text[0] == "M":
            raise Complaint(f"expected IA to IP, VA, VB, a pair of them or DVA, found '{token.text}'", token.column)
        codes |= set(halves_of(token.text))
    mask = token_mask(frozenset(codes))
    if name == "FORWARD":
        source.column.forward |= 0 if source.forward else mask
    elif source.forward and source.column.terms:
        source.column.terms[0] |= mask
    else:
        source.column.terms.append(mask)


def _copies_to(code: int) -> str:
    """Name of the copy that writes a register."""
    return COPY_FORMS[bank_of(code)].name


def _copy_line(name: str, given: list[Token], source: Source, end: int, place: Place) -> None:
    """COPY or COPYEXT of a register or a pair."""
    if len(given) != 2:
        raise Complaint(f"{name} takes a source and a destination", end)
    origin, target = given
    if target.text not in (*ROLE_HALVES, *ROLE_PAIRS) or _copies_to(halves_of(target.text)[0]) != name:
        low, high = ("IA to ID", "II to IL") if name == "COPY" else ("IE to IH", "IM to IP")
        registers = f"{low}, {high} or a pair of them"
        raise Complaint(f"expected a destination of {name} ({registers}), found '{target.text}'", target.column)
    allowed = ("VAB", "MAB") if target.text in PAIR_CODES else ("VA", "VB", "MA", "MB")
    if origin.text not in allowed:
        raise Complaint(f"expected {', '.join(allowed[:-1])} or {allowed[-1]}, found '{origin.text}'", origin.column)
    moves = copies(origin.text, target.text)
    bank = moves[0].form.slot
    if len(source.column.of(bank)) + len(moves) > _MOVES_PER_BANK:
        raise Complaint(f"more than four moves to bank {COPIES[bank]} in one column", origin.column)
    for move in moves:
        source.add(move, place)
