// Convolutions of slabs in float32: as in conv.cu, with products and sums one by one in the order of the weights.
#include "epilogue.cuh"

struct Walk {
    int start, x_step, y_step, rows, taps, row_step, tap_step, slab_step, full, partial, to_first, to_second, panel;
};

// A slab, of which `eights` times eight channels are taken.
static __device__ __forceinline__ float slab(const float *x, const float *w, unsigned &from, unsigned &at, int own,
                                             int eights, const Walk &walk, float sum) {
#pragma unroll 1
    for (int row = walk.rows; row; row--, from += walk.row_step) {
#pragma unroll 1
        for (int tap = walk.taps; tap; tap--, from += walk.tap_step) {
            unsigned pixel = from;
#pragma unroll 1
            for (int eight = eights; eight; eight--, pixel += 8, at += 256) {
#pragma unroll
                for (int k = 0; k < 8; k++) sum += x[pixel + own + k] * w[at + threadIdx.x + 32 * k];
            }
        }
    }
    return sum;
}

template <int RESIDUAL>
static __device__ __forceinline__ void convolved(const float *x, const float *w, const Walk &walk, const Edges &edges,
                                                 const Result<float> &to) {
    int own = threadIdx.y * walk.x_step + threadIdx.z * walk.y_step;
    unsigned at = blockIdx.z * walk.panel;
    unsigned from = walk.start + blockIdx.x * to.step_x * walk.x_step + blockIdx.y * to.step_y * walk.y_step;
    float sum = w[at + threadIdx.x];
    at += 32;
#pragma unroll 1
    for (int i = walk.full; i; i--, from += walk.slab_step) sum = slab(x, w, from, at, own, 4, walk, sum);
    from += walk.to_first;
#pragma unroll 1
    for (unsigned partial = walk.partial; partial; partial >>= 4, from += walk.to_second)
        sum = slab(x, w, from, at, own, partial << 28 >> 28, walk, sum);
    store<RESIDUAL>(sum, to, edges);
}

#define CONVOLUTION(NAME, RESIDUAL)                                                                                    \
    extern "C" __global__ void NAME(const float *x, const float *w, float *y, const float *residual, int start,       \
                                    int x_step, int y_step, int rows, int taps, int tap_step, int row_step,            \
                                    int slab_step, int full, int partial, int to_first, int to_second, int panel,      \
                                    int edges, int first, int last, int beyond, int pitch, int plane, int y_start,     \
                                    int step_x, int step_y, int residual_pitch, int residual_plane, int function,      \
                                    float low, float high, int border, int height, int width, int turns,               \
                                    int side_turns, float slope, float offset) {                                       \
        convolved<RESIDUAL>(x, w,                                                                                      \
                            {start, x_step, y_step, rows, taps, row_step, tap_step, slab_step, full, partial,          \
                             to_first, to_second, panel},                                                              \
                            {edges, first, last, beyond},                                                              \
                            {y, pitch, plane, y_start, step_x, step_y, residual, residual_pitch, residual_plane,       \
                             nullptr, function, low, high, border, height, width, turns, side_turns, slope, offset});  \
    }

CONVOLUTION(conv_f32, NO_RESIDUAL)
CONVOLUTION(conv_last_f32, RESIDUAL_LAST)
CONVOLUTION(conv_first_f32, RESIDUAL_FIRST)
