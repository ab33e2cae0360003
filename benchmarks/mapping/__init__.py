"""How kernels map to columns of the card: counts and cycles of compiled code against those of hand-written code."""
