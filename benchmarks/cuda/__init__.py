"""`python -m benchmarks.cuda`: kernels on the native engine against C and PoCL."""
