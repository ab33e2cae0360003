// Normalisation of tokens: y = (x - mean) / sqrt(variance + eps) * weight + bias over the channels of a row.
// Block: (32 lanes, rows, groups of slabs). Each thread adds up its channel of `per` slabs; the groups of a row meet in
// shared memory, then its 32 lanes, always in the same order.
#include "element.cuh"
#include "functions.cuh"

extern __shared__ float parts[];

// The sum of a row's partial sums, in all of its threads.
static __device__ __forceinline__ float row_sum(float part) {
    int lane = threadIdx.x, line = threadIdx.y * 32, rows = blockDim.y * 32, groups = blockDim.z;
    float *columns = parts + groups * rows;
    parts[threadIdx.z * rows + line + lane] = part;
    __syncthreads();
    float sum = 0;
#pragma unroll 1
    for (int group = 0; group < groups; group++) sum += parts[group * rows + line + lane];
    columns[line + lane] = sum;
    __syncthreads();
    float total = 0;
#pragma unroll 8
    for (int i = 0; i < 32; i++) total += columns[line + i];
    return total;
}

template <class X, class Y>
static __device__ __forceinline__ void rms(const X *x, Y *y, const float *weight, int per, int plane, int rows,
                                           float share, float eps) {
    int row = min((int)(blockIdx.x * blockDim.y + threadIdx.y), rows - 1);
    int slab = threadIdx.z * per, place = slab * plane + row * 32 + threadIdx.x;
    const X *from = x + place;
    float sum = 0;
#pragma unroll 1
    for (int i = 0; i < per; i++, from += plane) {
        float v = value(*from);
        sum += v * v;
    }
    float scale = inverse_root(row_sum(sum) * share + eps);
    Y *to = y + place;
    from = x + place;
    weight += slab * 32 + threadIdx.x;
#pragma unroll 1
    for (int i = 0; i < per; i++, from += plane, to += plane, weight += 32) put(to, value(*from) * scale * *weight);
}

template <class T>
static __device__ __forceinline__ void layer(const T *x, T *y, const float *weight, const float *bias, int per,
                                             int plane, int rows, int channels, float share, float eps) {
    int row = min((int)(blockIdx.x * blockDim.y + threadIdx.y), rows - 1);
    int slab = threadIdx.z * per, place = slab * plane + row * 32 + threadIdx.x;
    const T *from = x + place;
    float sum = 0;
#pragma unroll 1
    for (int i = 0; i < per; i++, from += plane) sum += value(*from);
    float mean = row_sum(sum) * share;
    sum = 0;
    from = x + place;
    int channel = slab * 32 + threadIdx.x;
#pragma unroll 1
    for (int i = 0; i < per; i++, from += plane, channel += 32) {
        float v = value(*from) - mean;
        sum += channel < channels ? v * v : 0.0f;
    }
    __syncthreads();
    float scale = inverse_root(row_sum(sum) * share + eps);
    T *to = y + place;
    from = x + place;
    weight += slab * 32 + threadIdx.x;
    bias += slab * 32 + threadIdx.x;
#pragma unroll 1
    for (int i = 0; i < per; i++, from += plane, to += plane, weight += 32, bias += 32)
        put(to, (value(*from) - mean) * scale * *weight + *bias);
}

#define NORMS(NAME, T)                                                                                                 \
    extern "C" __global__ void rms_##NAME(const T *x, T *y, const float *weight, int per, int plane, int rows,         \
                                          float share, float eps) {                                                    \
        rms(x, y, weight, per, plane, rows, share, eps);                                                               \
    }                                                                                                                  \
    extern "C" __global__ void layer_##NAME(const T *x, T *y, const float *weight, const float *bias, int per,         \
                                            int plane, int rows, int channels, float share, float eps) {               \
        layer(x, y, weight, bias, per, plane, rows, channels, share, eps);                                             \
    }

NORMS(bf16, word)
NORMS(f32, float)

// A stream of float32 rows, normalised for products in bfloat16.
extern "C" __global__ void rms_f32_bf16(const float *x, word *y, const float *weight, int per, int plane, int rows,
                                        float share, float eps) {
    rms(x, y, weight, per, plane, rows, share, eps);
}
