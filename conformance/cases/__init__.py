"""One module per kernel family; each registers its cases with `conformance.case.case`."""
