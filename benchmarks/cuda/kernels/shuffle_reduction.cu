// One sum per block: a loop over the grid, then shuffles in each warp, then shuffles over the warps.
__device__ float warp_sum(float value) {
    for (int step = warpSize / 2; step > 0; step /= 2)
        value += __shfl_down_sync(0xffffffff, value, step);
    return value;
}

__global__ void shuffle_reduction(int n, const float *x, float *sums) {
    __shared__ float part[32];
    int lane = threadIdx.x % warpSize, warp = threadIdx.x / warpSize;
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        sum += x[i];
    sum = warp_sum(sum);
    if (lane == 0)
        part[warp] = sum;
    __syncthreads();
    if (warp == 0) {
        sum = lane < blockDim.x / warpSize ? part[lane] : 0.0f;
        sum = warp_sum(sum);
        if (lane == 0)
            sums[blockIdx.x] = sum;
    }
}
