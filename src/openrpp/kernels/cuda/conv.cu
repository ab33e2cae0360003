// Convolutions of slabs in bfloat16: thread = (output channel, pixel of a row, row). One dot takes eight input channels of
// a pixel against eight rows of 32 weights, which are [slab of the result][32 biases, then k][32], k in the order of the
// loops here.
#include "epilogue.cuh"

// How the input is walked through, in elements: the first tap; from a pixel of the result, a row of them, a row of taps
// (behind its last one), a slab to the next; weights of a slab of the result.
struct Walk {
    int start, y_step, row_step, slab_step, full, panel;
};

static __device__ __forceinline__ uint4 weights(const word *w) {
    return make_uint4(w[0] | w[32] << 16, w[64] | w[96] << 16, w[128] | w[160] << 16, w[192] | w[224] << 16);
}

static __device__ __forceinline__ uint4 pixel(const word *x) {
    const unsigned *words = reinterpret_cast<const unsigned *>(x);
    return make_uint4(words[0], words[1], words[2], words[3]);
}

// COUNT dots of values at `x` with rows of weights at `w`.
template <int COUNT> static __device__ __forceinline__ float dots(const word *x, const word *w, float sum) {
#pragma unroll
    for (int part = 0; part < COUNT; part++) sum = rpp::dot8(pixel(x + 8 * part), weights(w + 256 * part), sum);
    return sum;
}

static __device__ __forceinline__ float bias(const word *w) { return __uint_as_float(w[0] | w[32] << 16); }

// TAPS x TAPS taps of whole slabs, every STRIDE-th pixel.
template <int TAPS, int STRIDE, int RESIDUAL>
static __device__ __forceinline__ void convolved(const word *x, const word *w, const Walk &walk, const Result<word> &to) {
    int own = threadIdx.y * (32 * STRIDE) + threadIdx.z * walk.y_step;
    unsigned at = blockIdx.z * walk.panel;
    unsigned from = walk.start + blockIdx.x * to.step_x * (32 * STRIDE) + blockIdx.y * to.step_y * walk.y_step;
    float sum = bias(w + at + threadIdx.x);
    at += 64;
#pragma unroll 1
    for (int slab = walk.full; slab; slab--, from += walk.slab_step) {
#pragma unroll 1
        for (int row = TAPS; row; row--, from += walk.row_step, at += 1024 * TAPS)
            sum = dots<4 * TAPS>(x + from + own, w + at + threadIdx.x, sum);
    }
    store<RESIDUAL>(sum, to);
}

#define RESULT                                                                                                          \
    int pitch, int plane, int y_start, int step_x, int step_y, int residual_pitch, int residual_plane, int function,  \
        float low, float high, int border, int height, int width, int turns, int side_turns
#define RESULT_OF(y)                                                                                                    \
    {y, pitch, plane, y_start, step_x, step_y, residual, residual_pitch, residual_plane, table, function, low, high,  \
     border, height, width, turns, side_turns, 0, 0}

#define CONVOLUTION(NAME, TAPS, STRIDE, RESIDUAL)                                                                       \
    extern "C" __global__ void NAME(const word *x, const word *w, word *y, const word *residual, const word *table,    \
                                    int start, int y_step, int row_step, int slab_step, int full, int panel, RESULT) { \
        convolved<TAPS, STRIDE, RESIDUAL>(x, w, {start, y_step, row_step, slab_step, full, panel}, RESULT_OF(y));      \
    }

CONVOLUTION(conv1_bf16, 1, 1, NO_RESIDUAL)
CONVOLUTION(conv1_last_bf16, 1, 1, RESIDUAL_LAST)
CONVOLUTION(conv1_first_bf16, 1, 1, RESIDUAL_FIRST)
CONVOLUTION(conv3_bf16, 3, 1, NO_RESIDUAL)
CONVOLUTION(conv3_last_bf16, 3, 1, RESIDUAL_LAST)
CONVOLUTION(conv3_first_bf16, 3, 1, RESIDUAL_FIRST)
CONVOLUTION(conv3s2_bf16, 3, 2, NO_RESIDUAL)

// Any taps, steps and parts of slabs. The latter come last, `partial` says with how many eights of channels each, a figure
// of four bits for each of the one or two; `to_first` and `to_second` lead to them.
struct Other {
    int x_step, rows, taps, tap_step, partial, to_first, to_second;
};

template <int COUNT>
static __device__ __forceinline__ float taps(const word *x, const word *w, unsigned &from, unsigned &at, int own,
                                             const Walk &walk, const Other &other, float sum) {
#pragma unroll 1
    for (int row = other.rows; row; row--, from += walk.row_step) {
#pragma unroll 1
        for (int tap = other.taps; tap; tap--, from += other.tap_step, at += 256 * COUNT)
            sum = dots<COUNT>(x + from + own, w + at + threadIdx.x, sum);
    }
    return sum;
}

template <int RESIDUAL>
static __device__ __forceinline__ void any(const word *x, const word *w, const Walk &walk, const Other &other,
                                           const Edges &own_lanes, const Result<word> &to) {
    int own = threadIdx.y * other.x_step + threadIdx.z * walk.y_step;
    unsigned at = blockIdx.z * walk.panel;
    unsigned from = walk.start + blockIdx.x * to.step_x * other.x_step + blockIdx.y * to.step_y * walk.y_step;
    float sum = bias(w + at + threadIdx.x);
    at += 64;
#pragma unroll 1
    for (int slab = walk.full; slab; slab--, from += walk.slab_step)
        sum = taps<4>(x, w, from, at, own, walk, other, sum);
    from += other.to_first;
#pragma unroll 1
    for (unsigned partial = other.partial; partial; partial >>= 4, from += other.to_second) {
        switch (partial << 28 >> 28) {
        case 1: sum = taps<1>(x, w, from, at, own, walk, other, sum); break;
        case 2: sum = taps<2>(x, w, from, at, own, walk, other, sum); break;
        case 3: sum = taps<3>(x, w, from, at, own, walk, other, sum); break;
        }
    }
    store<RESIDUAL>(sum, to, own_lanes);
}

#define ANY(NAME, RESIDUAL)                                                                                             \
    extern "C" __global__ void NAME(const word *x, const word *w, word *y, const word *residual, const word *table,    \
                                    int start, int y_step, int row_step, int slab_step, int full, int panel,           \
                                    int x_step, int rows, int taps, int tap_step, int partial, int to_first,           \
                                    int to_second, int edges, int first, int last, int beyond, RESULT) {               \
        any<RESIDUAL>(x, w, {start, y_step, row_step, slab_step, full, panel},                                         \
                      {x_step, rows, taps, tap_step, partial, to_first, to_second}, {edges, first, last, beyond},      \
                      RESULT_OF(y));                                                                                   \
    }

ANY(conv_bf16, NO_RESIDUAL)
ANY(conv_last_bf16, RESIDUAL_LAST)
ANY(conv_first_bf16, RESIDUAL_FIRST)
