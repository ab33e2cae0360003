"""Each way in which an architecture file can be wrong, with its whole sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from openrpp import arch


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, so that sentences hold short file names."""
    monkeypatch.chdir(tmp_path)


def sentence(text: str, name: str = "my.toml", inherits: str | None = "ae7100") -> str:
    """What loading a file of this text says."""
    head = "" if inherits is None else f'inherits = "{inherits}"\n'
    Path(name).write_text(head + text, encoding="utf-8")
    with pytest.raises(arch.ArchError) as caught:
        arch.load(name)
    return str(caught.value)


CASES = {
    # keys
    "array.columms = 48": "array.columms: unknown key; did you mean 'columns'?",
    "arrays.columns = 48": "arrays: unknown key; did you mean 'array'?",
    "fram.zzz = 1": "fram.zzz: unknown key; allowed: bank_bytes, banks",
    "array.columns.valu = 48": "array.columns.valu: unknown key; did you mean 'value'?",
    "clock.levels.level_3 = 9": "clock.levels.level_3: unknown key; did you mean 'level_2'?",
    "choices.rounding = 1\n": "choices.rounding: unknown key; did you mean 'bf16_rounding'?",
    "ddr.kind.unit = 'x'": "ddr.kind.unit: unknown key; allowed: value, source, reference, note",
    # types
    "array = 3": "array: expected a table of keys, got the number 3",
    "clock.levels = 'x'": "clock.levels: expected a table of keys, got the text 'x'",
    "array.columns = '48'": "array.columns: expected a whole number of columns, got the text '48'",
    "array.columns = 48.5": "array.columns: expected a whole number of columns, got the number 48.5",
    "array.columns = { value = 48.5 }": (
        "array.columns.value: expected a whole number of columns, got the number 48.5"
    ),
    "array.columns = true": "array.columns: expected a whole number of columns, got the truth value true",
    "array.columns = [48]": "array.columns: expected a whole number of columns, got a list",
    "ddr.rate = 2026-01-02": "ddr.rate: expected a number in GB/s, got 2026-01-02 (date)",
    "ddr.rate = inf": "ddr.rate: expected a number in GB/s, got the number inf",
    "ddr.rate = nan": "ddr.rate: expected a number in GB/s, got the number nan",
    "ddr.kind = 5": "ddr.kind: expected a text in quotes, got the number 5",
    "ddr.kind = ' '": "ddr.kind: expected a text, got an empty one",
    "name = 7": "name: expected a text in quotes, got the number 7",
    "ddr.rate.note = {}": "ddr.rate.note: expected a text in quotes, got a table",
    # units
    "ddr.rate = { value = 60, unit = 'GiB/s' }": (
        "ddr.rate.unit: the text 'GiB/s' is not the unit of this figure; give it in 'GB/s'"
    ),
    "clock.core = { value = 1, unit = 'GHz' }": (
        "clock.core.unit: the text 'GHz' is not the unit of this figure; give it in 'MHz'"
    ),
    # ranges
    "array.columns = 0": "array.columns: 0 is out of range; it must be at least 1",
    "ddr.rate = 0": "ddr.rate: 0 is out of range; it must be above 0",
    "ddr.efficiency = 1.2": "ddr.efficiency: 1.2 is out of range; it must be above 0 and at most 1",
    "ddr.efficiency.high = 1.2": "ddr.efficiency.high: 1.2 is out of range; it must be above 0 and at most 1",
    "launch.graph_us.low = -1": "launch.graph_us.low: -1 is out of range; it must be at least 0",
    "limits.warps = 256": "limits.warps: 256 is out of range; it must be at least 1 and at most 255",
    "array.stage_latency.nominal = 10": (
        "array.stage_latency: low 2.0, nominal 10.0, high 8.0 (low and high inherited); they must not decrease"
    ),
    "array.stage_latency = { low = 3, nominal = 2, high = 4 }": (
        "array.stage_latency: low 3.0, nominal 2.0, high 4.0; they must not decrease"
    ),
    "array.stage_latency = { value = 3, high = 4 }": (
        "array.stage_latency.high: given beside 'value'; give either 'value' or low, nominal and high"
    ),
    # sources
    "ddr.rate = { value = 60, source = 'guessed' }": (
        "ddr.rate.source: the text 'guessed' is not a source; "
        "expected 'published', 'measured', 'inferred' or 'assumed'"
    ),
    "ddr.rate = { value = 60, source = 'measured' }": (
        "ddr.rate.reference: missing; a value with source = 'measured' must say where that stands"
    ),
    # choices
    "choices.denormals = 'drop'": (
        "choices.denormals: the text 'drop' is not a setting; expected 'keep' or 'flush'"
    ),
    "choices.compare_true = true": (
        "choices.compare_true: the truth value true is not a setting; expected 1 or 65535"
    ),
    "choices.dot_order.value = 'tree'": (
        "choices.dot_order.value: the text 'tree' is not a setting; expected 'even-odd'"
    ),
    # extensions
    "extensions = 'vote'": "extensions: expected a list of extension names, got the text 'vote'",
    "extensions = ['votes']": "extensions: 'votes' is not an extension; did you mean 'vote'?",
    "extensions = ['vote', 'vote']": "extensions: 'vote' is listed twice",
    "extensions = [1]": "extensions: expected a text in quotes, got the number 1",
    # figures that contradict each other
    "limits.threads = 8192": "limits.threads: 8192 must be limits.warp times limits.warps, which is 8160",
    "limits.min_threads = 9000": "limits.min_threads: 9000 must be at most limits.threads, which is 8160",
    "array.lanes = 64": "limits.warp: 32 must equal array.lanes, which is 64",
    "sram.plannable = 25_165_824": (
        "sram.plannable: 25165824 must be at most sram.bytes less sram.spill, which is 24903680"
    ),
    "sram.bytes = 67_108_864": "address.fram: 0x6000000 lies inside sram, which ends at 0x8000000",
    "address.fram_bank = 0x800": "address.fram_bank: 0x800 must be at least fram.bank_bytes, which is 0x1000",
    "address.data = 0": "address.data: 0x0 lies outside DDR, which is 0x10000000 to 0x410000000",
    "link.generation = 4": (
        "link.rate: 3.94 does not fit link.generation 4 with 4 lanes, which is 7.876 GB/s; "
        "what payload reaches of it is link.efficiency"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_a_wrong_key_unit_type_or_range_is_refused(text: str) -> None:
    assert sentence(text) == f"rpp: arch: my.toml: {CASES[text]}"


def test_the_error_carries_file_and_key() -> None:
    Path("my.toml").write_text('inherits = "ae7100"\narray.columns = 0\n')
    with pytest.raises(arch.ArchError) as caught:
        arch.load("my.toml")
    assert (caught.value.file, caught.value.key) == ("my.toml", "array.columns")
    assert isinstance(caught.value, ValueError)


def test_a_file_that_inherits_nothing_must_be_complete() -> None:
    hint = 'missing; give it, or start from a preset with inherits = "ae7100"'
    assert sentence("", inherits=None) == f"rpp: arch: my.toml: chip: {hint}"
    whole = arch.dump(arch.load("ae7100"))
    for line, key in (
        ('unit = "columns"\n', "array.columns.unit"),
        ('[chip.device]\nvalue = "AE7100"\nsource = "published"\n', "chip.device.source"),
    ):
        assert line in whole
        kept = line.replace('source = "published"\n', "") if "source" in line else ""
        assert sentence(whole.replace(line, kept, 1), inherits=None) == f"rpp: arch: my.toml: {key}: {hint}"


def test_a_complete_file_must_give_every_number() -> None:
    whole = arch.dump(arch.load("ae7100"))
    latency = "[array.stage_latency]\nlow = 2.0\nnominal = 4.0\nhigh = 8.0\n"
    assert latency in whole
    key = "rpp: arch: my.toml: array.stage_latency"
    assert sentence(whole.replace(latency, latency.replace("nominal = 4.0\n", "")), inherits=None) == (
        f"{key}.nominal: missing; an interval needs low, nominal and high"
    )
    assert sentence(whole.replace(latency, "[array.stage_latency]\n"), inherits=None) == (
        f"{key}: has no number; give 'value', or low, nominal and high"
    )


def test_inheritance_in_a_circle_is_refused() -> None:
    Path("a.toml").write_text('inherits = "b.toml"\n')
    Path("b.toml").write_text('inherits = "./c.toml"\n')
    said = sentence("", "c.toml", inherits="a.toml")
    assert said == ("rpp: arch: b.toml: inherits: inheritance runs in a circle: c.toml -> a.toml -> b.toml -> c.toml")


def test_a_file_cannot_inherit_from_itself() -> None:
    assert sentence("", inherits="my.toml") == (
        "rpp: arch: my.toml: inherits: inheritance runs in a circle: my.toml -> my.toml"
    )


def test_a_parent_must_exist() -> None:
    assert sentence("", inherits="ae71") == (
        "rpp: arch: my.toml: inherits: 'ae71' is neither a preset nor a file; presets are ae7100, ae7100x"
    )


def test_an_error_in_a_parent_names_the_parent() -> None:
    Path("base.toml").write_text('inherits = "ae7100"\narray.columns = 0\n')
    assert sentence("", inherits="base.toml") == (
        "rpp: arch: base.toml: array.columns: 0 is out of range; it must be at least 1"
    )


def test_text_that_is_not_toml() -> None:
    said = sentence("array.columns = = 3")
    assert said.startswith("rpp: arch: my.toml: is not TOML: ")
    assert "line 2" in said


def test_bytes_that_are_not_text() -> None:
    Path("my.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(arch.ArchError, match=r"^rpp: arch: my\.toml: is not UTF-8 text: byte 8 is 0xff$"):
        arch.load("my.toml")


def test_names_that_are_neither_preset_nor_file() -> None:
    for given, said in (
        ("ae7100y", "ae7100y: no such preset or file; did you mean 'ae7100'?"),
        ("card", "card: no such preset or file; allowed: ae7100, ae7100x"),
        ("no.toml", "no.toml: no such file"),
        ("a/b", "a/b: no such file"),
    ):
        with pytest.raises(arch.ArchError) as caught:
            arch.load(given)
        assert str(caught.value) == f"rpp: arch: {said}"


def test_a_folder_is_not_a_file() -> None:
    Path("cards.toml").mkdir()
    with pytest.raises(arch.ArchError, match=r"^rpp: arch: cards\.toml: cannot be read: Is a directory$"):
        arch.load("cards.toml")
