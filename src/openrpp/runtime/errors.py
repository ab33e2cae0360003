"""What the runtime refuses, beyond the machine's own `LaunchError` and `Fault`."""

from __future__ import annotations

from openrpp.machine.faults import Fault, LaunchError, MachineError, Place


class OutOfMemory(MachineError, MemoryError):
    """A memory has no gap that is large enough.

    `asked` is what the buffer takes (rounded, with guard), `free` the sum of all gaps and `largest` the largest one, in
    bytes.
    """

    def __init__(self, memory: str, wanted: int, asked: int, free: int, largest: int) -> None:
        self.memory = memory
        self.wanted = wanted
        self.asked = asked
        self.free = free
        self.largest = largest
        rounded = f" ({asked} with rounding and guard)" if asked != wanted else ""
        super().__init__(
            f"{memory} has no room for {wanted} bytes{rounded}: {free} are free, the largest gap has {largest}"
        )

    def __reduce__(self) -> tuple[type[OutOfMemory], tuple[str, int, int, int, int]]:
        return type(self), (self.memory, self.wanted, self.asked, self.free, self.largest)


class BufferFreed(LaunchError):
    """A buffer is used after it was freed."""


class CaptureError(MachineError, RuntimeError):
    """Something that cannot happen while a stream is being captured, or a graph that cannot be made or replayed."""


class KernelFault(Fault):
    """A kernel of a program in kernel IR was stopped: a trap, a failed assertion, a barrier that not all threads reach.

    `location` is its source line as `file:line` where known, `output` what had been printed until then. The card stays
    usable, its memory is as the kernel left it.
    """

    def __init__(self, kernel: str, sentence: str, location: str = "", output: str = "") -> None:
        self.location = location
        self.output = output
        super().__init__(sentence, Place(kernel))
        self.args = (": ".join(filter(None, (location, f"kernel {kernel}", sentence))),)

    def __reduce__(self) -> tuple[type[KernelFault], tuple[str, str, str, str]]:
        return type(self), (self.kernel, self.sentence, self.location, self.output)
