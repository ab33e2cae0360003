"""The published kernels in a checkout: texts, images, and which text an image was made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from openrpp.isa.assembler import AssemblyError, assemble_file
from openrpp.isa.objects import read_object
from openrpp.isa.program import Kernel

ROOT = Path("ggml/src/ggml-rpp")


@dataclass(frozen=True)
class Text:
    """A published assembly file; `exports` are the kernel names under which its folder builds it."""

    path: Path
    folder: str
    exports: tuple[str, ...]

    @property
    def stem(self) -> str:
        """Name of the file without its ending."""
        return self.path.stem

    @cached_property
    def assembled(self) -> Kernel | str:
        """The kernel, or the assembler's first complaint."""
        try:
            return assemble_file(self.path)
        except AssemblyError as error:
            return f"line {error.diagnostics[0].line}: {error.diagnostics[0].message}"


@dataclass(frozen=True)
class Image:
    """A published machine-code image."""

    path: Path
    folder: str
    kernel: Kernel


@dataclass
class Corpus:
    """All texts and images below a checkout's kernel folder."""

    texts: list[Text] = field(default_factory=list[Text])
    images: list[Image] = field(default_factory=list[Image])

    def text(self, stem: str, folder: str) -> Text | None:
        """The text of a name in a folder."""
        return next((text for text in self.texts if text.stem == stem and text.folder == folder), None)

    def image(self, name: str, folder: str) -> Image | None:
        """The image of a name in a folder, or in any other folder where this one has none."""
        found = [image for image in self.images if image.kernel.name == name]
        return next((image for image in found if image.folder == folder), found[0] if found else None)


def _exports(folder: Path) -> dict[str, list[str]]:
    """Source file -> kernel names, from the folder's listing."""
    listing = folder / "kernel_cfg.json"
    found: dict[str, list[str]] = {}
    if not listing.exists():
        return found
    entries: dict[str, Any] = json.loads(listing.read_text(encoding="utf-8"))
    for name, entry in entries.items():
        if isinstance(entry, dict) and "asm_source" in entry:
            found.setdefault(str(entry["asm_source"]), []).append(name)
    return found


def _texts(root: Path) -> Iterator[Text]:
    listings: dict[Path, dict[str, list[str]]] = {}
    for path in sorted(root.rglob("*.s")):
        folder = path.parent
        if folder not in listings:
            listings[folder] = _exports(folder)
        names = tuple(listings[folder].get(path.name, ())) or (path.stem,)
        yield Text(path, str(folder.relative_to(root)), names)


def load(vendor: Path) -> Corpus:
    """Read a checkout. Raises SystemExit with a sentence where it holds no kernels."""
    root = vendor / ROOT
    if not root.is_dir():
        raise SystemExit(f"conformance: {vendor} has no {ROOT}; VENDOR must be a checkout of xdltek/llama.cpp")
    corpus = Corpus(list(_texts(root)))
    for path in sorted(root.rglob("*.o")):
        folder = str(path.parent.relative_to(root))
        corpus.images += [Image(path, folder, kernel) for kernel in read_object(path).values()]
    if not corpus.texts or not corpus.images:
        raise SystemExit(f"conformance: {root} holds {len(corpus.texts)} texts and {len(corpus.images)} images")
    return corpus
