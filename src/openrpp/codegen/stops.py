"""Why a kernel stopped, in the same words from every engine."""

from __future__ import annotations

from enum import Enum

Triple = tuple[int, int, int]


class Why(Enum):
    """What a thread did that stops a launch."""

    TRAP = "trap"
    ASSERT = "assert"
    UNREACHABLE = "unreachable"


def place_in(number: int, shape: Triple) -> Triple:
    """The index of a thread of a block, or of a block of a grid, from its number."""
    return number % shape[0], number // shape[0] % shape[1], number // (shape[0] * shape[1])


def stop_sentence(why: Why, block: Triple, thread: Triple, message: str = "", function: str = "") -> str:
    """Who stopped, and why."""
    who = f"block {block}, thread {thread}"
    if why is Why.ASSERT:
        return f"{who}: assertion '{message}' failed" + (f" in {function}" if function else "")
    reached = "control reached the end of a block that is declared unreachable"
    return f"{who}: {reached if why is Why.UNREACHABLE else 'the kernel executed a trap'}"
