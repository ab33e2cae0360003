// y = W x, W in DDR as panels (kernels/quant.py), streamed through two tiles of SRAM: while one is used the next comes.
//
// One block: (outputs of a panel, 1, parts). Lane = output; each part takes every parts-th group of 32 values of k, and
// the partial sums meet in shared memory. A tile is some whole panels, or some whole groups of a panel that is larger.
// Tiles follow each other without gaps; the first one may have been asked for by the kernel before, and when the last one
// is there the first tile of the product behind is asked for, so DDR never rests.
#include <rpp.h>

#include "element.cuh"
#include "functions.cuh"

extern __shared__ float shared[];

// Where the tiles come from and go to; counts in words of 16 bits.
struct Stream {
    const word *weights;
    word *first, *second;  // tiles
    int fetched;           // the first tile has been asked for
    word *next_to;         // the tile that is asked for behind the last, if next_count > 0
    const word *next_from;
    int next_count;
    int groups, panels;  // groups of a panel, panels
    int chunk, together;  // groups of a tile where a panel takes several; panels of a tile where it takes one
};

// f16 to float, exact; no infinities, no NaN.
static __device__ __forceinline__ float half(unsigned h) {
    float magnitude = __uint_as_float((h & 0x7FFF) << 13) * 5.192296858534828e33f;  // 2^112
    return __uint_as_float(__float_as_uint(magnitude) | (h & 0x8000) << 16);
}

// c + w x: for bfloat16 values at once, w being such a value too.
static __device__ __forceinline__ float plus(float w, word x, float c) { return fmaf(w, value(x), c); }
static __device__ __forceinline__ float plus(float w, float x, float c) { return __fadd_rn(c, __fmul_rn(w, x)); }

// 128 in both halves of a word: with a part below 128 or'ed in it is the bfloat16 number 128 + part.
static const unsigned base = 0x43004300, minus = 0x80008000;
static __device__ __forceinline__ float low(unsigned pair) { return __uint_as_float(pair << 16); }
static __device__ __forceinline__ float high(unsigned pair) { return __uint_as_float(pair & 0xFFFF0000u); }

// Numbers that are `zero` too large: a product with bfloat16 takes them as they are, since the difference times the sum
// of x is quickly taken away from a sum of products (`sum2` is twice that sum); float32 would lose digits.
static __device__ __forceinline__ float shifted(float w, float, word x, float c) { return plus(w, x, c); }
static __device__ __forceinline__ float shifted(float w, float zero, float x, float c) { return plus(w - zero, x, c); }
static __device__ __forceinline__ float leveled(float sum, float zero, float sum2, word) {
    return sum - 0.5f * zero * sum2;
}
static __device__ __forceinline__ float leveled(float sum, float, float, float) { return sum; }
static __device__ constexpr bool levels(word) { return true; }
static __device__ constexpr bool levels(float) { return false; }

// Sum of x (128 - zero + q) of 32 nibbles q in rows of words, for bfloat16 of x (128 + q).
template <class X>
static __device__ __forceinline__ float nibbles(const word *row, int width, const X *x, float zero) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) {
        unsigned q = row[i * width], even = rpp::unpack4(q, base), odd = rpp::unpack4_high(q, base);
        sum = shifted(low(even), zero, x[4 * i], sum);
        sum = shifted(high(even), zero, x[4 * i + 1], sum);
        sum = shifted(low(odd), zero, x[4 * i + 2], sum);
        sum = shifted(high(odd), zero, x[4 * i + 3], sum);
    }
    return sum;
}

// The formats: words of a group; whether it asks for `sum2`, twice the sum of the group's x; its sum of products.
struct Q4_0 {
    static const int words = 9;
    template <class X> static constexpr bool sums = levels(X());
    template <class X>
    static __device__ __forceinline__ float group(const word *row, int width, const X *x, float sum2) {
        return leveled(nibbles(row, width, x, 136.0f), 136.0f, sum2, *x) * half(row[8 * width]);
    }
};

struct Q4_1 {
    static const int words = 10;
    template <class X> static constexpr bool sums = true;
    template <class X>
    static __device__ __forceinline__ float group(const word *row, int width, const X *x, float sum2) {
        float sum = leveled(nibbles(row, width, x, 128.0f), 128.0f, sum2, *x);
        return sum * half(row[8 * width]) + 0.5f * sum2 * half(row[9 * width]);
    }
};

struct Q8_0 {
    static const int words = 17;
    template <class X> static constexpr bool sums = false;
    // q = (b & 127) - (b & 128) for a byte b of two's complement: 128 more and 128 less than that are bfloat16 numbers.
    static __device__ __forceinline__ float both(float rest, float sign, word x, float c) {
        return plus(sign, x, plus(rest, x, c));
    }
    static __device__ __forceinline__ float both(float rest, float sign, float x, float c) {
        return plus(rest + sign, x, c);
    }
    template <class X>
    static __device__ __forceinline__ float group(const word *row, int width, const X *x, float) {
        float sum = 0;
#pragma unroll
        for (int i = 0; i < 16; i++) {
            unsigned q = row[i * width];
            unsigned rest = rpp::unpack8(q & 0x7F7F, base), sign = rpp::unpack8(q & 0x8080, base | minus);
            sum = both(low(rest), low(sign), x[2 * i], sum);
            sum = both(high(rest), high(sign), x[2 * i + 1], sum);
        }
        return sum * half(row[16 * width]);
    }
};

// Words that stand for values: bfloat16, f16, or the low and the high half of float32, in turn.
struct Bf16 {
    static const int words = 32;
    static __device__ __forceinline__ float plus(const word *at, int, word x, float c) { return ::plus(value(*at), x, c); }
    static __device__ __forceinline__ float plus(const word *at, int, float x, float c) {
        return ::plus(value(*at), x, c);
    }
};

struct F16 {
    static const int words = 32;
    template <class X> static __device__ __forceinline__ float plus(const word *at, int, X x, float c) {
        return ::plus(half(*at), value(x), c);
    }
};

struct F32 {
    static const int words = 64;
    template <class X> static __device__ __forceinline__ float plus(const word *at, int width, X x, float c) {
        return ::plus(__uint_as_float(at[0] | at[width] << 16), value(x), c);
    }
};

template <class V> struct Plain {
    static const int words = V::words;
    template <class X> static constexpr bool sums = false;
    template <class X>
    static __device__ __forceinline__ float group(const word *row, int width, const X *x, float) {
        float sum = 0;
#pragma unroll
        for (int k = 0; k < 32; k++) sum = V::plus(row + k * (V::words / 32) * width, width, x[k], sum);
        return sum;
    }
};

// Twice the sums of the groups of x, for all threads. (Twice, because a product of bfloat16 values is added at once.)
// The branch is short, so that the card asks nobody, and the native engine leaves out threads without a group.
template <class X>
static __device__ __forceinline__ void add_up(const X *x, int step, float *sums, int groups) {
    int threads = blockDim.x * blockDim.z, thread = threadIdx.z * blockDim.x + threadIdx.x;
#pragma unroll 1
    for (int first = 0; first < groups; first += threads) {
        int group = first + thread;
        float sum = 0;
        const X *own = x + group * step;
#pragma unroll 1
        for (int k = 0; k < 32; k += 4) {
            if (group < groups) {
#pragma unroll
                for (int i = 0; i < 4; i++) sum = plus(2.0f, own[k + i], sum);
            }
        }
        if (group < groups) sums[group] = sum;
    }
    __syncthreads();
}

// Sums over the parts of the block, in order.
template <int MATRICES> static __device__ __forceinline__ void join(float *y, float *place) {
    int width = blockDim.x, parts = blockDim.z;
    if (parts == 1) return;
    __syncthreads();
#pragma unroll
    for (int m = 0; m < MATRICES; m++) place[(threadIdx.z * MATRICES + m) * width + threadIdx.x] = y[m];
    __syncthreads();
#pragma unroll
    for (int m = 0; m < MATRICES; m++) {
        float sum = place[m * width + threadIdx.x];
#pragma unroll 1
        for (int part = 1; part < parts; part++) sum += place[(part * MATRICES + m) * width + threadIdx.x];
        y[m] = sum;
    }
}

// x / (1 + e^-x).
static __device__ __forceinline__ float silu(float x, const word *) {
    float e = exp_negative(x < 0 ? x : -x), part = inverse(1.0f + e);
    return x * (x < 0 ? e * part : part);
}
static __device__ __forceinline__ float silu(word x, const word *table) { return value(rpp::lookup(table, x)); }

static __device__ __forceinline__ float as(float x, float) { return x; }
static __device__ __forceinline__ word as(float x, word) { return rounded(x); }

// Products of all panels; `finish(output, sums)` gets those of an output, one for each of the matrices whose rows alternate.
template <class Q, int MATRICES, class X, class F>
static __device__ __forceinline__ void stream(const Stream &s, const X *x, int step, F finish) {
    int width = blockDim.x, parts = blockDim.z, part = threadIdx.z, row = width * Q::words, group = row * MATRICES;
    int whole = s.chunk == s.groups, output = threadIdx.x;
    int panels = min(s.together, s.panels), size = panels * s.chunk, left = s.panels * s.groups;  // left to ask for
    const word *from = s.weights;
    word *here = s.first, *there = s.second;
    if (!s.fetched) rpp::transfer(here, from, size * group);
    if (Q::template sums<X>) add_up(x, step, shared, s.groups);
    float y[MATRICES] = {};
    int at = 0;  // group of k
#pragma unroll 1
    for (int done = 0; done < s.panels;) {
        from += size * group;
        left -= size;
        int now = panels, chunk = min(s.chunk, s.groups - at);
        panels = whole ? min(s.together, s.panels - done - now) : 1;
        int following = s.groups - at - chunk;
        size = whole ? panels * s.groups : min(s.chunk, following ? following : left);
        rpp::wait();
        if (left)
            rpp::transfer(there, from, size * group);
        else if (s.next_count > 0)
            rpp::transfer(s.next_to, s.next_from, s.next_count);
        const word *tile = here;
#pragma unroll 1
        for (int panel = 0; panel < now; panel++) {
            const float *sums = shared + at;
            const X *in = x + at * step;
#pragma unroll 1
            for (int g = 0; g < chunk; g += parts, tile += group * parts, in += step * parts, sums += parts) {
                float sum = Q::template sums<X> ? sums[part] : 0.0f;
#pragma unroll
                for (int m = 0; m < MATRICES; m++)
                    y[m] += Q::group(tile + m * row + (part * group + threadIdx.x), width, in + part * step, sum);
            }
            at += chunk;
            if (at == s.groups) {
                join<MATRICES>(y, shared + s.groups);
                finish(output, y);
                for (int m = 0; m < MATRICES; m++) y[m] = 0;
                output += width;
                at = 0;
                done++;
            }
        }
        word *other = here;
        here = there;
        there = other;
    }
}

template <class Q, class T, class U>
static __device__ __forceinline__ void product(const Stream &s, const T *x, int x_step, U *y, int y_step, int outputs,
                                               const float *bias, const U *residual) {
    stream<Q, 1>(s, x, x_step, [=](int output, const float *sums) {
        int place = (output >> 5) * y_step + (output & 31);
        float sum = sums[0];
        if (threadIdx.z || output >= outputs) return;
        if (bias) sum += bias[output];
        if (residual) sum += value(residual[place]);
        put(y + place, sum);
    });
}

// silu(G x) * (U x), rows of G and U in turn.
template <class Q, class T>
static __device__ __forceinline__ void gated(const Stream &s, const T *x, int x_step, T *y, int y_step, int outputs,
                                             const word *table) {
    stream<Q, 2>(s, x, x_step, [=](int output, const float *sums) {
        if (threadIdx.z || output >= outputs) return;
        put(y + ((output >> 5) * y_step + (output & 31)), silu(as(sums[0], T()), table) * sums[1]);
    });
}

#define STREAM                                                                                                         \
    const word *weights, word *first, word *second, int fetched, word *next_to, const word *next_from, int next_count, \
        int groups, int panels, int chunk, int together
#define PRODUCT(NAME, Q, T, U)                                                                                         \
    extern "C" __global__ void NAME(STREAM, const T *x, int x_step, U *y, int y_step, int outputs, const float *bias,  \
                                    const U *residual) {                                                               \
        Stream s = {weights,    first,  second, fetched, next_to, next_from,                                           \
                    next_count, groups, panels, chunk,   together};                                                    \
        product<Q>(s, x, x_step, y, y_step, outputs, bias, residual);                                                  \
    }
#define GATED(NAME, Q, T)                                                                                              \
    extern "C" __global__ void gated_##NAME(STREAM, const T *x, int x_step, T *y, int y_step, int outputs,             \
                                            const word *table) {                                                       \
        Stream s = {weights,    first,  second, fetched, next_to, next_from,                                           \
                    next_count, groups, panels, chunk,   together};                                                    \
        gated<Q>(s, x, x_step, y, y_step, outputs, table);                                                             \
    }
#define GEMV(NAME, Q)                                                                                                  \
    PRODUCT(NAME##_bf16, Q, word, word)                                                                                \
    PRODUCT(NAME##_f32, Q, float, float)                                                                               \
    PRODUCT(NAME##_bf16_f32, Q, word, float)                                                                           \
    GATED(NAME##_bf16, Q, word)                                                                                        \
    GATED(NAME##_f32, Q, float)

GEMV(q4_0, Q4_0)
GEMV(q4_1, Q4_1)
GEMV(q8_0, Q8_0)
GEMV(bf16, Plain<Bf16>)
GEMV(f16, Plain<F16>)
GEMV(f32, Plain<F32>)
