"""Exchange between lanes: shuffles of any type and width, matches, reductions and votes.

The lanes that meet are those of the mask that have not returned: `ballot(mask, 1)`, which all of them get alike. Every
op emitted here keeps the mask, and stands where the same lanes execute it equally often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrpp.kir.ir import Constant, Instr, Value, constant
from openrpp.kir.ops import lookup
from openrpp.kir.ops.threads import WARP
from openrpp.kir.passes.expand.bits import lowest32
from openrpp.kir.passes.expand.bounds import most
from openrpp.kir.passes.expand.emit import Emit
from openrpp.kir.passes.expand.table import Table
from openrpp.kir.types import ANY, I1, I32, SCALARS

_REDUCTIONS: Final = ("add", "and", "or", "xor", "umin", "umax", "smin", "smax")
_FEW_BITS: Final = 8
"""Up to so many bits, values are matched bit by bit."""


def register(table: Table) -> None:
    """The rules of this file."""
    for kind in SCALARS:
        table.add(("shfl_idx", "shfl_up", "shfl_down", "shfl_xor"), (kind,), _shuffle, kind)
    table.add(("vote_any", "vote_all", "vote_uni"), (I1,), _vote)
    table.add(("match_any",), ANY, _match_any, I32)
    table.add(("match_all",), ANY, _match_all, I32)
    table.add(("redux",), (I32,), _reduce)


# --- shuffles ----------------------------------------------------------------------------------------------------


def _shuffle(e: Emit, instr: Instr) -> Value:
    mask, value, operand, width = instr.operands
    name = instr.op.name
    full = _is_full(e, mask)
    if full and _is_plain(name, operand, width):
        return exchanged(e, value, lambda word: e(name, mask, word, operand, WARP))
    source, valid = _source(e, name, operand, width)
    meets = valid
    if not full:
        here = _bit(e, e.here(mask), source)
        meets = here if valid is None else e("and", valid, here)
    return read(e, mask, value, source if meets is None else e.pick(meets, source, e.lane()))


def _is_full(e: Emit, mask: Value) -> bool:
    """Whether the target takes it that all lanes meet under this mask: it has a shuffle that does not ask."""
    operands = [mask, constant(I32, 0), constant(I32, 1), constant(I32, WARP)]
    return e.is_legal(Instr(lookup("shfl_xor"), operands))


def _is_plain(name: str, operand: Value, width: Value) -> bool:
    """Whether a shuffle is the same over the whole warp."""
    if not isinstance(width, Constant):
        return False
    crossed_inside = name == "shfl_xor" and WARP % (width.bits or WARP + 1) == 0 and most(operand) < width.bits
    return width.bits == WARP or crossed_inside


def _bit(e: Emit, word: Value, place: Value) -> Value:
    down = e("lshr", word, e("and", place, WARP - 1) if most(place) >= WARP else place)
    return e("icmp", e("and", down, 1), 0, pred="ne")


def _source(e: Emit, name: str, operand: Value, width: Value) -> tuple[Value, Value | None]:
    """(lane that is read, whether there is one): None for always."""
    lane = e.lane()
    whole = isinstance(width, Constant) and width.bits == WARP
    inside = lane if whole else e("urem", lane, width)
    segment = constant(I32, 0) if whole else e("sub", lane, inside)
    match name:
        case "shfl_idx":
            source = e("add", segment, e("urem", operand, width))
            return source, _in_warp(e, source, width)
        case "shfl_up":
            return e("sub", lane, operand), e("icmp", operand, inside, pred="ule")
        case "shfl_down":
            source = e("add", lane, operand)
            below = e("icmp", operand, e("sub", width, inside), pred="ult")
        case _:
            source = e("xor", lane, operand)
            below = e("icmp", source, e("add", segment, width), pred="ult")
    beyond = _in_warp(e, source, width)
    return source, below if beyond is None else e("and", below, beyond)


def _in_warp(e: Emit, source: Value, width: Value) -> Value | None:
    """Segments whose width divides 32 do not leave the warp."""
    if isinstance(width, Constant) and width.bits and WARP % width.bits == 0:
        return None
    return e("icmp", source, WARP, pred="ult")


def exchanged(e: Emit, value: Value, word: Callable[[Value], Value]) -> Value:
    """A value exchanged in words of 32 bits."""
    bits = e.bits(value)
    if bits.type.bits == 64:
        return e.of_bits(e.join(word(e.low(bits)), word(e.high(bits))), value.type)
    return e.of_bits(e.narrow(word(e.any(bits)), bits.type), value.type)


def read(e: Emit, mask: Value, value: Value, index: Value) -> Value:
    """The value of lane `index`, which meets."""
    return exchanged(e, value, lambda word: _word(e, mask, word, index))


def _word(e: Emit, mask: Value, word: Value, index: Value) -> Value:
    return e("shfl_idx", mask, word, index, WARP)


# --- votes and matches -------------------------------------------------------------------------------------------


def _vote(e: Emit, instr: Instr) -> Value:
    mask, predicate = instr.operands
    if instr.op.name == "vote_all":
        return e("icmp", e("ballot", mask, e.flip(predicate)), 0, pred="eq")
    yes = e("ballot", mask, predicate)
    if instr.op.name == "vote_any":
        return e("icmp", yes, 0, pred="ne")
    return e("or", e("icmp", yes, 0, pred="eq"), e("icmp", yes, e.here(mask), pred="eq"))


def _match_any(e: Emit, instr: Instr) -> Value:
    mask, value = instr.operands
    bits = e.bits(value)
    return _by_bits(e, mask, bits) if bits.type.bits <= _FEW_BITS else _by_leaders(e, mask, bits)


def _by_bits(e: Emit, mask: Value, bits: Value) -> Value:
    """Lanes with another bit drop out."""
    found = e.here(mask)
    wide = e.widen(bits)
    for place in range(bits.type.bits):
        mine = e("icmp", e("and", wide, 1 << place), 0, pred="ne")
        others = e("xor", e("ballot", mask, mine), e("sext", e.flip(mine), kind=I32))
        found = e("and", found, others)
    return found


def _leader(e: Emit, lanes: Value) -> Value:
    """The lowest of some lanes, of which there is at least one; the lane's own index, to be met, if not."""
    return e.pick(e("icmp", lanes, 0, pred="ne"), lowest32(e, lanes), e.lane())


def _by_leaders(e: Emit, mask: Value, bits: Value) -> Value:
    """One round per value: the lowest lane left shows its value, and all lanes with it are done.

    The lanes that are left are the same in every lane that meets, so all go round equally often.
    """
    here = e.here(mask)
    again, done = e.block("match", I32, I32), e.block("matched")
    e.br(again, here, constant(I32, 0))
    left, found = again.params
    e.at(again)
    equal = e("icmp", read(e, mask, bits, _leader(e, left)), bits, pred="eq")
    lanes = e("ballot", mask, equal)
    now = e.pick(equal, lanes, found)
    rest = e("and", left, e("xor", lanes, -1))
    e.cbr(e("icmp", rest, 0, pred="ne"), again, done, (rest, now))
    e.at(done)
    return now


def _match_all(e: Emit, instr: Instr) -> Value:
    mask, value = instr.operands
    bits, here = e.bits(value), e.here(mask)
    equal = e("icmp", read(e, mask, bits, _leader(e, here)), bits, pred="eq")
    return e.pick(e("icmp", e("ballot", mask, equal), here, pred="eq"), here, 0)


# --- reduction ---------------------------------------------------------------------------------------------------


def _reduce(e: Emit, instr: Instr) -> Value:
    """Pointers jump to the next lane that meets: after five steps the lowest has all values, and shows them.

    A lane's value always stands for the lanes from itself up to, not including, the one that it points to.
    """
    mask, value = instr.operands
    combine = str(instr.attr("combine"))
    here, lane = e.here(mask), e.lane()
    above = e("and", here, e("shl", -2, lane))
    follows: Value = e("icmp", above, 0, pred="ne")
    after: Value = e.pick(follows, lowest32(e, above), lane)
    for step in range(5):
        index = e.pick(follows, after, lane)
        value = e.pick(follows, e(combine, value, _word(e, mask, value, index)), value)
        if step < 4:
            following = _word(e, mask, e.pick(follows, after, constant(I32, WARP)), index)
            after = following
            follows = e("icmp", following, WARP, pred="ult")
    return _word(e, mask, value, _leader(e, here))
