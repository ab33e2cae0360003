"""The description of one card."""

from dataclasses import Field, dataclass, field, fields
from typing import Any

from openrpp.arch.choices import Choices
from openrpp.arch.schema import says
from openrpp.arch.sections import (
    AddressMap,
    Array,
    Chip,
    Clock,
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


@dataclass(frozen=True)
class Card:
    """A card: what it is made of, where everything lies, what it may not exceed, and where each figure comes from."""

    name: str
    title: str
    inherits: str | None
    extensions: tuple[str, ...]
    chip: Chip = field(metadata=says("chip"))
    array: Array = field(metadata=says("array"))
    clock: Clock = field(metadata=says("clock"))
    sram: Sram = field(metadata=says("SRAM"))
    fram: Fram = field(metadata=says("FRAM"))
    pram: Pram = field(metadata=says("program memory"))
    ddr: Ddr = field(metadata=says("DDR"))
    dma: Dma = field(metadata=says("DMA"))
    link: Link = field(metadata=says("host link"))
    launch: Launch = field(metadata=says("launch cost"))
    limits: Limits = field(metadata=says("limits"))
    form: Form = field(metadata=says("form factor"))
    power: Power = field(metadata=says("power"))
    video: Video = field(metadata=says("video engine"))
    address: AddressMap = field(metadata=says("address map"))
    choices: Choices = field(metadata=says("choices"))


def section_fields() -> list[Field[Any]]:
    """The fields of `Card` that are sections, in the order of the sheet."""
    return [item for item in fields(Card) if item.metadata]
