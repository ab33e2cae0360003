"""What a card is: chip, array, memories, link, limits, power and the source of each figure.

>>> card = load("ae7100")
>>> card.array.columns.value
32
>>> card.array.stage_latency.at("high")
8.0
"""

from openrpp.arch.card import Card
from openrpp.arch.choices import Choices
from openrpp.arch.dump import dump
from openrpp.arch.errors import ArchError
from openrpp.arch.extensions import EXTENSIONS
from openrpp.arch.figure import LEVELS, SOURCES, Choice, Fact, Figure, Level, Source
from openrpp.arch.load import load, presets
from openrpp.arch.sections import (
    AddressMap,
    Array,
    Chip,
    Clock,
    ClockLevels,
    Ddr,
    Dma,
    Form,
    Fram,
    Launch,
    Limits,
    Link,
    Power,
    Pram,
    Sram,
    Video,
)
from openrpp.arch.sheet import Row, as_dict, fingerprint, sheet

__all__ = [
    "EXTENSIONS",
    "LEVELS",
    "SOURCES",
    "AddressMap",
    "ArchError",
    "Array",
    "Card",
    "Chip",
    "Choice",
    "Choices",
    "Clock",
    "ClockLevels",
    "Ddr",
    "Dma",
    "Fact",
    "Figure",
    "Form",
    "Fram",
    "Launch",
    "Level",
    "Limits",
    "Link",
    "Power",
    "Pram",
    "Row",
    "Source",
    "Sram",
    "Video",
    "as_dict",
    "dump",
    "fingerprint",
    "load",
    "presets",
    "sheet",
]
