"""LLVM IR as text: types, constants, fresh names, instructions in order."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from openrpp.kir.types import BF16, F16, F32, F64, VOID, Type


def scalar_type(kind: Type) -> str:
    """The LLVM type that carries a value: 16-bit floats travel as their bits, pointers as addresses."""
    if kind is VOID:
        return "void"
    if kind in (F16, BF16):
        return "i16"
    if kind is F32:
        return "float"
    if kind is F64:
        return "double"
    return f"i{kind.bits}"


def memory_type(kind: Type) -> str:
    """The LLVM type that lies in memory; an i1 takes a byte."""
    return "i8" if kind.bits == 1 else scalar_type(kind)


def wide(element: str, lanes: int) -> str:
    """A vector type; the element type itself for 0 lanes."""
    return f"<{lanes} x {element}>" if lanes else element


def literal(kind: Type, bits: int) -> str:
    """A scalar constant of a KIR type."""
    if kind is F32:
        return f"bitcast (i32 {bits} to float)"
    if kind is F64:
        return f"bitcast (i64 {bits} to double)"
    if kind.bits == 1:
        return "true" if bits else "false"
    return str(bits)


def splat(element: str, text: str, lanes: int) -> str:
    """A constant in all lanes."""
    return f"splat ({element} {text})" if lanes else text


def vector(element: str, items: Sequence[int]) -> str:
    """A constant vector of integers."""
    return "<" + ", ".join(f"{element} {item}" for item in items) + ">"


class Writer:
    """The body of one LLVM function. Allocas are collected apart and stand at its start."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self._names = 0
        self.declared: dict[str, str] = {}

    def name(self, hint: str = "v") -> str:
        """A new local name."""
        self._names += 1
        return f"%{hint}{self._names}"

    def __call__(self, text: str) -> str:
        """Append an instruction with a result; gives the result's name."""
        name = self.name()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(f"  {text}")

    def load(self, kind: str, pointer: str) -> str:
        """A load with the type's own alignment."""
        return self(f"load {kind}, ptr {pointer}")

    def byte(self, root: str, offset: int) -> str:
        """The pointer some bytes behind another."""
        return self(f"getelementptr i8, ptr {root}, i32 {offset}")

    def label(self, hint: str) -> str:
        """A new label name, without the percent sign."""
        self._names += 1
        return f"{hint}{self._names}"

    def place(self, label: str) -> None:
        """Begin a basic block; the one before must have been ended, or falls through by `br`."""
        self.lines.append(f"{label}:")

    def jump(self, label: str) -> None:
        """End the basic block."""
        self.do(f"br label %{label}")

    def alloca(self, type_: str, align: int = 0) -> str:
        """A stack slot for the whole function."""
        name = self.name("s")
        self.allocas.append(f"  {name} = alloca {type_}" + (f", align {align}" if align else ""))
        return name

    @contextmanager
    def when(self, condition: str, hint: str = "if") -> Generator[None]:
        """Code that runs where a scalar condition holds."""
        inside, behind = self.label(hint), self.label("end")
        self.do(f"br i1 {condition}, label %{inside}, label %{behind}")
        self.place(inside)
        yield
        self.jump(behind)
        self.place(behind)

    @contextmanager
    def counted(self, count: int, hint: str = "each", *, unrolled: bool = True) -> Generator[str]:
        """Code that runs `count` times; gives the i32 counter.

        `unrolled` is False for read-modify-write of memory: the CPU learns for one instruction, not for its copies,
        that it meets its own stores.
        """
        slot, head, body, behind = self.alloca("i32"), self.label(hint), self.label("body"), self.label("end")
        self.do(f"store i32 0, ptr {slot}")
        self.jump(head)
        self.place(head)
        index = self(f"load i32, ptr {slot}")
        more = self(f"icmp ult i32 {index}, {count}")
        self.do(f"br i1 {more}, label %{body}, label %{behind}")
        self.place(body)
        yield index
        self.do(f"store i32 {self(f'add nuw nsw i32 {index}, 1')}, ptr {slot}")
        self.do(f"br label %{head}{'' if unrolled else ', !llvm.loop !1'}")
        self.place(behind)

    def call(self, result: str, function: str, *arguments: str) -> str:
        """A call of an intrinsic or runtime function; arguments are `type value`. Declares it."""
        types = ", ".join(argument[: _type_end(argument)] for argument in arguments)
        self.declared[function] = f"declare {result} @{function}({types})"
        text = f"call {result} @{function}({', '.join(arguments)})"
        if result == "void":
            self.do(text)
            return ""
        return self(text)


def _type_end(argument: str) -> int:
    """Where the type of `type value` ends."""
    return argument.index(">") + 1 if argument.startswith("<") else argument.index(" ")
