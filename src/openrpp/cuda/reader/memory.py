"""Translation of addresses, loads, stores, atomics, fences, and of copies and fills of memory."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import Final

from openrpp.cuda.reader import types
from openrpp.cuda.reader.arithmetic import extended
from openrpp.cuda.reader.context import Context, Tree
from openrpp.cuda.reader.syntax import Instruction, Number, Operand
from openrpp.cuda.reader.types import SPACES, ArrayType, IntType, PointerType, StructType, Type
from openrpp.cuda.reader.vectors import as_type
from openrpp.kir import Constant, Value, constant
from openrpp.kir import types as kir
from openrpp.kir.types import Space, pointer

Translate = Callable[[Context, Instruction], Tree | None]

UNROLLED: Final = 128
"""Bytes up to which a copy or fill of known size becomes single accesses; beyond, a loop."""


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
        return context.emit("load", address, kind=wanted, volatile=volatile, attrs=_aligned(wanted, align))
    wanted = context.kind_of(kind)
    if isinstance(kind, IntType) and types.is_odd(kind):
        return _load_odd(context, kind, address, align, volatile)
    return context.emit("load", address, kind=wanted, volatile=volatile, attrs=_aligned(wanted, align))


def _aligned(kind: kir.Type, align: int) -> dict[str, int]:
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
    context.emit("store", value, address, volatile=volatile, attrs=_aligned(value.type, align))


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


# --- copies and fills ------------------------------------------------------------------------------------------------


def copy(
    context: Context, target: Value, source: Value, size: Value, align: int, overlaps: bool, volatile: bool
) -> None:
    """memcpy and memmove. A copy of few bytes loads all of them before it stores any."""
    target = writable(context, target)
    if isinstance(size, Constant) and size.bits <= UNROLLED:
        steps = _steps(size.bits, align)
        loaded = [
            context.emit(
                "load", context.moved(source, place), kind=kind, volatile=volatile, attrs=_aligned(kind, align)
            )
            for place, kind in steps
        ]
        for (place, kind), value in zip(steps, loaded, strict=True):
            context.emit("store", value, context.moved(target, place), volatile=volatile, attrs=_aligned(kind, align))
        return
    backward = _starts_inside(context, target, source) if overlaps else None
    kind = _chunk(size, align)

    def step(place: Value) -> None:
        value = context.emit("load", context.emit("ptr_add", source, place), kind=kind, volatile=volatile)
        context.emit("store", value, context.emit("ptr_add", target, place), volatile=volatile)

    _loop(context, size, kind.bytes, backward, step)


def _starts_inside(context: Context, target: Value, source: Value) -> Value:
    """Whether a copy must go from the end: the target lies above the source."""
    pair = [context.in_space(address, Space.GENERIC) for address in (target, source)]
    return context.emit("icmp", *pair, pred="ugt")


def fill(context: Context, target: Value, byte: Value, size: Value, align: int, volatile: bool) -> None:
    """memset."""
    target = writable(context, target)
    if isinstance(size, Constant) and size.bits <= UNROLLED:
        for place, kind in _steps(size.bits, align):
            address = context.moved(target, place)
            context.emit(
                "store", _repeated(context, byte, kind), address, volatile=volatile, attrs=_aligned(kind, align)
            )
        return
    kind = _chunk(size, align)
    pattern = _repeated(context, byte, kind)

    def step(place: Value) -> None:
        context.emit("store", pattern, context.emit("ptr_add", target, place), volatile=volatile)

    _loop(context, size, kind.bytes, None, step)


def _steps(size: int, align: int) -> list[tuple[int, kir.Type]]:
    """(offset, type) of accesses of at most four bytes that cover some bytes."""
    found: list[tuple[int, kir.Type]] = []
    place = 0
    while place < size:
        kind = next(k for k in (kir.I32, kir.I16, kir.I8) if k.bytes <= size - place and k.bytes <= max(align, 1))
        found.append((place, kind))
        place += kind.bytes
    return found


def _chunk(size: Value, align: int) -> kir.Type:
    if not isinstance(size, Constant):
        return kir.I8
    return next(k for k in (kir.I32, kir.I16, kir.I8) if size.bits % k.bytes == 0 and k.bytes <= max(align, 1))


def _repeated(context: Context, byte: Value, kind: kir.Type) -> Value:
    if isinstance(byte, Constant):
        return Constant(kind, int.from_bytes(bytes([byte.bits]) * kind.bytes, "little"))
    if kind is kir.I8:
        return byte
    wide = context.resized(byte, kind.bits)
    return context.emit("mul", wide, constant(kind, int.from_bytes(b"\1" * kind.bytes, "little")))


def _loop(context: Context, size: Value, step: int, backward: Value | None, body: Callable[[Value], None]) -> None:
    """`body` at offsets 0, step, ... below the size, or from the end down where `backward` is 1."""
    builder = context.builder
    end = context.resized(size, 64)
    head, inside, after = builder.block("copy"), builder.block("step"), builder.block("copied")
    place = head.param(kir.I64)
    builder.br(head, constant(kir.I64, 0))
    builder.at(head)
    builder.cbr(context.emit("icmp", place, end, pred="ult"), inside, after)
    builder.at(inside)
    at: Value = place
    if backward is not None:
        mirrored = context.emit("sub", context.emit("sub", end, place), constant(kir.I64, step))
        at = context.emit("select", backward, mirrored, place)
    body(at)
    builder.br(head, context.emit("add", place, constant(kir.I64, step)))
    builder.at(after)


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

__all__ = ["BY_OPCODE", "as_type", "copy", "fill"]
