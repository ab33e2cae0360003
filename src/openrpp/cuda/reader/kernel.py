"""Translation of one kernel: blocks, phis, branches; instructions by the tables of the other modules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from openrpp.cuda.reader import arithmetic, memory, types, vectors
from openrpp.cuda.reader.calls import call
from openrpp.cuda.reader.context import Context, Tree, leaves, mapped, unsupported
from openrpp.cuda.reader.copies import copy
from openrpp.cuda.reader.debug import DebugInfo
from openrpp.cuda.reader.instructions import UnknownInstruction
from openrpp.cuda.reader.lexer import BadText
from openrpp.cuda.reader.parser import blocks_of, in_order
from openrpp.cuda.reader.spaces import PointerSpaces
from openrpp.cuda.reader.syntax import Argument, Block, Function, Instruction, LlvmModule, Number, Operand
from openrpp.cuda.reader.types import ArrayType, PointerType, StructType, Type
from openrpp.kir import Block as KirBlock
from openrpp.kir import Builder, Edge, Exit, Instr, Kernel, Parameter, TypeMismatch, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.types import Space, pointer

_BOUNDS = re.compile(r'"nvvm\.maxntid"="([\d,]+)"')


@dataclass
class _Jump:
    """An edge whose arguments are filled in when all values are known."""

    source: str
    target: str
    edge: Edge
    block: KirBlock


def read_kernel(module: LlvmModule, function: Function, debug: DebugInfo, symbols: Mapping[str, str]) -> Kernel:
    """The kernel IR of a kernel. Raises UnsupportedError, which names what has none and where it stands."""
    name, place = debug.subprogram(function.location)
    try:
        blocks = in_order(blocks_of(function, module.types))
    except UnknownInstruction as error:
        where = debug.location(error.location)
        raise unsupported(error.op, "the instruction has no kernel IR", where or place, function.name) from None
    except BadText as error:
        raise unsupported(name or function.name, str(error), place, function.name) from None
    return _Reader(module, function, blocks, debug, symbols).read()


class _Reader:
    def __init__(
        self, module: LlvmModule, function: Function, blocks: list[Block], debug: DebugInfo, symbols: Mapping[str, str]
    ) -> None:
        self.module = module
        self.function = function
        self.blocks = blocks
        spaces = PointerSpaces(function, blocks, module.variables)
        self.kernel = Kernel(function.name, [_parameter(argument) for argument in function.arguments])
        self.kernel.location = debug.subprogram(function.location)[1]
        self.kernel.max_threads = _bound(module.groups.get(function.group, ""))
        self.start = self.kernel.block("start")
        self.context = Context(self.kernel, Builder(self.kernel, self.start), spaces, debug, module.variables, symbols)
        self.targets = {block.name: self.kernel.block(f"b{number}") for number, block in enumerate(blocks)}
        self.phis: dict[str, list[Instruction]] = {}
        self.jumps: list[_Jump] = []
        self.defined = frozenset(module.functions)

    def read(self) -> Kernel:
        """Translate everything."""
        self._arguments()
        self.context.builder.br(self.targets[self.blocks[0].name])
        for block in self.blocks:
            self._declare_phis(block)
        for block in self.blocks:
            self._block(block)
        for jump in self.jumps:
            self._fill(jump)
        self.start.body[:0] = self.context.preamble
        return self.kernel

    def _arguments(self) -> None:
        for argument, parameter in zip(self.function.arguments, self.kernel.params, strict=True):
            value: Value = parameter
            if argument.name in self.context.spaces.copied:
                value = self._private_copy(argument, parameter)
            elif types.is_odd(argument.type):
                value = arithmetic.masked(self.context, parameter, argument.type)
            self.context.values[argument.name] = value

    def _private_copy(self, argument: Argument, parameter: Parameter) -> Value:
        """A by-value parameter that the kernel changes lives in private memory."""
        name = f"{parameter.name}.copy"
        self.kernel.local(name, parameter.size, parameter.align)
        target = self.context.entry_op("local_addr", symbol=name)
        size = constant(kir.I64, parameter.size)
        copy(self.context, target, parameter, size, parameter.align, False, False)
        return target

    # --- blocks --------------------------------------------------------------------------------------------------

    def _declare_phis(self, block: Block) -> None:
        """Block parameters in place of phis, one for each scalar in them."""
        found: list[Instruction] = []
        target = self.targets[block.name]
        for instr in block.body:
            if instr.op != "phi":
                break
            found.append(instr)
            self.context.instruction = instr
            self.context.values[instr.result] = self._parameters(target, instr.type, instr.result)
        self.phis[block.name] = found

    def _parameters(self, target: KirBlock, kind: Type, name: str, member: bool = False) -> Tree:
        if isinstance(kind, ArrayType | StructType):
            return tuple(self._parameters(target, part, name, True) for _, part in types.parts(kind))
        if isinstance(kind, PointerType):
            space = self.context.spaces.loaded if member else self.context.spaces.of(name)
            return target.param(pointer(space), _hint(name))
        return target.param(self.context.kind_of(kind), _hint(name))

    def _block(self, block: Block) -> None:
        context = self.context
        context.builder.at(self.targets[block.name])
        for instr in block.body[len(self.phis[block.name]) :]:
            context.instruction = instr
            context.builder.location = context.debug.location(instr.location)
            try:
                if instr.op in ("br", "switch", "ret", "unreachable"):
                    self._terminator(block, instr)
                else:
                    self._instruction(instr)
            except TypeMismatch as error:
                context.refuse(instr.op, error.sentence)

    def _instruction(self, instr: Instruction) -> None:
        context = self.context
        scalar = arithmetic.BY_OPCODE.get(instr.op)
        shaped = vectors.BY_OPCODE.get(instr.op) or memory.BY_OPCODE.get(instr.op)
        result: Tree | None
        if instr.op == "select" and self._selects_whole(instr):
            result = self._select_whole(instr)
        elif scalar is not None:
            result = arithmetic.translate(context, instr, scalar)
        elif shaped is not None:
            result = shaped(context, instr)
        elif instr.op == "call":
            result = call(context, instr, self.defined)
        elif instr.op == "freeze":
            result = context.tree(instr.operands[0])
        else:
            context.refuse(instr.op, "the instruction has no kernel IR")
        if instr.result and result is not None:
            if isinstance(result, Instr) and not result.name:
                result.name = _hint(instr.result)
            context.values[instr.result] = result

    def _selects_whole(self, instr: Instruction) -> bool:
        """Whether one condition selects between aggregates."""
        return isinstance(instr.type, StructType) or (isinstance(instr.type, ArrayType) and not instr.type.vector)

    def _select_whole(self, instr: Instruction) -> Tree:
        context = self.context
        condition = context.value(instr.operands[0])
        first, second = (context.tree(operand) for operand in instr.operands[1:])
        others = iter(list(leaves(second)))
        return mapped(first, lambda value: context.emit("select", condition, value, next(others)))

    # --- control flow ----------------------------------------------------------------------------------------------

    def _terminator(self, block: Block, instr: Instruction) -> None:
        builder = self.context.builder
        match instr.op:
            case "ret":
                builder.ret()
            case "unreachable":
                builder.unreachable()
            case "switch":
                self._switch(block, instr)
            case _ if len(instr.targets) == 1:
                builder.br(self.targets[instr.targets[0]])
            case _:
                then, other = (self.targets[name] for name in instr.targets)
                builder.cbr(self.context.value(instr.operands[0]), then, other)
        for name, edge in zip(instr.targets, builder.current.terminator.edges, strict=True):
            self.jumps.append(_Jump(block.name, name, edge, builder.current))

    def _switch(self, block: Block, instr: Instruction) -> None:
        builder = self.context.builder
        value = self.context.value(instr.operands[0])
        cases = [operand.value.bits for operand in instr.operands[1:] if isinstance(operand.value, Number)]
        default, *others = (Edge(self.targets[name]) for name in instr.targets)
        builder.switch(value, default, list(zip(cases, others, strict=True)))
        if builder.current.terminator.kind is not Exit.SWITCH:
            self.context.refuse("switch", f"block {block.name} has no switch")

    def _fill(self, jump: _Jump) -> None:
        """Arguments of an edge: what the phis of its target have for its source. What is computed for them goes to the
        end of the source."""
        context = self.context
        context.builder.at(jump.block)
        context.builder.location = jump.block.terminator.location
        for phi in self.phis[jump.target]:
            context.instruction = phi
            operand = self._incoming(phi, jump.source)
            wanted = list(leaves(context.values[phi.result]))
            for value, parameter in zip(leaves(context.tree(operand)), wanted, strict=True):
                space = parameter.type.space
                jump.edge.args.append(context.in_space(value, space) if space is not None else value)

    def _incoming(self, phi: Instruction, source: str) -> Operand:
        for operand, name in zip(phi.operands, phi.targets, strict=True):
            if name == source:
                return operand
        self.context.refuse("phi", f"block {source} is none of its sources")


def _hint(name: str) -> str:
    """A name for printing: unnamed values stay so."""
    return "" if name.isdigit() else re.sub(r"[^A-Za-z0-9_.$]", "_", name)


def _parameter(argument: Argument) -> Parameter:
    name = f"arg{argument.name}" if argument.name.isdigit() else re.sub(r"[^A-Za-z0-9_.$]", "_", argument.name)
    if argument.by_value is not None:
        align = argument.align or types.align(argument.by_value)
        return Parameter.by_value(name, types.size(argument.by_value), align)
    if isinstance(argument.type, PointerType):
        return Parameter(pointer(Space.GLOBAL), name)
    kind = types.scalar(argument.type)
    if kind is None:
        raise unsupported(name, f"a parameter of type {argument.type} has no kernel IR", None, "")
    return Parameter(kind, name)


def _bound(group: str) -> int:
    """Threads per block that a launch bound allows; 0 without one."""
    found = _BOUNDS.search(group)
    product = 1
    for part in found[1].split(",") if found else ():
        product *= int(part)
    return product if found else 0
