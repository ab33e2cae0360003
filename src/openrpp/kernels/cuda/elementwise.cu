// y = f(x) and y = f(a, b) on slabs. A block is (32 lanes, pixels of a row, rows) of one slab; blocks at the end of a
// row or of the rows overlap the block before instead of being cut off, so that nothing is masked.
#include "element.cuh"
#include "functions.cuh"
#include "rpp.h"

// A rectangle of pixels of y, border included, that a block writes.
struct Tile {
    int column, row, slab;
    __device__ __forceinline__ Tile(int columns, int rows)
        : column(min((int)(blockIdx.x * blockDim.y), columns - (int)blockDim.y) + (int)threadIdx.y),
          row(min((int)(blockIdx.y * blockDim.z), rows - (int)blockDim.z) + (int)threadIdx.z), slab(blockIdx.z) {}
};

// Where an operand has the value for a pixel of y: elements from a slab, row, pixel, lane to the next, 0 where it is
// the same for all.
struct Steps {
    int slab, row, column, lane;
};

// Whether a lane is neither border nor padding: pixels [border, border + extent), channels below the last.
static __device__ __forceinline__ bool inside(const Tile &tile, int border, int columns, int rows, int channels) {
    return tile.column >= border && tile.column < columns - border && tile.row >= border &&
           tile.row < rows - border && tile.slab * 32 + (int)threadIdx.x < channels;
}

// Elements from the operand's first pixel behind its border; pixels of y's border read the nearest inside.
static __device__ __forceinline__ int place(const Tile &tile, const Steps &steps, int border, int columns, int rows,
                                            bool edge) {
    int column = tile.column - border, row = tile.row - border;
    if (edge) {
        column = min(max(column, 0), columns - 2 * border - 1);
        row = min(max(row, 0), rows - 2 * border - 1);
    }
    return tile.slab * steps.slab + row * steps.row + column * steps.column + (int)threadIdx.x * steps.lane;
}

template <class T, class F, bool EDGE>
static __device__ __forceinline__ void unary(const T *x, T *y, Steps from, int plane, int border, int columns,
                                             int rows, int channels, F f) {
    Tile tile(columns, rows);
    T out = f(x[place(tile, from, border, columns, rows, EDGE)]);
    if (EDGE) out = inside(tile, border, columns, rows, channels) ? out : (T)0;
    y[tile.slab * plane + (tile.row * columns + tile.column) * 32 + (int)threadIdx.x] = out;
}

template <class T, class F, bool EDGE>
static __device__ __forceinline__ void binary(const T *a, const T *b, T *y, Steps one, Steps other, int plane,
                                              int border, int columns, int rows, int channels, F f) {
    Tile tile(columns, rows);
    float left = value(a[place(tile, one, border, columns, rows, EDGE)]);
    float right = value(b[place(tile, other, border, columns, rows, EDGE)]);
    T out;
    put(&out, f(left, right));
    if (EDGE) out = inside(tile, border, columns, rows, channels) ? out : (T)0;
    y[tile.slab * plane + (tile.row * columns + tile.column) * 32 + (int)threadIdx.x] = out;
}

// bfloat16: any function of one operand is a table of all its words.
struct Table {
    const word *words;
    __device__ __forceinline__ word operator()(word x) const { return rpp::lookup(words, (unsigned)x); }
};

extern "C" __global__ void table_bf16(const word *x, word *y, const word *table, int slab, int row, int plane,
                                      int border, int columns, int rows, int channels) {
    unary<word, Table, false>(x, y, {slab, row, 32, 1}, plane, border, columns, rows, channels, {table});
}

extern "C" __global__ void table_edge_bf16(const word *x, word *y, const word *table, int slab, int row, int plane,
                                           int border, int columns, int rows, int channels) {
    unary<word, Table, true>(x, y, {slab, row, 32, 1}, plane, border, columns, rows, channels, {table});
}

// float32: a function each; alpha and beta are its numbers.
#define FUNCTION(NAME, EXPRESSION)                                                                                 \
    struct NAME##_f {                                                                                              \
        float alpha, beta;                                                                                         \
        __device__ __forceinline__ float operator()(float x) const { return EXPRESSION; }                          \
    };                                                                                                             \
    extern "C" __global__ void NAME##_f32(const float *x, float *y, int slab, int row, int plane, int border,      \
                                          int columns, int rows, int channels, float alpha, float beta) {          \
        unary<float, NAME##_f, true>(x, y, {slab, row, 32, 1}, plane, border, columns, rows, channels,             \
                                     {alpha, beta});                                                               \
    }

FUNCTION(relu, fmaxf(x, 0.0f))
FUNCTION(leaky, x < 0.0f ? x * alpha : x)
FUNCTION(clip, fminf(fmaxf(x, alpha), beta))
FUNCTION(sigmoid, 1.0f / (1.0f + expf(-x)))
FUNCTION(silu, x / (1.0f + expf(-x)))
FUNCTION(tanh, tanhf(x))
FUNCTION(hardsigmoid, fminf(fmaxf(x * alpha + beta, 0.0f), 1.0f))
FUNCTION(hardswish, x * fminf(fmaxf(x * 0.16666667f + 0.5f, 0.0f), 1.0f))
FUNCTION(gelu, 0.5f * x * (1.0f + erff(x * 0.70710678f)))
FUNCTION(gelu_tanh, 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x))))
FUNCTION(exp, expf(x))
FUNCTION(log, logf(x))
FUNCTION(sqrt, x * inverse_root(x))
FUNCTION(reciprocal, 1.0f / x)
FUNCTION(erf, erff(x))
FUNCTION(abs, fabsf(x))
FUNCTION(neg, -x)

#define PAIR(NAME, EXPRESSION)                                                                                     \
    struct NAME##_f {                                                                                              \
        __device__ __forceinline__ float operator()(float a, float b) const { return EXPRESSION; }                 \
    };                                                                                                             \
    ONE_PAIR(NAME, NAME##_bf16, word, false)                                                                       \
    ONE_PAIR(NAME, NAME##_edge_bf16, word, true)                                                                   \
    ONE_PAIR(NAME, NAME##_f32, float, false)                                                                       \
    ONE_PAIR(NAME, NAME##_edge_f32, float, true)

#define ONE_PAIR(NAME, SYMBOL, T, EDGE)                                                                            \
    extern "C" __global__ void SYMBOL(const T *a, const T *b, T *y, int slab, int row, int b_slab, int b_row,      \
                                      int b_column, int b_lane, int plane, int border, int columns, int rows,      \
                                      int channels) {                                                              \
        binary<T, NAME##_f, EDGE>(a, b, y, {slab, row, 32, 1}, {b_slab, b_row, b_column, b_lane}, plane, border,   \
                                  columns, rows, channels, {});                                                    \
    }

PAIR(add, a + b)
PAIR(sub, a - b)
PAIR(mul, a * b)
PAIR(div, a / b)
PAIR(rsub, b - a)
PAIR(rdiv, b / a)
PAIR(max, a > b ? a : b)
PAIR(min, a < b ? a : b)
