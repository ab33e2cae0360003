"""Which memory a pointer of LLVM's generic address space points to.

In CUDA C++ nearly every pointer is generic. Where it comes from says more: a kernel's pointer parameter points to
device memory, a local variable is private, the address of a shared variable is shared. This spreads along address
arithmetic, phis and selects; pointers of two origins stay generic.

A pointer loaded from memory points to device memory unless the kernel itself puts the address of a shared or private
variable into memory (the host cannot).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from openrpp.cuda.reader.syntax import (
    Block,
    Expression,
    Function,
    GlobalRef,
    Instruction,
    LocalRef,
    Null,
    Operand,
    Undefined,
    Variable,
    Zero,
)
from openrpp.cuda.reader.types import SPACES, PointerType
from openrpp.kir.types import Space

DEVICE: Final = frozenset({Space.GLOBAL, Space.CONSTANT})
_FOLLOWS: Final = frozenset({"getelementptr", "freeze", "bitcast", "addrspacecast"})
_HARMLESS: Final = frozenset({"icmp", "sub", "and", "trunc", "urem", "lshr"})
"""What may be done with the integer value of an address that is not in device memory without losing track of it."""


class Origin:
    """A point of the lattice: no pointer yet, null, one space, or generic."""

    def __init__(self, space: Space | None, name: str) -> None:
        self.space, self.name = space, name

    def __repr__(self) -> str:
        return self.name


NOTHING: Final = Origin(None, "nothing")
NULL: Final = Origin(Space.GLOBAL, "null")
_OF: Final = {space: Origin(space, space.value) for space in Space}


def origin(space: Space) -> Origin:
    """The point of a space."""
    return _OF[space]


def meet(a: Origin, b: Origin) -> Origin:
    """What holds for a pointer that is one or the other. Null is an address of device memory only."""
    if a is b or b is NOTHING:
        return a
    if a is NOTHING:
        return b
    spaces = {a.space, b.space}
    if spaces <= DEVICE:
        return _OF[Space.CONSTANT] if NULL in (a, b) and Space.CONSTANT in spaces else _OF[Space.GLOBAL]
    return _OF[Space.GENERIC]


def variable_space(variable: Variable) -> Space:
    """Where a variable of the module lies; constants without an address space are literals."""
    return SPACES.get(variable.space, Space.CONSTANT if variable.constant else Space.GLOBAL)


class PointerSpaces:
    """The space of every pointer of a function; `copied` are by-value parameters that need a private copy."""

    def __init__(self, function: Function, blocks: list[Block], variables: Mapping[str, Variable]) -> None:
        self._variables = variables
        self._body = [instr for block in blocks for instr in block.body]
        self._function = function
        self.copied: set[str] = set()
        self._leaks = False
        self._found: dict[str, Origin] = {}
        while True:
            self._solve()
            copied = self._must_copy()
            leaks = self._leaks or self._leak()
            if copied == self.copied and leaks == self._leaks:
                break
            self.copied, self._leaks = copied, leaks

    def of(self, name: str) -> Space:
        """The space of a value."""
        return self._found.get(name, NULL).space or Space.GLOBAL

    @property
    def loaded(self) -> Space:
        """Where pointers that lie in memory point to."""
        return Space.GENERIC if self._leaks else Space.GLOBAL

    def of_operand(self, operand: Operand) -> Space:
        """The space of an operand; null and undefined pointers count as device memory."""
        return self._operand(operand).space or Space.GLOBAL

    def _solve(self) -> None:
        self._found = {argument.name: self._argument(argument.name) for argument in self._function.arguments}
        changed = True
        while changed:
            changed = False
            for instr in self._body:
                if instr.result and isinstance(instr.type, PointerType):
                    before = self._found.get(instr.result, NOTHING)
                    after = meet(before, self._result(instr))
                    if after is not before:
                        self._found[instr.result] = after
                        changed = True

    def _argument(self, name: str) -> Origin:
        argument = next(item for item in self._function.arguments if item.name == name)
        if argument.by_value is not None:
            return _OF[Space.PRIVATE if name in self.copied else Space.PARAM]
        return _OF[Space.GLOBAL]

    def _result(self, instr: Instruction) -> Origin:
        if isinstance(instr.type, PointerType) and instr.type.space in SPACES:
            return _OF[SPACES[instr.type.space]]
        if instr.op == "alloca":
            return _OF[Space.PRIVATE]
        if instr.op in _FOLLOWS:
            return self._operand(instr.operands[0])
        if instr.op in ("phi", "select"):
            return self._all(instr.operands[1:] if instr.op == "select" else instr.operands)
        if instr.op == "call" and len(instr.operands) > 1 and isinstance(instr.operands[1].type, PointerType):
            return self._operand(instr.operands[1])
        return _OF[Space.GENERIC if self._leaks else Space.GLOBAL]

    def _all(self, operands: Iterable[Operand]) -> Origin:
        found = NOTHING
        for operand in operands:
            found = meet(found, self._operand(operand))
        return found

    def _operand(self, operand: Operand) -> Origin:
        if isinstance(operand.type, PointerType) and operand.type.space in SPACES:
            return _OF[SPACES[operand.type.space]]
        match operand.value:
            case LocalRef(name):
                return self._found.get(name, NOTHING)
            case GlobalRef(name):
                variable = self._variables.get(name)
                return _OF[variable_space(variable)] if variable else NULL
            case Null() | Zero():
                return NULL
            case Undefined():
                return NOTHING
            case Expression(op="inttoptr"):
                return _OF[Space.GENERIC]
            case Expression(operands=operands):
                return self._operand(operands[0])
            case _:
                return NULL

    # --- by-value parameters -----------------------------------------------------------------------------------

    def _must_copy(self) -> set[str]:
        """Those that are written, or whose address goes anywhere but into loads."""
        found = set(self.copied)
        for argument in self._function.arguments:
            if argument.by_value is not None and argument.name not in found and self._escapes(argument.name):
                found.add(argument.name)
        return found

    def _escapes(self, name: str) -> bool:
        derived = {name}
        changed = True
        while changed:
            changed = False
            for instr in self._body:
                places = [place for place, operand in enumerate(instr.operands) if _refers(operand, derived)]
                if not places or instr.result in derived:
                    continue
                if instr.op in _FOLLOWS or (instr.op in ("phi", "select") and self._of_params(instr)):
                    derived.add(instr.result)
                    changed = True
                elif not _only_reads(instr, places):
                    return True
        return False

    def _of_params(self, instr: Instruction) -> bool:
        return self._found.get(instr.result, NOTHING).space is Space.PARAM

    # --- addresses that go into memory -------------------------------------------------------------------------

    def _leak(self) -> bool:
        """Whether an address outside device memory is stored, or becomes an integer that is used freely."""
        for instr in self._body:
            if instr.op == "store" and self._is_local(instr.operands[0]):
                return True
            if (
                instr.op in ("ptrtoint", "ptrtoaddr")
                and self._is_local(instr.operands[0])
                and self._is_free(instr.result)
            ):
                return True
            if instr.op in ("cmpxchg", "atomicrmw", "insertvalue", "insertelement") and any(
                map(self._is_local, instr.operands[1:])
            ):
                return True
        return False

    def _is_local(self, operand: Operand) -> bool:
        if not isinstance(operand.type, PointerType):
            return False
        found = self._operand(operand)
        return found not in (NOTHING, NULL) and found.space not in DEVICE

    def _is_free(self, name: str) -> bool:
        return any(
            instr.op not in _HARMLESS
            for instr in self._body
            if any(_refers(operand, {name}) for operand in instr.operands)
        )


def _refers(operand: Operand, names: set[str]) -> bool:
    return isinstance(operand.value, LocalRef) and operand.value.name in names


def _only_reads(instr: Instruction, places: list[int]) -> bool:
    """Whether an instruction uses an operand at these places as an address that it reads from, and no more."""
    if instr.op == "load":
        return True
    if instr.op == "call":
        callee = instr.operands[0].value
        name = callee.name if isinstance(callee, GlobalRef) else ""
        if name.startswith(("llvm.lifetime", "llvm.assume", "llvm.dbg")):
            return True
        return name.startswith(("llvm.memcpy", "llvm.memmove")) and places == [2]
    return False
