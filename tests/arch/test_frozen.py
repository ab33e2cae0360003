"""The presets are frozen: every figure, its unit, source and reference."""

from __future__ import annotations

import pytest

from openrpp import arch

FINGERPRINTS = {
    "ae7100": "cc34a5455fa7dca742404197417f0d96f13007f64ca9f081d94657535ba6f383",
    "ae7100x": "4722923bed553e936fd141c56e258205b1a1045727636fd7c0318675e6bdccd9",
}


@pytest.mark.parametrize("name", arch.presets())
def test_preset_is_as_calibrated(name: str) -> None:
    evidence = "a figure of a preset changed: write the new evidence into docs/timing.md, then renew this fingerprint"
    assert arch.fingerprint(arch.load(name)) == FINGERPRINTS[name], evidence
