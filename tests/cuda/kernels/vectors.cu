// Vector types.
#define KERNEL extern "C" __global__ void

KERNEL copy4(const float4 *x, float4 *y) { y[threadIdx.x] = x[threadIdx.x]; }

KERNEL arithmetic4(const float4 *x, float4 *y, float a) {
    float4 v = x[threadIdx.x];
    y[threadIdx.x] = make_float4(v.w * a, v.z + a, v.y - a, fmaxf(v.x, a));
}

KERNEL bytes(const uchar4 *x, char2 *y, ushort2 *z) {
    uchar4 v = x[threadIdx.x];
    y[threadIdx.x] = make_char2((signed char)(v.x - v.y), (signed char)(v.z + v.w));
    z[threadIdx.x] = make_ushort2((unsigned short)(v.x * v.y), (unsigned short)(v.z << 8 | v.w));
}

KERNEL doubles2(const double2 *x, double2 *y, const longlong2 *a, int3 *b) {
    int i = threadIdx.x;
    double2 v = __ldg(x + i);
    y[i] = make_double2(v.y, v.x);
    b[i] = make_int3((int)a[i].x, (int)a[i].y, i);
}

KERNEL reinterpret(const float *x, unsigned *y) {
    const uint4 v = *reinterpret_cast<const uint4 *>(x + 4 * threadIdx.x);
    y[threadIdx.x] = v.x ^ v.y ^ v.z ^ v.w;
}

KERNEL in_shared(const float4 *x, float *y) {
    __shared__ float4 tile[32];
    int i = threadIdx.x;
    tile[i] = x[i];
    __syncthreads();
    const float *flat = reinterpret_cast<const float *>(tile);
    y[i] = flat[127 - 4 * i] + tile[31 - i].x;
}

KERNEL selected(const float4 *x, float4 *y, int n) {
    int i = threadIdx.x;
    float4 a = x[i], b = x[n - 1 - i];
    y[i] = a.x > b.x ? a : b;
}
