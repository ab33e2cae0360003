// Atomics, warps, barriers, cooperative groups.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
#define KERNEL extern "C" __global__ void
#define ALL 0xffffffffu
namespace cg = cooperative_groups;

KERNEL histogram(const unsigned char *x, int *bins, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) atomicAdd(&bins[x[i]], 1);
}

KERNEL atomics(int *a, unsigned *b, unsigned long long *c, float *d, double *e) {
    int i = threadIdx.x;
    atomicAdd(a, i), atomicSub(a + 1, i), atomicMax(a + 2, i), atomicMin(a + 3, -i), atomicAnd(a + 4, ~(1 << i));
    atomicOr(a + 5, 1 << i), atomicXor(a + 6, i), atomicExch(a + 7, 42), atomicCAS(a + 8, i, i + 1);
    atomicInc(b, 9), atomicDec(b + 1, 9), atomicMax(b + 2, (unsigned)-i), atomicMin(b + 3, 5u + i), atomicAdd_block(b + 4, 1u);
    atomicAdd(c, 1ull << i), atomicMax(c + 1, (unsigned long long)i), atomicCAS(c + 2, 0ull, 99ull), atomicXor(c + 3, 1ull << i);
    atomicAdd(d, 0.5f), atomicExch(d + 1, 3.5f), atomicAdd(e, 0.25), atomicAdd_system(a + 9, 2);
}

// A maximum of floats by compare and swap, as programs write it.
__device__ float atomic_max(float *p, float v) {
    int *bits = (int *)p, old = *bits, seen;
    do {
        seen = old;
        old = atomicCAS(bits, seen, __float_as_int(fmaxf(v, __int_as_float(seen))));
    } while (seen != old);
    return __int_as_float(old);
}
KERNEL float_maximum(const float *x, float *most) {
    __shared__ float local;
    if (threadIdx.x == 0) local = -1e30f;
    __syncthreads();
    atomic_max(&local, x[threadIdx.x]);
    __syncthreads();
    if (threadIdx.x == 0) *most = local;
}

KERNEL last_block(const int *x, int *partial, unsigned *done, int *total) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = x[blockIdx.x];
        __threadfence();
        last = atomicInc(done, gridDim.x) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        int sum = 0;
        for (int i = 0; i < (int)gridDim.x; ++i) sum += partial[i];
        *total = sum;
    }
}

KERNEL shuffles(const int *x, int *out) {
    int i = threadIdx.x, v = x[i];
    int *o = out + 8 * i;
    o[0] = __shfl_sync(ALL, v, 5), o[1] = __shfl_up_sync(ALL, v, 3), o[2] = __shfl_down_sync(ALL, v, 2, 8);
    o[3] = __shfl_xor_sync(ALL, v, 9), o[4] = __shfl_sync(ALL, v, i * 7, 16), o[5] = __shfl_up_sync(ALL, v, 1, 4);
    o[6] = (int)__shfl_xor_sync(ALL, (long long)v << 33, 1) + (int)(__shfl_down_sync(ALL, (long long)v << 33, 1) >> 33);
    o[7] = (int)(__shfl_xor_sync(ALL, (double)v, 4) + __shfl_sync(ALL, (float)v, 31));
}

KERNEL votes(const int *x, unsigned *out) {
    int i = threadIdx.x, v = x[i], same;
    unsigned *o = out + 10 * i;
    o[0] = __any_sync(ALL, v > 6), o[1] = __all_sync(ALL, v >= 0), o[2] = __ballot_sync(ALL, v & 1);
    o[3] = __match_any_sync(ALL, v), o[4] = __match_all_sync(ALL, 3, &same), o[5] = same;
    o[6] = __reduce_add_sync(ALL, (unsigned)v), o[7] = __reduce_max_sync(ALL, v), o[8] = __reduce_xor_sync(ALL, (unsigned)v);
    o[9] = __activemask();
    if (v & 1) o[9] = __popc(__activemask());
}

KERNEL barriers(const int *x, int *out) {
    int i = threadIdx.x;
    out[3 * i] = __syncthreads_count(x[i] > 2);
    out[3 * i + 1] = __syncthreads_and(x[i] >= 0);
    out[3 * i + 2] = __syncthreads_or(x[i] > 100);
}

KERNEL warp_sum(const float *x, float *out, int n) {
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
    for (int k = 16; k > 0; k /= 2) sum += __shfl_down_sync(ALL, sum, k);
    __shared__ float parts[32];
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0;
        for (int k = 16; k > 0; k /= 2) sum += __shfl_xor_sync(ALL, sum, k);
        if (threadIdx.x == 0) *out = sum;
    }
}

KERNEL tiles(const int *x, int *out) {
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<8> tile = cg::tiled_partition<8>(block);
    auto pair = cg::tiled_partition<2>(cg::tiled_partition<8>(block));
    int i = block.thread_rank(), v = x[i];
    int *o = out + 10 * i;
    o[0] = cg::reduce(tile, v, cg::plus<int>()), o[1] = cg::reduce(tile, v, cg::greater<int>());
    o[2] = cg::inclusive_scan(tile, v), o[3] = cg::exclusive_scan(tile, v), o[4] = tile.shfl(v, 3);
    o[5] = tile.ballot(v & 1), o[6] = tile.thread_rank() * 100 + tile.meta_group_rank() * 10 + tile.meta_group_size();
    o[7] = pair.meta_group_rank() * 10 + pair.meta_group_size(), o[8] = (int)pair.any(v > 5), o[9] = tile.shfl_down(v, 2);
    block.sync();
}

struct Point { double x; int y; };
KERNEL groups(const int *x, int *out) {
    int i = threadIdx.x, v = x[i];
    auto tile = cg::tiled_partition<32>(cg::this_thread_block());
    Point p = tile.shfl_xor(Point{v * 0.5, v}, 1);
    out[4 * i] = (int)(p.x * 2) + p.y;
    auto same = cg::labeled_partition(tile, v % 3);
    out[4 * i + 1] = (int)same.size() * 100 + (int)same.thread_rank();
    out[4 * i + 2] = cg::reduce(same, v, cg::plus<int>());
    out[4 * i + 3] = -1;
    if (v & 1) {
        auto odd = cg::coalesced_threads();
        out[4 * i + 3] = (int)odd.size() * 100 + odd.shfl(v, odd.size() - 1);
    }
}

KERNEL grid_sync(int *x, int *out) {
    auto grid = cg::this_grid();
    int i = (int)grid.thread_rank();
    x[i] = i + 1;
    grid.sync();
    out[i] = x[(i + 1) % (int)grid.size()];
}
