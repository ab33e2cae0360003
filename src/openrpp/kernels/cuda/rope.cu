// Rotary position embedding of all heads. Block: (32 channels, slabs of a head, rows).
#include "attention.cuh"

template <class T>
static __device__ __forceinline__ void turn(const T *x, T *y, const float *table, int plane, int out_plane, int rows,
                                            int position, int size, int heads, int interleaved) {
    extern __shared__ float angles[];
    int begin = blockIdx.x * blockDim.z, row = min(begin + (int)threadIdx.z, rows - 1);
    rpp::stage_in(angles, table + ((unsigned)position + blockIdx.x * blockDim.z) * size, blockDim.z * size);
    rpp::wait();
    int d = min((int)(threadIdx.y * 32 + threadIdx.x), size - 1);
    const float *own = angles + (row - begin) * size;
#pragma unroll 1
    for (int head = 0; head < heads; head++)
        put(y + row * 32 + channel(head * size + d, out_plane),
            rotated(x + row * 32, head * size, d, size, plane, own, interleaved));
}

#define ROPE(NAME, T)                                                                                                  \
    extern "C" __global__ void rope_##NAME(const T *x, T *y, const float *table, int plane, int out_plane, int rows,   \
                                           int position, int size, int heads, int interleaved) {                       \
        turn(x, y, table, plane, out_plane, rows, position, size, heads, interleaved);                                   \
    }

ROPE(bf16, word)
ROPE(f32, float)
