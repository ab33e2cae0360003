"""Typed ways in which a launch can go wrong. Every fault says where it happened and what would have been right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a fault happened; parts that do not apply are None.

    `column` counts executed columns of the block; `word` is the index of the machine word in the kernel; `line` the
    source line where the kernel was assembled from text.
    """

    kernel: str
    block: tuple[int, int, int] | None = None
    column: int | None = None
    word: int | None = None
    line: int | None = None
    lane: int | None = None
    address: int | None = None

    def __str__(self) -> str:
        parts = [f"kernel {self.kernel}"]
        if self.block is not None:
            parts.append(f"block {self.block}")
        if self.column is not None:
            parts.append(f"column {self.column}")
        if self.word is not None:
            parts.append(f"word {self.word}" + (f" (line {self.line})" if self.line else ""))
        if self.lane is not None:
            parts.append(f"lane {self.lane}")
        if self.address is not None:
            parts.append(f"address {self.address:#x}")
        return ", ".join(parts)


class MachineError(Exception):
    """Anything that the card refuses."""


class LaunchError(MachineError, ValueError):
    """A launch or a copy that cannot start: geometry, parameters, buffers."""


class Fault(MachineError):
    """A running kernel was stopped. The card stays usable and its memory readable."""

    def __init__(self, sentence: str, place: Place) -> None:
        self.sentence = sentence
        self.place = place
        super().__init__(f"{place}: {sentence}")

    @property
    def kernel(self) -> str:
        """Name of the kernel."""
        return self.place.kernel

    @property
    def block(self) -> tuple[int, int, int] | None:
        """Block index (x, y, z)."""
        return self.place.block

    @property
    def column(self) -> int | None:
        """Executed columns of the block before the fault."""
        return self.place.column

    @property
    def word(self) -> int | None:
        """Index of the machine word."""
        return self.place.word

    @property
    def lane(self) -> int | None:
        """Lane in the block."""
        return self.place.lane

    @property
    def address(self) -> int | None:
        """Byte address."""
        return self.place.address


class AccessError(Exception):
    """An access that a memory refuses, before the engine knows its place: which fault, sentence, lane, address.

    `word` is that of the operation, once it is known.
    """

    def __init__(self, fault: type[Fault], sentence: str, lane: int, address: int) -> None:
        super().__init__(sentence)
        self.fault, self.sentence, self.lane, self.address = fault, sentence, lane, address
        self.word: int | None = None


class OutOfBounds(Fault):
    """An access outside the memory that the unit reaches."""


class Misaligned(Fault):
    """A 16-bit access at an odd address, or a 32-bit one off its size."""


class IllegalWord(Fault):
    """A word that is no instruction, or a column that the machine cannot hold."""


class MissingExtension(Fault):
    """An extension instruction on a card without it."""


class DmaFault(Fault):
    """A transfer with a source or destination outside memory, or of a length that no engine takes."""


class RunawayLoop(Fault):
    """A loop that cannot end, or a launch past its word budget."""


class TokenFault(Fault):
    """Strict tokens: a register read while dead, leaked, or both kept and dropped (specification 4.2)."""


class OrderingFault(Fault):
    """A load of what another warp stored, or of what a DMA is moving, without the barrier between."""


class UndefinedValue(Fault):
    """An undefined value reached a store, an address or a branch."""
