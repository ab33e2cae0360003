// The ten kernels whose column counts the first card back end was judged by.
extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}

extern "C" __global__ void add2d(const float *a, const float *b, float *c, int width, int height, int pitch) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x < width && y < height) c[y * pitch + x] = a[y * pitch + x] + b[y * pitch + x];
}

extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n, int k) {
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    float sum = 0;
#pragma unroll 1
    for (int i = 0; i < k; i++) sum += a[row * k + i] * b[i * n + column];
    c[row * n + column] = sum;
}

extern "C" __global__ void stencil(const float *in, float *out, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x > 0 && y > 0 && x < width - 1 && y < height - 1) {
        int i = y * width + x;
        out[i] = 0.5f * in[i] + 0.125f * (in[i - 1] + in[i + 1] + in[i - width] + in[i + width]);
    }
}

extern "C" __global__ void mandel(int *counts, int width, float left, float top, float step, int most) {
    int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
    float cx = left + step * px, cy = top + step * py, x = 0, y = 0;
    int i = 0;
    while (i < most && x * x + y * y < 4.0f) {
        float t = x * x - y * y + cx;
        y = 2.0f * x * y + cy;
        x = t;
        i++;
    }
    counts[py * width + px] = i;
}

extern "C" __global__ void tiled(const float *a, const float *b, float *c, int n) {
    __shared__ float s[16][16], t[16][16];
    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
    float sum = 0;
#pragma unroll 1
    for (int k = 0; k < n; k += 16) {
        s[y][x] = a[row * n + k + x];
        t[y][x] = b[(k + y) * n + column];
        __syncthreads();
#pragma unroll 1
        for (int j = 0; j < 16; j++) sum += s[y][j] * t[j][x];
        __syncthreads();
    }
    c[row * n + column] = sum;
}

extern "C" __global__ void reduce(const float *x, float *sums, int n) {
    __shared__ float s[256];
    int t = threadIdx.x, i = blockIdx.x * 256 + t;
    s[t] = i < n ? x[i] : 0.0f;
    __syncthreads();
#pragma unroll 1
    for (int k = 128; k > 0; k >>= 1) {
        if (t < k) s[t] += s[t + k];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = s[0];
}

extern "C" __global__ void unrolled(const float *a, const float *b, float *c, int n, int k) {
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    float sum = 0;
#pragma unroll 1
    for (int i = 0; i < k; i += 4) {
        sum += a[row * k + i] * b[i * n + column];
        sum += a[row * k + i + 1] * b[(i + 1) * n + column];
        sum += a[row * k + i + 2] * b[(i + 2) * n + column];
        sum += a[row * k + i + 3] * b[(i + 3) * n + column];
    }
    c[row * n + column] = sum;
}

extern "C" __global__ void twobytwo(const float *a, const float *b, float *c, int n, int k) {
    int column = 2 * (blockIdx.x * blockDim.x + threadIdx.x), row = 2 * (blockIdx.y * blockDim.y + threadIdx.y);
    float s00 = 0, s01 = 0, s10 = 0, s11 = 0;
#pragma unroll 1
    for (int i = 0; i < k; i++) {
        float a0 = a[row * k + i], a1 = a[(row + 1) * k + i];
        float b0 = b[i * n + column], b1 = b[i * n + column + 1];
        s00 += a0 * b0;
        s01 += a0 * b1;
        s10 += a1 * b0;
        s11 += a1 * b1;
    }
    c[row * n + column] = s00;
    c[row * n + column + 1] = s01;
    c[(row + 1) * n + column] = s10;
    c[(row + 1) * n + column + 1] = s11;
}

extern "C" __global__ void nested(const int *x, int *y, int n, int turns) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, v = x[i], sum = 0;
#pragma unroll 1
    for (int k = 0; k < turns; k++) {
        if (v & 1) {
            if (v > n) sum += 3 * v;
            else sum ^= k;
            v += 5;
        } else {
            v = (v >> 1) + k;
        }
        sum += v;
    }
    y[i] = sum;
}
