// Iterations until a point escapes, for a window of the plane.
__global__ void mandelbrot(int width, int height, int limit, float left, float top, float step, int *iterations) {
    int px = blockIdx.x * blockDim.x + threadIdx.x;
    int py = blockIdx.y * blockDim.y + threadIdx.y;
    if (px >= width || py >= height)
        return;
    float cx = left + px * step, cy = top + py * step;
    float x = 0, y = 0;
    int count = 0;
    while (count < limit && x * x + y * y <= 4.0f) {
        float next = x * x - y * y + cx;
        y = 2.0f * x * y + cy;
        x = next;
        ++count;
    }
    iterations[py * width + px] = count;
}
