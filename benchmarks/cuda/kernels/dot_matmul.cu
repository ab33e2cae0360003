// c = a b in bfloat16 with float sums, through the dot of eight products, two by two sums per thread. `a` is row-major
// with `pitch` values per row; `b` lies in panels of 16 columns, packed by eights along k: [n / 16][n / 8][16][8].
#include <rpp.h>
#include <cuda_bf16.h>

constexpr int SUMS = 2, STEP = 64;

__global__ void dot_matmul(int n, int pitch, const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c) {
    int row = blockIdx.y * blockDim.y * SUMS + threadIdx.y, down = blockDim.y;
    int panel = blockIdx.x * SUMS, column = threadIdx.x;
    const __nv_bfloat16 *left = a + (size_t)row * pitch;
    const __nv_bfloat16 *right = b + (size_t)panel * n * 16 + column * 8;
    float sum[SUMS][SUMS] = {};
    for (int k = 0; k < n; k += STEP, left += STEP, right += STEP * 16) {
#pragma unroll
        for (int part = 0; part < STEP; part += 8) {
#pragma unroll
            for (int i = 0; i < SUMS; i++)
#pragma unroll
                for (int j = 0; j < SUMS; j++)
                    sum[i][j] = rpp::dot8(left + (size_t)(i * down) * pitch + part,
                                          right + (size_t)j * n * 16 + part * 16, sum[i][j]);
        }
    }
#pragma unroll
    for (int i = 0; i < SUMS; i++)
#pragma unroll
        for (int j = 0; j < SUMS; j++) c[(row + i * down) * n + (panel + j) * 16 + column] = sum[i][j];
}
