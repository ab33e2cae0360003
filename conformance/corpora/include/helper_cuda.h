// What programs take from the header of this name in NVIDIA's CUDA samples, which are not part of the toolkit.
#pragma once
#include <cstdio>
#include <cstdlib>

inline void conformance_check(cudaError_t code, const char *what, const char *file, int line) {
  if (code != cudaSuccess) {
    std::fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, cudaGetErrorString(code));
    std::exit(EXIT_FAILURE);
  }
}

#define checkCudaErrors(call) conformance_check((call), #call, __FILE__, __LINE__)
#define getLastCudaError(what) conformance_check(cudaGetLastError(), (what), __FILE__, __LINE__)

#include "helper_string.h"
