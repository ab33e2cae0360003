"""What goes wrong between a picture and what a model says about it, in one sentence each."""

from __future__ import annotations


class VisionError(ValueError):
    """A picture, a set of labels or a model's answer that cannot be used."""
