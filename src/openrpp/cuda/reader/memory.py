"""Translation of addresses, loads, stores, atomics and fences."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Final

from openrpp.cuda.reader import types
from openrpp.cuda.reader.arithmetic import extended
from openrpp.cuda.reader.context import Context, Tree
from openrpp.cuda.reader.syntax import Instruction, Number, Operand
from openrpp.cuda.reader.types import SPACES, ArrayType, IntType, PointerType, StructType, Type
from openrpp.kir import Constant, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.types import Space, pointer

Translate = Callable[[Context, Instruction], Tree | None]


def alloca(context: Context, instr: Instruction) -> Tree:
    """A variable of the thread; its address is computed once at the kernel's start."""
    count = 1
    if instr.operands:
        number = instr.operands[0].value
        if not isinstance(number, Number):
            context.refuse("alloca", "the size of a local array must be known when the kernel is compiled")
        count = number.bits
    element = instr.element or types.VoidType()
    name = instr.result if instr.result not in context.kernel.locals else f"{instr.result}.{len(context.kernel.locals)}"
    name = "".join(letter if letter.isalnum() or letter in "_.$" else "_" for letter in name)
    context.kernel.local(name, count * types.size(element), instr.align or types.align(element))
    return context.entry_op("local_addr", symbol=name)


def element_address(context: Context, instr: Instruction) -> Tree:
    """getelementptr: steps of computed size first to last, with steps of known size between them added up."""
    if isinstance(instr.type, ArrayType) or any(isinstance(op.type, ArrayType) for op in instr.operands):
        context.refuse("getelementptr", "vectors of pointers have no kernel IR")
    address = context.in_space(context.value(instr.operands[0]), context.spaces.of(instr.result))
    inbounds = instr.has("inbounds")
    known = 0
    kind: Type = instr.element or types.VoidType()
    for place, index in enumerate(instr.operands[1:]):
        if isinstance(kind, StructType) and place:
            number = context.value(index)
            step = number.bits if isinstance(number, Constant) else 0
            known += types.offsets(kind)[0][step]
            kind = kind.fields[step]
            continue
        if place:
            kind = kind.element if isinstance(kind, ArrayType) else kind
        size = types.size(kind)
        number = context.value(index)
        if isinstance(number, Constant):
            known += kir.signed(number.bits, _bits(index)) * size
        elif size:
            address, known = _offset(context, address, known, inbounds), 0
            address = context.emit("ptr_add", address, _scaled(context, instr, index, number, size), inbounds=inbounds)
    return _offset(context, address, known, inbounds)


def _bits(operand: Operand) -> int:
    return operand.type.bits if isinstance(operand.type, IntType) else 64


def _offset(context: Context, address: Value, known: int, inbounds: bool) -> Value:
    return context.emit("ptr_add", address, constant(kir.I64, known), inbounds=inbounds) if known else address


def _scaled(context: Context, instr: Instruction, index: Operand, number: Value, size: int) -> Value:
    wide = context.resized(extended(context, number, index.type), 64, signed=True)
    if size == 1:
        return wide
    signed = instr.has("inbounds") or instr.has("nusw")
    return context.emit("mul", wide, constant(kir.I64, size), nsw=signed, nuw=instr.has("nuw"))


# --- loads and stores ----------------------------------------------------------------------------------------------


def load(context: Context, instr: Instruction) -> Tree:
    """A load, member by member. An atomic one is volatile, with a fence behind it where it acquires."""
    address = context.value(instr.operands[0])
    volatile = instr.has("volatile") or instr.has("atomic")
    pointer_space = context.spaces.of(instr.result) if isinstance(instr.type, PointerType) else context.spaces.loaded
    found = _loaded(context, instr.type, address, instr.align or types.align(instr.type), volatile, pointer_space)
    if instr.has("acquire") or instr.has("seq_cst"):
        context.emit("fence", scope=scope_of(instr))
    return found


def _loaded(context: Context, kind: Type, address: Value, align: int, volatile: bool, space: Space) -> Tree:
    if isinstance(kind, ArrayType | StructType):
        return tuple(
            _loaded(context, member, context.moved(address, place), gcd(align, place) or align, volatile, space)
            for place, member in types.parts(kind)
        )
    if isinstance(kind, PointerType):
        wanted = pointer(SPACES.get(kind.space, space))
        return context.emit("load", address, kind=wanted, volatile=volatile, attrs=aligned(wanted, align))
    wanted = context.kind_of(kind)
    if isinstance(kind, IntType) and types.is_odd(kind):
        return _load_odd(context, kind, address, align, volatile)
    return context.emit("load", address, kind=wanted, volatile=volatile, attrs=aligned(wanted, align))


def aligned(kind: kir.Type, align: int) -> dict[str, int]:
    """The attribute of an access that promises less than the size of its type; more is not said."""
    return {"align": align} if align < kind.bytes else {}


def _load_odd(context: Context, kind: IntType, address: Value, align: int, volatile: bool) -> Value:
    """An integer of three, five, six or seven bytes: byte by byte."""
    wide = context.kind_of(kind)
    total: Value = constant(wide, 0)
    for place in range((kind.bits + 7) // 8):
        byte = context.emit("load", context.moved(address, place), kind=kir.I8, volatile=volatile)
        moved = context.emit("shl", context.resized(byte, wide.bits), constant(wide, 8 * place))
        total = context.emit("or", total, moved)
    return context.emit("and", total, constant(wide, (1 << kind.bits) - 1))


def store(context: Context, instr: Instruction) -> None:
    """A store, member by member; an atomic one has a fence in front of it where it releases."""
    value, address = context.tree(instr.operands[0]), context.value(instr.operands[1])
    if instr.has("release") or instr.has("seq_cst"):
        context.emit("fence", scope=scope_of(instr))
    volatile = instr.has("volatile") or instr.has("atomic")
    kind = instr.operands[0].type
    _stored(context, kind, value, writable(context, address), instr.align or types.align(kind), volatile)


def _stored(context: Context, kind: Type, value: Tree, address: Value, align: int, volatile: bool) -> None:
    if not isinstance(value, Value):
        for (place, member), part in zip(types.parts(kind), value, strict=True):
            _stored(context, member, part, context.moved(address, place), gcd(align, place) or align, volatile)
        return
    if isinstance(kind, PointerType) and kind.space == 0:
        value = context.in_space(value, context.spaces.loaded)
    if isinstance(kind, IntType) and types.is_odd(kind):
        for place in range((kind.bits + 7) // 8):
            byte = context.resized(context.emit("lshr", value, constant(value.type, 8 * place)), 8)
            context.emit("store", byte, context.moved(address, place), volatile=volatile)
        return
    context.emit("store", value, address, volatile=volatile, attrs=aligned(value.type, align))


def writable(context: Context, address: Value) -> Value:
    """An address that a store may take. What is written through it is never a constant, so device memory is meant."""
    return context.in_space(address, Space.GLOBAL) if address.type.space is Space.CONSTANT else address


# --- atomics -------------------------------------------------------------------------------------------------------

_UPDATES: Final = {
    "xchg": "atomic_xchg",
    "add": "atomic_add",
    "sub": "atomic_sub",
    "and": "atomic_and",
    "or": "atomic_or",
    "xor": "atomic_xor",
    "max": "atomic_smax",
    "min": "atomic_smin",
    "umax": "atomic_umax",
    "umin": "atomic_umin",
    "uinc_wrap": "atomic_inc",
    "udec_wrap": "atomic_dec",
    "fadd": "atomic_fadd",
    "fsub": "atomic_fadd",
    "fmax": "atomic_fmax",
    "fmin": "atomic_fmin",
}


def scope_of(instr: Instruction) -> str:
    """The scope of an atomic operation or fence: of LLVM's names, without one it is the system."""
    name = next((word[6:] for word in instr.words if word.startswith("scope=")), "")
    return {"block": "block", "workgroup": "block", "device": "device", "agent": "device", "warp": "block"}.get(
        name, "system"
    )


def atomic_address(context: Context, operand: Operand) -> Value:
    """An address for an atomic op: one in private memory goes through the generic space."""
    address = writable(context, context.value(operand))
    return context.in_space(address, Space.GENERIC) if address.type.space is Space.PRIVATE else address


def update(context: Context, instr: Instruction) -> Tree:
    """atomicrmw."""
    operation = instr.words[0]
    op = _UPDATES.get(operation)
    if op is None:
        context.refuse(f"atomicrmw {operation}", "there is no such atomic operation on the card")
    if isinstance(instr.type, IntType) and instr.type.bits not in (32, 64):
        context.refuse(f"atomic {operation} of {instr.type.bits} bits", "atomic integers have 32 or 64 bits")
    address, value = atomic_address(context, instr.operands[0]), context.value(instr.operands[1])
    if operation == "fsub":
        value = context.emit("fneg", value)
    if isinstance(instr.type, PointerType):
        bits = context.emit("ptrtoint", context.in_space(value, context.spaces.loaded), kind=kir.I64)
        old = context.emit(op, address, bits, scope=scope_of(instr))
        return context.emit("inttoptr", old, kind=pointer(context.spaces.of(instr.result)))
    if operation == "xchg" and value.type.bits == 16:
        context.refuse("atomic exchange of 16 bits", "atomic exchanges have 32 or 64 bits")
    return context.emit(op, address, value, scope=scope_of(instr))


def compare_and_swap(context: Context, instr: Instruction) -> Tree:
    """cmpxchg: (old value, whether it was the expected one)."""
    address = atomic_address(context, instr.operands[0])
    expected, new = (context.value(operand) for operand in instr.operands[1:])
    kind = instr.operands[1].type
    if isinstance(kind, PointerType):
        context.refuse("atomicCAS of pointers", "cast them to unsigned long long")
    old = context.emit("atomic_cas", address, expected, new, scope=scope_of(instr))
    return old, context.emit("icmp", old, expected, pred="eq")


def fence(context: Context, instr: Instruction) -> None:
    """fence; one for a single thread is no fence."""
    if "scope=singlethread" not in instr.words:
        context.emit("fence", scope=scope_of(instr))


# --- pointers and integers -------------------------------------------------------------------------------------------


def pointer_to_integer(context: Context, instr: Instruction) -> Tree:
    """ptrtoint of a generic address: the number that a cast back understands."""
    value = context.value(instr.operands[0])
    explicit = isinstance(instr.operands[0].type, PointerType) and instr.operands[0].type.space in SPACES
    if not explicit and value.type.space in (Space.SHARED, Space.PRIVATE):
        value = context.in_space(value, Space.GENERIC)
    return context.emit("ptrtoint", value, kind=context.kind_of(instr.type))


def integer_to_pointer(context: Context, instr: Instruction) -> Tree:
    """inttoptr."""
    number = context.resized(context.value(instr.operands[0]), 64)
    return context.emit("inttoptr", number, kind=pointer(context.spaces.of(instr.result)))


def space_cast(context: Context, instr: Instruction) -> Tree:
    """addrspacecast: into a named space, or to a generic pointer whose origin stays known."""
    return context.in_space(context.value(instr.operands[0]), context.spaces.of(instr.result))


BY_OPCODE: Final[dict[str, Translate]] = {
    "alloca": alloca,
    "getelementptr": element_address,
    "load": load,
    "store": store,
    "atomicrmw": update,
    "cmpxchg": compare_and_swap,
    "fence": fence,
    "ptrtoint": pointer_to_integer,
    "ptrtoaddr": pointer_to_integer,
    "inttoptr": integer_to_pointer,
    "addrspacecast": space_cast,
}
"""Opcodes about memory."""
