"""The rows of the operator table, by kind."""

from openrpp.graph.rows import structure

__all__ = ["structure"]
