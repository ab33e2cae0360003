"""The shape of a block of the card, set before its first column where that matters."""

from __future__ import annotations

from openrpp.codegen.card.layout import Layout, Shape3
from openrpp.codegen.card.lowering import Places
from openrpp.codegen.card.text import Text
from openrpp.codegen.errors import Unsupported
from openrpp.kir.ir import Kernel

_FULL = "$FULL"
_BY_ROWS = ("ALN", "GLANEADDR")


def block_shape(text: Text, kernel: Kernel, block: Shape3, places: Places) -> str:
    """Text in front of a program: rows and planes for strided accesses, and how many threads there are.

    Threads of merged blocks that lie beyond the end of the grid are the last of their block, which is shortened.
    """
    layout = Layout(block, kernel.merge)
    if kernel.merge == 1 and not any(form in line for line in text.lines for form in _BY_ROWS):
        return ""
    x, y = layout.columns
    lines = [f"MOVE.U16 {x}, S2", f"MOVE.U16 {y}, S3", f"MOVE.U16 {layout.threads}, S4"]
    if kernel.merge > 1:
        if places.geometry + 16 > 4 * places.direct:
            sentence = f"{places.direct} words of parameters leave no room for the extents of the grid of merged blocks"
            raise Unsupported(sentence, kernel.name, kernel.location)
        lines += _shortened(kernel.merge, layout.threads // kernel.merge, places.geometry // 4)
    return "\n".join([*lines, "CFGXYZ S2, S3, S4"]) + "\n"


def _shortened(merge: int, threads: int, geometry: int) -> list[str]:
    """The number of threads in S4 where fewer than all blocks of the group are left."""
    return [
        f"LDPARAM.U32 [w{geometry + 3}], DS4",
        "CVT.U16.U32 %blockIdx.x, DS5",
        "ADD.U32 DS4, DS5, DS4",
        f"MOVE.U32 {merge}, DS5",
        "MUL.U32 DS4, DS5, DS4",
        f"LDPARAM.U32 [w{geometry}], DS6",
        "SUB.U32 DS6, DS4, DS4",
        "CMP.U32.LT DS4, DS5, S6",
        f"JMPNC S6, {_FULL}",
        f"MOVE.U16 {threads}, S6",
        "MUL.U16 S8, S6, S4",
        f"{_FULL}:",
    ]
