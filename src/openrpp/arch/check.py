"""Consistency between figures of different sections, checked once all of a card is read."""

from __future__ import annotations

from itertools import pairwise

from openrpp.arch.card import Card
from openrpp.arch.errors import ArchError

# PCI Express base specification: transfers per second of a lane times the share left by line coding, in GB/s.
_LANE_RATES = {1: 0.25, 2: 0.5, 3: 0.9846, 4: 1.969, 5: 3.938, 6: 7.563, 7: 15.125}


def check(card: Card, file: str) -> None:
    """Refuse a card whose figures contradict each other.

    Raises:
        ArchError: names the key that would have to change, and the figures that it disagrees with.
    """
    _check_limits(card, file)
    _check_sram(card, file)
    _check_addresses(card, file)
    _check_link(card, file)


def _check_limits(card: Card, file: str) -> None:
    limits = card.limits
    if limits.warp.value != card.array.lanes.value:
        raise ArchError(
            file, "limits.warp", f"{limits.warp.value} must equal array.lanes, which is {card.array.lanes.value}"
        )
    threads = limits.warp.value * limits.warps.value
    if limits.threads.value != threads:
        raise ArchError(
            file, "limits.threads", f"{limits.threads.value} must be limits.warp times limits.warps, which is {threads}"
        )
    if limits.min_threads.value > threads:
        raise ArchError(
            file, "limits.min_threads", f"{limits.min_threads.value} must be at most limits.threads, which is {threads}"
        )


def _check_sram(card: Card, file: str) -> None:
    sram = card.sram
    room = sram.bytes.value - sram.spill.value
    if sram.plannable.value > room:
        raise ArchError(
            file,
            "sram.plannable",
            f"{sram.plannable.value} must be at most sram.bytes less sram.spill, which is {room}",
        )


def _check_addresses(card: Card, file: str) -> None:
    where, fram = card.address, card.fram
    if where.fram_bank.value < fram.bank_bytes.value:
        raise ArchError(
            file,
            "address.fram_bank",
            f"{where.fram_bank.value:#x} must be at least fram.bank_bytes, which is {fram.bank_bytes.value:#x}",
        )
    fram_end = where.fram.value + where.fram_bank.value * (fram.banks.value - 1) + fram.bank_bytes.value
    spans = sorted(
        (
            (where.sram.value, where.sram.value + card.sram.bytes.value, "sram"),
            (where.fram.value, fram_end, "fram"),
            (where.pram.value, where.pram.value + card.pram.bytes.value, "pram"),
            (where.ddr.value, where.ddr.value + card.ddr.bytes.value, "ddr"),
        )
    )
    for (_, end, name), (start, _, following) in pairwise(spans):
        if end > start:
            raise ArchError(file, f"address.{following}", f"{start:#x} lies inside {name}, which ends at {end:#x}")
    ddr_end = where.ddr.value + card.ddr.bytes.value
    if not where.ddr.value <= where.data.value < ddr_end:
        raise ArchError(
            file,
            "address.data",
            f"{where.data.value:#x} lies outside DDR, which is {where.ddr.value:#x} to {ddr_end:#x}",
        )


def _check_link(card: Card, file: str) -> None:
    link = card.link
    generation, lanes, rate = link.generation.value, link.lanes.value, link.rate.value
    raw = _LANE_RATES[generation] * lanes
    if abs(rate - raw) > 0.02 * raw:
        raise ArchError(
            file,
            "link.rate",
            f"{rate:g} does not fit link.generation {generation} with {lanes} lanes, which is {raw:.4g} GB/s; "
            "what payload reaches of it is link.efficiency",
        )
