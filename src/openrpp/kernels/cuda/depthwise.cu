// Depthwise convolutions: thread = (channel, pixel of a row, row); a tap is one product of a value with its weight.
// Weights are [slab][32 biases, then taps][32].
#include "epilogue.cuh"

struct Walk {
    int start, x_step, y_step, plane, rows, taps, row_step, tap_step, panel;
};

static __device__ __forceinline__ float plus_product(word x, word w, float sum) { return rpp::hfma(x, w, sum); }
static __device__ __forceinline__ float plus_product(float x, float w, float sum) { return sum + x * w; }
static __device__ __forceinline__ float bias(const word *w) { return __uint_as_float(w[0] | w[32] << 16); }
static __device__ __forceinline__ float bias(const float *w) { return w[0]; }

// TAPS x TAPS taps of every STRIDE-th pixel, 0: as `walk` says.
template <int TAPS, int STRIDE, class T>
static __device__ __forceinline__ void depthwise(const T *x, const T *w, const Walk &walk, const Edges &edges,
                                                 const Result<T> &to) {
    int x_step = STRIDE ? 32 * STRIDE : walk.x_step;
    int own = threadIdx.x + threadIdx.y * x_step + threadIdx.z * walk.y_step;
    unsigned at = blockIdx.z * walk.panel;
    unsigned from = walk.start + blockIdx.z * walk.plane + blockIdx.x * to.step_x * x_step;
    from += blockIdx.y * to.step_y * walk.y_step;
    float sum = bias(w + at + threadIdx.x);
    at += sizeof(T) == 2 ? 64 : 32;
#pragma unroll 1
    for (int row = TAPS ? TAPS : walk.rows; row; row--, from += walk.row_step) {
        if (TAPS) {
#pragma unroll
            for (int tap = 0; tap < TAPS; tap++)
                sum = plus_product(x[from + own + 32 * tap], w[at + threadIdx.x + 32 * tap], sum);
            at += 32 * TAPS;
        } else {
#pragma unroll 1
            for (int tap = walk.taps; tap; tap--, from += walk.tap_step, at += 32)
                sum = plus_product(x[from + own], w[at + threadIdx.x], sum);
        }
    }
    store<NO_RESIDUAL>(sum, to, edges);
}

#define DEPTHWISE(NAME, TAPS, STRIDE, T)                                                                               \
    extern "C" __global__ void NAME(const T *x, const T *w, T *y, const word *table, int start, int x_step,           \
                                    int y_step, int x_plane, int rows, int taps, int row_step, int tap_step,           \
                                    int panel, int edges, int first, int last, int beyond, int pitch, int plane,       \
                                    int y_start, int step_x, int step_y, int function, float low, float high,          \
                                    int border, int height, int width, int turns, int side_turns, float slope,         \
                                    float offset) {                                                                    \
        depthwise<TAPS, STRIDE>(x, w, {start, x_step, y_step, x_plane, rows, taps, row_step, tap_step, panel},         \
                                {edges, first, last, beyond},                                                          \
                                {y, pitch, plane, y_start, step_x, step_y, y, 0, 0, table, function, low, high,        \
                                 border, height, width, turns, side_turns, slope, offset});                            \
    }

DEPTHWISE(depthwise3_bf16, 3, 1, word)
DEPTHWISE(depthwise3s2_bf16, 3, 2, word)
DEPTHWISE(depthwise5_bf16, 5, 1, word)
DEPTHWISE(depthwise5s2_bf16, 5, 2, word)
DEPTHWISE(depthwise_bf16, 0, 0, word)
DEPTHWISE(depthwise_f32, 0, 0, float)
