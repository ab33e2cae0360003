"""OpenRPP: an RPP accelerator card as software.

>>> import openrpp
>>> card = openrpp.Card("ae7100")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openrpp.runtime import Card

    __version__: str

__all__ = ["Card", "__version__"]


def __getattr__(name: str) -> object:
    """`Card` and `__version__` on first use, so that importing a part of the package loads no other."""
    if name == "Card":
        from openrpp.runtime import Card

        globals()[name] = Card
        return Card
    if name == "__version__":
        from importlib.metadata import version

        globals()[name] = found = version("openrpp")
        return found
    raise AttributeError(f"module 'openrpp' has no attribute {name!r}")
