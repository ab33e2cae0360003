// y = x W for all rows of x, W in DDR as panels (kernels/quant.py): a panel comes to SRAM while the one before is used.
//
// Block: (32 lanes, rows). The 32 outputs of a tile are opened for all k by all threads together: [k][32] in SRAM, in
// x's type. Then each row's thread makes the sums of its output, lane = output; the rows of x take turns, the last turn
// ends with the last row and leaves out what the turn before has stored.
#include "functions.cuh"
#include "panels.cuh"

extern __shared__ word shared[];

static __device__ __forceinline__ uint4 column(const word *w) {
    return make_uint4(w[0] | w[32] << 16, w[64] | w[96] << 16, w[128] | w[160] << 16, w[192] | w[224] << 16);
}

// Sum over k of a row of x and a column of a tile; k ascends. `from` is the same for all threads.
static __device__ __forceinline__ float total(const word *x, unsigned from, unsigned plane, const word *tile, int groups) {
    unsigned at = 0, lane = threadIdx.x, own = threadIdx.y * 32;
    float sum = 0;
    do {
#pragma unroll
        for (int part = 0; part < 4; part++)
            sum = rpp::dot8(*reinterpret_cast<const uint4 *>(x + from + own + part * 8), column(tile + at + lane + part * 256), sum);
        from += plane, at += 1024;
    } while (--groups);
    return sum;
}
static __device__ __forceinline__ float total(const float *x, unsigned from, unsigned plane, const float *tile, int groups) {
    unsigned at = 0, lane = threadIdx.x, own = threadIdx.y * 32;
    float sum = 0;
    do {
#pragma unroll
        for (int k = 0; k < 32; k++) sum = __fadd_rn(sum, __fmul_rn(x[from + own + k], tile[at + lane + k * 32]));
        from += plane, at += 1024;
    } while (--groups);
    return sum;
}

// What is done with a sum: bias, function, factor, residual; null pointers are left out. Distances in elements.
template <class Y> struct Finish {
    Y *y;
    unsigned plane;
    const float *bias;
    const word *table;  // of a function of bfloat16
    int silu;           // or, for float32, whether there is one
    const Y *factor, *residual;  // as y
};

static __device__ __forceinline__ float silu(float x) {
    float e = exp_negative(x < 0 ? x : -x), part = inverse(1.0f + e);
    return x * (x < 0 ? e * part : part);
}

// `at` is the place of the block's first row in y. Sums of bfloat16 products take their function from a table.
template <class Y>
static __device__ __forceinline__ float finished(float sum, const Finish<Y> &to, unsigned n, unsigned at, bool has_table) {
    unsigned own = threadIdx.y * 32 + threadIdx.x;
    if (to.bias) sum += to.bias[n + threadIdx.x];
    if (has_table) {
        if (to.table) sum = value(rpp::lookup(to.table, rounded(sum)));
    } else if (to.silu) {
        sum = silu(sum);
    }
    if (to.factor) sum *= value(to.factor[at + own]);
    if (to.residual) sum += value(to.residual[at + own]);
    return sum;
}

static __device__ constexpr bool is_brain(word) { return true; }
static __device__ constexpr bool is_brain(float) { return false; }

// The matrix `matrix` of `matrices` whose groups share the panels. `opened` is the number of groups that a tile has room
// for: a multiple of the rows of the block, at least `groups`.
struct Matrix {
    const word *weights;
    int panels, groups, opened, width, matrices, matrix;
};

template <class Q, class X, class Y>
static __device__ __forceinline__ void product(const Matrix &w, const X *x, unsigned rows, unsigned x_plane, int outputs,
                                               const Finish<Y> &to) {
    unsigned row_words = Q::words * w.width, group_words = row_words * w.matrices, panel = w.groups * group_words;
    X *tile = reinterpret_cast<X *>(shared + 2 * panel);
    unsigned own = threadIdx.y * group_words + threadIdx.x, mine = threadIdx.y * 1024 + threadIdx.x;
    int n = 0;
    const word *from = w.weights;
    rpp::stage_in(shared, from, panel);
#pragma unroll 1
    for (int p = 0; p < w.panels && n < outputs; p++) {
        const word *here = shared + (p & 1 ? panel : 0) + w.matrix * row_words;
        rpp::wait();
        if (p + 1 < w.panels) rpp::stage_in(shared + (p & 1 ? 0 : panel), from += panel, panel);
#pragma unroll 1
        for (int c = 0; c < w.width && n < outputs; c += 32, n += 32) {
            unsigned at = c, put_at = 0;
#pragma unroll 1
            for (int g = 0; g < w.opened; g += blockDim.y, at += blockDim.y * group_words, put_at += blockDim.y * 1024)
                Q::open(here + at + own, w.width, tile + put_at + mine);
            __syncthreads();
#pragma unroll 1
            for (unsigned start = 0; start < rows; start += blockDim.y) {
                unsigned begin = min(start, rows - blockDim.y), at = n / 32 * to.plane + begin * 32;
                float sum = total(x, begin * 32, x_plane, tile, w.groups);
                sum = finished(sum, to, n, at, is_brain(X()));
                Y *y = to.y + at + (threadIdx.y * 32 + threadIdx.x);
                if (begin == start)
                    put(y, sum);
                else if (threadIdx.y >= start - begin)
                    put(y, sum);
            }
            __syncthreads();
        }
    }
}

#define PRODUCT(NAME, Q, X, Y)                                                                                       \
    extern "C" __global__ void NAME(const word *weights, int panels, int groups, int opened, int width, int matrices, \
                                    int matrix, const X *x, unsigned rows, unsigned x_plane, int outputs, Y *y,      \
                                    unsigned y_plane, const float *bias, const word *table, int silu,                \
                                    const Y *factor, const Y *residual) {                                            \
        Matrix w = {weights, panels, groups, opened, width, matrices, matrix};                                       \
        Finish<Y> to = {y, y_plane, bias, table, silu, factor, residual};                                            \
        product<Q>(w, x, rows, x_plane, outputs, to);                                                                \
    }
#define FORMAT(NAME, Q)                     \
    PRODUCT(NAME##_bf16, Q, word, word)     \
    PRODUCT(NAME##_bf16_f32, Q, word, float) \
    PRODUCT(NAME##_f32, Q, float, float)

FORMAT(q4_0, Q4_0)
FORMAT(q4_1, Q4_1)
FORMAT(q8_0, Q8_0)
FORMAT(bf16, Brain)
FORMAT(f16, Half)
FORMAT(f32, Single)
