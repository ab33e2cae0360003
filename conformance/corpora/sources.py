"""Definitions in CUDA sources that could not be compiled: which kernels there are, and which of them use a library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_COMMENT: Final = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', re.DOTALL)
_OUTER: Final = re.compile(r'\bnamespace\b[^()]*$|\bextern\s*"C"\s*$')
_QUALIFIED: Final = re.compile(
    r"__launch_bounds__\s*\([^)]*\)|__attribute__\s*\(\(.*?\)\)|\btemplate\s*<[^<>]*(?:<[^<>]*>[^<>]*)*>", re.DOTALL
)
_NAMED: Final = re.compile(r"([A-Za-z_]\w*)\s*(?:<[^<>()]*>\s*)?\(|\b(?:struct|class|union)\s+([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Definition:
    """A function or a type with a body."""

    name: str
    text: str
    is_kernel: bool


def definitions(source: str) -> Iterator[Definition]:
    """Everything with a body outside all other bodies; namespaces are looked into."""
    text = _COMMENT.sub(lambda found: found[1] or " ", source)
    begun = place = 0
    while (found := re.compile("[{};]").search(text, place)) is not None:
        place = found.end()
        head = text[begun : found.start()]
        if found[0] == "{" and not _OUTER.search(head.strip()):
            place = _closed(text, found.end())
            yield _definition(head, text[begun:place])
        begun = place


def kernels(sources: Iterable[str], namespaces: Iterable[str]) -> list[tuple[str, str]]:
    """(name of a kernel, the namespace that it uses by itself or through what it calls, or nothing), in order."""
    found = [item for source in sources for item in definitions(source)]
    users = {item.name: name for item in found for name in namespaces if re.search(rf"\b{name}::", item.text)}
    while True:
        more = {
            item.name: users[word]
            for item in found
            if item.name not in users
            for word in re.findall(r"[A-Za-z_]\w*", item.text)
            if word in users
        }
        if not more:
            break
        users.update(more)
    return [(item.name, users.get(item.name, "")) for item in found if item.is_kernel]


def _definition(head: str, text: str) -> Definition:
    plain = _QUALIFIED.sub(" ", head)
    names = [first or second for first, second in _NAMED.findall(plain)]
    return Definition(names[0] if names else "", text, "__global__" in head)


def _closed(text: str, place: int) -> int:
    """Behind the brace that closes the one before `place`."""
    depth = 1
    for found in re.compile("[{}]").finditer(text, place):
        depth += 1 if found[0] == "{" else -1
        if not depth:
            return found.end()
    return len(text)
