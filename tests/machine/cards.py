"""Cards whose figures tests choose."""

from __future__ import annotations

import dataclasses
from typing import Any

from openrpp.arch import Card, Figure, load


def changed(card: Card, **figures: Any) -> Card:
    """A card with other figures: `array__stage_latency=4`, or (low, nominal, high)."""
    for path, value in figures.items():
        section, name = path.split("__")
        old = getattr(getattr(card, section), name)
        low, nominal, high = value if isinstance(value, tuple) else (value, value, value)
        new = Figure(low, nominal, high, old.unit, old.source, old.reference)
        card = dataclasses.replace(card, **{section: dataclasses.replace(getattr(card, section), **{name: new})})
    return card


def exact(**figures: Any) -> Card:
    """The AE7100 with round figures, so that cycles can be worked out by hand: one word per cycle, latency 4."""
    plain = {
        "array__stage_latency": 4,
        "array__words_per_cycle": 1,
        "array__config_buffers": 1,
        "array__block_gap": 0,
        "array__barrier_latency": 8,
        "sram__ldwarp_cycles": 8,
        "dma__setup": 64,
        "dma__rate": 64,
        "ddr__rate": 50,
        "ddr__efficiency": 1,
        "ddr__latency": 100,
    }
    return changed(load("ae7100"), **(plain | figures))
