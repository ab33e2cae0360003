"""Weights by name: a catalogue of models, and the folder that their files are pulled into.

>>> find("smollm2-135m-instruct")  # raises WeightsError until `rpp pull smollm2-135m-instruct` has run
"""

from __future__ import annotations

from openrpp.weights.catalogue import Entry, entries, entry, user_file
from openrpp.weights.errors import WeightsError
from openrpp.weights.store import checksum, find, is_here, place, pull, remove, root

__all__ = [
    "Entry",
    "WeightsError",
    "checksum",
    "entries",
    "entry",
    "find",
    "is_here",
    "place",
    "pull",
    "remove",
    "root",
    "user_file",
]
