/* What half and bfloat16 have in common: arithmetic, comparison, math, pairs, shuffles, atomics. Every operation rounds
   its exact result once, to nearest even; math functions go through float. */
#pragma once
#include "cuda_runtime.h"

/* H: the class, H2: its pair, R: the compiler's type. */
#define RPP_SMALL_TYPE(H, H2, R) \
    struct __attribute__((aligned(2))) H { \
        R __x; \
        H() = default; \
        template <class I, class = typename __rpp_integral<I>::real> RPP_INSIDE H(I x) : __x((R)(float)x) {} \
        RPP_INSIDE H(float x) : __x((R)x) {} \
        RPP_INSIDE H(double x) : __x((R)x) {} \
        RPP_INSIDE operator float() const { return (float)__x; } \
        RPP_INSIDE explicit operator bool() const { return (float)__x != 0.0f; } \
        RPP_INSIDE explicit operator double() const { return (double)__x; } \
        RPP_INSIDE explicit operator int() const { return (int)(float)__x; } \
        RPP_INSIDE explicit operator unsigned int() const { return (unsigned int)(float)__x; } \
        RPP_INSIDE explicit operator short() const { return (short)(float)__x; } \
        RPP_INSIDE explicit operator unsigned short() const { return (unsigned short)(float)__x; } \
        RPP_INSIDE explicit operator long long() const { return (long long)(float)__x; } \
    }; \
    struct __attribute__((aligned(4))) H2 { \
        H x, y; \
        H2() = default; \
        RPP_INSIDE H2(H a, H b) : x(a), y(b) {} \
    }; \
    RPP_EITHER H __rpp_made_##H(R x) { return __builtin_bit_cast(H, x); }

#define RPP_INSIDE __attribute__((host, device, always_inline))

#define RPP_SMALL_BINARY(H, H2, name, op) \
    RPP_EITHER H operator op(H a, H b) { RPP_EXACT return __rpp_made_##H(a.__x op b.__x); } \
    RPP_EITHER H2 operator op(H2 a, H2 b) { return H2(a.x op b.x, a.y op b.y); } \
    RPP_EITHER H &operator op##=(H &a, H b) { return a = a op b; } \
    RPP_EITHER H2 &operator op##=(H2 &a, H2 b) { return a = a op b; } \
    RPP_EITHER H __h##name(H a, H b) { return a op b; } \
    RPP_EITHER H __h##name##_rn(H a, H b) { return a op b; } \
    RPP_DEVICE H __h##name##_sat(H a, H b) { return __rpp_saturated(a op b); } \
    RPP_EITHER H2 __h##name##2(H2 a, H2 b) { return a op b; } \
    RPP_EITHER H2 __h##name##2_rn(H2 a, H2 b) { return a op b; } \
    RPP_DEVICE H2 __h##name##2_sat(H2 a, H2 b) { return H2(__rpp_saturated(a.x op b.x), __rpp_saturated(a.y op b.y)); }

/* Ordered (false for NaN) and unordered comparisons; of pairs as 1.0 or 0.0 per half, or of both halves at once. */
#define RPP_SMALL_COMPARE(H, H2, name, op) \
    RPP_EITHER bool operator op(H a, H b) { return (float)a op (float)b; } \
    RPP_EITHER bool operator op(H2 a, H2 b) { return a.x op b.x && a.y op b.y; } \
    RPP_EITHER bool __h##name(H a, H b) { return (float)a op (float)b; } \
    RPP_EITHER bool __h##name##u(H a, H b) { return __hisnan(a) || __hisnan(b) || (float)a op (float)b; } \
    RPP_EITHER bool __hb##name##2(H2 a, H2 b) { return __h##name(a.x, b.x) && __h##name(a.y, b.y); } \
    RPP_EITHER bool __hb##name##u2(H2 a, H2 b) { return __h##name##u(a.x, b.x) && __h##name##u(a.y, b.y); } \
    RPP_EITHER H2 __h##name##2(H2 a, H2 b) { return H2(H(__h##name(a.x, b.x) ? 1.0f : 0.0f), H(__h##name(a.y, b.y) ? 1.0f : 0.0f)); } \
    RPP_DEVICE unsigned int __h##name##2_mask(H2 a, H2 b) { \
        return (__h##name(a.x, b.x) ? 0xffffu : 0u) | (__h##name(a.y, b.y) ? 0xffff0000u : 0u); \
    }

#define RPP_SMALL_UNARY(H, H2, name, from) \
    RPP_DEVICE H h##name(H x) { return H(from((float)x)); } \
    RPP_DEVICE H2 h2##name(H2 v) { return H2(h##name(v.x), h##name(v.y)); }

#define RPP_SMALL_SHUFFLE(H, H2, name, how) \
    RPP_DEVICE H2 name(unsigned int mask, H2 v, how n, int width = 32) { \
        return __builtin_bit_cast(H2, name(mask, __builtin_bit_cast(unsigned int, v), n, width)); \
    } \
    RPP_DEVICE H name(unsigned int mask, H v, how n, int width = 32) { \
        unsigned int wide = __builtin_bit_cast(unsigned short, v); \
        return __builtin_bit_cast(H, (unsigned short)name(mask, wide, n, width)); \
    }

#define RPP_SMALL_FLOAT(H, H2, R) \
    RPP_EITHER bool __hisnan(H x) { return (float)x != (float)x; } \
    RPP_DEVICE int __hisinf(H x) { return __rpp_abs((float)x) == __builtin_inff() ? ((float)x > 0 ? 1 : -1) : 0; } \
    RPP_DEVICE H2 __hisnan2(H2 v) { return H2(H(__hisnan(v.x) ? 1.0f : 0.0f), H(__hisnan(v.y) ? 1.0f : 0.0f)); } \
    RPP_DEVICE H __rpp_saturated(H x) { return H(__saturatef((float)x)); } \
    RPP_SMALL_BINARY(H, H2, add, +) \
    RPP_SMALL_BINARY(H, H2, sub, -) \
    RPP_SMALL_BINARY(H, H2, mul, *) \
    RPP_EITHER H operator/(H a, H b) { return __rpp_made_##H(a.__x / b.__x); } \
    RPP_EITHER H2 operator/(H2 a, H2 b) { return H2(a.x / b.x, a.y / b.y); } \
    RPP_EITHER H &operator/=(H &a, H b) { return a = a / b; } \
    RPP_EITHER H2 &operator/=(H2 &a, H2 b) { return a = a / b; } \
    RPP_EITHER H __hdiv(H a, H b) { return a / b; } \
    RPP_EITHER H2 __h2div(H2 a, H2 b) { return a / b; } \
    RPP_EITHER H operator-(H a) { return __rpp_made_##H(-a.__x); } \
    RPP_EITHER H2 operator-(H2 a) { return H2(-a.x, -a.y); } \
    RPP_EITHER H operator+(H a) { return a; } \
    RPP_EITHER H2 operator+(H2 a) { return a; } \
    RPP_EITHER H &operator++(H &a) { return a = a + H(1.0f); } \
    RPP_EITHER H &operator--(H &a) { return a = a - H(1.0f); } \
    RPP_EITHER H __hneg(H a) { return -a; } \
    RPP_EITHER H2 __hneg2(H2 a) { return -a; } \
    RPP_DEVICE H __habs(H a) { return __rpp_made_##H(__builtin_elementwise_abs(a.__x)); } \
    RPP_DEVICE H2 __habs2(H2 a) { return H2(__habs(a.x), __habs(a.y)); } \
    RPP_DEVICE H __hfma(H a, H b, H c) { return __rpp_made_##H(__builtin_elementwise_fma(a.__x, b.__x, c.__x)); } \
    RPP_DEVICE H2 __hfma2(H2 a, H2 b, H2 c) { return H2(__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)); } \
    RPP_DEVICE H __hfma_sat(H a, H b, H c) { return __rpp_saturated(__hfma(a, b, c)); } \
    RPP_DEVICE H __hfma_relu(H a, H b, H c) { return __hmax(__hfma(a, b, c), H(0.0f)); } \
    RPP_DEVICE H2 __hfma2_relu(H2 a, H2 b, H2 c) { return H2(__hfma_relu(a.x, b.x, c.x), __hfma_relu(a.y, b.y, c.y)); } \
    RPP_SMALL_COMPARE(H, H2, eq, ==) \
    RPP_SMALL_COMPARE(H, H2, ne, !=) \
    RPP_SMALL_COMPARE(H, H2, lt, <) \
    RPP_SMALL_COMPARE(H, H2, le, <=) \
    RPP_SMALL_COMPARE(H, H2, gt, >) \
    RPP_SMALL_COMPARE(H, H2, ge, >=) \
    RPP_SMALL_UNARY(H, H2, exp, __rpp_exp) RPP_SMALL_UNARY(H, H2, exp2, __rpp_exp2) \
    RPP_SMALL_UNARY(H, H2, exp10, __rpp_exp10) RPP_SMALL_UNARY(H, H2, log, __rpp_log) \
    RPP_SMALL_UNARY(H, H2, log2, __rpp_log2) RPP_SMALL_UNARY(H, H2, log10, __rpp_log10) \
    RPP_SMALL_UNARY(H, H2, sin, __rpp_sin) RPP_SMALL_UNARY(H, H2, cos, __rpp_cos) \
    RPP_SMALL_UNARY(H, H2, tanh, __rpp_tanh) RPP_SMALL_UNARY(H, H2, sqrt, __rpp_sqrt) \
    RPP_SMALL_UNARY(H, H2, rsqrt, __rpp_rsqrt) RPP_SMALL_UNARY(H, H2, rcp, 1.0f / ) \
    RPP_SMALL_UNARY(H, H2, floor, __rpp_floor) RPP_SMALL_UNARY(H, H2, ceil, __rpp_ceil) \
    RPP_SMALL_UNARY(H, H2, trunc, __rpp_trunc) RPP_SMALL_UNARY(H, H2, rint, __rpp_rint) \
    RPP_SMALL_SHUFFLE(H, H2, __shfl_sync, int) \
    RPP_SMALL_SHUFFLE(H, H2, __shfl_up_sync, unsigned int) \
    RPP_SMALL_SHUFFLE(H, H2, __shfl_down_sync, unsigned int) \
    RPP_SMALL_SHUFFLE(H, H2, __shfl_xor_sync, int) \
    RPP_HINTS(H) \
    RPP_HINTS(H2) \
    RPP_DEVICE H atomicAdd(H *p, H v) { \
        return __rpp_made_##H(__scoped_atomic_fetch_add((R *)p, v.__x, __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE)); \
    } \
    RPP_DEVICE H2 atomicAdd(H2 *p, H2 v) { return H2(atomicAdd(&p->x, v.x), atomicAdd(&p->y, v.y)); }

#define RPP_SMALL_EXTREMA(H, H2) \
    RPP_DEVICE H __hmax(H a, H b) { return H(__rpp_fmax((float)a, (float)b)); } \
    RPP_DEVICE H __hmin(H a, H b) { return H(__rpp_fmin((float)a, (float)b)); } \
    RPP_DEVICE H __hmax_nan(H a, H b) { return (float)a != (float)a ? a : (float)b != (float)b ? b : __hmax(a, b); } \
    RPP_DEVICE H __hmin_nan(H a, H b) { return (float)a != (float)a ? a : (float)b != (float)b ? b : __hmin(a, b); } \
    RPP_DEVICE H2 __hmax2(H2 a, H2 b) { return H2(__hmax(a.x, b.x), __hmax(a.y, b.y)); } \
    RPP_DEVICE H2 __hmin2(H2 a, H2 b) { return H2(__hmin(a.x, b.x), __hmin(a.y, b.y)); }

/* From numbers and back; `half` stands for the word in the names of the functions. */
#define RPP_SMALL_CONVERSIONS(H, H2, half, half2) \
    RPP_EITHER H __float2##half(float x) { return H(x); } \
    RPP_EITHER H __double2##half(double x) { return H(x); } \
    RPP_EITHER H __float2##half##_rn(float x) { return H(x); } \
    RPP_DEVICE H __float2##half##_rz(float x) { return __rpp_directed_small<H>(x, __rpp_toward_zero); } \
    RPP_DEVICE H __float2##half##_ru(float x) { return __rpp_directed_small<H>(x, __rpp_upward); } \
    RPP_DEVICE H __float2##half##_rd(float x) { return __rpp_directed_small<H>(x, __rpp_downward); } \
    RPP_EITHER float __##half##2float(H x) { return (float)x; } \
    RPP_EITHER H2 __float2##half2##_rn(float x) { return H2(H(x), H(x)); } \
    RPP_EITHER H2 __floats2##half2##_rn(float x, float y) { return H2(H(x), H(y)); } \
    RPP_EITHER H2 __float22##half2##_rn(float2 v) { return H2(H(v.x), H(v.y)); } \
    RPP_EITHER float2 __##half2##2float2(H2 v) { return make_float2((float)v.x, (float)v.y); } \
    RPP_EITHER float __low2float(H2 v) { return (float)v.x; } \
    RPP_EITHER float __high2float(H2 v) { return (float)v.y; } \
    RPP_EITHER H __low2##half(H2 v) { return v.x; } \
    RPP_EITHER H __high2##half(H2 v) { return v.y; } \
    RPP_EITHER H2 __low2##half2(H2 v) { return H2(v.x, v.x); } \
    RPP_EITHER H2 __high2##half2(H2 v) { return H2(v.y, v.y); } \
    RPP_EITHER H2 __lows2##half2(H2 a, H2 b) { return H2(a.x, b.x); } \
    RPP_EITHER H2 __highs2##half2(H2 a, H2 b) { return H2(a.y, b.y); } \
    RPP_EITHER H2 __lowhigh2highlow(H2 v) { return H2(v.y, v.x); } \
    RPP_EITHER H2 __##half##2##half2(H x) { return H2(x, x); } \
    RPP_EITHER H2 __halves2##half2(H x, H y) { return H2(x, y); } \
    RPP_EITHER H2 make_##half2(H x, H y) { return H2(x, y); } \
    RPP_EITHER short __##half##_as_short(H x) { return __builtin_bit_cast(short, x); } \
    RPP_EITHER unsigned short __##half##_as_ushort(H x) { return __builtin_bit_cast(unsigned short, x); } \
    RPP_EITHER H __short_as_##half(short x) { return __builtin_bit_cast(H, x); } \
    RPP_EITHER H __ushort_as_##half(unsigned short x) { return __builtin_bit_cast(H, x); } \
    RPP_SMALL_INTEGER(H, half, int, int) RPP_SMALL_INTEGER(H, half, uint, unsigned int) \
    RPP_SMALL_INTEGER(H, half, short, short) RPP_SMALL_INTEGER(H, half, ushort, unsigned short) \
    RPP_SMALL_INTEGER(H, half, ll, long long) RPP_SMALL_INTEGER(H, half, ull, unsigned long long)

#define RPP_SMALL_INTEGER(H, half, word, I) \
    RPP_DEVICE I __##half##2##word##_rn(H x) { return (I)__rpp_rint((float)x); } \
    RPP_DEVICE I __##half##2##word##_rz(H x) { return (I)(float)x; } \
    RPP_DEVICE I __##half##2##word##_ru(H x) { return (I)__rpp_ceil((float)x); } \
    RPP_DEVICE I __##half##2##word##_rd(H x) { return (I)__rpp_floor((float)x); } \
    RPP_DEVICE H __##word##2##half##_rn(I x) { return __rpp_integer_small<H>((long long)x, x); }

/* The nearest value, then one step back where it lies on the wrong side. */
template <class H> RPP_DEVICE H __rpp_directed_small(float x, int direction) {
    H near(x);
    float value = (float)near;
    bool up = direction == __rpp_upward || (direction == __rpp_toward_zero && x < 0);
    bool down = direction == __rpp_downward || (direction == __rpp_toward_zero && x > 0);
    int step = up && value < x ? 1 : down && value > x ? -1 : 0;
    unsigned short bits = __builtin_bit_cast(unsigned short, near);
    bool negative = value == 0.0f ? step < 0 : (bits & 0x8000) != 0;
    unsigned short moved = (unsigned short)(negative ? bits - step : bits + step);
    if (value == 0.0f && step != 0) moved = (unsigned short)(negative ? 0x8001 : 1);
    return __builtin_bit_cast(H, step == 0 ? bits : moved);
}

/* An integer, rounded once: below 2^24 through float, else with its lost bits gathered in the last one. */
template <class H, class I> RPP_DEVICE H __rpp_integer_small(long long sign, I x) {
    bool negative = sign < 0 && (I)-1 < (I)0;
    unsigned long long size = negative ? 0ull - (unsigned long long)x : (unsigned long long)x;
    int shift = size >> 24 ? 40 - __builtin_clzll(size) : 0;
    unsigned long long lost = size & ((1ull << shift) - 1);
    unsigned int top = (unsigned int)(size >> shift) | (lost != 0 ? 1u : 0u);
    float value = (float)top * __rpp_exp2i<float>(shift);
    return H(negative ? -value : value);
}
