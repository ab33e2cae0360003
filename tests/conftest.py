"""Settings shared by all tests."""

from __future__ import annotations

from hypothesis import settings

# Timing of a single example says nothing on a shared machine; a failing one prints how to reproduce it.
settings.register_profile("openrpp", deadline=None, print_blob=True)
settings.load_profile("openrpp")
