// Many tokens at once: puts their k and v into the cache, and attends, each token to all up to itself.
#include "attention.cuh"

extern __shared__ __align__(16) unsigned char shared[];

// Tile blockIdx.x of the cache, `heads` key heads from `first` on: it is fetched to `tiles`, where it stays, and rows
// that belong to it are put into it and back to DDR. Block: (32 lanes, 32 tokens, slabs of a head); lanes are channels, but
// tokens where K is written, from a copy whose pitch spreads them over the banks.
template <class T>
static __device__ __forceinline__ void put_rows(const T *k, const T *v, T *cache, T *tiles, const float *table,
                                                int plane, int rows, int position, int size, unsigned tile,
                                                unsigned pitch, int first, int heads, int interleaved) {
    T *turned = reinterpret_cast<T *>(shared + 128 * size);
    int begin = blockIdx.x * 32, last = position + rows - 1;
    if (begin > last) return;
    unsigned place = blockIdx.x * heads * tile, home = blockIdx.x * pitch + first * tile;
    if (begin < position || begin + 31 > last) rpp::transfer(tiles + place, cache + home, heads * tile);
    if (begin + 31 < position) {
        rpp::wait();
        return;
    }
    if (interleaved >= 0) rpp::stage_in(reinterpret_cast<float *>(shared), table + blockIdx.x * 32u * size, 32 * size);
    rpp::wait();
    int least = max(position - begin, 0), most = min(last - begin, 31);
    int slot = min(max((int)threadIdx.y, least), most), d = min((int)(threadIdx.z * 32 + threadIdx.x), size - 1);
    int to = min(max((int)threadIdx.x, least), most), line = min((int)(threadIdx.z * 32 + threadIdx.y), size - 1);
    const float *angles = reinterpret_cast<const float *>(shared) + slot * size;
    const T *from = k + (begin + slot - position) * 32, *other = v + (begin + slot - position) * 32;
    T *mine = tiles + place;
#pragma unroll 1
    for (int head = first; head < first + heads; head++, mine += tile) {
        put(turned + d * 33 + slot, rotated(from, head * size, d, size, plane, angles, interleaved));
        mine[key_part(size) + (d >> 5) * 1024 + slot * 32 + (d & 31)] = other[channel(head * size + d, plane)];
        __syncthreads();
        mine[line * 32 + to] = turned[line * 33 + to];
        __syncthreads();
    }
    rpp::transfer(cache + home, tiles + place, heads * tile);
}

// c + the product of 8 values with a column of a tile of 32 columns.
static __device__ __forceinline__ float dot(const float *a, const float *b, float c) {
#pragma unroll
    for (int j = 0; j < 8; j++) c = c + a[j] * b[j * 32];
    return c;
}
static __device__ __forceinline__ float dot(const word *a, const word *b, float c) {
    uint4 right = make_uint4(b[0] | b[32] << 16, b[64] | b[96] << 16, b[128] | b[160] << 16, b[192] | b[224] << 16);
    return rpp::dot8(*reinterpret_cast<const uint4 *>(a), right, c);
}

// The largest of a row's 32 values, or their sum.
template <bool SUM> static __device__ __forceinline__ float met(float own, float *meeting) {
    float *line = meeting + threadIdx.y * 32;
    __syncthreads();
    line[threadIdx.x] = own;
    __syncthreads();
    float found = line[0];
#pragma unroll
    for (int i = 1; i < 32; i++) found = SUM ? found + line[i] : larger(found, line[i]);
    return found;
}

// The value of another lane of the row.
static __device__ __forceinline__ float other_lane(float own, float *meeting, int lane) {
    __syncthreads();
    meeting[threadIdx.y * 32 + threadIdx.x] = own;
    __syncthreads();
    return meeting[threadIdx.y * 32 + lane];
}

// Head x of the group of key head `begin` + y, rows of block z, over the cache's tiles in SRAM. Block: (32 lanes,
// rows); lanes are tokens of a tile for the scores, channels for the sums. Scores and powers lie in shared memory as
// [tile][row][32], the halves of scores apart, so that lanes meet different banks.
template <class T>
static __device__ __forceinline__ void attend(const T *q, T *out, const T *tiles, int plane, int out_plane, int rows,
                                              int position, int size, unsigned tile, int begin, float scale,
                                              unsigned powers_at, unsigned scores_at, unsigned low_at) {
    int head = (begin + blockIdx.y) * gridDim.x + blockIdx.x, height = blockDim.y, own = threadIdx.y * 32 + threadIdx.x;
    int row = min((int)(blockIdx.z * height + threadIdx.y), rows - 1);
    int used = ((unsigned)position + min((blockIdx.z + 1) * height, (unsigned)rows) - 1 >> 5) + 1;
    float *meeting = reinterpret_cast<float *>(shared);
    word *high = reinterpret_cast<word *>(shared + scores_at), *low = high + low_at;
    T *powers = reinterpret_cast<T *>(shared + powers_at);
    unsigned pitch = gridDim.y * tile;
    const T *mine = tiles + blockIdx.y * tile;
    const T *from = q + row * 32;
    int first = head * size, left = position + row - threadIdx.x;  // tokens before its own that a lane's may be at most
    float most = -1e30f;
#pragma unroll 1
    for (int i = 0; i < used; i++) {
        float sum = 0;
        const T *keys = mine + i * pitch + threadIdx.x;
        if (size & 31) {
#pragma unroll 1
            for (int d = 0; d < size; d += 8) sum = dot(from + channel(first + d, plane), keys + d * 32, sum);
        } else {
#pragma unroll 1
            for (int slab = 0; slab < size >> 5; slab++)
#pragma unroll
                for (int d = 0; d < 32; d += 8)
                    sum = dot(from + ((first >> 5) + slab) * plane + d, keys + slab * 1024 + d * 32, sum);
        }
        sum = i * 32 <= left ? sum * scale : -1e30f;
        high[i * height * 32 + own] = __float_as_uint(sum) >> 16;
        low[i * height * 32 + own] = __float_as_uint(sum);
        most = larger(most, sum);
    }
    most = met<false>(most, meeting);
    float total = 0;
#pragma unroll 1
    for (int i = 0; i < used; i++) {
        T *to = powers + i * height * 32 + own;
        unsigned bits = high[i * height * 32 + own] << 16 | low[i * height * 32 + own];
        put(to, exp_negative(__uint_as_float(bits) - most));
        total += value(*to);
    }
    total = inverse(met<true>(total, meeting));
#pragma unroll 1
    for (int d = 0; d < size; d += 32) {
        const T *values = mine + key_part(size) + d * 32 + threadIdx.x, *line = powers + threadIdx.y * 32;
        float sum = 0;
#pragma unroll 1
        for (int i = 0; i < used; i++)
#pragma unroll
            for (int t = 0; t < 32; t += 8) sum = dot(line + i * height * 32 + t, values + i * pitch + t * 32, sum);
        int c = d + threadIdx.x;
        if (size - d < 32) {
            int lane = min((int)threadIdx.x, size - 1 - d);
            sum = other_lane(sum, meeting, lane);
            c = d + lane;
        }
        put(out + row * 32 + channel(first + c, out_plane), sum * total);
    }
}

#define PREFILL(NAME, T)                                                                                               \
    extern "C" __global__ void append_##NAME(const T *k, const T *v, T *cache, T *tiles, const float *table,           \
                                             int plane, int rows, int position, int size, unsigned tile,               \
                                             unsigned pitch, int first, int heads, int interleaved) {                  \
        put_rows(k, v, cache, tiles, table, plane, rows, position, size, tile, pitch, first, heads, interleaved);      \
    }                                                                                                                  \
    extern "C" __global__ void attend_##NAME(const T *q, T *out, const T *tiles, int plane, int out_plane, int rows,   \
                                             int position, int size, unsigned tile, int begin, float scale,            \
                                             unsigned powers, unsigned scores, unsigned low) {                         \
        attend(q, out, tiles, plane, out_plane, rows, position, size, tile, begin, scale, powers, scores, low);        \
    }

PREFILL(bf16, word)
PREFILL(f32, float)
