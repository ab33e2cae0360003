"""The formatting of device printf, on bit patterns."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from openrpp.kir.floats import DECODE
from openrpp.kir.types import Type, signed

_PIECE: Final = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d+)?)?[hlLjzt]*(?P<kind>[a-zA-Z%])"
)


def formatted(template: str, operands: Sequence[tuple[Type, int]], text: Callable[[int], bytes]) -> str:
    """The output of C's printf; `text` reads the string at an address. Operands that are missing print as 0."""
    rest = iter(operands)

    def following() -> tuple[Type | None, int]:
        return next(rest, (None, 0))

    def piece(match: re.Match[str]) -> str:
        kind = match["kind"]
        if kind == "%":
            return "%"
        width, precision = match["width"] or "", match["precision"]
        width = str(_signed(*following())) if width == "*" else width
        precision = str(_signed(*following())) if precision == "*" else precision
        dot = "" if "." not in match[0] else f".{precision or 0}"
        return _converted(f"%{match['flags']}{width}{dot}", kind, following(), text)

    return _PIECE.sub(piece, template)


def _signed(kind: Type | None, bits: int) -> int:
    return signed(bits, kind.bits) if kind is not None and kind.bits > 1 else bits


def _converted(spec: str, kind: str, operand: tuple[Type | None, int], text: Callable[[int], bytes]) -> str:
    given, bits = operand
    if kind in "di":
        return f"{spec}d" % _signed(given, bits)
    if kind in "uoxX":
        return f"{spec}{'d' if kind == 'u' else kind}" % bits
    if kind == "c":
        return f"{spec}s" % chr(bits & 255)
    if kind == "p":
        return f"{spec}s" % f"{bits:#x}"
    if kind == "s":
        return f"{spec}s" % text(bits).decode("utf-8", "replace")
    value = DECODE[given](bits) if given is not None and given.is_float else float(bits)
    if kind in "aA":
        shown = value.hex()
        return f"{spec}s" % (shown.upper() if kind == "A" else shown)
    return f"{spec}{kind}" % value if kind in "eEfFgG" else spec + kind
