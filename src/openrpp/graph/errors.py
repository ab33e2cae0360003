"""What goes wrong with a model, in one sentence each."""

from __future__ import annotations


class GraphError(ValueError):
    """A model that cannot be read, compiled or run; the sentence says what is wrong and where."""


class Unsupported(GraphError):
    """An operator that neither the card nor the host carries out, or that the card does not and the host may not."""
