// Integer and bit intrinsics, conversions, output, the card's own.
#include <cassert>
#include <cstdio>
#include <rpp.h>
#define KERNEL extern "C" __global__ void

KERNEL bits(const unsigned *x, const unsigned *y, unsigned *out) {
    int i = threadIdx.x;
    unsigned a = x[i], b = y[i];
    unsigned *o = out + 20 * i;
    o[0] = __popc(a), o[1] = __clz((int)a), o[2] = __ffs((int)a), o[3] = __brev(a);
    o[4] = __byte_perm(a, b, 0x5140), o[5] = __funnelshift_l(a, b, 9), o[6] = __funnelshift_r(a, b, 37), o[7] = __funnelshift_lc(a, b, 40);
    o[8] = __popcll((unsigned long long)a << 20 | b), o[9] = __clzll((long long)b), o[10] = (unsigned)__brevll(a), o[11] = __ffsll((long long)a << 32);
    o[12] = (unsigned)__mul24((int)a, (int)b), o[13] = __umul24(a, b), o[14] = (unsigned)__mulhi((int)a, (int)b), o[15] = __umulhi(a, b);
    o[16] = __sad((int)a, (int)b, 3), o[17] = __uhadd(a, b), o[18] = __urhadd(a, b), o[19] = (unsigned)__rhadd((int)a, (int)b);
}

KERNEL dots(const int *x, const int *y, int *out) {
    int i = threadIdx.x;
    out[4 * i] = __dp4a(x[i], y[i], 7), out[4 * i + 1] = (int)__dp4a((unsigned)x[i], (unsigned)y[i], 7u);
    out[4 * i + 2] = __dp2a_lo(x[i], y[i], 1), out[4 * i + 3] = (int)__dp2a_hi((unsigned)x[i], (unsigned)y[i], 1u);
}

KERNEL simd(const unsigned *x, const unsigned *y, unsigned *out) {
    int i = threadIdx.x;
    unsigned a = x[i], b = y[i];
    unsigned *o = out + 8 * i;
    o[0] = __vadd4(a, b), o[1] = __vsubss2(a, b), o[2] = __vmaxs4(a, b), o[3] = __vabsdiffu4(a, b);
    o[4] = __vcmpgtu2(a, b), o[5] = __vavgu4(a, b), o[6] = __vsadu4(a, b), o[7] = __vaddus4(a, b);
}

KERNEL extremes(const int *x, const float *f, double *out) {
    int i = threadIdx.x;
    double *o = out + 6 * i;
    o[0] = min(x[i], 3u), o[1] = max(x[i], 2), o[2] = min(f[i], 0.5), o[3] = max(f[i], x[i]), o[4] = fminf(f[i], 1.0f), o[5] = abs(x[i]);
}

KERNEL conversions(const float *x, const double *d, long long *out) {
    int i = threadIdx.x;
    long long *o = out + 10 * i;
    o[0] = __float2int_rn(x[i]), o[1] = __float2int_rz(x[i]), o[2] = __float2int_ru(x[i]), o[3] = __float2int_rd(x[i]);
    o[4] = __float2ll_rn(x[i]), o[5] = __double2int_rn(d[i]), o[6] = __double_as_longlong(d[i]), o[7] = __float_as_int(x[i]);
    o[8] = __double2hiint(d[i]), o[9] = (long long)__double2uint_rz(d[i]);
}

KERNEL printing(const float *x, int n) {
    int i = threadIdx.x;
    if (i < n) printf("thread %d of %s: %.2f %c\n", i, "block", x[i], 'a' + i);
}

KERNEL asserting(const int *x) { assert(x[threadIdx.x] > 0 && "must be positive"); }

KERNEL trapping(const int *x) {
    if (x[threadIdx.x] == 3) __trap();
}

KERNEL clocks(long long *out) {
    long long start = clock64();
    out[0] = clock64() - start + clock() * 0;
}

KERNEL dot8(const uint4 *a, const uint4 *b, const float *c, float *out) {
    int i = threadIdx.x;
    out[i] = rpp::dot8(a[i], b[i], c[i]);
}

KERNEL lookup(const unsigned short *table, const unsigned short *x, unsigned short *y) {
    int i = threadIdx.x;
    y[i] = rpp::lookup(table, x[i]);
}

KERNEL units(const float *x, float *out) {
    int i = threadIdx.x;
    out[4 * i] = rpp::exp2_unit(x[i]), out[4 * i + 1] = rpp::log2_unit(x[i]), out[4 * i + 2] = rpp::rsqrt_unit(x[i]);
    out[4 * i + 3] = __frsqrt_rn(x[i]);
}

KERNEL staging(const int *x, int *y, int n) {
    __shared__ int tile[64];
    rpp::stage_in(tile, x, n);
    rpp::wait();
    int i = threadIdx.x;
    int v = tile[n - 1 - i];
    __syncthreads();
    tile[i] = v * 2;
    __syncthreads();
    rpp::stage_out(y, tile, n);
    rpp::wait();
}
