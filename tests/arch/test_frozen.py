"""The presets are frozen: every figure, its unit, source and reference."""

from __future__ import annotations

import pytest

from openrpp import arch

FINGERPRINTS = {
    "ae7100": "c7868eca661048936d9687488d0ea3dfec927a45c7aad7a8024483f49ec5be32",
    "ae7100x": "808216aebae26239c320f0149b73b27d5bf5970b3c45f109d295b63c2f4f03c8",
}


@pytest.mark.parametrize("name", arch.presets())
def test_preset_is_as_calibrated(name: str) -> None:
    evidence = "a figure of a preset changed: write the new evidence into docs/timing.md, then renew this fingerprint"
    assert arch.fingerprint(arch.load(name)) == FINGERPRINTS[name], evidence
