"""Integer rows. Everything wraps; no operand is without a result.

Division by zero gives all ones and leaves the dividend as remainder; the most negative value divided by -1 wraps.
A shift by the width or more gives zero, or the sign for `ashr`; its count is unsigned. `nuw` and `nsw` are promises
that a back end may use; the definition is the wrapped result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.kir.ops.form import Define, Effect, Op, Typing, choice, flag
from openrpp.kir.types import I16, I32, I64, INTS, POINTERS, WIDE_INTS, signed

WRAPS: Final = (flag("nuw"), flag("nsw"))
_T: Final = {"T": INTS}
_W: Final = {"T": WIDE_INTS}
_N: Final = {"T": (I32, I64)}

Binary = Callable[[int, int], int]


def wrapped(operation: Binary) -> Define:
    """An operation on unsigned values, reduced to the width."""

    def define(typing: Typing) -> Binary:
        mask = typing.result.mask
        return lambda a, b: operation(a, b) & mask

    return define


def plain(operation: Callable[..., int]) -> Define:
    """An operation whose result fits."""
    return lambda typing: operation


def on_signed(operation: Binary) -> Define:
    """An operation on two's complement values, reduced to the width."""

    def define(typing: Typing) -> Binary:
        width, mask = typing.result.bits, typing.result.mask
        return lambda a, b: operation(signed(a, width), signed(b, width)) & mask

    return define


def with_width(operation: Callable[..., int]) -> Define:
    """An operation that takes the width as its last argument; reduced to the width."""

    def define(typing: Typing) -> Callable[..., int]:
        width, mask = typing.operands[0].bits, typing.result.mask
        return lambda *operands: operation(*operands, width) & mask

    return define


def _unpack4(typing: Typing) -> Binary:
    down = 8 if typing.attrs.get("high") else 0
    return lambda a, b: b | a >> down & 15 | (a >> down + 4 & 15) << 16


def _unpack8(a: int, b: int) -> int:
    return b | a & 0xFF | (a >> 8 & 0xFF) << 16


def _quotient(a: int, b: int) -> int:
    if not b:
        return -1
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int:
    return a - _quotient(a, b) * b if b else a


def _reversed(a: int, width: int) -> int:
    return int(f"{a:0{width}b}"[::-1], 2)


def _byte_swapped(a: int, width: int) -> int:
    return int.from_bytes(a.to_bytes(width // 8, "little"), "big")


def _funnel_left(high: int, low: int, count: int, width: int) -> int:
    return (high << width | low) >> (width - count % width)


def _funnel_right(high: int, low: int, count: int, width: int) -> int:
    return (high << width | low) >> (count % width)


def _shift_left(a: int, count: int, width: int) -> int:
    return a << count if count < width else 0


def _shift_right(a: int, count: int, width: int) -> int:
    return a >> count if count < width else 0


def _shift_arithmetic(a: int, count: int, width: int) -> int:
    return signed(a, width) >> min(count, width - 1)


def permute_bytes(a: int, b: int, selector: int) -> int:
    """Four bytes chosen from a (0 to 3) and b (4 to 7) by the nibbles of the selector; bit 3 replicates the sign."""
    source = b << 32 | a
    out = 0
    for place in range(4):
        nibble = selector >> 4 * place & 15
        byte = source >> 8 * (nibble & 7) & 255
        if nibble & 8:
            byte = 255 if byte & 128 else 0
        out |= byte << 8 * place
    return out


_RELATIONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
INT_PREDICATES: Final = ("eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge")


def _compare(typing: Typing) -> Binary:
    predicate = str(typing.attrs["pred"])
    relation = _RELATIONS[predicate[-2:]]
    if predicate[0] != "s":
        return lambda a, b: int(relation(a, b))
    width = typing.operands[0].bits
    return lambda a, b: int(relation(signed(a, width), signed(b, width)))


def _dp4a(typing: Typing) -> Callable[[int, int, int], int]:
    a_signed, b_signed = bool(typing.attrs["a_signed"]), bool(typing.attrs["b_signed"])

    def dot(a: int, b: int, c: int) -> int:
        total = c
        for shift in (0, 8, 16, 24):
            x, y = a >> shift & 255, b >> shift & 255
            total += (signed(x, 8) if a_signed else x) * (signed(y, 8) if b_signed else y)
        return total & 0xFFFF_FFFF

    return dot


def _multiply_high(a: int, b: int, width: int) -> int:
    return a * b >> width


def _multiply_high_signed(a: int, b: int, width: int) -> int:
    return signed(a, width) * signed(b, width) >> width


def _absolute(a: int, width: int) -> int:
    return abs(signed(a, width))


def rows() -> list[Op]:
    """Arithmetic, bits, comparison, integer dot product."""
    add = Op(
        "add", "T T -> T", "a + b.", define=wrapped(lambda a, b: a + b), where=_T, attributes=WRAPS, commutative=True
    )
    mul = Op(
        "mul", "T T -> T", "a b.", define=wrapped(lambda a, b: a * b), where=_T, attributes=WRAPS, commutative=True
    )
    return [
        add,
        Op("sub", "T T -> T", "a - b.", define=wrapped(lambda a, b: a - b), where=_T, attributes=WRAPS),
        mul,
        *_products(),
        *_bitwise(),
        *_shifts(),
        *_extrema(),
        *_counts(),
        _comparison(),
    ]


def _products() -> list[Op]:
    divide, rest = on_signed(_quotient), on_signed(_remainder)
    unsigned_divide = wrapped(lambda a, b: a // b if b else -1)
    unsigned_rest = wrapped(lambda a, b: a % b if b else a)
    signs = (flag("a_signed"), flag("b_signed"))
    dot = "c + the sum of four products of the bytes of a and b, each side signed or unsigned; wraps."
    return [
        Op(
            "mulhi_u",
            "T T -> T",
            "High half of the unsigned product.",
            define=with_width(_multiply_high),
            where=_N,
            commutative=True,
        ),
        Op(
            "mulhi_s",
            "T T -> T",
            "High half of the signed product.",
            define=with_width(_multiply_high_signed),
            where=_N,
            commutative=True,
        ),
        Op("udiv", "T T -> T", "Unsigned quotient; a / 0 is all ones.", define=unsigned_divide, where=_T),
        Op(
            "sdiv",
            "T T -> T",
            "Signed quotient toward zero; a / 0 is -1, the least / -1 wraps.",
            define=divide,
            where=_T,
        ),
        Op("urem", "T T -> T", "Unsigned remainder; a mod 0 is a.", define=unsigned_rest, where=_T),
        Op("srem", "T T -> T", "Remainder with the sign of a; a mod 0 is a, a mod -1 is 0.", define=rest, where=_T),
        Op("dp4a", "i32 i32 i32 -> i32", dot, define=_dp4a, attributes=signs),
    ]


def _bitwise() -> list[Op]:
    def row(name: str, doc: str, operation: Binary) -> Op:
        return Op(name, "T T -> T", doc, define=plain(operation), where=_T, commutative=True)

    return [
        row("and", "Bitwise and.", lambda a, b: a & b),
        row("or", "Bitwise or.", lambda a, b: a | b),
        row("xor", "Bitwise exclusive or.", lambda a, b: a ^ b),
    ]


def _shifts() -> list[Op]:
    left = "The high half of (a:b) shifted left by count mod width; a is the high word."
    right = "The low half of (a:b) shifted right by count mod width; a is the high word."
    sign = "a shifted right, filled with its sign; a count of the width or more gives the sign everywhere."
    return [
        Op("shl", "T T -> T", "a 2^b; 0 if b >= width.", define=with_width(_shift_left), where=_T, attributes=WRAPS),
        Op("lshr", "T T -> T", "a / 2^b, unsigned; 0 if b >= width.", define=with_width(_shift_right), where=_T),
        Op("ashr", "T T -> T", sign, define=with_width(_shift_arithmetic), where=_T),
        Op("fshl", "T T T -> T", left, define=with_width(_funnel_left), where=_W),
        Op("fshr", "T T T -> T", right, define=with_width(_funnel_right), where=_W),
        Op(
            "prmt",
            "i32 i32 i32 -> i32",
            "Bytes of (b:a) chosen by the low four nibbles of the selector; its bit 3 repeats the byte's sign.",
            define=plain(permute_bytes),
        ),
        Op(
            "unpack4",
            "i32 i32 -> i32",
            "b, or'ed with nibbles 0 and 1 of a, with `high` with nibbles 2 and 3, one in each half.",
            define=_unpack4,
            attributes=(flag("high"),),
        ),
        Op(
            "unpack8",
            "i32 i32 -> i32",
            "b, or'ed with bytes 0 and 1 of a, one in each half.",
            define=plain(_unpack8),
        ),
    ]


def _extrema() -> list[Op]:
    def row(name: str, doc: str, define: Define) -> Op:
        return Op(name, "T T -> T", doc, define=define, where=_T, commutative=True)

    return [
        row("umin", "The smaller, unsigned.", plain(min)),
        row("umax", "The larger, unsigned.", plain(max)),
        row("smin", "The smaller, signed.", on_signed(min)),
        row("smax", "The larger, signed.", on_signed(max)),
        Op("abs", "T -> T", "|a|, signed; the least value stays.", define=with_width(_absolute), where=_T),
    ]


def _counts() -> list[Op]:
    def row(name: str, doc: str, operation: Callable[[int, int], int]) -> Op:
        return Op(name, "T -> T", doc, define=with_width(operation), where=_W)

    whole = {"T": (I16, I32, I64)}
    return [
        row("popc", "Number of ones.", lambda a, width: a.bit_count()),
        row("clz", "Leading zeros; the width for 0.", lambda a, width: width - a.bit_length()),
        row("ctz", "Trailing zeros; the width for 0.", lambda a, width: (a & -a).bit_length() - 1 if a else width),
        row("ffs", "1 + the place of the lowest one; 0 for 0.", lambda a, width: (a & -a).bit_length()),
        row("brev", "Bits in reverse order.", _reversed),
        Op("bswap", "T -> T", "Bytes in reverse order.", define=with_width(_byte_swapped), where=whole),
    ]


def _comparison() -> Op:
    return Op(
        "icmp",
        "T T -> i1",
        "1 where the relation holds; u relations are unsigned, s relations signed; pointers compare as unsigned.",
        Effect.PURE,
        _compare,
        where={"T": (*INTS, *POINTERS)},
        attributes=(choice("pred", *INT_PREDICATES),),
    )
