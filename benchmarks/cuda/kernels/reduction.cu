// One sum per block: a loop over the grid, then a tree in shared memory.
#define THREADS 256

__global__ void reduction(int n, const float *x, float *sums) {
    __shared__ float part[THREADS];
    int t = threadIdx.x;
    float sum = 0;
    for (int i = blockIdx.x * THREADS + t; i < n; i += gridDim.x * THREADS)
        sum += x[i];
    part[t] = sum;
    __syncthreads();
    for (int reach = THREADS / 2; reach > 0; reach /= 2) {
        if (t < reach)
            part[t] += part[t + reach];
        __syncthreads();
    }
    if (t == 0)
        sums[blockIdx.x] = part[0];
}
