"""What can be wrong with a model file or a prompt, in one sentence each."""

from __future__ import annotations


class ModelError(ValueError):
    """A model file, or a prompt for it, that cannot be used."""
