// A tile goes through shared memory, so that reads and writes both follow rows; the sizes are multiples of TILE.
#define TILE 32
#define ROWS 8

__global__ void transpose(int width, int height, const float *in, float *out) {
    __shared__ float tile[TILE][TILE + 1];
    int x = blockIdx.x * TILE + threadIdx.x;
    int y = blockIdx.y * TILE + threadIdx.y;
    for (int row = 0; row < TILE; row += ROWS)
        tile[threadIdx.y + row][threadIdx.x] = in[(y + row) * width + x];
    __syncthreads();
    x = blockIdx.y * TILE + threadIdx.x;
    y = blockIdx.x * TILE + threadIdx.y;
    for (int row = 0; row < TILE; row += ROWS)
        out[(y + row) * height + x] = tile[threadIdx.x][threadIdx.y + row];
}
