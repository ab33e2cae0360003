"""Published RPP kernels as an external conformance suite (not part of the wheel)."""
