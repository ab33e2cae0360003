"""Macros of the assembly language: lines that stand for other operations or for whole columns."""

from __future__ import annotations

from openrpp.isa.columns import plain
from openrpp.isa.form import Form, Kind, Op, Slot
from openrpp.isa.registers import PAIR_CODES, ROLE_HALVES, ROLE_PAIRS, SCRATCH_PAIR
from openrpp.isa.source import Complaint, Place, Source
from openrpp.isa.syntax import Token, number, scalar_register, tokens
from openrpp.isa.table import forms_by_name, spelling

_MOVES = [form for form in forms_by_name()[spelling("MOVE.U16")] if form.slot is Slot.SCALAR]
MOVE_IMMEDIATE = next(form for form in _MOVES if form.operands["a"].kind is Kind.IMM)
_MOVE_REGISTER = next(form for form in _MOVES if form.operands["a"].kind is Kind.S16)
NAMES = frozenset({"RET", "DMB_ORI", "ISS_PRINT"})


# --- whole columns -------------------------------------------------------------------------------------------


def expand(source: Source, name: str, place: Place) -> bool:
    """Carry out a macro line; False if the name is none.

    RET closes the column and adds one that copies S0 to itself, then the final column; DMB_ORI is two columns; a debug
    print is dropped.
    """
    head = name.split(".")[0]
    if head not in NAMES:
        return False
    if head == "RET":
        source.close()
        source.column.line = place.line
        source.add(Op(_MOVE_REGISTER, {"a": 0, "d": 0}), place)
        source.close()
        source.open = True
    elif head == "DMB_ORI":
        if any(op.form.slot is not Slot.SCALAR for op in source.column.ops):
            raise Complaint("DMB_ORI takes a column of its own; end the column with ## first", place.column)
        source.add(Op(plain("DMB.BEGIN")), place)
        source.column.line = place.line
        source.close()
        source.open = True
        source.add(Op(plain("DMB.END")), place)
    return True


def words_of(text: str, at: int) -> list[int]:
    """The numbers of a `.word` or `.tail` line."""
    found: list[int] = []
    for token in tokens(text, at):
        value = number(token.text)
        if value is None or not 0 <= value < 1 << 32:
            raise Complaint(f"expected an unsigned 32-bit word, found '{token.text}'", token.column)
        found.append(value)
    return found


# --- immediates ----------------------------------------------------------------------------------------------


def _two_moves(value: int, register: int) -> list[Op]:
    low, high = value & 0xFFFF, value >> 16 & 0xFFFF
    return [Op(MOVE_IMMEDIATE, {"a": low, "d": register}), Op(MOVE_IMMEDIATE, {"a": high, "d": register + 1})]


def _checked(value: int, token: Token) -> int:
    if not -(1 << 31) <= value < 1 << 32:
        raise Complaint(f"'{token.text}' does not fit 32 bits", token.column)
    return value & 0xFFFF_FFFF


def wide_move(forms: tuple[Form, ...], given: list[Token], source: Source, place: Place) -> bool:
    """Turn a scalar MOVE of an immediate above 16 bits into two moves; False if the line is none."""
    if forms[0].name not in ("MOVE.U32", "MOVE.S32") or len(given) != 2:
        return False
    value, register = number(given[0].text), scalar_register(given[1].text, source.scope)
    if value is None or register is None or 0 <= value <= 0xFFFF:
        return False
    for move in _two_moves(_checked(value, given[0]), register):
        source.add(move, place)
    return True


def _largest_immediate(forms: tuple[Form, ...]) -> int:
    """Largest immediate that a form of a vector instruction holds, -1 if a 32-bit register pair is no alternative."""
    places = [operand for form in forms if form.slot is not Slot.SCALAR for operand in form.operands.values()]
    if not any(operand.kind is Kind.S32 for operand in places):
        return -1
    return max((operand.field.limit for operand in places if operand.kind is Kind.IMM), default=0xFFFF)


def wide_immediate(forms: tuple[Form, ...], given: list[Token], source: Source, place: Place) -> list[Token]:
    """The operands with an immediate that has no room in the word moved into the scratch pair DS13."""
    if not any(form.slot in (Slot.PE, Slot.ADDRESS) for form in forms):
        return given
    if given and scalar_register(given[-1].text, source.scope) is not None:
        return given
    limit = _largest_immediate(forms)
    changed: list[Token] = []
    for token in given:
        value = number(token.text)
        if limit < 0 or value is None or 0 <= value <= limit:
            changed.append(token)
            continue
        _to_scratch(source, _checked(value, token), token, place)
        changed.append(Token(f"DS{SCRATCH_PAIR // 2}", token.column))
    return changed


def _to_scratch(source: Source, value: int, token: Token, place: Place) -> None:
    if source.scratch is not None and source.scratch != value:
        held = f"DS{SCRATCH_PAIR // 2} holds {source.scratch:#x} already"
        raise Complaint(f"'{token.text}' is a second immediate of 32 bits in one column; {held}", token.column)
    if source.scratch is None:
        for move in _two_moves(value, SCRATCH_PAIR):
            source.add(move, place)
    source.scratch = value


# --- destinations --------------------------------------------------------------------------------------------


def target_of(forms: tuple[Form, ...], given: list[Token]) -> str | None:
    """The I register that a processing element result is to be copied to, if the text names one."""
    if not given or not any(form.slot is Slot.PE for form in forms):
        return None
    last = given[-1].text
    return last if last in ROLE_HALVES or last in ROLE_PAIRS else None


def result_token(target: str, token: Token) -> Token:
    """VA or VAB in place of a macro destination."""
    return Token("VAB" if target in PAIR_CODES else "VA", token.column)
