"""Conversions between doubles and integers that some hosts have no vector instruction for.

The fraction of a double between 2^52 and 2^53 is an integer: adding 2^52 brings an integral value below 2^52 there.
"""

from __future__ import annotations

from openrpp.codegen.host.ops.lanes import Lanes

_BIAS = 0x4330 << 48  # the bits of 2^52
_WORD = 2.0**32


def lacks(lanes: Lanes) -> bool:
    """Whether this host converts vectors of 64-bit and unsigned 32-bit integers lane by lane, and rounds vectors."""
    return bool(lanes.count) and lanes.tier.name == "avx2"


def _biased(lanes: Lanes, integral: str) -> str:
    """Bits whose low 32 are an integral double from 0 to 2^32 - 1."""
    return lanes.cast(
        "bitcast", "double", lanes.binary("fadd", "double", integral, lanes.constant("double", 2.0**52)), "i64"
    )


def to_word(lanes: Lanes, value: str) -> str:
    """A double from 0 to below 2^32 toward zero as i32, unsigned."""
    if not lacks(lanes):
        return lanes.cast("fptoui", "double", value, "i32")
    return lanes.cast("trunc", "i64", _biased(lanes, lanes.call("floor", "double", value)), "i32")


def to_long(lanes: Lanes, kind: str, value: str, is_signed: bool) -> str:
    """A float or double within the range of i64 toward zero."""
    if not lacks(lanes):
        return lanes.cast("fptosi" if is_signed else "fptoui", kind, value, "i64")
    value = lanes.cast("fpext", kind, value, "double")
    size = lanes.call("fabs", "double", value) if is_signed else value
    scaled = lanes.binary("fmul", "double", size, lanes.constant("double", 1 / _WORD))
    high = lanes.call("floor", "double", scaled)
    low = lanes.binary("fsub", "double", size, lanes.binary("fmul", "double", high, lanes.constant("double", _WORD)))
    upper = lanes.binary("shl", "i64", _biased(lanes, high), lanes.constant("i64", 32))
    lower = _biased(lanes, lanes.call("floor", "double", low))
    lower = lanes.binary("xor", "i64", lower, lanes.constant("i64", _BIAS))
    found = lanes.binary("or", "i64", upper, lower)
    if not is_signed:
        return found
    negative = lanes.compare("fcmp olt", "double", value, lanes.constant("double", 0.0))
    return lanes.select(negative, "i64", lanes.binary("sub", "i64", lanes.constant("i64", 0), found), found)


def from_long(lanes: Lanes, value: str, is_signed: bool) -> str:
    """An i64 as double, rounded once: both halves are exact, and so is the upper one times 2^32."""
    if not (is_signed and lacks(lanes)):
        return lanes.cast("sitofp" if is_signed else "uitofp", "i64", value, "double")
    word = lanes.binary("and", "i64", value, lanes.constant("i64", 0xFFFF_FFFF))
    bits = lanes.cast("bitcast", "i64", lanes.binary("or", "i64", word, lanes.constant("i64", _BIAS)), "double")
    low = lanes.binary("fsub", "double", bits, lanes.constant("double", 2.0**52))
    upper = lanes.cast("trunc", "i64", lanes.binary("lshr", "i64", value, lanes.constant("i64", 32)), "i32")
    high = lanes.cast("sitofp", "i32", upper, "double")
    return lanes.binary("fadd", "double", lanes.binary("fmul", "double", high, lanes.constant("double", _WORD)), low)
