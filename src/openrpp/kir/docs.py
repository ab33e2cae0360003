"""The page docs/kir.md, generated from the op table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from openrpp.kir.ops import GROUPS
from openrpp.kir.ops.form import Attribute, Effect, Op
from openrpp.kir.types import ANY, FLOATS, INTS, POINTERS, SCALARS, WIDE_INTS, Type

PATH: Final = Path("docs/kir.md")

INTRODUCTION: Final = """\
# The kernel IR

This page is written by `python -m openrpp.kir.docs` from the table in `src/openrpp/kir/ops/`; a test keeps it
current.

A kernel says what one thread does; it is executed by all threads of all blocks. Values are typed and in SSA form.
Where LLVM has a phi, a block has a parameter and every edge to the block passes an argument. There are no functions
(calls are inlined), no vectors, no aggregates in values (they live in private variables), and no undefined or
poison values: every op has a result for all operands.

```
module "saxpy.cu"

kernel @saxpy(%n: i32, %a: f32, %x: ptr.global, %y: ptr.global) max_threads 256 {
^entry:
  %block = ctaid axis=x : i32  !"saxpy.cu":2:11
  %size = ntid axis=x : i32  !"saxpy.cu":2:24
  %first = mul %block, %size : i32  !"saxpy.cu":2:22
  %thread = tid axis=x : i32  !"saxpy.cu":2:37
  %i = add %first, %thread : i32  !"saxpy.cu":2:35
  %inside = icmp pred=slt %i, %n : i1  !"saxpy.cu":3:9
  cbr %inside, ^body, ^done  !"saxpy.cu":3:7
^body:
  %wide = sext %i : i64  !"saxpy.cu":3:18
  %offset = mul nsw %wide, 4:i64 : i64  !"saxpy.cu":3:18
  %xi = ptr_add inbounds %x, %offset : ptr.global  !"saxpy.cu":3:27
  %yi = ptr_add inbounds %y, %offset : ptr.global  !"saxpy.cu":3:14
  %xv = load %xi : f32  !"saxpy.cu":3:27
  %yv = load %yi : f32  !"saxpy.cu":3:34
  %sum = fma %a, %xv, %yv : f32  !"saxpy.cu":3:32
  store %sum, %yi  !"saxpy.cu":3:19
  br ^done
^done:
  ret  !"saxpy.cu":4:1
}
```

## Rules

- **Types**: `i1 i8 i16 i32 i64 f16 bf16 f32 f64` and pointers `ptr.generic .global .shared .constant .private
  .param`, all 64 bits in memory. An i1 takes one byte. bf16 is bfloat16.
- **Integers** wrap. `nuw`, `nsw` and `inbounds` are promises that a back end may use; the definition does not need
  them. Shifts by the width or more give zero (or the sign); division by zero gives all ones and the dividend as
  remainder.
- **Floats** round once to nearest even and keep denormals; NaN results are the quiet NaN with one fraction bit.
  Engines may give other NaN bits. Float to integer saturates, NaN gives 0. There are no fast-math flags;
  contraction is `fma`.
- **Memory** is bytes, little-endian. A pointer to shared, private or param memory is an offset whose value engines
  may choose; only distances within one variable mean something. `space_cast` changes the view. `layout` says where
  variables lie.
- **Meetings**: the threads of the block that have not returned meet at barriers, the lanes of the mask at warp ops,
  all at the same op of the program. Passes may not duplicate such an op or make it depend on more conditions.
- **Merged blocks**: `merge M` on a kernel lets M CUDA blocks along x run as one block of the card. Results are the
  same; blockIdx.x, addresses of shared memory and results of barriers then differ from lane to lane.
- **Order**: accesses of different threads are ordered by meetings, fences and atomics only. What races is not
  defined.
- **Locations**: `!"file":line:column in "caller":line:column`, innermost first.

Terminators: `br ^b(args)`, `cbr %c, ^then(args), ^else(args)`, `switch %v, ^default, 3 ^b(args), ...`, `ret`,
`unreachable`.

Outside kernels: `global @name SPACE size N align A [dynamic] [data "hex"] [reloc offset @symbol addend]`; in a
kernel, before the first block, `local @name size N align A`; a parameter `%s: byval N align A` is a struct seen
through a `ptr.param`.

## Ops

Operands are called a, b, c, d in order. `T -> T` names type variables, with what they may be behind it. Attributes
are written between the name and the operands: `name`, `name=word`, `name=number` or `name="text"`.
"""

_SETS: Final[dict[tuple[Type, ...], str]] = {
    INTS: "any integer",
    WIDE_INTS: "i8 to i64",
    FLOATS: "any float",
    POINTERS: "any pointer",
    SCALARS: "any number",
    ANY: "any type",
}

_MEANINGS: Final = {
    Effect.PURE: "a function of its operands",
    Effect.GEOMETRY: "a function of the thread",
    Effect.ADDRESS: "the address of a variable",
    Effect.LOAD: "reads memory",
    Effect.STORE: "writes memory",
    Effect.ATOMIC: "changes one location in one step and gives its old value",
    Effect.FENCE: "orders memory",
    Effect.WARP: "lanes of a warp meet",
    Effect.BLOCK: "threads of a block meet",
    Effect.SIDE: "seen from outside",
}


def _kinds(kinds: tuple[Type, ...]) -> str:
    return _SETS.get(kinds) or " ".join(f"`{kind}`" for kind in kinds)


def _signature(op: Op) -> str:
    where = ", ".join(f"{name}: {_kinds(kinds)}" for name, kinds in op.where.items())
    return f"`{op.signature.strip()}`" + (f" ({where})" if where else "")


def _attribute(attribute: Attribute) -> str:
    if attribute.choices:
        words = " ".join(attribute.choices)
        default = f", default {attribute.default}" if attribute.default is not None else ""
        return f"`{attribute.name}`: {words}{default}"
    return f"`{attribute.name}`"


def _row(op: Op) -> str:
    attributes = "; ".join(_attribute(attribute) for attribute in op.attributes)
    meaning = op.doc.replace("|", "\\|")
    return f"| `{op.name}` | {_signature(op)} | {meaning} | {attributes} | {op.effect.value} |"


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    yield "| effect | |\n|---|---|"
    yield from (f"| {effect.value} | {meaning} |" for effect, meaning in _MEANINGS.items())
    for title, ops in GROUPS.items():
        yield f"\n### {title}\n"
        yield "| op | types | meaning | attributes | effect |\n|---|---|---|---|---|"
        yield from map(_row, ops)


def render() -> str:
    """The text of docs/kir.md."""
    return "\n".join(_lines()).rstrip() + "\n"


def main(arguments: list[str]) -> None:
    """Write the page to the file that is named, or to docs/kir.md below the current directory."""
    path = Path(arguments[0]) if arguments else PATH
    path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
