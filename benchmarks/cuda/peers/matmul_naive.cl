// c = a b, all n x n and row-major, one thread per element.
__kernel void matmul_naive(int n, __global const float *a, __global const float *b, __global float *c) {
    int row = get_global_id(1);
    int col = get_global_id(0);
    if (row >= n || col >= n)
        return;
    float sum = 0;
    for (int k = 0; k < n; ++k)
        sum += a[row * n + k] * b[k * n + col];
    c[row * n + col] = sum;
}
