"""Staged transfers as copies by the threads, where the sequencer cannot start them: a rewriting of kernel IR.

It starts them where one CUDA block is the card's, and addresses and size are its own values.
The threads meet, so that the transfer neither overtakes what was stored before it nor what others still read; then each
copies its share, in words where addresses and size allow. Waiting for transfers is a barrier.
"""

from __future__ import annotations

from openrpp.codegen.card.indices import thread_count, thread_number
from openrpp.kir.build import Builder
from openrpp.kir.ir import Block, Instr, Kernel, Module, Value
from openrpp.kir.ops.memory import TRANSFERS
from openrpp.kir.passes.copying import clone_kernel
from openrpp.kir.types import I8, I32, I64, Type

STAGING = (*TRANSFERS, "stage_wait")
"""Ops that start transfers or wait for them."""


def starts_transfers(kernel: Kernel) -> bool:
    """Whether a kernel moves data by DMA."""
    return any(instr.op.name in TRANSFERS for instr in kernel.instructions())


def copied(module: Module, name: str) -> Module:
    """A module with a kernel without staged transfers; the same module if it has none."""
    if not any(_is_staged(instr) for instr in module.kernels[name].instructions()):
        return module
    made = Module(module.name)
    made.globals = dict(module.globals)
    kernel = made.add_kernel(clone_kernel(module.kernels[name]))
    for block in list(kernel.blocks):
        _rewrite(kernel, block)
    return made


def asked_of_sequencer(kernel: Kernel) -> set[Value]:
    """The addresses and sizes of a kernel's transfers, and all values that these are made of."""
    sources: dict[Value, list[Value]] = {}
    for block in kernel.blocks:
        for edge in block.edges:
            for param, arg in zip(edge.target.params, edge.args, strict=True):
                sources.setdefault(param, []).append(arg)
    staged = [instr for instr in kernel.instructions() if _is_staged(instr)]
    found, left = set[Value](), [value for instr in staged for value in instr.operands]
    while left:
        value = left.pop()
        if value not in found:
            found.add(value)
            left += value.operands if isinstance(value, Instr) else sources.get(value, [])
    return found


def _is_staged(instr: Instr) -> bool:
    return instr.op.name in STAGING


def _rewrite(kernel: Kernel, block: Block) -> None:
    body, end, block.body = block.body, block.terminator, []
    b = Builder(kernel, block)
    for instr in body:
        b.location = instr.location
        if not _is_staged(instr):
            b.append(instr)
            continue
        b("barrier")
        if instr.op.name in TRANSFERS:
            _copy(b, *instr.operands)
    b.current.terminator = end


def _copy(b: Builder, target: Value, source: Value, size: Value) -> None:
    number, threads = thread_number(b), thread_count(b)
    count = size if size.type is I32 else b("trunc", size, kind=I32)
    bits = count
    for pointer in (target, source):
        bits = b("or", bits, b("trunc", b("ptrtoint", pointer, kind=I64), kind=I32))
    words, bytes_, behind = b.block("words"), b.block("bytes"), b.block("copied")
    b.cbr(b("icmp", b("and", bits, 3), 0, pred="eq"), words, bytes_)
    for start, kind in ((words, I32), (bytes_, I8)):
        _loop(b.at(start), target, source, count, number, threads, kind, behind)
    b.at(behind)


def _loop(
    b: Builder, target: Value, source: Value, count: Value, number: Value, threads: Value, kind: Type, behind: Block
) -> None:
    """From the own element on, as many further as there are threads."""
    each = kind.bytes
    step = b("mul", threads, each)
    test, body = b.block("test", I32), b.block("copy")
    (place,) = test.params
    b.br(test, b("mul", number, each))
    b.at(test).cbr(b("icmp", place, count, pred="ult"), body, behind)
    b.at(body)
    value = b("load", b("ptr_add", source, place), kind=kind)
    b("store", value, b("ptr_add", target, place))
    b.br(test, b("add", place, step))
