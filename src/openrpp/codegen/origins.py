"""Which buffers a pointer may come from."""

from __future__ import annotations

from collections.abc import Collection

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.ir import BlockParam, Instr, Parameter, Value
from openrpp.kir.types import Space

NEAR_SPACES = (Space.SHARED, Space.PRIVATE, Space.PARAM)
_PASSING = {"ptr_add": (0,), "select": (1, 2), "space_cast": (0,)}


class Origins:
    """Roots of the pointers of a kernel: parameters, addresses of variables, and pointers of which nothing is known."""

    def __init__(self, cfg: Cfg, near: Collection[str] = (), *, everything: bool = False) -> None:
        """`near` are the names of parameters and variables in SRAM; or everything lies there."""
        self._near = frozenset(near)
        self._everything = everything
        self._of: dict[Value, dict[Value, None]] = {}
        pointers = [value for value in cfg.definitions if value.type.is_pointer]
        changed = True
        while changed:
            changed = False
            for value in pointers:
                known = self._of.setdefault(value, {})
                before = len(known)
                for source in _sources(cfg, value):
                    known.update(self._of.get(source, {}) if source in cfg.definitions else {source: None})
                if not before and not _sources(cfg, value):
                    known[value] = None
                changed |= len(known) != before

    def of(self, value: Value) -> tuple[Value, ...]:
        """All roots; the value itself where it is one."""
        return tuple(self._of.get(value, {value: None}))

    def root(self, value: Value) -> Value | None:
        """The only root; None where there are several."""
        found = self.of(value)
        return found[0] if len(found) == 1 else None

    def is_near(self, value: Value) -> bool:
        """Whether all that a pointer may lead to lies in SRAM."""
        if self._everything or value.type.space in NEAR_SPACES:
            return True
        return all(name_of(root) in self._near for root in self.of(value))

    def is_mixed(self, value: Value) -> bool:
        """Whether a pointer may lead to SRAM or to DDR, which no access reaches both of."""
        if self._everything or value.type.space in NEAR_SPACES:
            return False
        return len({name_of(root) in self._near for root in self.of(value)}) > 1


def name_of(root: Value) -> str:
    """The name of the parameter or variable that a root is; empty for other pointers."""
    if isinstance(root, Parameter):
        return root.name
    return str(root.attr("symbol")) if isinstance(root, Instr) and root.op.name == "global_addr" else ""


def _sources(cfg: Cfg, value: Value) -> list[Value]:
    """Pointers that a pointer is made of by moving, choosing and passing on."""
    if isinstance(value, Instr):
        return [value.operands[place] for place in _PASSING.get(value.op.name, ()) if _is_pointer(value, place)]
    if not isinstance(value, BlockParam):
        return []
    home = cfg.definitions[value]
    place = home.params.index(value)
    return [edge.args[place] for _, edge in cfg.incoming[home]]


def _is_pointer(instr: Instr, place: int) -> bool:
    return instr.operands[place].type.is_pointer
