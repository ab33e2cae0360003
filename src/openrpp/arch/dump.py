"""A card as a complete architecture file."""

from __future__ import annotations

import json
from typing import Any

from openrpp.arch.card import Card
from openrpp.arch.sheet import as_dict

_DERIVED = ("meaning", "allowed")  # declared in code, not in files


def dump(card: Card) -> str:
    """TOML text that `load` reads back as `card`, with every key given and nothing inherited."""
    content = as_dict(card)
    lines = [f"{key} = {_literal(content[key])}" for key in ("name", "title")]
    lines.append(f"extensions = {_literal(list(card.extensions))}")
    for section, keys in content.items():
        if section not in ("name", "title", "inherits", "extensions"):
            _write(section, keys, lines)
    return "\n".join(lines) + "\n"


def _write(path: str, node: dict[str, Any], lines: list[str]) -> None:
    """Append the table at `path` and those below it; a leaf is a table that has a source."""
    if "source" not in node:
        for key, below in node.items():
            _write(f"{path}.{key}", below, lines)
        return
    lines += ["", f"[{path}]"]
    lines += [f"{key} = {_literal(value)}" for key, value in node.items() if key not in _DERIVED]


def _literal(value: object) -> str:
    """A TOML literal. JSON's texts, numbers and lists are TOML's too, as far as cards hold them."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
