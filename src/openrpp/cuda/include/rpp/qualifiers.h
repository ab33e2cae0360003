/* Words of CUDA C++ and the few C library types. Clang knows __noinline__, __restrict__ and __inline__ itself. */
#pragma once

#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __managed__ __attribute__((device))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __attribute__((aligned(n)))
#define __grid_constant__ __attribute__((grid_constant))
#define __cluster_dims__(...)
#define __maxnreg__(n)
#define __device_builtin__
#define __device_builtin_texture_type__ __attribute__((device_builtin_texture_type))
#define __cudart_builtin__
#define __specialization_static
#define CUDARTAPI
#define CUDART_CB
#define CUDART_VERSION 12000
#define CUDA_VERSION 12000
#define __CUDACC__ 1
#define __CUDACC_VER_MAJOR__ 12
#define __CUDACC_VER_MINOR__ 0
#define __CUDACC_VER_BUILD__ 0
#define __OPENRPP__ 1

typedef __SIZE_TYPE__ size_t;

/* Ours: a function of the device library, an external that the reader of LLVM IR makes an op of, and what is missing. */
#define RPP_DEVICE static __attribute__((device, always_inline, unused))
#define RPP_EITHER static __attribute__((host, device, always_inline, unused))
#define RPP_OP extern "C" __attribute__((device))
#define RPP_MISSING(reason) __attribute__((device, unavailable(reason)))
