// Copies between slabs: a box of channels, rows and pixels, with steps between the rows and pixels that are taken.
// A block is (32 lanes, pixels, rows) of one slab of y; blocks at an end overlap the block before.
#include "element.cuh"

struct Spot {
    int column, row, slab;
    __device__ __forceinline__ Spot(int columns, int rows)
        : column(min((int)(blockIdx.x * blockDim.y), columns - (int)blockDim.y) + (int)threadIdx.y),
          row(min((int)(blockIdx.y * blockDim.z), rows - (int)blockDim.z) + (int)threadIdx.z), slab(blockIdx.z) {}
};

// Whole slabs: lane to lane.
template <class T>
static __device__ __forceinline__ void copy(const T *x, T *y, int x_plane, int x_row, int x_column, int y_plane,
                                            int y_row, int columns, int rows) {
    Spot spot(columns, rows);
    int lane = threadIdx.x;
    y[spot.slab * y_plane + spot.row * y_row + spot.column * 32 + lane] =
        x[spot.slab * x_plane + spot.row * x_row + spot.column * x_column + lane];
}

static __device__ __forceinline__ void take(word x, word &y) { y = x; }
static __device__ __forceinline__ void take(float x, float &y) { y = x; }
static __device__ __forceinline__ void take(word x, float &y) { y = value(x); }

// Channels [begin, end) of y, counted from its first slab, are channels begin + shift on of x; lanes from `end` up to
// `zeros` become zero, all others stay.
template <class T, class U>
static __device__ __forceinline__ void shifted(const T *x, U *y, int x_plane, int x_row, int x_column, int y_plane,
                                               int y_row, int columns, int rows, int shift, int begin, int end,
                                               int zeros) {
    Spot spot(columns, rows);
    int channel = spot.slab * 32 + (int)threadIdx.x;
    int from = min(max(channel, begin), end - 1) + shift;
    U got;
    take(x[(from >> 5) * x_plane + spot.row * x_row + spot.column * x_column + (from & 31)], got);
    if (channel >= begin && channel < zeros)
        y[spot.slab * y_plane + spot.row * y_row + spot.column * 32 + (int)threadIdx.x] = channel < end ? got : (U)0;
}

template <class T> static __device__ __forceinline__ void clear(T *y, int elements) {
    int at = min((int)(blockIdx.x * blockDim.y), elements / 32 - (int)blockDim.y) + (int)threadIdx.y;
    y[at * 32 + (int)threadIdx.x] = (T)0;
}

template <class T> static __device__ __forceinline__ void zeros(T *y, int plane, int row, int columns, int rows) {
    Spot spot(columns, rows);
    y[spot.slab * plane + spot.row * row + spot.column * 32 + (int)threadIdx.x] = (T)0;
}

#define MOVEMENT(T, NAME)                                                                                          \
    extern "C" __global__ void copy_##NAME(const T *x, T *y, int x_plane, int x_row, int x_column, int y_plane,    \
                                           int y_row, int columns, int rows) {                                     \
        copy(x, y, x_plane, x_row, x_column, y_plane, y_row, columns, rows);                                       \
    }                                                                                                              \
    extern "C" __global__ void shifted_##NAME(const T *x, T *y, int x_plane, int x_row, int x_column, int y_plane, \
                                              int y_row, int columns, int rows, int shift, int begin, int end,     \
                                              int zeros) {                                                         \
        shifted(x, y, x_plane, x_row, x_column, y_plane, y_row, columns, rows, shift, begin, end, zeros);          \
    }                                                                                                              \
    extern "C" __global__ void zeros_##NAME(T *y, int plane, int row, int columns, int rows) {                     \
        zeros(y, plane, row, columns, rows);                                                                       \
    }                                                                                                              \
    extern "C" __global__ void clear_##NAME(T *y, int elements) { clear(y, elements); }

extern "C" __global__ void shifted_bf16_f32(const word *x, float *y, int x_plane, int x_row, int x_column, int y_plane,
                                            int y_row, int columns, int rows, int shift, int begin, int end,
                                            int zeros) {
    shifted(x, y, x_plane, x_row, x_column, y_plane, y_row, columns, rows, shift, begin, end, zeros);
}

MOVEMENT(word, bf16)
MOVEMENT(float, f32)
