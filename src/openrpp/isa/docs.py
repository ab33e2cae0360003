"""Writes docs/isa.md from the instruction table: `python -m openrpp.isa.docs [FILE]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from openrpp.isa.columns import COPY_FORMS, bank_of
from openrpp.isa.describe import CONFIDENCE, FormRow, InstructionRow, rows_of
from openrpp.isa.form import Cost, Kind, Unit
from openrpp.isa.fram import BUILTINS, MAX_PARAMETERS, PARAMETER_BYTES, SCRATCH_BASE, SCRATCH_WORDS
from openrpp.isa.registers import FIXED_SCALARS, HALF_CODES, PAIR_CODES, SCALAR_REGISTERS, SCRATCH_PAIR, TOKEN_BITS
from openrpp.isa.table import EXTENSIONS, PUBLISHED

PATH: Final = Path("docs/isa.md")

INTRODUCTION: Final = """\
# The instruction set

This page is written by `python -m openrpp.isa.docs` from the table in `src/openrpp/isa/table/`; a test keeps it
current. `rpp isa NAME` shows the same rows. Nothing here comes from a vendor's manual: the published rows are what
public machine code and assembly text show, each with the strength of its evidence.

A kernel is a stream of 32-bit words. Scalar words run at once, one after another, for the whole block. The other
words build the next *column*: a configuration of memory port, switch box and processing element (PE) that is
applied to every warp of 32 lanes before the data moves on. A column ends with its PE word.
"""

GRAMMAR: Final = """\
## Assembly text

A text is a list of lines; `//` starts a comment.

| line | meaning |
|---|---|
| `.param .u32 name` | the next parameter; parameter i is the 32-bit word at byte 4 i of FRAM, whatever its type |
| `.var .u16 %name` | the next free scalar register; `.u32` takes the next even one and its neighbour |
| `.forward auto` or `.forward manual` | who sets the token masks; automatic unless `kernel_cfg.json` says otherwise |
| `$name:` | a jump target |
| `MNEMONIC.MODIFIER a, b, d` | an instruction; modifiers in any order except the types of CVT, destination last |
| `##` | the end of a column; anything may follow it on the line |
| `.word N` | a machine word as a number, placed among the scalar words; a PE word given so closes the column |
| `NOP N` | a NOP whose meaningless bits are N |
| `.tail N, N` | words in place of the terminator and the padding behind the last column |

Operands: `%name`, `Sn`, `DSn` (the pair S2n, S2n+1), `%blockIdx.x`; vector registers by name; `[name]` for
parameter memory; `[DVA]`, `[DVA + 2]`, `[DVA + (VA << 1)]`, `[%base + (IA << 1)]` for memory; decimal or `0x`
numbers. Floats are raw bits.

Macros: an immediate that has no room in its word goes through DS{scratch} by two moves; a PE result into an I
register goes to VA or VAB and an extra column copies it; `RET` is an empty column and the last one; `DMB_ORI` is
two columns; `ISS_PRINT` is dropped.

## Columns

- Everything reads the registers as they were when the column was entered, except that loads into MA, MB and MAB and
  the warp vector WARPVEC are seen by the switch box and the PE of their own column, and by nothing else.
- One PE operation; one sequential access (a load and a store may share it); one gather access; one DVA operation;
  four moves to each bank of registers (COPY: IA to ID and II to IL, COPYEXT: IE to IH and IM to IP). Jumps stand before
  the vector instructions.
- The assembler refuses a PE operation that reads a register which its column writes, a register written twice in a
  column, MA or MB without a load, a dot product without its LDWARP.
- Tokens: a register IA to IP or DVA that is alive when a column is entered is forwarded (FORWARD), read for the
  last time, or dropped (TERM). In automatic mode everything written so far stays alive to the end of the kernel, so
  every path must write it first: the usual first column clears DVA and VA, the second copies VA everywhere.
- Words of a column: scalar words in text order, UPPER, FORWARD, TERM, sequential access, gather access, DVA operation,
  copies by bank, PE word. A column without a PE operation ends with a NOP. The kernel ends with D1000000 and zeros
  to a multiple of 8.
"""

OBJECTS: Final = """\
## Kernel objects

An x86-64 relocatable ELF file with two data sections per kernel: `.text.NAME`, the words, and `.rpp.info.NAME`, for
each parameter four 16-bit numbers: index, byte offset, size 4, 0xBEEF. A section `.rpp.names.NAME` (ours, JSON)
keeps the names and types of parameters; a reader that does not know it ignores it.
"""


def _registers() -> Iterator[str]:
    yield "## Registers\n"
    yield f"Scalar: S0 to S{SCALAR_REGISTERS - 1}, 16 bits each; DSn is the pair S2n, S2n+1. Values outlive a block."
    yield f"S{SCRATCH_PAIR}, S{SCRATCH_PAIR + 1} (DS{SCRATCH_PAIR // 2}) are the assembler's scratch pair. Fixed:\n"
    yield "| name | register |\n|---|---|"
    yield from (f"| `%{name}` | S{number} |" for name, number in FIXED_SCALARS.items())
    yield "\nVector registers, per lane:\n"
    yield "| name | bits | code | bit in FORWARD and TERM | written by |\n|---|---|---|---|---|"
    for name, code in HALF_CODES.items():
        yield f"| {name} | 16 | {code} | {TOKEN_BITS.get(code, '-')} | {_writer(name)} |"
    for name, code in PAIR_CODES.items():
        bit = TOKEN_BITS[code] if name == "DVA" else "-"
        yield f"| {name} | 32 | {code} | {bit} | {_writer(name)} |"
    yield "| WARPVEC | 256 x 16 per warp | - | - | LDWARP, for its own column |"
    yield "\nA pair has the code of its low half, which is its first letter. Words hold four bits of a code; the fifth,"
    yield "which II to IP have, stands in the UPPER word of the column. FORWARD and TERM words with bits from 16 on"
    yield "also have bit 15 set.\n"


def _writer(name: str) -> str:
    if name == "DVA":
        return "DVA operations"
    if name[0] == "V":
        return "the PE; stays until the next result or TERM"
    if name[0] == "M":
        return {"MA": "gather loads", "MB": "sequential loads"}.get(name, "dot products") + ", for its own column"
    code = HALF_CODES.get(name, PAIR_CODES.get(name, 0))
    return f"{COPY_FORMS[bank_of(code)].name}, loads"


def _parameter_memory() -> Iterator[str]:
    yield "## Parameter memory (FRAM), byte offsets in a bank\n"
    yield "| name | offset |\n|---|---|"
    yield f"| parameters 0 to {MAX_PARAMETERS - 1} | {PARAMETER_BYTES} i |"
    yield from (f"| `{name}` | {offset:#05x} |" for name, offset in BUILTINS.items())
    yield f"| `cfg_fft_w4_n`, n below {SCRATCH_WORDS} | {SCRATCH_BASE:#x} + 4 n |\n"


def _legend() -> Iterator[str]:
    yield "## How to read the rows\n"
    yield "Word: the machine word in hexadecimal without its operands, then the bits of each; `x 2` means that half the"
    yield "value is stored. Every other bit is as in the word.\n"
    yield "| operand bits hold | |\n|---|---|"
    yield from (f"| {kind.name} | {kind.value} |" for kind in Kind)
    yield "\n| cost | |\n|---|---|"
    yield from (f"| {cost.name} | {cost.value} |" for cost in Cost)
    yield "\n| evidence | |\n|---|---|"
    yield from (f"| {letter} | {meaning} |" for letter, meaning in CONFIDENCE.items())
    yield ""


_COST_NAMES = {cost.value: cost.name for cost in Cost}
_KIND_NAMES = {kind.value: kind.name for kind in Kind}


def _form(row: FormRow) -> str:
    fields = ", ".join(f"{field.name} {_KIND_NAMES[field.kind]} {field.bits}" for field in row.fields)
    return f"| `{row.text}` | `{row.word}` | {fields} | {_COST_NAMES[row.cost]} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")


def _instruction(row: InstructionRow) -> Iterator[str]:
    group = f", extension `{row.extension}`" if row.extension else ""
    yield f"#### {_escaped(row.mnemonic)}\n"
    yield f"{_escaped(row.meaning)} `{row.equation}` (evidence: {row.confidence}{group})\n"
    yield "| form | word | fields | cost |\n|---|---|---|---|"
    yield from map(_form, row.forms)
    yield ""


def _units(title: str, rows: tuple[InstructionRow, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    for unit in Unit:
        members = [row for row in rows if row.unit == unit.value]
        if members:
            yield f"### {unit.value.capitalize()}\n"
        for row in members:
            yield from _instruction(row)


def render() -> str:
    """The text of docs/isa.md."""
    parts = [
        INTRODUCTION,
        GRAMMAR.replace("{scratch}", str(SCRATCH_PAIR // 2)),
        *_registers(),
        *_parameter_memory(),
        OBJECTS,
        *_legend(),
        *_units("Published instructions", rows_of(PUBLISHED)),
        *_units("Extensions (card `ae7100x`)", rows_of(EXTENSIONS)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def main(arguments: list[str]) -> None:
    """Write the page to the file that is named, or to docs/isa.md below the current directory."""
    path = Path(arguments[0]) if arguments else PATH
    path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
