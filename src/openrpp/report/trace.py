"""Traces for Perfetto and chrome://tracing, written to disk event by event.

Format: "Trace Event Format" (the JSON object form), which ui.perfetto.dev opens. Times are card time in microseconds.
The card is one process of the trace, with a track per engine and a counter for DDR; the inside of each kernel
(sequencer, columns, transfers) is another. An interrupted trace is closed as well, so whatever is in it can be read.

Perfetto counts whole nanoseconds and drops a bar that overlaps the one before it on its track without lying inside it.
So times are rounded here, ends as the starts that follow them, and a bar that would overlap goes to a track beside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TextIO

from openrpp.runtime.clock import DdrRate, Notice

CARD, KERNEL = 1, 2
_ORDER = ("host queue", "link in", "link out", "DMA in", "DMA out", "array", "sequencer")
MAX_EVENTS = 2_000_000
"""Events of kernels' insides after which the rest is left out: larger files do not open in a browser."""


class KernelEvent(Protocol):
    """A bar inside a kernel; cycles count from the kernel's start. `machine.timing.TraceEvent` is one."""

    @property
    def track(self) -> str:
        """`sequencer`, `column 3`, `DMA in`, ..."""
        ...

    @property
    def name(self) -> str:
        """What it is."""
        ...

    @property
    def start_cycle(self) -> float:
        """First cycle."""
        ...

    @property
    def end_cycle(self) -> float:
        """Last cycle."""
        ...

    @property
    def details(self) -> Mapping[str, int | str]:
        """More to show, such as bytes."""
        ...


class TraceWriter:
    """Writes a trace as things happen; keeps nothing but the names of the tracks.

    `card.watch(writer.notice)` feeds it what the card does. Use it as a context manager, or call `close`.

    Args:
        path: of the file, which is overwritten. Raises OSError.
        card: name of the card, shown as the process.
        max_events: of kernels' insides, all together.
    """

    def __init__(self, path: str | Path, card: str, max_events: int = MAX_EVENTS) -> None:
        self.path = Path(path)
        self.events = 0
        self.cut = False
        self._room = max_events
        self._tracks: dict[tuple[int, str], int] = {}
        self._ends: dict[tuple[int, str], list[int]] = {}
        self._file: TextIO = self.path.open("w", encoding="utf-8")
        self._file.write('{"displayTimeUnit": "ns", "traceEvents": [')
        self._meta("process_name", CARD, 0, name=f"{card} (card time, nominal)")

    def notice(self, notice: Notice) -> None:
        """Write something that the card has done."""
        if isinstance(notice, DdrRate):
            self.counter("DDR", notice.time, {"GB/s": notice.rate / 1e9})
            return
        track = notice.engine + (f", channel {notice.unit}" if notice.unit else "")
        details: dict[str, int | str] = {"stream": notice.stream}
        if notice.nbytes:
            details["bytes"] = notice.nbytes
        self.bar(CARD, track, notice.name, notice.start, notice.end, details)

    def kernel(self, name: str, events: Iterable[KernelEvent], start: float, hertz: float) -> None:
        """Write the inside of a kernel that started at `start` seconds of card time, at a core clock in hertz.

        `cut` is true afterwards if the events did not all have room; the rest is not even asked for.
        """
        self._meta("process_name", KERNEL, 0, name=f"inside {name}")
        for event in events:
            if self._room <= 0:
                self.cut = True
                return
            self._room -= 1
            begin, end = (start + cycle / hertz for cycle in (event.start_cycle, event.end_cycle))
            self.bar(KERNEL, event.track, event.name, begin, end, event.details)

    def bar(
        self, process: int, track: str, name: str, start: float, end: float, details: Mapping[str, int | str]
    ) -> None:
        """Write a bar from `start` to `end` (seconds) on a track, or on one beside it if that is busy."""
        first, last = round(start * 1e9), round(max(start, end) * 1e9)
        lane = self._lane((process, track), first, last)
        self._write(
            {
                "ph": "X",
                "pid": process,
                "tid": self._track(process, f"{track} ({lane + 1})" if lane else track),
                "name": name,
                "cat": track,
                "ts": _microseconds(first),
                "dur": _microseconds(last - first),
                "args": dict(details),
            }
        )

    def counter(self, name: str, time: float, values: Mapping[str, float]) -> None:
        """Write what a counter of the card has from `time` (seconds) on."""
        self._write(
            {
                "ph": "C",
                "pid": CARD,
                "tid": 0,
                "name": name,
                "ts": _microseconds(round(time * 1e9)),
                "args": dict(values),
            }
        )

    def close(self) -> None:
        """End the file; a second call does nothing."""
        if not self._file.closed:
            self._file.write("\n]}\n")
            self._file.close()

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lane(self, track: tuple[int, str], first: int, last: int) -> int:
        """Number of the first lane of a track that is free from `first` on; it is taken until `last` (nanoseconds)."""
        ends = self._ends.setdefault(track, [])
        for lane, end in enumerate(ends):
            if end <= first:
                ends[lane] = last
                return lane
        ends.append(last)
        return len(ends) - 1

    def _track(self, process: int, name: str) -> int:
        """Number of a track; its name and place are written on first use."""
        key = (process, name)
        if key not in self._tracks:
            number = self._tracks[key] = len(self._tracks) + 1
            self._meta("thread_name", process, number, name=name)
            self._meta("thread_sort_index", process, number, sort_index=_place(name))
        return self._tracks[key]

    def _meta(self, what: str, process: int, track: int, **args: Any) -> None:
        self._write({"ph": "M", "pid": process, "tid": track, "name": what, "args": args})

    def _write(self, event: dict[str, Any]) -> None:
        self._file.write((",\n" if self.events else "\n") + json.dumps(event, allow_nan=False))
        self.events += 1


def _microseconds(nanoseconds: int) -> float:
    """Microseconds as a decimal fraction that is still the whole number of nanoseconds when a reader truncates it."""
    return round(nanoseconds / 1000 + 0.0001, 4)


def _place(track: str) -> int:
    """Order of tracks from the top: queue, link, DMA, array, sequencer, then columns by number."""
    head, _, number = track.rpartition(" ")
    if head == "column" and number.isdigit():
        return 100 + int(number)
    base, _, channel = track.partition(", channel ")
    return (10 * _ORDER.index(base) if base in _ORDER else 90) + int(channel or 0)
