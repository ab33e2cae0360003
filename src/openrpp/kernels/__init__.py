"""The kernel library: CUDA C++ sources, their layouts and tilings, and launches of them with symbolic memory."""
