"""Which memory a generic pointer points to, where the kernel shows it."""

from __future__ import annotations

from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.ir import Constant, Instr, Kernel, Parameter, Value
from openrpp.kir.ops import lookup
from openrpp.kir.passes.expand.emit import IsLegal
from openrpp.kir.passes.expand.table import device_place
from openrpp.kir.types import PTR, Space, pointer

Spaces = frozenset[Space]
_DEVICE = frozenset({Space.GLOBAL})
_ANY = frozenset({Space.GENERIC})
_FROM_HOST = (Space.PARAM, Space.CONSTANT)


class PointerSpaces:
    """For each generic pointer the spaces that it may point to; GENERIC stands for any.

    A kernel's parameters, structs among them, and constant memory come from the host, which has device memory only.
    Casts say where a pointer comes from; additions, selections and parameters of blocks hand it on. What is loaded from
    elsewhere or made of an integer may be anything.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._cfg = Cfg(kernel)
        self._known: dict[Value, Spaces] = {}
        changed = True
        while changed:  # from below: a value not looked at yet points nowhere
            changed = self._pass()

    def of(self, value: Value) -> Spaces:
        """Spaces of a pointer."""
        if isinstance(value, Parameter):
            return _DEVICE
        return _ANY if isinstance(value, Constant) else self._known.get(value, frozenset())

    def _pass(self) -> bool:
        changed = False
        for block in self._cfg.order:
            for place, param in enumerate(block.params):
                if param.type is PTR:
                    args = [edge.args[place] for _, edge in self._cfg.incoming[block]]
                    changed |= self._set(param, frozenset[Space]().union(*map(self.of, args)))
            for instr in block.body:
                if instr.type is PTR:
                    changed |= self._set(instr, self._made(instr))
        return changed

    def _set(self, value: Value, found: Spaces) -> bool:
        changed = self._known.get(value) != found
        self._known[value] = found
        return changed

    def _made(self, instr: Instr) -> Spaces:
        first = instr.operands[0] if instr.operands else instr
        match instr.op.name:
            case "space_cast":
                return self.of(first) if first.type is PTR else _reached(first)
            case "ptr_add":
                return self.of(first)
            case "select":
                return self.of(instr.operands[1]) | self.of(instr.operands[2])
            case "load":
                return _DEVICE if first.type.space in _FROM_HOST else _ANY
            case _:
                return _ANY


def _reached(value: Value) -> Spaces:
    """A pointer of a space; constant memory is reached as global memory is."""
    space = value.type.space or Space.GENERIC
    return _DEVICE if space is Space.CONSTANT else frozenset({space})


def narrow_spaces(kernel: Kernel, is_legal: IsLegal) -> bool:
    """Access generic pointers through the space that they are known to point to, where the target asks for it."""
    wanted = {
        instr
        for instr in kernel.instructions()
        if (place := device_place(instr)) is not None and instr.operands[place].type is PTR and not is_legal(instr)
    }
    if not wanted:
        return False
    spaces = PointerSpaces(kernel)
    found: dict[Value, Value] = {}
    for block in kernel.blocks:
        block.body = [made for instr in block.body for made in _narrowed(instr, spaces, found, instr in wanted)]
    kernel.substitute(found)
    return bool(found)


def _narrowed(instr: Instr, spaces: PointerSpaces, found: dict[Value, Value], wanted: bool) -> list[Instr]:
    place = device_place(instr) if wanted else None
    known = spaces.of(instr.operands[place]) if place is not None else _ANY
    if place is None or len(known) != 1 or known == _ANY:
        return [instr]
    (space,) = known
    if instr.op.name.startswith("atomic") and space is Space.PRIVATE:
        return [instr]
    cast = Instr(lookup("space_cast"), [instr.operands[place]], pointer(space), {}, instr.location)
    operands = [*instr.operands[:place], cast, *instr.operands[place + 1 :]]
    kind = instr.type if instr.op.needs_type() else None
    made = Instr(instr.op, operands, kind, instr.attrs, instr.location, instr.name)
    found[instr] = made
    return [cast, made]
