// Softmax over groups of channels of slabs. Block: (32 lanes, groups of 32 pixels, a divisor of 32): lanes are channels where slabs are
// read and written, pixels where a group's channels are added up, from a copy whose pitch spreads them over the banks.
#include "element.cuh"
#include "functions.cuh"

extern __shared__ float staged[];  // [slab][pixel][33], then the powers likewise

template <class T, class U>
static __device__ __forceinline__ void softmax(const T *x, U *y, int plane, int out_plane, int pixels, int slabs,
                                               int size, int groups) {
    int height = blockDim.y * 32, line = threadIdx.y * 32 + threadIdx.z, depth = blockDim.z;
    int pixel = blockIdx.x * height + line, pitch = height * 33;
    float *powers = staged + slabs * pitch;
#pragma unroll 1
    for (int slab = 0; slab < slabs; slab++)
#pragma unroll 1
        for (int i = 0; i < 32; i += depth)
            staged[slab * pitch + (line + i) * 33 + threadIdx.x] =
                value(x[slab * plane + min(pixel + i, pixels - 1) * 32 + threadIdx.x]);
    __syncthreads();
    int place = (threadIdx.y * 32 + threadIdx.x) * 33;
#pragma unroll 1
    for (int base = 0; base < groups; base += depth) {
        int first = min(base + (int)threadIdx.z, groups - 1) * size;
        float most = -3e38f, total = 0;
#pragma unroll 1
        for (int i = 0; i < size; i++) {
            int c = first + i;
            float v = staged[(c >> 5) * pitch + (c & 31) + place];
            most = v > most ? v : most;
        }
#pragma unroll 1
        for (int i = 0; i < size; i++) {
            int c = first + i;
            float power = exp_negative(staged[(c >> 5) * pitch + (c & 31) + place] - most);
            powers[(c >> 5) * pitch + (c & 31) + place] = power;
            total += power;
        }
        total = inverse(total);
        __syncthreads();  // threads without a group of their own do what those of the last one do
#pragma unroll 1
        for (int i = 0; i < size; i++) {
            int c = first + i;
            staged[(c >> 5) * pitch + (c & 31) + place] = powers[(c >> 5) * pitch + (c & 31) + place] * total;
        }
    }
    __syncthreads();
#pragma unroll 1
    for (int slab = 0; slab < slabs; slab++)
#pragma unroll 1
        for (int i = 0; i < 32; i += depth)
            put(y + slab * out_plane + min(pixel + i, pixels - 1) * 32 + threadIdx.x,
                staged[slab * pitch + (line + i) * 33 + threadIdx.x]);
}

#define SOFTMAX(NAME, T, U)                                                                                            \
    extern "C" __global__ void softmax_##NAME(const T *x, U *y, int plane, int out_plane, int pixels, int slabs,       \
                                              int size, int groups) {                                                  \
        softmax(x, y, plane, out_plane, pixels, slabs, size, groups);                                                  \
    }

SOFTMAX(bf16, word, word)
SOFTMAX(f32, float, float)
SOFTMAX(bf16_f32, word, float)
