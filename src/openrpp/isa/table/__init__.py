"""The instruction table: every instruction of the machine, one row each, and the look-ups derived from it."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from openrpp.isa.form import Form, Instruction
from openrpp.isa.table import atomic, double, extension, extension_port, extension_switch, pe, port, scalar

PUBLISHED: tuple[Instruction, ...] = (*scalar.rows(), *port.port_rows(), *port.switch_rows(), *pe.rows())
"""Rows of the published machine."""
EXTENSIONS: tuple[Instruction, ...] = (
    *extension.rows(),
    *extension_port.rows(),
    *atomic.rows(),
    *double.rows(),
    *extension_switch.rows(),
)
"""Rows that OpenRPP adds; `extension` of each names its group."""
TABLE: tuple[Instruction, ...] = (*PUBLISHED, *EXTENSIONS)
"""Every row."""


def spelling(text: str) -> tuple[str, frozenset[str]]:
    """(mnemonic, modifiers) of a dotted name; the order of modifiers is free, except that CVT names from and to."""
    head, *modifiers = text.upper().split(".")
    if head == "CVT":
        modifiers = [f"{place}{modifier}" for place, modifier in enumerate(modifiers)]
    return head, frozenset(modifiers)


@cache
def forms_by_name() -> dict[tuple[str, frozenset[str]], tuple[Form, ...]]:
    """All forms that a spelled name may mean."""
    found: dict[tuple[str, frozenset[str]], list[Form]] = defaultdict(list)
    for row in TABLE:
        for form in row.forms:
            for name in (form.name, *form.aliases):
                found[spelling(name)].append(form)
    return {key: tuple(forms) for key, forms in found.items()}


@cache
def mnemonics() -> frozenset[str]:
    """Every first part of a name."""
    return frozenset(head for head, _ in forms_by_name())


@cache
def _by_top_byte() -> tuple[tuple[Form, ...], ...]:
    buckets: list[tuple[Form, ...]] = []
    forms = sorted((form for row in TABLE for form in row.forms), key=lambda form: -form.mask.bit_count())
    for top in range(256):
        word = top << 24
        buckets.append(tuple(form for form in forms if not (word ^ form.base) & form.mask & 0xFF00_0000))
    return tuple(buckets)


def decode_form(word: int) -> Form | None:
    """The form of a machine word, or None where the word is unknown."""
    for form in _by_top_byte()[word >> 24]:
        if word & form.mask == form.base & form.mask:
            return form
    return None


def find(name: str) -> list[Instruction]:
    """Rows whose mnemonic or form names match a name, for `rpp isa NAME`."""
    head, modifiers = spelling(name)
    exact = forms_by_name().get((head, modifiers), ())
    return [
        row
        for row in TABLE
        if any(form in exact for form in row.forms)
        or (not modifiers and spelling(row.mnemonic.split(" ")[0])[0] == head)
    ]
