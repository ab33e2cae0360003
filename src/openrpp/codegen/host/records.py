"""Reading what running kernels have recorded: printf output, and why a kernel stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openrpp.codegen.host.geometry import Triple
from openrpp.codegen.host.sides import ASSERT, DIVERGED_BARRIER, TRAP, UNREACHABLE, Sites
from openrpp.codegen.stops import Why, place_in, stop_sentence
from openrpp.kir.interp.printf import formatted
from openrpp.kir.location import Location

_WHY = {TRAP: Why.TRAP, ASSERT: Why.ASSERT, UNREACHABLE: Why.UNREACHABLE}


class Texts(Protocol):
    """Memory from which the strings of %s come."""

    @property
    def text(self) -> Callable[[int], bytes]:
        """The bytes at an address up to the next NUL."""
        ...


def printed(sites: Sites, buffer: NDArray[np.uint8], used: int, memory: Texts) -> str:
    """The output of all records: by block, then as threads that run one after another from barrier to barrier."""
    words: list[int] = buffer[: used // 8 * 8].view(np.uint64).tolist()
    found: list[tuple[tuple[int, int, int], str]] = []
    place = 0
    while place + 4 <= len(words):
        site, block, epoch, thread = words[place : place + 4]
        if not site:
            break  # the first record that found no room
        instr = sites.prints[site - 1]
        count = len(instr.operands)
        operands = [
            (v.type, bits) for v, bits in zip(instr.operands, words[place + 4 : place + 4 + count], strict=False)
        ]
        if len(operands) < count:
            break  # cut off where the buffer ended
        found.append(((block, epoch, thread), formatted(str(instr.attr("format")), operands, memory.text)))
        place += 4 + count
    return "".join(text for _, text in sorted(found, key=lambda item: item[0]))


@dataclass(frozen=True, slots=True)
class Stopped:
    """A thread that stopped the launch."""

    sites: Sites
    site: int
    block: int
    thread: int

    @property
    def location(self) -> Location | None:
        """Where."""
        return self.sites.stops[self.site][2]

    def sentence(self, grid: Triple, block: Triple) -> str:
        """Who, and why."""
        why, instr, _ = self.sites.stops[self.site]
        where = place_in(self.block, grid)
        if why == DIVERGED_BARRIER:
            return f"block {where}: not all threads come to the same barrier"
        given = (str(instr.attr(name) or "") for name in ("message", "function")) if instr is not None else ("", "")
        return stop_sentence(_WHY[why], where, place_in(self.thread, block), *given)
