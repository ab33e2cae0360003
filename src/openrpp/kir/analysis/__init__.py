"""Analyses of kernels. Each is a value computed once; nothing keeps it current when the kernel changes."""
