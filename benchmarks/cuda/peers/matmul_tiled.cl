// c = a b, all n x n and row-major; tiles of both go through shared memory. n is a multiple of TILE.
#define TILE 32

__kernel void matmul_tiled(int n, __global const float *a, __global const float *b, __global float *c) {
    __local float left[TILE][TILE];
    __local float right[TILE][TILE];
    int tx = get_local_id(0), ty = get_local_id(1);
    int row = get_group_id(1) * TILE + ty;
    int col = get_group_id(0) * TILE + tx;
    float sum = 0;
    for (int start = 0; start < n; start += TILE) {
        left[ty][tx] = a[row * n + start + tx];
        right[ty][tx] = b[(start + ty) * n + col];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < TILE; ++k)
            sum += left[ty][k] * right[k][tx];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    c[row * n + col] = sum;
}
