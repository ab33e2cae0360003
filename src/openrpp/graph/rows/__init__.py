"""The rows of the operator table, by kind."""

from openrpp.graph.rows import conv, elementwise, norm, pool, product, structure

__all__ = ["conv", "elementwise", "norm", "pool", "product", "structure"]
