"""Settings for what the published material leaves open. Allowed values are the literals of the annotations.

Annotations are read at run time: no `from __future__ import annotations` here.
"""

from dataclasses import dataclass, field, fields
from typing import Literal

from openrpp.arch.figure import Choice
from openrpp.arch.schema import says


@dataclass(frozen=True)
class Choices:
    """How the virtual card behaves where no public artefact decides."""

    bf16_rounding: Choice[Literal["nearest-even", "truncate"]] = field(
        metadata=says("rounding of bf16 ADD, SUB, MUL and FMA; CVT.F32.F16 always truncates")
    )
    float_to_int: Choice[Literal["saturate", "wrap"]] = field(
        metadata=says("float to integer beyond the integer's range: its nearest end, or the low bits")
    )
    int_to_bf16: Choice[Literal["nearest-even", "truncate"]] = field(
        metadata=says("rounding of integers with more than 8 significant bits to bf16")
    )
    minmax_nan: Choice[Literal["number", "propagate"]] = field(
        metadata=says("MIN and MAX of a number and a NaN: the number, or NaN")
    )
    denormals: Choice[Literal["keep", "flush"]] = field(
        metadata=says("denormal results of float arithmetic: kept, or flushed to zero with their sign")
    )
    mask_lanes: Choice[Literal["mod", "div"]] = field(
        metadata=says("lanes that bit k of an 8-bit mask selects: lane mod 8 = k, or lane div 4 = k")
    )
    ben_high_byte: Choice[Literal["zero", "undefined"]] = field(metadata=says("high byte after LOAD.BEN"))
    shift_overflow: Choice[Literal["zero", "modulo"]] = field(
        metadata=says("shift counts of the operand's width or more: result zero, or count modulo width")
    )
    compare_true: Choice[Literal[1, 65535]] = field(metadata=says("what a vector CMP gives where it holds"))
    jump_tests: Choice[Literal["low16", "full32"]] = field(
        metadata=says("what JMPC and JMPNC test of a 32-bit variable: the named register, or the pair")
    )
    block_index_31: Choice[Literal["linear", "x"]] = field(
        metadata=says("scalar register 31: block number x + gx*(y + gy*z), or blockIdx.x")
    )
    ldwarp_strides: Choice[Literal["ignore"]] = field(metadata=says("stride operands of LDWARP"))
    fram_banks: Choice[Literal["alternate", "single"]] = field(
        metadata=says("FRAM banks of successive kernels: in turn, or always the first")
    )
    dot_order: Choice[Literal["even-odd"]] = field(
        metadata=says("order of the bf16 dot's sums: even terms, odd terms, their sum, then the accumulator")
    )

    def settings(self) -> dict[str, str | int]:
        """Name to chosen value, for code that needs no sources."""
        return {item.name: getattr(self, item.name).value for item in fields(self)}
