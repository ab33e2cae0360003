"""The two cards that come with the package."""

from __future__ import annotations

import dataclasses
import doctest

import pytest

from openrpp import arch
from openrpp.arch import Card, Figure, Row


@pytest.fixture(params=arch.presets())
def card(request: pytest.FixtureRequest) -> Card:
    return arch.load(request.param)


def test_there_are_two_presets() -> None:
    assert arch.presets() == ("ae7100", "ae7100x")


def test_every_row_has_a_source_and_says_where_it_comes_from(card: Card) -> None:
    for row in arch.sheet(card):
        assert row.source in arch.SOURCES, row
        assert len(row.reference) > 10, row
        assert row.meaning, row


def test_references_are_public(card: Card) -> None:
    for row in arch.sheet(card):
        assert "facts.md" not in row.reference + row.note
        assert "isa-r8" not in row.reference + row.note


def test_figures_known_only_within_bounds_are_assumed(card: Card) -> None:
    """An interval is what a working value looks like; published, measured and inferred figures are exact."""
    intervals = {f"{row.section}.{row.key}": row.source for row in arch.sheet(card) if " / " in row.text}
    assert len(intervals) >= 15
    assert set(intervals.values()) == {"assumed"}


def test_ae7100_has_no_extensions() -> None:
    card = arch.load("ae7100")
    assert card.extensions == ()
    assert card.inherits is None


def test_ae7100x_is_ae7100_with_every_extension() -> None:
    plain, extended = arch.load("ae7100"), arch.load("ae7100x")
    assert extended.extensions == tuple(arch.EXTENSIONS)
    same = dataclasses.replace(
        extended, name=plain.name, title=plain.title, inherits=plain.inherits, extensions=plain.extensions
    )
    assert same == plain


def test_published_figures() -> None:
    card = arch.load("ae7100")
    assert card.sram.bytes.value == 24 * 2**20
    assert card.sram.plannable.value == 22 * 2**20
    assert card.sram.spill.value == 256 * 2**10
    assert card.ddr.bytes.value == 16 * 2**30
    assert card.ddr.rate.value == pytest.approx(128 / 8 * 3.733, rel=1e-3)
    assert card.limits.threads.value == 255 * 32
    assert card.array.cores.value == card.chip.cores.value == 1024
    assert card.link.device_id.value == "1f2e:00a1"
    assert card.address.sram.value == 0x0400_0000
    assert (card.form.length.value, card.form.width.value, card.power.typical.value) == (80, 22, 15)


def test_geometry_and_clock_explain_the_published_peaks() -> None:
    card = arch.load("ae7100")
    lanes_per_us = card.array.cores.value * card.clock.core.value
    for macs, peak in (
        (card.array.bf16_macs_per_lane, card.chip.peak_bf16),
        (card.array.int8_macs_per_lane, card.chip.peak_int8),
    ):
        assert lanes_per_us * macs.value * 2 / 1e6 == pytest.approx(peak.value, rel=0.05)


def test_whole_numbers_are_ints_and_measures_are_floats() -> None:
    card = arch.load("ae7100")
    assert type(card.array.columns.value) is int
    assert type(card.clock.core.value) is float


def test_figure_levels() -> None:
    latency = arch.load("ae7100").array.stage_latency
    assert [latency.at(level) for level in arch.LEVELS] == [2, 4, 8]
    assert latency.value == 4
    assert latency.is_interval
    assert not arch.load("ae7100").array.columns.is_interval
    with pytest.raises(ValueError, match=r"^rpp: arch: no level 'slow'; levels are 'low', 'nominal' and 'high'$"):
        latency.at("slow")  # type: ignore[arg-type]


def test_cards_are_frozen() -> None:
    card = arch.load("ae7100")
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.array.columns.nominal = 48  # type: ignore[misc]
    assert hash(card) == hash(arch.load("ae7100"))


def test_clock_levels_by_name() -> None:
    levels = arch.load("ae7100").clock.levels
    assert list(levels.named()) == ["level_1", "level_2", "lower_power"]
    assert levels.named()["level_1"] is levels.level_1


def test_fram_size_is_that_of_all_banks() -> None:
    assert arch.load("ae7100").fram.bytes == 8192


def test_choices_as_plain_settings() -> None:
    settings = arch.load("ae7100").choices.settings()
    assert settings["bf16_rounding"] == "nearest-even"
    assert settings["compare_true"] == 1
    assert set(settings) == {field.name for field in dataclasses.fields(arch.Choices)}


def test_the_package_docstring_is_true() -> None:
    assert doctest.testmod(arch).failed == 0


def _row(card: Card, section: str, key: str) -> Row:
    (row,) = (row for row in arch.sheet(card) if (row.section, row.key) == (section, key))
    return row


@pytest.mark.parametrize(
    ("section", "key", "text", "unit"),
    [
        ("array", "columns", "32", "columns"),
        ("array", "stage_latency", "2 / 4 / 8", "cycles"),
        ("sram", "bytes", "24", "MiB"),
        ("sram", "spill", "256", "KiB"),
        ("sram", "guard", "512", "bytes"),
        ("ddr", "efficiency", "0.78 / 0.87 / 0.94", "share"),
        ("clock", "levels.level_1", "1000", "MHz"),
        ("address", "sram", "0x0400_0000", "address"),
        ("address", "alias", "0x10_0000_0000", "address"),
        ("form", "name", "M.2 2280", ""),
        ("choices", "dot_order", "even-odd", ""),
    ],
)
def test_sheet_shows_values_as_people_read_them(section: str, key: str, text: str, unit: str) -> None:
    row = _row(arch.load("ae7100"), section, key)
    assert (row.text, row.unit) == (text, unit)


def test_sheet_follows_the_order_of_the_sections() -> None:
    rows = arch.sheet(arch.load("ae7100"))
    sections = list(dict.fromkeys(row.section for row in rows))
    assert sections[:3] == ["chip", "array", "clock"]
    assert sections[-1] == "choices"
    assert rows == sorted(rows, key=lambda row: sections.index(row.section))


def test_as_dict_carries_raw_numbers_units_and_allowed_values() -> None:
    content = arch.as_dict(arch.load("ae7100x"))
    latency = content["array"]["stage_latency"]
    assert {key: latency[key] for key in ("low", "nominal", "high", "unit", "source")} == {
        "low": 2.0,
        "nominal": 4.0,
        "high": 8.0,
        "unit": "cycles",
        "source": "assumed",
    }
    assert content["sram"]["bytes"]["nominal"] == 24 * 2**20
    assert content["clock"]["levels"]["level_1"]["unit"] == "MHz"
    assert content["choices"]["compare_true"]["allowed"] == [1, 65535]
    assert content["extensions"] == dict(arch.EXTENSIONS)
    assert content["inherits"] == "ae7100"


def test_figures_of_a_preset_reach_the_sheet_once() -> None:
    rows = arch.sheet(arch.load("ae7100"))
    assert len({(row.section, row.key) for row in rows}) == len(rows)


def test_a_figure_can_be_made_by_hand() -> None:
    figure = Figure(1.0, 2.0, 3.0, "us", "measured", "a test")
    assert (figure.value, figure.note) == (2.0, "")
