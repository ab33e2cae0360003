"""Operators of domain "openrpp": products with weights as a GGUF file has them, each with a body of standard operators.

`MatMulFORMAT(x, w)` is x times w transposed: x float32 [..., K], w [N, words of a row], y float32 [..., N].
`GatherFORMAT(w, tokens)` are rows of w: float32 [..., K] for tokens int64 [...].
Blocks are GGUF's, byte by byte (https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h): a float16 scale d,
for Q4_1 a float16 minimum m, then quants; value i of a block with nibbles is in byte i mod 16, those from 16 on in the
upper nibbles.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

DOMAIN: Final = "openrpp"
OPSET: Final = 24

# Scales are finite float16: (1024 + fraction) * 2^(e - 25), or fraction * 2^-24 where e = 0; each step is exact.
_HALF: Final = """
HalfOfBytes (bytes) => (value) {
    words = Cast <to: int = 6> (bytes)
    low, high = Split <axis: int = -1, num_outputs: int = 2> (words)
    c4 = Constant <value_int: int = 4> ()
    c32 = Constant <value_int: int = 32> ()
    c256 = Constant <value_int: int = 256> ()
    four = Cast <to: int = 6> (c4)
    many = Cast <to: int = 6> (c32)
    byte = Cast <to: int = 6> (c256)
    upper = Div (high, four)
    exponent = Mod (upper, many)
    sign = Div (upper, many)
    rest = Mod (high, four)
    shifted = Mul (rest, byte)
    fraction = Add (shifted, low)
    powers = Constant <value: tensor = float[32] POWERS> ()
    ones = Constant <value: tensor = float[32] ONES> ()
    signs = Constant <value: tensor = float[2] {1.0, -1.0}> ()
    power = Gather (powers, exponent)
    one = Gather (ones, exponent)
    plus = Gather (signs, sign)
    number = Cast <to: int = 1> (fraction)
    whole = Add (number, one)
    size = Mul (whole, power)
    value = Mul (size, plus)
}
"""

_NIBBLES: Final = """
    below = Constant <value: tensor = uint8[1] {15}> ()
    by = Constant <value: tensor = uint8[1] {4}> ()
    lower = BitwiseAnd (quants, below)
    upper = BitShift <direction: string = "RIGHT"> (quants, by)
    nibbles = Concat <axis: int = -1> (lower, upper)
    numbers = Cast <to: int = 1> (nibbles)
"""

_BODIES: Final = {
    "F32": "    values = Identity (stored)\n",
    "F16": "    values = Cast <to: int = 1> (stored)\n",
    "BF16": "    values = Cast <to: int = 1> (stored)\n",
    "Q4_0": "BLOCKS 18 2 16" + _NIBBLES + """
    eight = Constant <value: tensor = float[1] {8.0}> ()
    centred = Sub (numbers, eight)
    d = openrpp.HalfOfBytes (first)
    scaled = Mul (centred, d)
UNBLOCK""",
    "Q4_1": "BLOCKS 20 4 16" + _NIBBLES + """
    dbytes, mbytes = Split <axis: int = -1, num_outputs: int = 2> (first)
    d = openrpp.HalfOfBytes (dbytes)
    m = openrpp.HalfOfBytes (mbytes)
    sized = Mul (numbers, d)
    scaled = Add (sized, m)
UNBLOCK""",
    "Q8_0": "BLOCKS 34 2 32" + """
    unsigned = Cast <to: int = 6> (quants)
    half = Constant <value: tensor = int32[1] {128}> ()
    around = Add (unsigned, half)
    full = Constant <value: tensor = int32[1] {256}> ()
    wrapped = Mod (around, full)
    signed = Sub (wrapped, half)
    numbers = Cast <to: int = 1> (signed)
    d = openrpp.HalfOfBytes (first)
    scaled = Mul (numbers, d)
UNBLOCK""",
}  # fmt: skip
"""Format -> from `stored` [rows][words] to `values` [rows][K]."""

_MATMUL: Final = """
MatMulFORMAT (x, stored) => (y) {
BODY
    across = Transpose <perm: ints = [1, 0]> (values)
    y = MatMul (x, across)
}
"""
_GATHER: Final = """
GatherFORMAT (table, tokens) => (y) {
    every = Constant <value_ints: ints = [-1]> ()
    flat = Reshape (tokens, every)
    stored = Gather <axis: int = 0> (table, flat)
BODY
    extents = Shape (tokens)
    target = Concat <axis: int = 0> (extents, every)
    y = Reshape (values, target)
}
"""


def _blocked(size: str, first: str, quants: str) -> str:
    return f"""
    cut = Constant <value_ints: ints = [0, -1, {size}]> ()
    blocks = Reshape (stored, cut)
    parts = Constant <value_ints: ints = [{first}, {quants}]> ()
    first, quants = Split <axis: int = -1> (blocks, parts)
"""


_UNBLOCKED: Final = """
    whole_rows = Constant <value_ints: ints = [0, -1]> ()
    values = Reshape (scaled, whole_rows)
"""


def _body(name: str) -> str:
    text = _BODIES[name].replace("UNBLOCK", _UNBLOCKED)
    head, _, rest = text.partition("\n")
    return _blocked(*head.split()[1:]) + rest if head.startswith("BLOCKS") else text


def function(kind: str, name: str = "") -> Any:
    """The onnx.FunctionProto of `MatMul` or `Gather` for a format, or of `HalfOfBytes`."""
    parser: Any = importlib.import_module("onnx.parser")
    if kind == "HalfOfBytes":
        powers = ", ".join(repr(2.0 ** (max(exponent, 1) - 25)) for exponent in range(32))
        ones = ", ".join("1024.0" if exponent else "0.0" for exponent in range(32))
        text = _HALF.replace("POWERS", f"{{{powers}}}").replace("ONES", f"{{{ones}}}")
    else:
        text = {"MatMul": _MATMUL, "Gather": _GATHER}[kind].replace("FORMAT", name).replace("BODY", _body(name))
    return parser.parse_function(f'<domain: "{DOMAIN}", opset_import: ["" : {OPSET}, "{DOMAIN}" : 1]>{text}')
