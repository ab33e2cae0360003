// half and bfloat16.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define KERNEL extern "C" __global__ void

template <class H> __device__ void arithmetic(const H *a, const H *b, H *out) {
    int i = threadIdx.x;
    H *o = out + 12 * i;
    o[0] = a[i] + b[i], o[1] = a[i] - b[i], o[2] = a[i] * b[i], o[3] = a[i] / b[i], o[4] = __hfma(a[i], b[i], a[i]);
    o[5] = -a[i], o[6] = __habs(a[i]), o[7] = __hmax(a[i], b[i]), o[8] = __hmin(a[i], b[i]), o[9] = hsqrt(__habs(a[i]));
    o[10] = a[i] < b[i] ? H(1.0f) : H(0.0f), o[11] = hrint(a[i]);
}
KERNEL half_arithmetic(const half *a, const half *b, half *out) { arithmetic(a, b, out); }
KERNEL bfloat_arithmetic(const __nv_bfloat16 *a, const __nv_bfloat16 *b, __nv_bfloat16 *out) { arithmetic(a, b, out); }

KERNEL half_pairs(const half2 *a, const half2 *b, half2 *out, float2 *wide) {
    int i = threadIdx.x;
    out[2 * i] = __hfma2(a[i], b[i], __float2half2_rn(0.5f));
    out[2 * i + 1] = __lowhigh2highlow(__hadd2(a[i], __halves2half2(__high2half(b[i]), __low2half(b[i]))));
    wide[i] = __half22float2(a[i] * b[i]);
}

KERNEL conversions(const float *x, half *h, __nv_bfloat16 *b, int *n, float *back) {
    int i = threadIdx.x;
    h[4 * i] = __float2half(x[i]), h[4 * i + 1] = __float2half_rz(x[i]);
    h[4 * i + 2] = __float2half_ru(x[i]), h[4 * i + 3] = __float2half_rd(x[i]);
    b[2 * i] = __float2bfloat16(x[i]), b[2 * i + 1] = __float2bfloat16_rz(x[i]);
    n[3 * i] = __half2int_rn(h[4 * i]), n[3 * i + 1] = (int)b[2 * i], n[3 * i + 2] = __half2int_rd(h[4 * i]);
    back[3 * i] = __half2float(h[4 * i]), back[3 * i + 1] = __bfloat162float(b[2 * i]);
    back[3 * i + 2] = (float)__int2half_rn((int)x[i]);
}

KERNEL exchanged(const half *x, half *y, half *sum, __nv_bfloat16 *other) {
    int i = threadIdx.x;
    y[i] = __shfl_xor_sync(0xffffffffu, x[i], 1);
    atomicAdd(sum, half(1.0f));
    atomicAdd(other, __nv_bfloat16(2.0f));
}
