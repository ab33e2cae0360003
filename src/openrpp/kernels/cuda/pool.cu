// Pools of slabs and images drawn larger: thread = (channel, pixel of a row, row).
#include "epilogue.cuh"

struct Walk {
    int plane, inside, pitch, height, width, rows, taps, row_stride, tap_stride, top, left, down, right;
};

static __device__ __forceinline__ float lowest(const float *) { return -__builtin_inff(); }
static __device__ __forceinline__ word lowest(const word *) { return 0xFF80; }
static __device__ __forceinline__ float larger(float a, float b) { return fmaxf(a, b); }
static __device__ __forceinline__ word larger(word a, word b) {
    __bf16 most = __builtin_elementwise_max(__builtin_bit_cast(__bf16, a), __builtin_bit_cast(__bf16, b));
    return __builtin_bit_cast(word, most);
}

// A row or column of the window, that of the first tap inside of the image for one outside of it.
static __device__ __forceinline__ unsigned inside(unsigned at, unsigned size, unsigned first) {
    return at < size ? at : first;
}

template <class T>
static __device__ __forceinline__ void max_pool(const T *x, const Walk &walk, const Edges &edges, const Result<T> &to) {
    int px = ((blockIdx.x * to.step_x + threadIdx.y) * walk.tap_stride - walk.left) * 32, width = walk.width * 32;
    int py = ((blockIdx.y * to.step_y + threadIdx.z) * walk.row_stride - walk.top) * walk.pitch;
    int height = walk.height * walk.pitch, first_x = px < 0 ? 0 : px, first_y = py < 0 ? 0 : py;
    const T *slab = x + blockIdx.z * walk.plane + walk.inside + threadIdx.x;
    T most = lowest(x);
#pragma unroll 1
    for (int row = walk.rows, i = py; row; row--, i += walk.down * walk.pitch) {
        int line = inside(i, height, first_y);
#pragma unroll 1
        for (int tap = walk.taps, j = px; tap; tap--, j += walk.right * 32)
            most = larger(most, slab[line + inside(j, width, first_x)]);
    }
    put_result(most, to, edges);
    bordered(to);
}

// The mean of taps that may lie in the border: zeros that count.
template <class T>
static __device__ __forceinline__ void mean_pool(const T *x, const Walk &walk, float share, const Edges &edges,
                                                 const Result<T> &to) {
    int x_step = walk.tap_stride * 32, y_step = walk.row_stride * walk.pitch;
    int own = threadIdx.x + threadIdx.y * x_step + threadIdx.z * y_step;
    unsigned from = blockIdx.z * walk.plane + walk.inside - walk.top * walk.pitch - walk.left * 32;
    from += blockIdx.x * to.step_x * x_step + blockIdx.y * to.step_y * y_step;
    float sum = 0;
#pragma unroll 1
    for (int row = walk.rows; row; row--, from += walk.down * walk.pitch) {
        unsigned at = from;
#pragma unroll 1
        for (int tap = walk.taps; tap; tap--, at += walk.right * 32) sum += value(x[at + own]);
    }
    T made;
    put(&made, sum * share);
    put_result(made, to, edges);
    bordered(to);
}

#define POOL_OF                                                                                                        \
    {x_plane, x_inside, x_pitch, x_height, x_width, rows, taps, row_stride, tap_stride, top, left, down, right}
#define RESULT_OF                                                                                                      \
    {y, pitch, plane, y_start, step_x, step_y, y, 0, 0, nullptr, 0, 0, 0, border, height, width, turns, side_turns, 0, 0}
#define POOLS(NAME, T)                                                                                                 \
    extern "C" __global__ void max_##NAME(                                                                             \
        const T *x, T *y, int x_plane, int x_inside, int x_pitch, int x_height, int x_width, int rows, int taps,       \
        int row_stride, int tap_stride, int top, int left, int down, int right, int edges, int first, int last,        \
        int beyond, int pitch, int plane, int y_start, int step_x, int step_y, int border, int height, int width,      \
        int turns, int side_turns) {                                                                                   \
        max_pool<T>(x, POOL_OF, {edges, first, last, beyond}, RESULT_OF);                                              \
    }                                                                                                                  \
    extern "C" __global__ void mean_##NAME(                                                                            \
        const T *x, T *y, float share, int x_plane, int x_inside, int x_pitch, int x_height, int x_width, int rows,    \
        int taps, int row_stride, int tap_stride, int top, int left, int down, int right, int edges, int first,        \
        int last, int beyond, int pitch, int plane, int y_start, int step_x, int step_y, int border, int height,       \
        int width, int turns, int side_turns) {                                                                        \
        mean_pool<T>(x, POOL_OF, share, {edges, first, last, beyond}, RESULT_OF);                                      \
    }

POOLS(bf16, word)
POOLS(f32, float)

extern __shared__ float sums[];

// The mean of all pixels of a channel. Block: (32 lanes, slabs, parts of the rows with `turns` rows each); the parts meet
// in shared memory.
template <class T>
static __device__ __forceinline__ void mean_of_all(const T *x, T *y, int x_plane, int x_pitch, int turns, int width,
                                                   int y_plane, int slabs, float share) {
    int slab = min((int)(blockIdx.x * blockDim.y + threadIdx.y), slabs - 1), parts = blockDim.z;
    const T *from = x + slab * x_plane + threadIdx.x;
    float sum = 0;
#pragma unroll 1
    for (int turn = turns, row = threadIdx.z * x_pitch; turn; turn--, row += parts * x_pitch) {
#pragma unroll 1
        for (int i = width, at = 0; i; i--, at += 32) sum += value(from[row + at]);
    }
    int own = threadIdx.y * 32 + threadIdx.x;
    sums[threadIdx.z * blockDim.y * 32 + own] = sum;
    __syncthreads();
    float total = 0;
#pragma unroll 1
    for (int part = 0; part < parts; part++) total += sums[part * blockDim.y * 32 + own];
    put(y + slab * y_plane + threadIdx.x, total * share);
}

#define ALL(NAME, T)                                                                                                   \
    extern "C" __global__ void all_##NAME(const T *x, T *y, int x_plane, int x_pitch, int turns, int width,            \
                                          int y_plane, int slabs, float share) {                                       \
        mean_of_all(x, y, x_plane, x_pitch, turns, width, y_plane, slabs, share);                                     \
    }

ALL(bf16, word)
ALL(f32, float)

// Nearest pixels, a whole number of times larger: thread = pixel of x, which it writes `down` times `across`.
template <class T>
static __device__ __forceinline__ void enlarged(const T *x, int plane, int x_inside, int x_pitch, int down, int across,
                                                const Edges &edges, const Result<T> &to) {
    int px = blockIdx.x * to.step_x, py = blockIdx.y * to.step_y;
    T made = x[blockIdx.z * plane + x_inside + px * 32 + py * x_pitch + own_place(x_pitch)];
    unsigned at = blockIdx.z * to.plane + to.start + px * across * 32 + py * down * to.pitch;
    int own = threadIdx.x + threadIdx.y * across * 32 + threadIdx.z * down * to.pitch;
#pragma unroll 1
    for (int row = down; row; row--, at += to.pitch) {
        unsigned pixel = at;
#pragma unroll 1
        for (int i = across; i; i--, pixel += 32) {
            T *y = to.y + pixel + own;
            T put = made;
            if (edges.edges) put = within(made, y, edges);
            *y = put;
        }
    }
    bordered(to);
}

#define ENLARGED(NAME, T)                                                                                              \
    extern "C" __global__ void enlarged_##NAME(                                                                        \
        const T *x, T *y, int x_plane, int x_inside, int x_pitch, int down, int across, int edges, int first,          \
        int last, int beyond, int pitch, int plane, int y_start, int step_x, int step_y, int border, int height,       \
        int width, int turns, int side_turns) {                                                                        \
        enlarged<T>(x, x_plane, x_inside, x_pitch, down, across, {edges, first, last, beyond}, RESULT_OF);             \
    }

ENLARGED(bf16, word)
ENLARGED(f32, float)
