"""Shapes of all values of a kernel, and the scopes of its pieces, computed together: each needs the other."""

from __future__ import annotations

from openrpp.codegen.host.geometry import Geometry
from openrpp.codegen.host.pieces import Piece, cut
from openrpp.codegen.host.ranges import Ranges
from openrpp.codegen.host.shape import UNIFORM, VARYING, Shape, Shapes, join
from openrpp.codegen.host.spaces import Spaces
from openrpp.codegen.structure import Entry, Structure
from openrpp.kir.analysis.cfg import Cfg
from openrpp.kir.analysis.loops import Loop
from openrpp.kir.analysis.uniformity import Shape as Classes
from openrpp.kir.analysis.uniformity import Uniformity
from openrpp.kir.ir import Block, Constant, Edge, Instr, Kernel, Parameter, Value
from openrpp.kir.ops.form import Effect
from openrpp.kir.types import Space

WARP = 32
_REMATERIALISED = 6  # depth of expressions that are computed again
_CHEAP = frozenset(
    ("add", "sub", "mul", "shl", "lshr", "and", "or", "xor", "zext", "sext", "trunc", "ptr_add", "icmp", "space_cast")
)


class Analysis:
    """What emission needs to know about a kernel at a block shape."""

    def __init__(self, kernel: Kernel, geometry: Geometry, narrow: bool) -> None:
        self.kernel = kernel
        self.geometry = geometry
        self.pieces = cut(kernel)
        self.structures = {piece.number: Structure(piece.cfg, piece.loops) for piece in self.pieces}
        self.ranges = Ranges(geometry.block, narrow)
        self.spaces = Spaces(kernel)
        self._shapes: dict[Value, Shape] = {}
        self._users = {piece.number: _users(piece) for piece in self.pieces}
        one_warp = geometry.lanes <= WARP
        self.rules = Shapes(
            geometry.rows,
            geometry.regular,
            one_warp,
            self.ranges,
            lambda value: self.shape(value).stride,
            is_scalar=geometry.lanes == 1,
        )
        self.escapes: set[Value] = set()
        self._run()
        self.whole = self.whole_pieces()

    def shape(self, value: Value) -> Shape:
        """The shape of a value where it is defined."""
        if isinstance(value, Constant | Parameter):
            return UNIFORM
        return self._shapes.get(value, UNIFORM)

    def crossing(self, value: Value) -> Shape:
        """The shape in which a value is kept across a barrier."""
        return VARYING if value in self.escapes else self.shape(value)

    def again(self, value: Value, depth: int = 0) -> bool:
        """Whether a value is computed again behind a barrier rather than kept: cheap functions of thread indices."""
        if isinstance(value, Constant | Parameter):
            return True
        if not isinstance(value, Instr) or value in self.escapes or depth > _REMATERIALISED:
            return False
        if value.effect in (Effect.GEOMETRY, Effect.ADDRESS):
            return True
        return value.op.name in _CHEAP and all(self.again(item, depth + 1) for item in value.operands)

    def whole_pieces(self) -> set[int]:
        """Pieces that every thread of the block enters."""
        structures = self.structures if self.geometry.groups == 1 else self._over_groups()
        found = {piece.number for piece in self.pieces}
        changed = True
        while changed:
            changed = False
            for piece in self.pieces:
                for block, barrier in piece.barriers.items():
                    kept = piece.number in found and _always(structures[piece.number], block)
                    if not kept and barrier.target in found:
                        found.discard(barrier.target)
                        changed = True
        return found

    def _over_groups(self) -> dict[int, Structure]:
        """Scopes as all threads of the block enter them: what is the same in a group may differ between groups."""
        uniformity = Uniformity(Cfg(self.kernel))
        found: dict[int, Structure] = {}
        for piece in self.pieces:
            structure = found[piece.number] = Structure(piece.cfg, piece.loops)
            structure.decide(
                lambda value, block, origin=piece.origin: uniformity.seen(value, origin[block]) is Classes.LANE
            )
        return found

    def users(self, piece: Piece) -> list[tuple[Value, Block, set[Block]]]:
        """Values that a use may see without their definition being in scope, their blocks, and all blocks of uses."""
        return self._users[piece.number]

    def look(self, piece: Piece, block: Block, value: Value) -> Shape:
        """The shape of a value where it is used: what leaves a divergent loop differs from lane to lane."""
        shape = self.shape(value)
        if value not in self.escapes or shape == VARYING:
            return shape
        home = piece.cfg.definitions.get(value)
        if home is None or self.leaves(piece, home, block) or self.is_old(piece, value, home, block):
            return VARYING
        return shape

    def is_old(self, piece: Piece, value: Value, home: Block, user: Block) -> bool:
        """Whether a use may see what came from an earlier piece, though this one computes the value as well."""
        return value in piece.live and not self.structures[piece.number].sees(user, home)

    def leaves(self, piece: Piece, home: Block, user: Block) -> Loop | None:
        """A divergent loop around the definition that is not around the use."""
        for loop in self._divergent_around(piece, home):
            if user not in loop.blocks:
                return loop
        return None

    def _divergent_around(self, piece: Piece, block: Block) -> list[Loop]:
        inner = piece.loops.innermost(block)
        divergent = self.structures[piece.number].divergent
        return [loop for loop in inner.around() if loop in divergent] if inner else []

    def _run(self) -> None:
        changed = True
        while changed:
            changed = False
            for piece in self.pieces:
                structure = self.structures[piece.number]
                structure.decide(lambda value, block, piece=piece: not self.look(piece, block, value).is_uniform)
                changed |= self._escape(piece)
                for block in piece.cfg.order:
                    changed |= self._block(piece, structure, block)

    def _set(self, value: Value, shape: Shape) -> bool:
        if value in self._shapes:
            shape = join(self._shapes[value], shape)
        if self._shapes.get(value) == shape:
            return False
        self._shapes[value] = shape
        return True

    def _block(self, piece: Piece, structure: Structure, block: Block) -> bool:
        changed = False
        for index, param in enumerate(block.params):
            shape = self._param(piece, structure, block, index)
            if shape is not None:
                changed |= self._set(param, shape)

        def look(value: Value) -> Shape:
            return self.look(piece, block, value)

        for instr in block.body:
            apart = instr.effect is Effect.LOAD and self._is_private(instr.operands[0])
            changed |= self._set(instr, VARYING if apart else self.rules.of(instr, look))
        barrier = piece.barriers.get(block)
        if barrier is not None:
            changed |= self._set(barrier.instr, UNIFORM)
        return changed

    def _is_private(self, pointer: Value) -> bool:
        """Whether a pointer may lead to private memory, which is apart for every lane."""
        if self.geometry.lanes == 1:
            return False
        space = self.spaces.of(pointer)
        return space is Space.PRIVATE or (space is Space.GENERIC and bool(self.kernel.locals))

    def _param(self, piece: Piece, structure: Structure, block: Block, index: int) -> Shape | None:
        incoming = piece.cfg.incoming[block]
        back = [item for item in incoming if structure.is_back(item[0], block)]
        entering = [item for item in incoming if not structure.is_back(item[0], block)]
        found: Shape | None = None
        for group in (entering, back):
            shape = self._meeting(piece, structure, group, index)
            if shape is not None:
                found = shape if found is None else join(found, shape)
        return found

    def _meeting(self, piece: Piece, structure: Structure, group: list[tuple[Block, Edge]], index: int) -> Shape | None:
        """The shape of what comes along edges by which lanes arrive together."""
        args = {edge.args[index] for _, edge in group}
        if len(args) > 1 and self.blends(piece, structure, group):
            return VARYING
        if any(
            self.crosses(piece, source, edge) and not isinstance(edge.args[index], Constant | Parameter)
            for source, edge in group
        ):
            return VARYING
        found: Shape | None = None
        for source, edge in group:
            value = edge.args[index]
            if not isinstance(value, Constant | Parameter) and value not in self._shapes:
                continue
            shape = self.look(piece, source, value)
            found = shape if found is None else join(found, shape)
        return found

    def blends(self, piece: Piece, structure: Structure, group: list[tuple[Block, Edge]]) -> bool:
        """Whether lanes may come along different edges of these, or at different times along one."""
        if any(self.crosses(piece, source, edge) for source, edge in group):
            return True
        return len(group) > 1 and any(
            structure.masked(source, edge, lambda value, block: not self.look(piece, block, value).is_uniform)
            for source, edge in group
        )

    def crosses(self, piece: Piece, source: Block, edge: Edge) -> bool:
        """Whether an edge leaves a divergent loop."""
        return self.leaves(piece, source, edge.target) is not None

    def _escape(self, piece: Piece) -> bool:
        """Find values that are used behind a divergent loop in which they are defined."""
        found = False
        for value, home, users in self.users(piece):
            if value in self.escapes:
                continue
            in_part = not _always(self.structures[piece.number], home)
            if any(
                self.leaves(piece, home, user) or (in_part and self.is_old(piece, value, home, user)) for user in users
            ):
                self.escapes.add(value)
                found = True
        return found


def _always(structure: Structure, block: Block) -> bool:
    """Whether all threads come to a block, or none."""
    scopes = structure.scopes(block, structure.entry)
    return all(structure.kind[item] is not Entry.MASK for item in scopes)


def _users(piece: Piece) -> list[tuple[Value, Block, set[Block]]]:
    """Values defined inside loops, or live before they are defined, with the blocks that use them.

    A barrier uses what it passes on.
    """
    live = piece.live_behind
    users: dict[Value, set[Block]] = {}
    for block in piece.cfg.order:
        used: list[Value] = [*block.terminator.operands()]
        for instr in block.body:
            used += instr.operands
        if block in piece.barriers:
            used += [*live[piece.barriers[block].target], *piece.barriers[block].instr.operands]
        for value in used:
            users.setdefault(value, set()).add(block)
    found: list[tuple[Value, Block, set[Block]]] = []
    for value, blocks in users.items():
        home = piece.cfg.definitions.get(value)
        if home is not None and (piece.loops.innermost(home) is not None or value in piece.live):
            found.append((value, home, blocks))
    return found
