"""How far the device math functions are from the exact results: measured, and written down in docs/cuda-math.md."""
