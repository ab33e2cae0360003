"""Index arithmetic: integers and pointers of which nothing but addresses is made."""

from __future__ import annotations

from typing import Final

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.ir import BlockParam, Constant, Instr, Value
from openrpp.kir.ops.form import Effect

_FOLDED: Final = frozenset({"ptr_add", "sext", "zext", "mul", "shl", "add", "sub"})
"""What address units and affine steps do beside an access."""
_ARITHMETIC: Final = _FOLDED | frozenset(
    {"and", "or", "xor", "lshr", "ashr", "sdiv", "udiv", "srem", "urem", "select", "smin", "smax", "umin", "umax"}
)
_ACCESSES: Final = frozenset({Effect.LOAD, Effect.STORE, Effect.ATOMIC})


def only_addresses(cfg: Cfg) -> tuple[set[Value], set[Value]]:
    """(results of the arithmetic that can be folded into accesses, all integers used for addresses only)."""
    return _settled(cfg, _FOLDED, through_params=False), _settled(cfg, _ARITHMETIC, through_params=True)


def _settled(cfg: Cfg, ops: frozenset[str], through_params: bool) -> set[Value]:
    """The largest set of values whose uses are addresses or operands of members."""
    members: set[Value] = {
        value
        for value in cfg.definitions
        if (isinstance(value, Instr) and value.op.name in ops)
        or (through_params and isinstance(value, BlockParam) and not value.type.is_float and value.type.bits > 1)
    }
    uses = _uses(cfg)
    work = list(members)
    waiting = set(work)
    while work:
        value = work.pop()
        waiting.discard(value)
        if value not in members or all(user is None or user in members for user in uses.get(value, ())):
            continue
        members.discard(value)
        fresh = [item for item in _made_of(cfg, value) if item in members and item not in waiting]
        waiting.update(fresh)
        work.extend(fresh)
    return members


def _uses(cfg: Cfg) -> dict[Value, list[Value | None]]:
    """For each value its users: an instruction, the parameter it is passed to, None for an access that it addresses.

    A use that can be no member, such as a branch or a stored value, is the value of that use itself.
    """
    found: dict[Value, list[Value | None]] = {}
    for block in cfg.order:
        for instr in block.body:
            for place, value in enumerate(instr.operands):
                address = instr.effect in _ACCESSES and place == (1 if instr.effect is Effect.STORE else 0)
                found.setdefault(value, []).append(None if address else instr)
        end = block.terminator
        if end.value is not None:
            found.setdefault(end.value, []).append(Constant(end.value.type, 0))
        for edge in block.edges:
            for param, value in zip(edge.target.params, edge.args, strict=True):
                found.setdefault(value, []).append(param)
    return found


def _made_of(cfg: Cfg, value: Value) -> list[Value]:
    if isinstance(value, Instr):
        return value.operands
    home = cfg.definitions[value]
    place = home.params.index(value) if isinstance(value, BlockParam) else 0
    return [edge.args[place] for _, edge in cfg.incoming[home]]
