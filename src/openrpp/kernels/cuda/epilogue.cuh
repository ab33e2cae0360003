// What convolutions do with a sum: residual, activation, rounding, the zero border of the result.
// Block: (32 lanes, pixels of a row, rows); grid: (parts of a row, parts of the rows, slabs of the result).
#pragma once
#include <rpp.h>
#include "element.cuh"
#include "functions.cuh"

enum { NO_RESIDUAL, RESIDUAL_LAST, RESIDUAL_FIRST };  // added behind or before the activation

// Where results go; distances in elements: of rows, of slabs, of the first pixel from the start of its slab.
template <class T> struct Result {
    T *y;
    int pitch, plane, start, step_x, step_y;  // pixels from a block to the next
    const T *residual;                        // its first pixel
    int residual_pitch, residual_plane;
    const word *table;  // of the activation of bfloat16
    int function;       // bfloat16: whether there is a table; float32: a number of `Function`
    float low, high;    // bounds of the sum
    int border, height, width, turns, side_turns;
    float slope, offset;  // of float32 functions
};

static __device__ __forceinline__ float clamped(float x, float low, float high) { return fminf(fmaxf(x, low), high); }

static __device__ __forceinline__ word plus(word a, word b) {
    return __builtin_bit_cast(word, (__bf16)(__builtin_bit_cast(__bf16, a) + __builtin_bit_cast(__bf16, b)));
}
static __device__ __forceinline__ float plus(float a, float b) { return a + b; }

// The two kinds of bfloat16 results: a table's, which knows the bounds, and a rounded one.
static __device__ __forceinline__ word by_table(float sum, const Result<word> &to) {
    return rpp::lookup(to.table, rounded(sum));
}
static __device__ __forceinline__ word by_rounding(float sum, const Result<word> &to) {
    return rounded(clamped(sum, to.low, to.high));
}

enum Function { NONE, SILU, SIGMOID, HARD_SWISH, HARD_SIGMOID, LEAKY };  // as in conv.py

static __device__ __forceinline__ float sigmoid(float x) {
    float e = exp_negative(-fabsf(x)), share = inverse(1.0f + e);
    return x < 0 ? e * share : share;
}

static __device__ __forceinline__ float by_rounding(float sum, const Result<float> &to) {
    float x = clamped(sum, to.low, to.high);
    switch (to.function) {
    case SILU: return x * sigmoid(x);
    case SIGMOID: return sigmoid(x);
    case HARD_SWISH: return x * clamped(x * to.slope + to.offset, 0.0f, 1.0f);
    case HARD_SIGMOID: return clamped(x * to.slope + to.offset, 0.0f, 1.0f);
    case LEAKY: return x < 0 ? x * to.slope : x;
    }
    return x;
}

// Pixels of this block from the first one, rows `pitch` elements apart, and of this thread.
template <class T> static __device__ __forceinline__ int block_place(const Result<T> &to, int pitch) {
    return blockIdx.x * to.step_x * 32 + blockIdx.y * to.step_y * pitch;
}
static __device__ __forceinline__ int own_place(int pitch) {
    return threadIdx.x + threadIdx.y * 32 + threadIdx.z * pitch;
}

// Zeros around the result, by the first block of a slab: above with the left side of the first row, below with the right
// side of the last one, and the pixels between the rows. Threads beyond the end of a run write its last pixel.
template <class T> static __device__ __forceinline__ void bordered(const Result<T> &to) {
    if (!to.border || blockIdx.x || blockIdx.y) return;
    int lane = threadIdx.x, pixel = threadIdx.z * blockDim.y + threadIdx.y, threads = blockDim.y * blockDim.z;
    unsigned right = to.start + to.width * 32, last = ((unsigned)to.start >> 5) - 1;
    T *slab = to.y + blockIdx.z * to.plane;
    unsigned below = right + (to.height - 1) * to.pitch;
    for (int turn = to.turns, i = pixel; turn; turn--, i += threads) {
        unsigned at = min((unsigned)i, last) * 32 + lane;
        slab[at] = 0;
        slab[below + at] = 0;
    }
    for (int turn = to.side_turns, i = pixel; turn; turn--, i += threads) {
        unsigned at = min((unsigned)i, (unsigned)to.height - 2) * to.pitch + lane;
        for (int j = 2 * to.border, side = right; j; j--, side += 32) slab[side + at] = 0;
    }
}

// Lanes of the first and the last slab that are not ours keep what they hold, those beyond our last channel become zero
// where `beyond` is set. `edges` has a bit for each of the two slabs.
struct Edges {
    int edges, first, last, beyond;
};

template <class T> static __device__ __forceinline__ T within(T made, const T *y, const Edges &own) {
    unsigned lane = threadIdx.x;
    if (own.edges & 1 && blockIdx.z == 0) made = lane < (unsigned)own.first ? *y : made;
    if (own.edges & 2 && blockIdx.z == gridDim.z - 1) {
        T other = 0;
        if (!own.beyond) other = *y;
        made = lane < (unsigned)own.last ? made : other;
    }
    return made;
}

template <class T> static __device__ __forceinline__ T *place_of(const Result<T> &to) {
    return to.y + blockIdx.z * to.plane + to.start + block_place(to, to.pitch) + own_place(to.pitch);
}

// The result of this thread, stored.
template <class T> static __device__ __forceinline__ void put_result(T made, const Result<T> &to, const Edges &own) {
    T *y = place_of(to);
    *y = own.edges ? within(made, y, own) : made;
}

template <int RESIDUAL, class T>
static __device__ __forceinline__ T with_residual(T made, const T *residual) {
    return RESIDUAL == RESIDUAL_LAST ? plus(made, *residual) : made;
}

// The end of a kernel: its sum as a result, and the border. What bfloat16 results have in common is written for each way:
// a value that comes from one of several ways costs columns, and so does what only edges need.
template <int RESIDUAL, class T>
static __device__ __forceinline__ void store(float sum, const Result<T> &to, const Edges &own) {
    const T *residual = to.residual + blockIdx.z * to.residual_plane + block_place(to, to.residual_pitch);
    residual += own_place(to.residual_pitch);
    if (RESIDUAL == RESIDUAL_FIRST) sum += value(*residual);
    if constexpr (sizeof(T) == 2) {
        if (own.edges) {
            T made = to.function ? by_table(sum, to) : by_rounding(sum, to);
            T *y = place_of(to);
            *y = within(with_residual<RESIDUAL>(made, residual), y, own);
        } else if (to.function) {
            *place_of(to) = with_residual<RESIDUAL>(by_table(sum, to), residual);
        } else {
            *place_of(to) = with_residual<RESIDUAL>(by_rounding(sum, to), residual);
        }
    } else {
        put_result(with_residual<RESIDUAL>(by_rounding(sum, to), residual), to, own);
    }
    bordered(to);
}
