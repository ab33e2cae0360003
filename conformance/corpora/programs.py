"""The programs of the corpora: which files to compile, and with which include paths. No Makefile is read.

A program is a folder. Its translation units are the `.cu` files below it that no other file of it includes. A folder
becomes an include path where an `#include` of the program needs it: the file is looked for in the program first, then
in the folders that the whole corpus shares, then in the twins of the program (`nw-omp` beside `nw-cuda`), and at last
anywhere in the corpus if one file alone has that name. `include/` here stands in for headers of NVIDIA's CUDA samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from conformance.corpora.lists import EXTRA, HECBENCH, Extra
from openrpp.cuda import Options
from openrpp.cuda.compile import INCLUDE

_INCLUDE: Final = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
_ENDINGS: Final = frozenset({".cu", ".c", ".cc", ".cpp", ".h", ".hpp", ".hh", ".cuh", ".inl"})
SAMPLES: Final = Path(__file__).parent / "include"
_TWIN: Final = re.compile(r"-(cuda|hip|omp|sycl)$")


@dataclass(frozen=True)
class Unit:
    """A translation unit, how it is compiled, and the sources it is made of: itself and what it includes."""

    path: Path
    options: Options
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Program:
    """A program of a corpus. `extra` is its row of the table of special cases."""

    corpus: str
    name: str
    folder: Path
    units: tuple[Unit, ...]
    extra: Extra


@dataclass(frozen=True)
class Headers:
    """Files of a corpus that a program may include from outside its folder."""

    root: Path
    shared: tuple[Path, ...] = ()
    twins: bool = False  # whether a program may include from anywhere in the corpus
    by_name: Mapping[str, tuple[Path, ...]] = field(default_factory=dict[str, tuple[Path, ...]])

    @classmethod
    def of(cls, root: Path, shared: tuple[Path, ...] = (), twins: bool = False) -> Headers:
        """An index of the files below `root`."""
        found: dict[str, tuple[Path, ...]] = {}
        for path in _sources(root):
            found[path.name] = (*found.get(path.name, ()), path)
        return cls(root, shared, twins, found)

    def find(self, folder: Path, name: str) -> Path | None:
        """The file that a program in `folder` means by `name`."""
        for place in (*self.shared, SAMPLES):
            if (place / name).is_file():
                return place / name
        if not self.twins:
            return None
        found = [path for path in self.by_name.get(Path(name).name, ()) if _ends(path, name)]
        stem = _TWIN.sub("", folder.name)
        beside = [path for path in found if _TWIN.sub("", path.relative_to(self.root).parts[0]) == stem]
        chosen = beside or (found if len(found) == 1 else [])
        return chosen[0] if chosen else None


class Tree:
    """The files of one program."""

    def __init__(self, folder: Path, headers: Headers) -> None:
        self.folder: Final = folder
        self._outside = headers
        self._includes: dict[Path, list[tuple[str, bool]]] = {}

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """All sources and headers."""
        return tuple(_sources(self.folder))

    def units(self) -> list[Path]:
        """`.cu` files that no file of the program includes."""
        included = {
            found
            for path in self.files
            for name, quoted in self.includes(path)
            if (found := (quoted and self._beside(path, name)) or self._inside(path, name)) is not None
        }
        return [path for path in self.files if path.suffix == ".cu" and path not in included]

    def reached(self, unit: Path) -> tuple[list[Path], list[Path]]:
        """(folders that the includes of a unit, and of what it includes, need; the unit and all files included)."""
        found: list[Path] = []
        seen = {unit: None}
        work = [unit]
        while work:
            path = work.pop(0)
            for name, quoted in self.includes(path):
                header = (self._beside(path, name) if quoted else None) or self._listed(found, name)
                if header is None and (header := self._inside(path, name) or self._outside.find(self.folder, name)):
                    found.append(Path(str(header).removesuffix("/" + Path(name).as_posix())))
                if header is not None and header not in seen:
                    seen[header] = None
                    work.append(header)
        return found, list(seen)

    def includes(self, path: Path) -> list[tuple[str, bool]]:
        """(name, quoted) of included files, in order, without those of the CUDA toolkit."""
        if path not in self._includes:
            text = path.read_text(encoding="utf-8", errors="replace")
            self._includes[path] = [
                (name, quote == '"') for quote, name in _INCLUDE.findall(text) if not (INCLUDE / name).is_file()
            ]
        return self._includes[path]

    def _beside(self, path: Path, name: str) -> Path | None:
        place = (path.parent / name).resolve()
        return place if place.is_file() else None

    def _listed(self, folders: list[Path], name: str) -> Path | None:
        return next(((folder / name).resolve() for folder in folders if (folder / name).is_file()), None)

    def _inside(self, path: Path, name: str) -> Path | None:
        """The file of the program that ends in `name`; of several the one nearest to the including file."""
        found = [item for item in self.files if _ends(item, name)]
        return min(found, key=lambda item: (-_common(item, path), len(item.parts), item), default=None)


def _sources(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.suffix in _ENDINGS and path.is_file())


def _ends(path: Path, name: str) -> bool:
    return not name.startswith(("/", "..")) and path.as_posix().endswith("/" + Path(name).as_posix())


def _common(a: Path, b: Path) -> int:
    """How many folders two files share."""
    return sum(1 for _ in iter_common(a.parts, b.parts))


def iter_common(a: tuple[str, ...], b: tuple[str, ...]) -> Iterator[str]:
    """The parts at the start of two paths that are equal."""
    for first, second in zip(a, b, strict=False):
        if first != second:
            return
        yield first


# --- the three corpora -----------------------------------------------------------------------------------------


def polybench(path: Path) -> list[Program]:
    """The programs of PolyBench-ACC. Raises SystemExit with a sentence for a folder that is not a checkout."""
    root = _checkout("POLYBENCH", path, "CUDA", "cavazos-lab/PolyBench-ACC")
    folders = sorted({file.parent for file in (root / "CUDA").rglob("*.cu")})
    headers = Headers.of(root, (root / "common", root / "CUDA" / "utilities"))
    return [_program("polybench", folder.name, folder, headers) for folder in folders]


def rodinia(path: Path) -> list[Program]:
    """The programs of Rodinia. Raises SystemExit with a sentence for a folder that is not a checkout."""
    root = _checkout("RODINIA", path, "cuda", "yuhc/gpu-rodinia")
    folders = sorted(folder for folder in (root / "cuda").iterdir() if folder.is_dir() and any(folder.rglob("*.cu")))
    headers = Headers.of(root, (root / "cuda",))
    return [_program("rodinia", folder.name, folder, headers) for folder in folders]


def hecbench(path: Path, names: tuple[str, ...] = HECBENCH) -> list[Program]:
    """The development list of HeCBench. Raises SystemExit with a sentence for a folder that is not a checkout."""
    root = _checkout("HECBENCH", path, "src", "zjin-lcf/HeCBench") / "src"
    missing = [name for name in names if not (root / f"{name}-cuda").is_dir()]
    if missing:
        raise SystemExit(f"corpora: {root} has no {', '.join(f'{name}-cuda' for name in missing)}")
    headers = Headers.of(root, (root / "include",), twins=True)
    return [_program("hecbench", name, root / f"{name}-cuda", headers) for name in sorted(names)]


def _checkout(variable: str, path: Path, inside: str, repository: str) -> Path:
    if not path.is_dir():
        raise SystemExit(f"corpora: {variable}={path} is not a directory; give a checkout of {repository}")
    if not (path / inside).is_dir():
        raise SystemExit(f"corpora: {path} has no folder {inside}; {variable} must be a checkout of {repository}")
    return path.resolve()


def _program(corpus: str, name: str, folder: Path, headers: Headers) -> Program:
    extra = EXTRA.get((corpus, name), Extra())
    tree = Tree(folder, headers)
    left_out = {folder / item for item in extra.left_out}
    units = tuple(_unit(path, tree, extra) for path in tree.units() if path not in left_out)
    return Program(corpus, name, folder, units, extra)


def _unit(path: Path, tree: Tree, extra: Extra) -> Unit:
    folders, files = tree.reached(path)
    options = Options.from_flags([*extra.flags, *(f"-I{folder}" for folder in folders)])
    return Unit(path, replace(options, program=True), tuple(files))
