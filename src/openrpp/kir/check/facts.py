"""What the text of a kernel says about its accesses, once, before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from openrpp.kir.ir import BlockParam, Constant, Instr, Kernel, Parameter, Value

Roots = frozenset[Value]
"""`global_addr` and `local_addr` instructions and parameters that a pointer may be made from."""
_CARRIED = frozenset({"bitcast", "select", "trunc", "zext", "sext", "ptrtoint", "inttoptr"})


class Facts:
    """Facts about the values of one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._arguments = _arguments(kernel)
        self._roots = self._all_roots(kernel)
        self._on_demand = _on_demand(kernel)
        self._copied = _copied(kernel)
        self._verified = self._compared(kernel)

    def roots(self, pointer: Value) -> Roots | None:
        """What a pointer is made from by steps within one object; None where that is not known."""
        return self._root(pointer)

    def is_on_demand(self, load: Instr) -> bool:
        """Whether only selects near by may take the value: the compiler may load it where the source does not."""
        return load in self._on_demand

    def is_copied(self, load: Value) -> bool:
        """Whether the value is only stored elsewhere, as it is done with structs, padding included."""
        return load in self._copied

    def is_verified(self, load: Instr) -> bool:
        """Whether a compare and swap expects the value that was loaded, and so finds out if it has changed."""
        return load in self._verified

    # --- pointers --------------------------------------------------------------------------------------------

    def _all_roots(self, kernel: Kernel) -> dict[Value, Roots | None]:
        """The least solution: all start with nothing and grow."""
        pointers: list[Value] = [
            value for block in kernel.blocks for value in (*block.params, *block.body) if value.type.is_pointer
        ]
        self._roots: dict[Value, Roots | None] = dict.fromkeys(pointers, Roots())
        changed = True
        while changed:
            changed = False
            for value in pointers:
                found = self._derived(value)
                if found != self._roots[value]:
                    self._roots[value] = found
                    changed = True
        return self._roots

    def _root(self, value: Value) -> Roots | None:
        if isinstance(value, Constant):
            return Roots()  # null: adds nothing where it joins others
        if isinstance(value, Parameter):
            return Roots({value}) if not value.is_by_value else None
        return self._roots.get(value)

    def _derived(self, value: Value) -> Roots | None:
        if isinstance(value, BlockParam):
            return self._joined(self._arguments[value])
        if not isinstance(value, Instr):
            return None
        match value.op.name:
            case "global_addr" | "local_addr":
                return Roots({value})
            case "ptr_add" | "space_cast":
                return self._root(value.operands[0])
            case "select":
                return self._joined(value.operands[1:])
            case _:
                return None

    def _joined(self, values: list[Value]) -> Roots | None:
        joined = Roots()
        for value in values:
            found = self._root(value)
            if found is None:
                return None
            joined |= found
        return joined

    # --- compare and swap ------------------------------------------------------------------------------------

    def _compared(self, kernel: Kernel) -> set[Value]:
        """Loads whose value gets to the operand that a compare and swap expects."""
        work = [item.operands[1] for item in kernel.instructions() if item.op.name == "atomic_cas"]
        seen: set[Value] = set()
        while work:
            value = work.pop()
            if value in seen:
                continue
            seen.add(value)
            if isinstance(value, BlockParam):
                work += self._arguments[value]
            elif isinstance(value, Instr) and value.op.name in _CARRIED:
                work += value.operands
        return {value for value in seen if isinstance(value, Instr) and value.op.name == "load"}


def _arguments(kernel: Kernel) -> Mapping[BlockParam, list[Value]]:
    found: dict[BlockParam, list[Value]] = {param: [] for block in kernel.blocks for param in block.params}
    for block in kernel.blocks:
        for edge in block.edges:
            for param, value in zip(edge.target.params, edge.args, strict=True):
                found[param].append(value)
    return found


def _on_demand(kernel: Kernel) -> set[Value]:
    """Loads that only selects take, as one of two values, before threads meet or leave the block."""
    found: set[Value] = set()
    needed: set[Value] = set(_left(kernel))
    for block in kernel.blocks:
        near: set[Value] = set()
        for instr in block.body:
            if instr.is_convergent:
                near.clear()
            is_select = instr.op.name == "select"
            needed.update(instr.operands[:1] if is_select else instr.operands)
            arms = set(instr.operands[1:]) if is_select else set[Value]()
            found |= arms & near
            needed |= arms - near
            if instr.op.name == "load":
                near.add(instr)
    return found - needed


def _copied(kernel: Kernel) -> set[Value]:
    stored: set[Value] = set()
    needed: set[Value] = set(_left(kernel))
    for instr in kernel.instructions():
        if instr.op.name == "store":
            stored.add(instr.operands[0])
            needed.add(instr.operands[1])
        else:
            needed.update(instr.operands)
    return {value for value in stored - needed if isinstance(value, Instr) and value.op.name == "load"}


def _left(kernel: Kernel) -> Iterator[Value]:
    for block in kernel.blocks:
        yield from block.terminator.operands()
