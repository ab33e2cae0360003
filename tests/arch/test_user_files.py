"""Architecture files that users write: inheritance, partial changes, round trip."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrpp import arch
from openrpp.arch import Card

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and give its path; `my.toml` inheriting from ae7100 unless said otherwise."""

    def go(text: str, name: str = "my.toml", inherits: str | None = "ae7100") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head = "" if inherits is None else f'inherits = "{inherits}"\n'
        path.write_text(head + text, encoding="utf-8")
        return path

    return go


def test_an_empty_heir_equals_its_parent_but_for_its_name(write: Write) -> None:
    path = write("")
    card, parent = arch.load(path), arch.load("ae7100")
    assert (card.name, card.inherits) == ("my", "ae7100")
    assert card.title == f"AE7100 M.2 module, changed by {path}"
    assert dataclasses.replace(card, name=parent.name, title=parent.title, inherits=None) == parent


def test_a_bare_number_replaces_the_whole_interval(write: Write) -> None:
    path = write("array.stage_latency = 3")
    latency = arch.load(path).array.stage_latency
    assert (latency.low, latency.nominal, latency.high) == (3, 3, 3)
    assert (latency.unit, latency.source, latency.reference) == ("cycles", "assumed", f"user file {path}")


def test_one_end_of_an_interval_may_change_alone(write: Write) -> None:
    path = write("array.stage_latency.nominal = 6")
    latency = arch.load(path).array.stage_latency
    assert (latency.low, latency.nominal, latency.high) == (2, 6, 8)
    assert (latency.unit, latency.source, latency.reference) == ("cycles", "assumed", f"user file {path}")


def test_a_new_value_drops_the_note_of_the_old_one(write: Write) -> None:
    assert arch.load("ae7100").ddr.rate.note
    assert arch.load(write("ddr.rate = 102.4")).ddr.rate.note == ""


def test_a_new_value_may_bring_its_own_source(write: Write) -> None:
    path = write(
        """
        [ddr.rate]
        value = 102.4
        unit = "GB/s"
        source = "measured"
        reference = "our board, July"
        note = "LPDDR5"
        """
    )
    rate = arch.load(path).ddr.rate
    assert (rate.value, rate.source, rate.reference, rate.note) == (102.4, "measured", "our board, July", "LPDDR5")


def test_a_note_alone_keeps_value_and_source(write: Write) -> None:
    rate = arch.load(write('ddr.rate.note = "checked"')).ddr.rate
    published = arch.load("ae7100").ddr.rate
    assert rate == dataclasses.replace(published, note="checked")


def test_48_columns_change_the_cores(write: Write) -> None:
    card = arch.load(write("array.columns = 48"))
    assert card.array.cores.value == 48 * 32
    assert card.array.cores.source == "assumed"
    assert card.chip.cores.value == 1024


def test_a_whole_number_may_be_written_with_a_decimal_point(write: Write) -> None:
    columns = arch.load(write("array.columns = 48.0")).array.columns.value
    assert (columns, type(columns)) == (48, int)


def test_facts_and_choices_may_change(write: Write) -> None:
    path = write('ddr.kind = "LPDDR5"\nchoices.denormals = "flush"\nchoices.compare_true.value = 65535')
    card = arch.load(path)
    assert (card.ddr.kind.value, card.ddr.kind.source) == ("LPDDR5", "assumed")
    assert (card.choices.denormals.value, card.choices.denormals.reference) == ("flush", f"user file {path}")
    assert card.choices.settings()["compare_true"] == 65535


def test_nested_groups_may_change(write: Write) -> None:
    levels = arch.load(write("[clock.levels]\nlevel_2 = 800")).clock.levels
    assert levels.level_2.value == 800
    assert levels.level_1 == arch.load("ae7100").clock.levels.level_1


def test_extensions_replace_those_inherited_and_come_in_declared_order(write: Write) -> None:
    assert arch.load(write('extensions = ["vote", "int8"]', inherits="ae7100x")).extensions == ("int8", "vote")
    assert arch.load(write("extensions = []", inherits="ae7100x")).extensions == ()
    assert arch.load(write("", inherits="ae7100x")).extensions == tuple(arch.EXTENSIONS)


def test_inheritance_runs_over_several_files_relative_to_each(write: Write) -> None:
    write("array.columns = 48\nddr.rate = 80", "base/wide.toml")
    write("ddr.rate = 100", "base/faster.toml", inherits="wide.toml")
    card = arch.load(write('title = "Ours"', inherits="base/faster.toml"))
    assert (card.title, card.array.columns.value, card.ddr.rate.value) == ("Ours", 48, 100)
    assert card.array.columns.reference.endswith("wide.toml")
    assert card.ddr.rate.reference.endswith("faster.toml")


def test_a_file_may_bear_the_name_of_a_preset(write: Write) -> None:
    card = arch.load(write("array.columns = 16", "ae7100.toml"))
    assert (card.name, card.array.columns.value) == ("ae7100", 16)
    assert arch.load("ae7100").array.columns.value == 32


def test_a_path_needs_no_toml_ending(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("", "card")
    monkeypatch.chdir(tmp_path)
    assert arch.load("card").name == "card"
    assert arch.load(f".{os.sep}card").name == "card"


@pytest.mark.parametrize("preset", arch.presets())
def test_dump_reads_back_as_the_same_card(preset: str, write: Write) -> None:
    card = arch.load(preset)
    again = arch.load(write(arch.dump(card), inherits=None))
    assert again == dataclasses.replace(card, inherits=None)
    assert arch.fingerprint(again) == arch.fingerprint(card)


@given(
    ends=st.lists(st.floats(1e-6, 1e12), min_size=3, max_size=3).map(sorted),
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: bool(text.strip())),
)
def test_dump_keeps_any_number_and_any_text(
    ends: list[float], text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    card = arch.load("ae7100")
    low, nominal, high = ends
    rate = dataclasses.replace(card.ddr.rate, low=low, nominal=nominal, high=high, note=text)
    card = dataclasses.replace(card, ddr=dataclasses.replace(card.ddr, rate=rate))
    path = tmp_path_factory.mktemp("dump") / "card.toml"
    path.write_text(arch.dump(card), encoding="utf-8", newline="")
    assert arch.load(path).ddr.rate == rate


def test_fingerprint_changes_with_any_part_of_a_figure() -> None:
    card = arch.load("ae7100")

    def with_rate(**changes: object) -> Card:
        rate = dataclasses.replace(card.ddr.rate, **changes)  # type: ignore[arg-type]
        return dataclasses.replace(card, ddr=dataclasses.replace(card.ddr, rate=rate))

    prints = [
        arch.fingerprint(variant)
        for variant in (
            card,
            with_rate(high=60.0),
            with_rate(source="measured"),
            with_rate(reference="elsewhere"),
            dataclasses.replace(card, extensions=("vote",)),
        )
    ]
    assert len(set(prints)) == len(prints)
    assert all(len(text) == 64 for text in prints)


def test_errors_survive_pickling() -> None:
    error = arch.ArchError("my.toml", "array.columns", "is wrong")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.file, again.key) == (str(error), "my.toml", "array.columns")
