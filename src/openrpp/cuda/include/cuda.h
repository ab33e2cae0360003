/* Types of the driver API; programs of the runtime API include this header for CUDA_VERSION and the like. */
#pragma once
#include "cuda_runtime.h"

typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct __rpp_context *CUcontext;
typedef struct __rpp_module *CUmodule;
typedef struct __rpp_function *CUfunction;
typedef cudaStream_t CUstream;
typedef cudaEvent_t CUevent;
typedef enum { CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_VALUE = 1, CUDA_ERROR_OUT_OF_MEMORY = 2, CUDA_ERROR_UNKNOWN = 999 } CUresult;

static inline __attribute__((host)) CUresult cuMemGetInfo(size_t *unused, size_t *all) {
    return (CUresult)cudaMemGetInfo(unused, all);
}
