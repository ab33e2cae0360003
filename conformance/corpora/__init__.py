"""Public CUDA programs through the front end: which kernels reach verified kernel IR, and what they keep live."""
