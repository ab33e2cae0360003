// c = a b, all n x n and row-major; tiles of both go through shared memory. n is a multiple of TILE.
#define TILE 32

__global__ void matmul_tiled(int n, const float *a, const float *b, float *c) {
    __shared__ float left[TILE][TILE];
    __shared__ float right[TILE][TILE];
    int tx = threadIdx.x, ty = threadIdx.y;
    int row = blockIdx.y * TILE + ty;
    int col = blockIdx.x * TILE + tx;
    float sum = 0;
    for (int start = 0; start < n; start += TILE) {
        left[ty][tx] = a[row * n + start + tx];
        right[ty][tx] = b[(start + ty) * n + col];
        __syncthreads();
        for (int k = 0; k < TILE; ++k)
            sum += left[ty][k] * right[k][tx];
        __syncthreads();
    }
    c[row * n + col] = sum;
}
