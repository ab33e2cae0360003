"""Thread indices and warp operations as machine operations."""

from __future__ import annotations

from collections.abc import Mapping

from openrpp.codegen.card.lowering import ALL_ONES, Lowering, Rule
from openrpp.codegen.card.memory import divided, group, lane_number, parameter_word, scalar
from openrpp.codegen.card.steps import Ballot, Fence, Part, Read, Source, Word
from openrpp.kir.ir import Instr, Value
from openrpp.kir.ops.threads import AXES, WARP
from openrpp.kir.passes.expand.bounds import most
from openrpp.kir.passes.expand.legal import is_met

BLOCK_INDEX = {"x": "S28", "y": "S29", "z": "S30"}


def thread(lower: Lowering) -> Source:
    """The number of the thread in its CUDA block."""
    x, y, z = lower.block
    number = lane_number(lower)
    if lower.kernel.merge == 1:
        return number
    return lower.sub(number, lower.multiply(group(lower), x * y * z))


def inside_grid(lower: Lowering) -> Source:
    """Whether the CUDA block of a lane is one of the grid."""
    return lower.compare("CMP.U32.LT", _block_x(lower), parameter_word(lower, lower.places.geometry))


def _block_x(lower: Lowering) -> Source:
    index = lower.add(scalar(lower, BLOCK_INDEX["x"]), parameter_word(lower, lower.places.geometry + 12))
    return lower.add(group(lower), lower.multiply(index, lower.kernel.merge) if lower.kernel.merge > 1 else index)


def _tid(lower: Lowering, instr: Instr) -> None:
    x, y, z = lower.block
    axis = AXES.index(str(instr.attr("axis")))
    threads = x * y * z
    if lower.block[axis] == 1:
        lower.give(instr, 0)
        return
    number = thread(lower)
    row = divided(lower, number, x, threads - 1)
    if axis == 0:
        lower.give(instr, number if y * z == 1 else lower.sub(number, lower.multiply(row, x)))
        return
    plane = divided(lower, row, y, threads // x)
    lower.give(instr, plane if axis == 2 else (row if z == 1 else lower.sub(row, lower.multiply(plane, y))))


def _ctaid(lower: Lowering, instr: Instr) -> None:
    axis = str(instr.attr("axis"))
    if axis == "x":
        lower.give(instr, _block_x(lower))
        return
    index = scalar(lower, BLOCK_INDEX[axis])
    if not lower.places.near:
        lower.give(instr, index)
        return
    first = parameter_word(lower, lower.places.geometry + (24 if axis == "y" else 28))
    lower.give(instr, lower.add(index, first))


def _ntid(lower: Lowering, instr: Instr) -> None:
    lower.give(instr, lower.block[AXES.index(str(instr.attr("axis")))])


def _nctaid(lower: Lowering, instr: Instr) -> None:
    lower.give(instr, parameter_word(lower, lower.places.geometry + 4 * AXES.index(str(instr.attr("axis")))))


def _warp_lane(lower: Lowering) -> Source:
    return lower.both(lane_number(lower), 31)


def _laneid(lower: Lowering, instr: Instr) -> None:
    lower.give(instr, _warp_lane(lower))


def _local_addr(lower: Lowering, instr: Instr) -> None:
    """A pointer to private memory counts from its start; accesses find the thread's own."""
    lower.give(instr, lower.places.private[str(instr.attr("symbol"))])


# --- warps -------------------------------------------------------------------------------------------------------


def _ballot_of(lower: Lowering, predicate: Source) -> Word:
    result = Word()
    lower.append(Ballot(predicate, result, location=lower.location))
    return result


def _members(lower: Lowering, instr: Instr) -> Source:
    """The lanes that meet: active ones that the mask names."""
    if lower.whole_warps:
        return lower.one(instr.operands[0])
    return lower.both(_ballot_of(lower, 1), lower.one(instr.operands[0]))


def _ballot(lower: Lowering, instr: Instr) -> None:
    mask, predicate = (lower.one(value) for value in instr.operands)
    if predicate == 1:
        lower.give(instr, _members(lower, instr))
        return
    lower.give(instr, lower.both(_ballot_of(lower, predicate), mask))


def _vote_any(lower: Lowering, instr: Instr) -> None:
    mask, predicate = (lower.one(value) for value in instr.operands)
    lower.give(instr, lower.compare("CMP.U32.NE", lower.both(_ballot_of(lower, predicate), mask), 0))


def _vote_all(lower: Lowering, instr: Instr) -> None:
    mask, predicate = (lower.one(value) for value in instr.operands)
    votes = lower.both(_ballot_of(lower, predicate), mask)
    lower.give(instr, lower.compare("CMP.U32.EQ", votes, _members(lower, instr)))


def _activemask(lower: Lowering, instr: Instr) -> None:
    lower.give(instr, ALL_ONES if lower.whole_warps else _ballot_of(lower, 1))


_SHUFFLES: Mapping[str, str] = {f"shfl_{name}": f"SHFL.{name.upper()}.U32" for name in ("idx", "up", "down", "xor")}


def _is_plain(lower: Lowering, instr: Instr, mask: Value, by: Value) -> bool:
    """Whether the card's shuffle does what the op does: it takes 16 bits of b and does not ask who is there."""
    name = instr.op.name
    if name == "shfl_idx" and is_met(by):
        return True
    limit = {"shfl_idx": 1 << 32, "shfl_xor": WARP}.get(name, 1 << 16)
    return lower.whole_warps and lower.one(mask) == ALL_ONES and most(by) < limit


def _shuffle(lower: Lowering, instr: Instr) -> None:
    """A shuffle of a whole warp, word by word: the own value where the source lane does not meet."""
    mask, value, by, width = instr.operands
    if lower.sources(width) != (WARP,):
        raise lower.unsupported(instr)
    given = lower.sources(value)
    if _is_plain(lower, instr, mask, by):
        at = Read(lower.one(by), Part.LOW)
        lower.give(instr, *[lower.pe(_SHUFFLES[instr.op.name], word, at) for word in given])
        return
    source, meets = _source(lower, instr, by)
    there = lower.both(lower.shift("SHR.U32", _members(lower, instr), source), 1)
    at, found = Read(source, Part.LOW), lower.both(there, meets)
    lower.give(instr, *[lower.select(found, lower.pe("SHFL.IDX.U32", word, at), word) for word in given])


def _source(lower: Lowering, instr: Instr, by: Value) -> tuple[Source, Source]:
    """(lane that is read, whether it is one of the warp)."""
    distance, mine = lower.one(by), _warp_lane(lower)
    inside: Source = 1
    if instr.op.name == "shfl_idx":
        wanted = distance
    elif instr.op.name == "shfl_up":
        wanted, inside = lower.sub(mine, distance), lower.compare("CMP.U32.LE", distance, mine)
    elif instr.op.name == "shfl_down":
        wanted = lower.add(mine, distance)
        inside = lower.compare("CMP.U32.LT", distance, lower.sub(WARP, mine))
    else:
        wanted = lower.exclusive(mine, distance)
        inside = lower.compare("CMP.U32.LT", wanted, WARP)
    return lower.both(wanted, WARP - 1), inside


def _warp_sync(lower: Lowering, instr: Instr) -> None:
    lower.append(Fence(lower.location))


RULES: Mapping[str, Rule] = {
    "tid": _tid,
    "ctaid": _ctaid,
    "ntid": _ntid,
    "nctaid": _nctaid,
    "laneid": _laneid,
    "local_addr": _local_addr,
    "ballot": _ballot,
    "vote_any": _vote_any,
    "vote_all": _vote_all,
    "activemask": _activemask,
    **dict.fromkeys(("shfl_idx", "shfl_up", "shfl_down", "shfl_xor"), _shuffle),
    "warp_sync": _warp_sync,
}
