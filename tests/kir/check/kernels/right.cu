// Kernels without a mistake: no check may find anything.
#include <cooperative_groups.h>
#include <rpp.h>
#define KERNEL extern "C" __global__ void
#define ALL 0xffffffffu
#define T 8
namespace cg = cooperative_groups;

KERNEL matmul(const float *a, const float *b, float *c, int n) {
    __shared__ float left[T][T], right[T][T];
    int x = blockIdx.x * T + threadIdx.x, y = blockIdx.y * T + threadIdx.y;
    float sum = 0;
    for (int k = 0; k < n; k += T) {
        left[threadIdx.y][threadIdx.x] = a[y * n + k + threadIdx.x];
        right[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + x];
        __syncthreads();  // loaded
        for (int i = 0; i < T; ++i) sum += left[threadIdx.y][i] * right[i][threadIdx.x];
        __syncthreads();  // used
    }
    c[y * n + x] = sum;
}

KERNEL reduce(const float *x, float *out, int n) {
    extern __shared__ float sums[];
    int i = threadIdx.x, at = blockIdx.x * blockDim.x + i;
    sums[i] = at < n ? x[at] : 0;
    __syncthreads();  // loaded
    for (int step = blockDim.x / 2; step > 0; step /= 2) {
        if (i < step) sums[i] += sums[i + step];
        __syncthreads();  // added
    }
    if (i == 0) out[blockIdx.x] = sums[0];
}

KERNEL scan(const int *x, int *out, int n) {
    __shared__ int row[64];
    int i = threadIdx.x;
    row[i] = i < n ? x[i] : 0;
    __syncthreads();  // loaded
    for (int step = 1; step < 64; step *= 2) {
        int sum = row[i] + (i >= step ? row[i - step] : 0);
        __syncthreads();  // read
        row[i] = sum;
        __syncthreads();  // written
    }
    if (i < n) out[i] = row[i];
}

KERNEL warp_reduce(const float *x, float *out, int n) {
    __shared__ float parts[32];
    int i = threadIdx.x, lane = i % 32;
    float sum = 0;
    for (int k = i; k < n; k += blockDim.x) sum += x[k];
    for (int k = 16; k > 0; k /= 2) sum += __shfl_down_sync(ALL, sum, k);
    if (lane == 0) parts[i / 32] = sum;
    __syncthreads();
    if (i < 32) {
        sum = lane < blockDim.x / 32 ? parts[lane] : 0;
        for (int k = 16; k > 0; k /= 2) sum += __shfl_down_sync(ALL, sum, k);
        if (lane == 0) *out = sum;
    }
}

// One warp, kept in step by __syncwarp.
KERNEL warp_synchronous(const float *x, float *out) {
    __shared__ float sums[64];
    int i = threadIdx.x;
    sums[i] = x[i], sums[i + 32] = x[i + 32];
    __syncwarp();
    for (int step = 32; step > 0; step /= 2) {
        if (i < step) sums[i] += sums[i + step];
        __syncwarp();  // added
    }
    if (i == 0) *out = sums[0];
}

KERNEL tile_sync(const int *x, int *out) {
    __shared__ int row[64];
    auto tile = cg::tiled_partition<8>(cg::this_thread_block());
    int i = threadIdx.x, rank = tile.thread_rank();
    row[i] = x[i];
    tile.sync();
    int other = row[i - rank + (rank + 1) % 8];
    tile.sync();
    row[i] = other;
    out[i] = row[i];
}

KERNEL histogram(const unsigned char *x, unsigned *bins, int n) {
    __shared__ unsigned local[16];
    if (threadIdx.x < 16) local[threadIdx.x] = 0;
    __syncthreads();  // cleared
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) atomicAdd(&local[x[i] & 15], 1u);
    __syncthreads();  // counted
    if (threadIdx.x < 16) atomicAdd(&bins[threadIdx.x], local[threadIdx.x]);
}

KERNEL ping_pong(const float *x, float *out, int rounds) {
    __shared__ float rows[2][66];
    int i = threadIdx.x + 1, from = 0;
    rows[0][i] = x[i - 1];
    if (threadIdx.x < 2) rows[threadIdx.x][0] = rows[threadIdx.x][65] = 0;
    __syncthreads();  // loaded
    for (int k = 0; k < rounds; ++k, from ^= 1) {
        rows[from ^ 1][i] = (rows[from][i - 1] + rows[from][i + 1]) / 2;
        __syncthreads();  // stepped
    }
    out[i - 1] = rows[from][i];
}

KERNEL grid_sync(int *x, int *out) {
    auto grid = cg::this_grid();
    int i = (int)grid.thread_rank();
    x[i] = i + 1;
    grid.sync();
    out[i] = x[(i + 1) % (int)grid.size()];
}

// The block that ends last adds up what all blocks left behind a fence.
KERNEL last_block(const float *x, float *partial, unsigned *done, float *total) {
    __shared__ float sums[32];
    __shared__ bool last;
    int i = threadIdx.x;
    sums[i] = x[blockIdx.x * 32 + i];
    __syncthreads();
    if (i == 0) {
        float sum = 0;
        for (int k = 0; k < 32; ++k) sum += sums[k];
        partial[blockIdx.x] = sum;
        __threadfence();
        last = atomicInc(done, gridDim.x) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && i == 0) {
        float sum = 0;
        for (int k = 0; k < gridDim.x; ++k) sum += partial[k];
        *total = sum;
    }
}

// Each thread fences what it wrote; one of them tells.
KERNEL fenced_by_all(int *x, unsigned *done, int *total) {
    __shared__ bool last;
    x[blockIdx.x * blockDim.x + threadIdx.x] = threadIdx.x;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicAdd(done, 1u) == gridDim.x - 1;
    __syncthreads();
    if (last) atomicAdd(total, x[threadIdx.x] + x[(gridDim.x - 1) * blockDim.x + threadIdx.x]);
}

KERNEL locked(int *lock, int *count) {
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    __threadfence();
    *count += 1;
    __threadfence();
    atomicExch(lock, 0);
}

KERNEL flag(int *data, volatile int *ready, int *out) {
    if (threadIdx.x == 0 && blockIdx.x == 0) {
        *data = 42;
        __threadfence();
        *ready = 1;
    } else if (threadIdx.x == 0) {
        while (*ready == 0) {
        }
        __threadfence();
        out[blockIdx.x] = *data;
    }
}

__device__ float atomic_max(float *p, float v) {
    int *bits = (int *)p, old = *bits, seen;
    do {
        seen = old;
        old = atomicCAS(bits, seen, __float_as_int(fmaxf(v, __int_as_float(seen))));
    } while (seen != old);
    return __int_as_float(old);
}
KERNEL float_maximum(const float *x, float *most) { atomic_max(most, x[blockIdx.x * blockDim.x + threadIdx.x]); }

// Threads that leave before a barrier, neighbours that write neighbouring bytes, bytes copied with their padding.
struct Mixed { char tag; int value; };
KERNEL leaves(const unsigned char *x, unsigned char *out, Mixed *pairs, int n) {
    __shared__ unsigned char row[64];
    if ((int)threadIdx.x >= n) return;
    row[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = row[n - 1 - threadIdx.x];
    Mixed pair;
    pair.tag = 'a', pair.value = threadIdx.x;
    pairs[threadIdx.x] = pair;
    pairs[threadIdx.x + n] = pairs[threadIdx.x];
}

// The compiler reads the first element in every thread, also where the source does not.
KERNEL chosen(const int *x, int *out) {
    __shared__ int first[2];
    int i = threadIdx.x, seen = 0;
    if (i == 0) first[0] = x[0];
    if (i == 0) seen = first[0];
    __syncthreads();
    if (i > 3) seen = first[0];
    out[i] = seen;
}

KERNEL locals(const int *x, int *out, int n) {
    int row[8];
    for (int k = 0; k < 8; ++k) row[k] = x[(threadIdx.x + k) % n];
    int sum = 0;
    for (int k = 0; k < n; ++k) sum += row[x[k] & 7];
    out[threadIdx.x] = sum;
}

KERNEL staged(const float *x, float *out) {
    __shared__ __align__(16) float tile[32];
    rpp::stage_in(tile, x, 32);
    rpp::wait();
    float v = tile[31 - threadIdx.x];
    __syncthreads();
    tile[threadIdx.x] = v;
    __syncthreads();
    rpp::stage_out(out, tile, 32);
    rpp::wait();
}
