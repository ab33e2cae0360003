"""The rows of the operator table, by kind."""

from openrpp.graph.rows import norm, structure

__all__ = ["norm", "structure"]
