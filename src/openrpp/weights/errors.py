"""What can go wrong between a name in a catalogue and a file on disk."""

from __future__ import annotations


class WeightsError(ValueError):
    """Weights cannot be named, reached, checked or kept; the text is one sentence with what to do."""
