// Convolutions of slabs in bfloat16: thread = (output channel, pixel of a row, row). One dot takes eight input channels
// of a pixel against eight rows of 32 weights, which are [slab of the result][32 biases, then k][32], k in the order of
// the loops here: whole slabs of the input first, then the one or two that are partly ours.
#include "epilogue.cuh"

typedef unsigned char small;  // so that the compiler sees that strides of bytes have 16 bits

// How the input is walked through, in elements: the first tap; from a row of results to the next; from a row of taps to
// the next (behind its last tap, where those are walked through one by one), a slab to the next; weights of a slab of the
// result. `partial` says with how many eights of channels each partial slab takes part, a figure of four bits for each;
// `to_first` and `to_second` lead to them.
struct Walk {
    int start, x_step, y_step, rows, taps, tap_step, row_step, slab_step, full, partial, to_first, to_second, panel;
};

static __device__ __forceinline__ uint4 weights(const word *w) {
    return make_uint4(w[0] | w[32] << 16, w[64] | w[96] << 16, w[128] | w[160] << 16, w[192] | w[224] << 16);
}

static __device__ __forceinline__ uint4 pixel(const word *x) {
    const unsigned *words = reinterpret_cast<const unsigned *>(x);
    return make_uint4(words[0], words[1], words[2], words[3]);
}

static __device__ __forceinline__ float bias(const word *w) { return __uint_as_float(w[0] | w[32] << 16); }

// A slab, of which COUNT eights of channels are taken: TAPS taps of a row, 0: as many as `walk` says. A tap alone is 1 x 1.
template <int TAPS, int COUNT>
static __device__ __forceinline__ float slab(const word *x, const word *w, unsigned &from, unsigned &at, int own,
                                             const Walk &walk, float sum) {
#pragma unroll 1
    for (int row = TAPS == 1 ? 1 : walk.rows; row; row--, from += walk.row_step) {
#pragma unroll 1
        for (int tap = TAPS ? 1 : walk.taps; tap; tap--) {
#pragma unroll
            for (int k = 0; k < (TAPS ? TAPS : 1) * COUNT; k++)
                sum = rpp::dot8(pixel(x + from + own + k / COUNT * 32 + k % COUNT * 8),
                                weights(w + at + threadIdx.x + 256 * k), sum);
            if (!TAPS) from += walk.tap_step;
            at += 256 * (TAPS ? TAPS : 1) * COUNT;
        }
    }
    return sum;
}

template <int TAPS, int RESIDUAL>
static __device__ __forceinline__ void convolved(const word *x, const word *w, const Walk &walk, const Edges &edges,
                                                 const Result<word> &to) {
    int own = threadIdx.y * walk.x_step + threadIdx.z * walk.y_step;
    unsigned at = blockIdx.z * walk.panel;
    unsigned from = walk.start + blockIdx.x * to.step_x * walk.x_step + blockIdx.y * to.step_y * walk.y_step;
    float sum = bias(w + at + threadIdx.x);
    at += 64;
#pragma unroll 1
    for (int i = walk.full; i; i--, from += walk.slab_step) sum = slab<TAPS, 4>(x, w, from, at, own, walk, sum);
    if (walk.partial) {
        from += walk.to_first;
#pragma unroll 1
        for (unsigned partial = walk.partial; partial; partial >>= 4, from += walk.to_second) {
            switch (partial << 28 >> 28) {
            case 1: sum = slab<TAPS, 1>(x, w, from, at, own, walk, sum); break;
            case 2: sum = slab<TAPS, 2>(x, w, from, at, own, walk, sum); break;
            case 3: sum = slab<TAPS, 3>(x, w, from, at, own, walk, sum); break;
            }
        }
    }
    store<RESIDUAL>(sum, to, edges);
}

#define RESULT                                                                                                         \
    int edges, int first, int last, int beyond, int pitch, int plane, int y_start, int step_x, int step_y,             \
        int residual_pitch, int residual_plane, int function, float low, float high, int border, int height,           \
        int width, int turns, int side_turns
#define EDGES {edges, first, last, beyond}
#define RESULT_OF                                                                                                      \
    {y, pitch, plane, y_start, step_x, step_y, residual, residual_pitch, residual_plane, table, function, low, high,   \
     border, height, width, turns, side_turns, 0, 0}

#define CONVOLUTION(NAME, TAPS, RESIDUAL)                                                                              \
    extern "C" __global__ void NAME(const word *x, const word *w, word *y, const word *residual, const word *table,    \
                                    int start, small x_step, int y_step, int rows, int taps, int tap_step,             \
                                    int row_step, int slab_step, int full, int partial, int to_first, int to_second,   \
                                    int panel, RESULT) {                                                               \
        convolved<TAPS, RESIDUAL>(x, w,                                                                                \
                                  {start, x_step, y_step, rows, taps, tap_step, row_step, slab_step, full, partial,    \
                                   to_first, to_second, panel},                                                        \
                                  EDGES, RESULT_OF);                                                                   \
    }
#define CONVOLUTIONS(NAME, TAPS)                                                                                       \
    CONVOLUTION(NAME##_bf16, TAPS, NO_RESIDUAL)                                                                        \
    CONVOLUTION(NAME##_last_bf16, TAPS, RESIDUAL_LAST)                                                                 \
    CONVOLUTION(NAME##_first_bf16, TAPS, RESIDUAL_FIRST)

CONVOLUTIONS(conv1, 1)
CONVOLUTIONS(conv3, 3)
CONVOLUTIONS(conv, 0)

// Images of few channels: the taps of a row lie side by side, COUNT eights of values.
template <int COUNT>
static __device__ __forceinline__ void narrow(const word *x, const word *w, int start, int x_step, int y_step, int rows,
                                              int row_step, int panel, const Edges &edges, const Result<word> &to) {
    int own = threadIdx.y * x_step + threadIdx.z * y_step;
    unsigned at = blockIdx.z * panel;
    unsigned from = start + blockIdx.x * to.step_x * x_step + blockIdx.y * to.step_y * y_step;
    float sum = bias(w + at + threadIdx.x);
    at += 64;
#pragma unroll 1
    for (int row = rows; row; row--, from += row_step, at += 256 * COUNT) {
#pragma unroll
        for (int k = 0; k < COUNT; k++)
            sum = rpp::dot8(pixel(x + from + own + 8 * k), weights(w + at + threadIdx.x + 256 * k), sum);
    }
    store<NO_RESIDUAL>(sum, to, edges);
}

#define NARROW(COUNT)                                                                                                  \
    extern "C" __global__ void narrow##COUNT##_bf16(const word *x, const word *w, word *y, const word *residual,       \
                                                    const word *table, int start, small x_step, int y_step, int rows,  \
                                                    int row_step, int panel, RESULT) {                                 \
        narrow<COUNT>(x, w, start, x_step, y_step, rows, row_step, panel, EDGES, RESULT_OF);                           \
    }

NARROW(1)
NARROW(2)
NARROW(3)
NARROW(4)
NARROW(6)
