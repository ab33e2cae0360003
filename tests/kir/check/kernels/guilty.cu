// Kernels with one mistake each; the comment at the line names it, and tests look for that line.
#include <rpp.h>
#define KERNEL extern "C" __global__ void
#define ALL 0xffffffffu

KERNEL past_the_end(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n) y[i] = x[i % n] * 2;  // past_the_end
}

KERNEL before_the_start(const float *x, float *y) {
    int i = threadIdx.x;
    y[i] = x[i - 1] + x[i];  // before_the_start
}

KERNEL into_the_neighbour(float *x, float *y) {
    x[threadIdx.x + 192] = 1;  // into_the_neighbour
    y[threadIdx.x] = 2;
}

__device__ float at(const float *x, int i) {
    return x[i];  // at
}
KERNEL inlined(const float *x, float *y) {
    y[threadIdx.x] = at(x, threadIdx.x * 2);  // inlined
}

KERNEL misaligned(const char *x, float *y) {
    y[threadIdx.x] = *(const float *)(x + 4 * threadIdx.x + threadIdx.x % 2);  // misaligned
}

KERNEL null(const float *x, float *y) {
    y[threadIdx.x] = x[threadIdx.x];  // null
}

__constant__ float table[4] = {1, 2, 3, 4};
__device__ int counters[4];
KERNEL writes_constant(int i, float *y) {
    float *p = i ? (float *)table : y;
    p[i] = table[i & 3] + 5;  // writes_constant
}
KERNEL past_a_variable(int n) {
    atomicAdd(&counters[threadIdx.x % n], 1);  // past_a_variable
}

KERNEL past_a_tile(float *y, int n) {
    __shared__ float tile[32], other[32];
    int i = threadIdx.x;
    other[i] = 1;
    tile[i] = 2;
    __syncthreads();
    y[i] = tile[i + n] + other[i];  // past_a_tile
}

KERNEL past_dynamic(float *y) {
    extern __shared__ float values[];
    values[threadIdx.x] = threadIdx.x;  // past_dynamic
    y[threadIdx.x] = values[threadIdx.x];
}

__device__ int picked(const int *x, int i) {
    int row[4], other[4];
    for (int k = 0; k < 4; ++k) row[k] = x[k], other[k] = x[k] + 1;
    return other[i & 3] + row[i];  // past_a_row
}
KERNEL past_a_row(const int *x, int *y) {
    y[threadIdx.x] = picked(x, x[threadIdx.x]);
}

KERNEL never_written(const float *x, float *y) {
    y[threadIdx.x] = x[threadIdx.x] + 1;  // never_written
}

KERNEL shared_unwritten(int *y, int n) {
    __shared__ int row[64];
    if (threadIdx.x % 2 == 0) row[threadIdx.x] = 1;
    __syncthreads();
    y[threadIdx.x] = row[threadIdx.x / n] + 1;  // shared_unwritten
}

KERNEL local_unwritten(const int *x, int *y) {
    int row[8];
    for (int k = 0; k < 8; k += 2) row[x[k]] = k;
    y[threadIdx.x] = row[x[threadIdx.x]] + 1;  // local_unwritten
}

KERNEL half_written(short *x, int *y) {
    x[2 * threadIdx.x] = 1;
    y[threadIdx.x] = ((int *)x)[threadIdx.x] + 1;  // half_written
}

KERNEL neighbours(float *y) {
    __shared__ float row[64];
    int i = threadIdx.x;
    row[i] = i;  // neighbours writes
    y[i] = row[(i + 33) % 64];  // neighbours
}

KERNEL within_a_warp(float *y) {
    __shared__ float row[32];
    int i = threadIdx.x;
    row[i] = i;  // within_a_warp writes
    y[i] = row[i ^ 1];  // within_a_warp
}

KERNEL legacy_volatile(float *y) {
    __shared__ volatile float row[64];
    int i = threadIdx.x;
    row[i] = i;
    row[i + 32] = i;  // legacy_volatile writes
    row[i] = row[i] + row[i + 16];  // legacy_volatile
    y[i] = row[i];
}

KERNEL between_blocks(int *y) {
    y[blockIdx.x] = 1;  // between_blocks writes
    if (blockIdx.x > 0) y[blockIdx.x] += y[blockIdx.x - 1];  // between_blocks
}

KERNEL lost_update(int *count) {
    *count += 1;  // lost_update
}

KERNEL same_value(int *found, const int *x) {
    if (x[blockIdx.x * blockDim.x + threadIdx.x] > 5) *found = 1;  // same_value
}

KERNEL read_of_a_counter(unsigned *count, unsigned *y) {
    atomicAdd(count, 1u);  // read_of_a_counter adds
    y[threadIdx.x] = *count;  // read_of_a_counter
}

KERNEL no_fence(const int *x, int *partial, unsigned *done, int *total) {
    if (threadIdx.x) return;
    partial[blockIdx.x] = x[blockIdx.x];  // no_fence writes
    if (atomicInc(done, gridDim.x) == gridDim.x - 1) {
        int sum = 0;
        for (int i = 0; i < (int)gridDim.x; ++i) sum += partial[i];  // no_fence
        *total = sum;
    }
}

KERNEL too_early(const float *x, float *y) {
    __shared__ __align__(16) float tile[32];
    rpp::stage_in(tile, x, 32);  // too_early starts
    y[threadIdx.x] = tile[threadIdx.x];  // too_early
    rpp::wait();
}

KERNEL staged_past_the_end(const float *x, float *y, int n) {
    __shared__ __align__(16) float tile[32];
    rpp::stage_in(tile, x, n);  // staged_past_the_end
    rpp::wait();
    y[threadIdx.x] = tile[threadIdx.x];
}

KERNEL some_meet(const int *x, int *y) {
    if (x[threadIdx.x] > 0) {
        y[threadIdx.x] = 1;
        __syncthreads();  // some_meet first
        y[threadIdx.x] = 2;
    }
    y[threadIdx.x] += 3;
    __syncthreads();  // some_meet
    y[threadIdx.x] += 4;
}

KERNEL half_a_shuffle(const int *x, int *y) {
    int v = x[threadIdx.x];
    if (v & 1) v = __shfl_xor_sync(ALL, v, 2);  // half_a_shuffle
    __syncthreads();
    y[threadIdx.x] = v;
}

KERNEL outside_of_the_mask(int *y) {
    y[threadIdx.x] = __any_sync(0xffu, threadIdx.x == 3);  // outside_of_the_mask
}

KERNEL missing_lane(const int *x, int *y) {
    y[threadIdx.x] = __shfl_down_sync(ALL, x[threadIdx.x], 4);  // missing_lane
}

KERNEL fails(const int *x, int *y) {
    y[threadIdx.x] = x[threadIdx.x];
    if (blockIdx.x == 1) __trap();
}

KERNEL endless(volatile int *x) {
    while (*x == 0) {
    }
}
