"""CUDA C++ to kernel IR: the clang driver, our device headers and the reader of LLVM IR."""
