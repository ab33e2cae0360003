"""What a program holds in its hands: cards, buffers, streams, events, modules, functions, graphs.

>>> card = Card("ae7100")
>>> x = card.array(np.arange(1024, dtype=np.uint16), memory="sram")
>>> report = card.module("scale.s")["scale"]((1,), (1024,), x, 3)
>>> x.numpy(), report.seconds.nominal
"""

from openrpp.runtime.buffer import Buffer
from openrpp.runtime.card import Card, MemoryInfo
from openrpp.runtime.clock import DdrRate, Record
from openrpp.runtime.errors import BufferFreed, CaptureError, KernelFault, OutOfMemory
from openrpp.runtime.graph import Graph, Node
from openrpp.runtime.module import Function, Module
from openrpp.runtime.program import Program, ProgramFunction, ProgramReport
from openrpp.runtime.stream import Event, Stream

__all__ = [
    "Buffer",
    "BufferFreed",
    "CaptureError",
    "Card",
    "DdrRate",
    "Event",
    "Function",
    "Graph",
    "KernelFault",
    "MemoryInfo",
    "Module",
    "Node",
    "OutOfMemory",
    "Program",
    "ProgramFunction",
    "ProgramReport",
    "Record",
    "Stream",
]
