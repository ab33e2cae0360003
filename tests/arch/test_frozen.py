"""The presets are frozen: every figure, its unit, source and reference."""

from __future__ import annotations

import pytest

from openrpp import arch

FINGERPRINTS = {
    "ae7100": "c7868eca661048936d9687488d0ea3dfec927a45c7aad7a8024483f49ec5be32",
    "ae7100x": "4ba5bb187195a516f6aacfd9bf1bdc3be201acee0df939d8621713b04162b0b6",
}


@pytest.mark.parametrize("name", arch.presets())
def test_preset_is_as_calibrated(name: str) -> None:
    evidence = "a figure of a preset changed: write the new evidence into docs/timing.md, then renew this fingerprint"
    assert arch.fingerprint(arch.load(name)) == FINGERPRINTS[name], evidence
