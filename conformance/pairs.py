"""Texts against images: assembled bit for bit, and every image through text and back."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.corpus import Corpus, Text
from openrpp.isa.assembler import assemble
from openrpp.isa.disassembler import disassemble
from openrpp.isa.program import Kernel


@dataclass(frozen=True)
class Pair:
    """One text name and what became of it. status: exact, revision, no image, refused."""

    name: str
    status: str
    note: str


def compare(corpus: Corpus) -> list[Pair]:
    """For every text name: is some published image made of one of its texts, bit for bit?"""
    images = {image.kernel.words for image in corpus.images}
    pairs: list[Pair] = []
    for stem in sorted({text.stem for text in corpus.texts}):
        texts = [text for text in corpus.texts if text.stem == stem]
        pairs.append(_compare_one(stem, texts, images, corpus))
    return pairs


def _compare_one(stem: str, texts: list[Text], images: set[tuple[int, ...]], corpus: Corpus) -> Pair:
    kernels = [text.assembled for text in texts]
    made = [kernel for kernel in kernels if isinstance(kernel, Kernel)]
    if any(kernel.words in images for kernel in made):
        return Pair(stem, "exact", "")
    if not made:
        return Pair(stem, "refused", str(kernels[0]))
    names = {name for text in texts for name in text.exports} | {stem}
    named = [image for image in corpus.images if image.kernel.name in names]
    if not named:
        return Pair(stem, "no image", "")
    first = _first_difference(made[0].words, named[0].kernel.words)
    return Pair(stem, "revision", f"image of {len(named[0].kernel.words)} words differs from word {first} on")


def _first_difference(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    return next((index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def round_trip(kernel: Kernel) -> str | None:
    """None if an image's disassembly assembles to the same words, else what differs."""
    again = assemble(disassemble(kernel), kernel.name)
    if again.words == kernel.words:
        return None
    return f"{kernel.name}: word {_first_difference(again.words, kernel.words)} differs"
