"""The rows of the operator table, by kind."""

from openrpp.graph.rows import elementwise, norm, structure

__all__ = ["elementwise", "norm", "structure"]
