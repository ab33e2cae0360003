"""The presets are frozen: every figure, its unit, source and reference."""

from __future__ import annotations

import pytest

from openrpp import arch

FINGERPRINTS = {
    "ae7100": "c7868eca661048936d9687488d0ea3dfec927a45c7aad7a8024483f49ec5be32",
    "ae7100x": "8df5a043d9abfc23aa1fc8c6551cdf33eac0d75a06add9658e0aa4794b3b8cb9",
}


@pytest.mark.parametrize("name", arch.presets())
def test_preset_is_as_calibrated(name: str) -> None:
    evidence = "a figure of a preset changed: write the new evidence into docs/timing.md, then renew this fingerprint"
    assert arch.fingerprint(arch.load(name)) == FINGERPRINTS[name], evidence
