// One row of tokens: y = x[row]. Block: (32 lanes, slabs).
#include "element.cuh"

template <class T> static __device__ __forceinline__ void take(const T *x, T *y, int plane, int row) {
    int slab = blockIdx.x * blockDim.y + threadIdx.y, lane = threadIdx.x;
    y[slab * 32 + lane] = x[slab * plane + row * 32 + lane];
}

extern "C" __global__ void take_bf16(const word *x, word *y, int plane, int row) { take(x, y, plane, row); }
extern "C" __global__ void take_f32(const float *x, float *y, int plane, int row) { take(x, y, plane, row); }
