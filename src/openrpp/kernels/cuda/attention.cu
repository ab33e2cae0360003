// Attention of one token over the cache, all heads: turns q and k by their position, puts k and v into the cache,
// softmax(q K * scale) V. Block: (32 lanes, key heads, parts). Lanes are tokens of a tile for the scores and channels for
// the sums; the parts of a key head share its tiles, and meet in shared memory. Loops go over the heads of a group.
#include "attention.cuh"

extern __shared__ __align__(16) unsigned char shared[];

// Where things lie in shared memory, in bytes, behind the row of the table; keys: tokens of all tiles of a head, those that fill up the parts included.
struct Room {
    unsigned scores, powers, meeting, columns, query, keys;
};

template <class T> static __device__ __forceinline__ T *at(unsigned offset) { return reinterpret_cast<T *>(shared + offset); }

// The largest of a row's values, or their sum, from those of its threads. All of the block take part.
template <bool SUM> static __device__ __forceinline__ float met(float own, unsigned meeting, unsigned columns) {
    int line = threadIdx.y * 32, heads = blockDim.y * 32, parts = blockDim.z;
    float *mine = at<float>(meeting) + line + threadIdx.x, *column = at<float>(columns) + line;
    mine[threadIdx.z * heads] = own;
    __syncthreads();
    float found = SUM ? 0 : -1e30f;
#pragma unroll 1
    for (int i = 0; i < parts; i++) found = SUM ? found + mine[i * heads] : larger(found, mine[i * heads]);
    column[threadIdx.x] = found;
    __syncthreads();
    found = column[0];
#pragma unroll
    for (int i = 1; i < 32; i++) found = SUM ? found + column[i] : larger(found, column[i]);
    return found;
}

// q of a key head's group, and the new column of K and row of V in the last tile. Threads that have no channel of their
// own do what the last one does.
template <class T>
static __device__ __forceinline__ void enter(const T *q, const T *k, const T *v, const float *table, int plane,
                                             int size, int group, int interleaved, int begin, int slot, T *last, T *query) {
    int first = begin + threadIdx.y;
    int d = min((int)(threadIdx.z * 32 + threadIdx.x), size - 1);
#pragma unroll 1
    for (int i = 0; i < group; i++, query += size)
        put(query + d, rotated(q, (first * group + i) * size, d, size, plane, table, interleaved));
    put(last + d * 32 + slot, rotated(k, first * size, d, size, plane, table, interleaved));
    last[key_part(size) + (d >> 5) * 1024 + slot * 32 + (d & 31)] = v[channel(first * size + d, plane)];
}

// Scores of the tokens of every `parts`th tile; their largest.
template <class T>
static __device__ __forceinline__ float score(const T *query, const T *keys, float *scores, int used, int pitch,
                                              int size, int position, float scale) {
    float most = -1e30f;
    int key = threadIdx.z * 32 + threadIdx.x;
    scores += key;
#pragma unroll 1
    for (int base = 0; base < used; base += blockDim.z) {
        const T *column = keys + min(base + (int)threadIdx.z, used - 1) * pitch + threadIdx.x;
        float sum = 0;
#pragma unroll 1
        for (int i = 0; i < size; i += 8)
#pragma unroll
            for (int j = 0; j < 8; j++) sum = multiply_add(query[i + j], column[(i + j) * 32], sum);
        sum = key <= position ? sum * scale : -1e30f;
        *scores = sum;
        most = larger(most, sum);
        key += blockDim.z * 32;
        scores += blockDim.z * 32;
    }
    return most;
}

// exp(score - most), rounded as it is used; their sum.
template <class T>
static __device__ __forceinline__ float power(const float *scores, T *powers, int used, float most) {
    float total = 0;
    scores += threadIdx.z * 32 + threadIdx.x;
    powers += threadIdx.z * 32 + threadIdx.x;
#pragma unroll 1
    for (int base = 0; base < used; base += blockDim.z, scores += blockDim.z * 32, powers += blockDim.z * 32) {
        put(powers, exp_negative(*scores - most));
        total += value(*powers);
    }
    return total;
}

// Sums of V over the tokens of every `parts`th tile, for 32 channels.
template <class T>
static __device__ __forceinline__ float sum(const T *powers, const T *values, int used, int pitch) {
    float found = 0;
    powers += threadIdx.z * 32;
#pragma unroll 1
    for (int base = 0; base < used; base += blockDim.z, powers += blockDim.z * 32) {
        const T *row = values + min(base + (int)threadIdx.z, used - 1) * pitch + threadIdx.x;
#pragma unroll 1
        for (int t = 0; t < 32; t += 8)
#pragma unroll
            for (int j = 0; j < 8; j++) found = multiply_add(powers[t + j], row[(t + j) * 32], found);
    }
    return found;
}

// A transfer that runs on behind the kernel, for a later one.
struct Next {
    word *to;
    const word *from;
    unsigned words;
};

template <class T>
static __device__ __forceinline__ void attend(const T *q, const T *k, const T *v, T *out, T *cache, T *tiles,
                                              const float *table, int plane, int out_plane, int position, int size,
                                              unsigned tile, unsigned pitch, int group, int fetched, int interleaved,
                                              float scale, Room room, Next next, unsigned begin, bool is_last) {
    int heads = blockDim.y, used = ((unsigned)position >> 5) + 1, chunks = (size + 31) >> 5;
    unsigned share = heads * tile;
    T *home = cache + begin * tile;
    if (!fetched) {
        if (share == pitch) rpp::transfer(tiles, home, used * share);
        else
            for (unsigned i = 0; i < used; i++) rpp::transfer(tiles + i * share, home + i * pitch, share);
    }
    if (interleaved >= 0) rpp::stage_in(at<float>(0), table + (unsigned)position * size, size);
    rpp::wait();
    T *mine = tiles + threadIdx.y * tile, *query = at<T>(room.query) + threadIdx.y * group * size;
    enter(q, k, v, at<float>(0), plane, size, group, interleaved, begin, position & 31, mine + (used - 1) * share, query);
    __syncthreads();
    rpp::transfer(home + (used - 1) * pitch, tiles + (used - 1) * share, share);

    float *scores = at<float>(room.scores) + threadIdx.y * room.keys;
    T *powers = at<T>(room.powers) + threadIdx.y * room.keys;
#pragma unroll 1
    for (int i = 0; i < group; i++, query += size) {
        float most = score(query, mine, scores, used, share, size, position, scale);
        if (next.words && i == group - 1 && is_last) rpp::prefetch(next.to, next.from, next.words);
        most = met<false>(most, room.meeting, room.columns);
        float total = met<true>(power(scores, powers, used, most), room.meeting, room.columns);
        float *parts = at<float>(room.meeting) + threadIdx.y * 32 + threadIdx.x;
#pragma unroll 1
        for (int chunk = 0; chunk < chunks; chunk++)
            parts[(threadIdx.z * chunks + chunk) * heads * 32] =
                sum(powers, mine + key_part(size) + chunk * 1024, used, share);
        __syncthreads();
        int d = min((int)(threadIdx.z * 32 + threadIdx.x), size - 1);
        const float *column = at<float>(room.meeting) + ((d >> 5) * heads + threadIdx.y) * 32 + (d & 31);
        float found = 0;
#pragma unroll 1
        for (int part = 0; part < (int)blockDim.z; part++) found += column[part * chunks * heads * 32];
        int head = (begin + threadIdx.y) * group + i;
        put(out + channel(head * size + d, out_plane), found * inverse(total));
        __syncthreads();
    }
}

// As many key heads at a time as the block has.
template <class T>
static __device__ __forceinline__ void decode(const T *q, const T *k, const T *v, T *out, T *cache, T *tiles,
                                              const float *table, int plane, int out_plane, int position, int size,
                                              unsigned tile, unsigned pitch, int group, int fetched, int interleaved,
                                              float scale, Room room, Next next) {
    unsigned share = blockDim.y * tile;
#pragma unroll 1
    for (unsigned head = 0, at = 0; at < pitch; head += blockDim.y, at += share)
        attend(q, k, v, out, cache, tiles, table, plane, out_plane, position, size, tile, pitch, group, fetched,
               interleaved, scale, room, next, head, at + share == pitch);
}

#define DECODE(NAME, T)                                                                                                \
    extern "C" __global__ void decode_##NAME(const T *q, const T *k, const T *v, T *out, T *cache, T *tiles,           \
                                             const float *table, int plane, int out_plane, int position, int size,     \
                                             unsigned tile, unsigned pitch, int group, int fetched, int interleaved,   \
                                             float scale, unsigned scores, unsigned powers, unsigned meeting,          \
                                             unsigned columns, unsigned query, unsigned keys, word *next_to,           \
                                             const word *next_from, unsigned next_words) {                             \
        decode(q, k, v, out, cache, tiles, table, plane, out_plane, position, size, tile, pitch, group, fetched,       \
               interleaved, scale, Room{scores, powers, meeting, columns, query, keys},                                \
               Next{next_to, next_from, next_words});                                                                  \
    }

DECODE(bf16, word)
DECODE(f32, float)
