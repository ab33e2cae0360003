// Reductions over the channels of tokens. Block: (32 lanes, rows, groups of slabs), as in norm.cu: each thread takes its
// channel of `per` slabs, the groups of a row meet in shared memory, then its 32 lanes.
#include "element.cuh"

extern __shared__ float parts[];

struct Sum {
    static constexpr float start = 0;
    static __device__ __forceinline__ float both(float a, float b) { return a + b; }
};
struct Max {
    static constexpr float start = -__builtin_inff();
    static __device__ __forceinline__ float both(float a, float b) { return b > a ? b : a; }
};
struct Min {
    static constexpr float start = __builtin_inff();
    static __device__ __forceinline__ float both(float a, float b) { return b < a ? b : a; }
};

template <class OP, class T>
static __device__ __forceinline__ void reduce(const T *x, T *y, int per, int plane, int rows, int channels,
                                              float share) {
    int lane = threadIdx.x, line = threadIdx.y * 32, width = blockDim.y * 32, groups = blockDim.z;
    int row = min((int)(blockIdx.x * blockDim.y + threadIdx.y), rows - 1), slab = threadIdx.z * per;
    const T *from = x + slab * plane + row * 32 + lane;
    float found = OP::start;
#pragma unroll 1
    for (int i = 0; i < per; i++) {
        float v = value(from[i * plane]);
        found = OP::both(found, (slab + i) * 32 + lane < channels ? v : OP::start);
    }
    float *columns = parts + groups * width;
    parts[threadIdx.z * width + line + lane] = found;
    __syncthreads();
    found = OP::start;
#pragma unroll 1
    for (int group = 0; group < groups; group++) found = OP::both(found, parts[group * width + line + lane]);
    columns[line + lane] = found;
    __syncthreads();
    found = columns[line];
#pragma unroll
    for (int i = 1; i < 32; i++) found = OP::both(found, columns[line + i]);
    put(y + row * 32 + lane, lane ? 0.0f : found * share);
}

// The channel of the largest value of each row, the first of equal ones. NaN is not looked for.
template <class T>
static __device__ __forceinline__ void largest(const T *x, int *y, int per, int plane, int rows, int channels) {
    int lane = threadIdx.x, line = threadIdx.y * 32, width = blockDim.y * 32, groups = blockDim.z;
    int row = min((int)(blockIdx.x * blockDim.y + threadIdx.y), rows - 1), slab = threadIdx.z * per;
    const T *from = x + slab * plane + row * 32 + lane;
    float most = Max::start;
    int best = channels;
#pragma unroll 1
    for (int i = 0; i < per; i++) {
        int channel = (slab + i) * 32 + lane;
        float v = channel < channels ? value(from[i * plane]) : Max::start;
        best = v > most ? channel : best;
        most = v > most ? v : most;
    }
    float *columns = parts + groups * width;
    int *indices = (int *)(columns + width), *column_indices = indices + groups * width;
    parts[threadIdx.z * width + line + lane] = most;
    indices[threadIdx.z * width + line + lane] = best;
    __syncthreads();
    most = parts[line + lane];
    best = indices[line + lane];
#pragma unroll 1
    for (int group = 1; group < groups; group++) {  // later groups have later channels
        float v = parts[group * width + line + lane];
        best = v > most ? indices[group * width + line + lane] : best;
        most = v > most ? v : most;
    }
    columns[line + lane] = most;
    column_indices[line + lane] = best;
    __syncthreads();
    most = columns[line];
    best = column_indices[line];
#pragma unroll 1
    for (int i = 1; i < 32; i++) {
        float v = columns[line + i];
        int channel = column_indices[line + i];
        bool is_better = v > most || (v == most && channel < best);
        best = is_better ? channel : best;
        most = is_better ? v : most;
    }
    y[row] = best;
}

#define REDUCE(NAME, OP, T)                                                                                            \
    extern "C" __global__ void NAME(const T *x, T *y, int per, int plane, int rows, int channels, float share) {       \
        reduce<OP>(x, y, per, plane, rows, channels, share);                                                           \
    }
#define ARGMAX(NAME, T)                                                                                                \
    extern "C" __global__ void NAME(const T *x, int *y, int per, int plane, int rows, int channels) {                  \
        largest(x, y, per, plane, rows, channels);                                                                     \
    }

REDUCE(sum_bf16, Sum, word)
REDUCE(sum_f32, Sum, float)
REDUCE(max_bf16, Max, word)
REDUCE(max_f32, Max, float)
REDUCE(min_bf16, Min, word)
REDUCE(min_f32, Min, float)
ARGMAX(argmax_bf16, word)
ARGMAX(argmax_f32, float)
