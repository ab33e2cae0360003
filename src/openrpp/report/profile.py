"""A launch by source line: card cycles, what they went to, how full lanes and ring were; and the ring as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from openrpp.kir.location import Location
from openrpp.machine.profile import OTHER, Bar, ColumnProfile, LaunchProfile, profile, ring
from openrpp.machine.timing import Timed, report
from openrpp.report.figures import durations, numbers, percent
from openrpp.report.tables import grid, pairs
from openrpp.runtime.card_time import CardTime
from openrpp.runtime.profiling import Profiled

_HEADERS: Final = "/openrpp/cuda/include/"
_NOWHERE: Final = "(no line)"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_COLOURS: Final = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#ee8866", "#44bb99", "#aaaa00",
)  # fmt: skip
_WIDTH: Final = 84
_ROUNDS: Final = 3


@dataclass
class Line:
    """Figures of a source line over all launches; as `ColumnProfile`. `columns` are those of the program, `scratch`
    executed accesses to spilled values."""

    place: str
    columns: int = 0
    scratch: int = 0
    sums: ColumnProfile = field(default_factory=lambda: ColumnProfile(OTHER))

    @property
    def limiter(self) -> str:
        """What most of its cycles went to."""
        return max(self.sums.cycles, key=lambda reason: self.sums.cycles[reason], default="-")


@dataclass(frozen=True)
class Picture:
    """Part of the ring's work: bars, the place of each program column's source, how many columns the ring has."""

    bars: list[Bar]
    places: dict[int, str]
    ring: int


class Profile:
    """A launch that was walked, summed up by source line."""

    def __init__(self, found: Profiled) -> None:
        self.found = found
        self.taken = CardTime(tuple(report(timed, found.engine) for timed in found.launches), merge=found.merge)
        self.launches: list[LaunchProfile] = [profile(timed) for timed in found.launches]
        self.cycles = sum(launch.cycles for launch in self.launches)
        self.lines = self._lines()

    def _lines(self) -> list[Line]:
        lines: dict[str, Line] = {}
        for launch in self.launches:
            for start, column in launch.columns.items():
                line = lines.setdefault(self.place(start), Line(self.place(start)))
                _add(line.sums, column)
                line.scratch += self.found.scratch.get(start, 0) * column.executed
        for start in {start for launch in self.launches for start in launch.columns if start != OTHER}:
            lines[self.place(start)].columns += 1
        return sorted(lines.values(), key=lambda line: (-line.sums.total, line.place))

    def place(self, start: int) -> str:
        """The source line of a column, as `file:line`: that of the kernel's own text where a header was inlined."""
        places = self.found.lines.get(start, ())
        return str(own_place(places[0])) if places else _NOWHERE

    # --- figures ----------------------------------------------------------------------------------------------------

    @property
    def room(self) -> float:
        """Cycles of all columns of the ring."""
        return self.cycles * self.launches[0].ring

    def ring_share(self, sums: ColumnProfile) -> float:
        """Share of the ring's time for which its columns were taken."""
        return sums.occupied / self.room if self.room else 0.0

    def lane_share(self, sums: ColumnProfile) -> float:
        """Share of what all lanes could have done."""
        return sums.operations / (self.room * self.launches[0].lanes) if self.room else 0.0

    def as_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary."""
        return {
            "kernel": self.found.name,
            "engine": self.found.engine,
            **self.taken.as_dict(),
            "notes": list(self.found.notes),
            "lines": [self._row(line) for line in self.lines],
        }

    def _row(self, line: Line) -> dict[str, Any]:
        sums = line.sums
        return {
            "source": line.place,
            "cycles": sums.total,
            "share": sums.total / self.cycles if self.cycles else 0.0,
            "spent_on": dict(sorted(sums.cycles.items())),
            "limiter": line.limiter,
            "columns": line.columns,
            "executed": sums.executed,
            "lanes": self.lane_share(sums),
            "ring": self.ring_share(sums),
            "port_passes": sums.passes,
            "conflicts": sums.conflicts,
            "ddr_bytes": sums.ddr_bytes,
            "scratch_accesses": line.scratch,
        }

    # --- tables -----------------------------------------------------------------------------------------------------

    def tables(self) -> Iterable[Table]:
        """The kernel as a whole, then its lines, the costliest first."""
        yield pairs(f"kernel {self.found.name}", self._head())
        heads = ("source", "cycles", "share", "limited by", "columns", "executed", "lanes", "ring", "conflicts")
        rows = [self._cells(line) for line in self.lines]
        yield grid((*heads, "scratch", "text"), rows)

    def _head(self) -> Iterable[tuple[str, str]]:
        everything = ColumnProfile(OTHER)
        for line in self.lines:
            _add(everything, line.sums)
        seconds, cycles = self.taken.seconds, self.taken.cycles
        assert seconds is not None and cycles is not None
        launch = self.taken.launches[0]
        yield "grid of the card", f"{' x '.join(map(str, launch.grid))} blocks of {launch.block[0]:,} threads"
        if self.found.merge > 1:
            yield "merged", f"{self.found.merge} CUDA blocks run as one block of the card"
        yield "card time", f"{durations(seconds)} (low / nominal / high), {numbers(cycles)} cycles"
        yield "limited by", self.taken.limiter
        yield "lanes", f"{percent(self.lane_share(everything))} of their operations"
        yield "ring", f"{percent(self.ring_share(everything))} of its columns' time"
        how = "walked without data" if self.found.engine == "none" else f"run on the {self.found.engine} engine"
        yield "measured", how
        for note in (*launch.notes, *self.found.notes):
            yield "note", note

    def _cells(self, line: Line) -> tuple[str, ...]:
        sums = line.sums
        return (
            line.place,
            f"{sums.total:,.0f}",
            percent(sums.total / self.cycles if self.cycles else 0.0),
            line.limiter,
            str(line.columns),
            f"{sums.executed:,}",
            percent(self.lane_share(sums)),
            percent(self.ring_share(sums)),
            f"{sums.conflicts:,.0f}" if sums.conflicts >= 0.5 else "-",
            f"{line.scratch:,}" if line.scratch else "-",
            _text(line.place),
        )

    # --- the ring ---------------------------------------------------------------------------------------------------

    def picture(self) -> Picture:
        """The ring around the costliest column of the launch that takes longest."""
        index = max(range(len(self.launches)), key=lambda place: self.launches[place].cycles)
        launch = self.launches[index]
        columns = [column for column in launch.columns.values() if column.start != OTHER]
        hottest = max(columns, key=lambda column: (column.total, -column.start), default=None)
        bars = ring(self.found.launches[index], hottest.start if hottest else 0, _ROUNDS * launch.ring)
        return Picture(bars, {bar.word: self.place(bar.word) for bar in bars}, launch.ring)


def _add(total: ColumnProfile, column: ColumnProfile) -> None:
    for reason, cycles in column.cycles.items():
        total.spend(reason, cycles)
    for name in ("executed", "warps", "occupied", "passes", "accesses", "operations", "dots", "ddr_bytes"):
        setattr(total, name, getattr(total, name) + getattr(column, name))


def own_place(place: Location) -> Location:
    """The innermost place that is not in one of our headers."""
    return next((each for each in place.chain() if _HEADERS not in each.file), place)


def _text(place: str) -> str:
    """The source line itself, if its file is there."""
    file, _, number = place.rpartition(":")
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[int(number) - 1].strip()[:60]
    except (OSError, ValueError, IndexError):
        return ""


# --- pictures --------------------------------------------------------------------------------------------------------


def _letters(picture: Picture) -> dict[str, str]:
    """A letter for each source line, in the order of the bars; the last one for all that are left."""
    places = list(dict.fromkeys(picture.places[bar.word] for bar in picture.bars))
    return {place: _LETTERS[min(index, len(_LETTERS) - 1)] for index, place in enumerate(places)}


def drawn(picture: Picture) -> str:
    """The ring as text: a row for each of its columns, time from left to right, a letter for each source line."""
    if not picture.bars:
        return "the kernel has no columns\n"
    letters = _letters(picture)
    first, last = min(bar.start for bar in picture.bars), max(bar.end for bar in picture.bars)
    step = max((last - first) / _WIDTH, 1e-9)
    rows = {column: [" "] * _WIDTH for column in range(picture.ring)}
    for bar in picture.bars:
        start, end = int((bar.start - first) / step), int((bar.end - first) / step)
        for place in range(start, min(max(end, start + 1), _WIDTH)):
            rows[bar.column][place] = letters[picture.places[bar.word]]
    lines = [f" {column:>3} |{''.join(row)}|" for column, row in rows.items()]
    scale = f"cycle {first:,.0f}"
    lines.append(f"      {scale}{f'{last:,.0f}':>{_WIDTH - len(scale)}}")
    lines += [f"  {letter}  {place}  {_text(place)}".rstrip() for place, letter in letters.items()]
    return "\n".join(lines) + "\n"


def svg(picture: Picture) -> str:
    """The same as an SVG document."""
    letters = list(_letters(picture))
    row, width, left, top = 14, 1000, 40, 24
    height = top + row * picture.ring + 20 * (len(letters) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + left + 20}" height="{height}" '
        'font-family="monospace" font-size="11">'
    ]
    first = min((bar.start for bar in picture.bars), default=0.0)
    last = max((bar.end for bar in picture.bars), default=1.0)
    scale = width / max(last - first, 1e-9)
    parts.append(f'<text x="{left}" y="14">columns of the ring, cycles {first:,.0f} to {last:,.0f}</text>')
    for column in range(picture.ring):
        parts.append(f'<text x="8" y="{top + row * column + 11}">{column}</text>')
    for bar in picture.bars:
        place = picture.places[bar.word]
        x, y = left + (bar.start - first) * scale, top + row * bar.column
        size = max((bar.end - bar.start) * scale, 1.0)
        colour = _COLOURS[letters.index(place) % len(_COLOURS)]
        what = escape(f"{place}, word {bar.word}, cycles {bar.start:,.0f} to {bar.end:,.0f}")
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{size:.1f}" height="{row - 2}" fill="{colour}">')
        parts.append(f"<title>{what}</title></rect>")
    for index, place in enumerate(letters):
        y = top + row * picture.ring + 20 * (index + 1)
        parts.append(f'<rect x="{left}" y="{y}" width="12" height="12" fill="{_COLOURS[index % len(_COLOURS)]}"/>')
        parts.append(f'<text x="{left + 20}" y="{y + 11}">{escape(f"{place}  {_text(place)}")}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def of_program(name: str, timed: Timed, file: str) -> Profile:
    """The profile of a program in machine code; its lines are those of the assembly text `file`."""
    kernel = timed.launch.kernel
    lines: dict[int, Sequence[Location]] = {word: (Location(file, line),) for word, line in kernel.lines.items()}
    return Profile(Profiled(name, kernel, (timed,), lines, {}, "reference"))
