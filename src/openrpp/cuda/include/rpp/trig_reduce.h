/* x = n pi/2 + r with |r| <= pi/4 and a bit. Small x: pi/2 in parts whose products with n are exact (Cody, Waite).
   Large x: exact bits of 2/pi in a window that starts at the weight of the quadrant (Payne, Hanek). */
#pragma once
#include "rpp/extended.h"
#include "rpp/scale.h"

template <class T> struct __rpp_reduced {
    T hi, lo; /* r */
    int quadrant; /* n; its low two bits count */
};

RPP_TABLE const __rpp_u32 __rpp_two_over_pi_32[8] = {
    0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};

RPP_TABLE const __rpp_u64 __rpp_two_over_pi_64[21] = {
    0x0000000000000000ull, 0xa2f9836e4e441529ull, 0xfc2757d1f534ddc0ull, 0xdb6295993c439041ull,
    0xfe5163abdebbc561ull, 0xb7246e3a424dd2e0ull, 0x06492eea09d1921cull, 0xfe1deb1cb129a73eull,
    0xe88235f52ebb4484ull, 0xe99c7026b45f7e41ull, 0x3991d639835339f4ull, 0x9c845f8bbdf9283bull,
    0x1ff897ffde05980full, 0xef2f118b5a0a6d1full, 0x6d367ecf27cb09b7ull, 0x4f463f669e5fea2dull,
    0x7527bac7ebe5f17bull, 0x3d0739f78a5292eaull, 0x6bfb5fb11f8d5d08ull, 0x56033046fc7b6babull,
    0xf0cfbc209af4361dull};

/* |x| < 6000, so n has 12 bits. */
RPP_MATH __rpp_reduced<float> __rpp_reduce_small(float x) {
    RPP_EXACT
    __rpp_nearest<float> n = __rpp_round_small<float>(x * 0x1.45f306p-1f);
    float a = (x - n.value * 0x1.92p0f) - n.value * 0x1.fb4p-12f;
    __rpp_ff b = __rpp_two_sum(a, -(n.value * 0x1.444p-24f));
    __rpp_ff r = __rpp_quick_sum(b.hi, b.lo - n.value * 0x1.68c234p-39f);
    return {r.hi, r.lo, n.integer};
}

/* |x| < 2^30. */
RPP_MATH __rpp_reduced<double> __rpp_reduce_small(double x) {
    RPP_EXACT
    __rpp_nearest<double> n = __rpp_round_small<double>(x * 0x1.45f306dc9c883p-1);
    double a = __rpp_fma(n.value, -0x1.921fb54442d18p0, x);
    __rpp_dd p = __rpp_two_product(n.value, 0x1.1a62633145c06p-54);
    __rpp_dd b = __rpp_two_sum(a, -p.hi);
    double lo = __rpp_fma(n.value, -0x1.c1cd129024e09p-107, b.lo - p.lo);
    __rpp_dd r = __rpp_quick_sum(b.hi, lo);
    return {r.hi, r.lo, n.integer};
}

RPP_MATH __rpp_u32 __rpp_window(__rpp_u32 high, __rpp_u32 low, int shift) {
    return (__rpp_u32)(((((__rpp_u64)high << 32) | low) << shift) >> 32);
}

RPP_MATH __rpp_u64 __rpp_window(__rpp_u64 high, __rpp_u64 low, int shift) {
    return high << shift | low >> 1 >> (63 - shift);
}

/* x = m 2^(e - 150) with a 24-bit m. (x 2/pi) mod 4 needs the bits of 2/pi from weight 2^(151 - e) down; 96 of them. */
RPP_MATH __rpp_reduced<float> __rpp_reduce_large(float x) {
    RPP_EXACT
    __rpp_u32 bits = (__rpp_u32)__rpp_bits(x) & 0x7fffffffu;
    __rpp_u32 m = (bits & 0x7fffffu) | 0x800000u;
    int place = (int)(bits >> 23) - 120;
    const __rpp_u32 *table = __rpp_two_over_pi_32 + (place >> 5);
    int shift = place & 31;
    __rpp_u64 low = (__rpp_u64)m * __rpp_window(table[2], table[3], shift);
    __rpp_u64 middle = (__rpp_u64)m * __rpp_window(table[1], table[2], shift) + (low >> 32);
    __rpp_u32 high = m * __rpp_window(table[0], table[1], shift) + (__rpp_u32)(middle >> 32);
    __rpp_u64 product = (__rpp_u64)high << 32 | (middle & 0xffffffffu);
    int quadrant = (int)(high >> 30);
    /* The fraction of a quarter turn, rounded to the nearest quarter: a signed 64-bit number of 2^-64. */
    __rpp_i64 fraction = (__rpp_i64)(product << 2 | (low & 0xffffffffu) >> 30);
    bool down = fraction < 0;
    __rpp_u64 size = down ? -(__rpp_u64)fraction : (__rpp_u64)fraction;
    int zeros = __builtin_clzll(size | 1);
    __rpp_u32 top = (__rpp_u32)(size << zeros >> 32);
    /* times pi/2 (2^-31 0xc90fdaa2) as integers, of which two floats hold 31 bits */
    __rpp_i64 scaled = (__rpp_i64)((__rpp_u64)top * 0xc90fdaa2u >> 1);
    float hi = (float)scaled;
    float lo = (float)(scaled - (__rpp_i64)hi);
    bool negative = __rpp_bits(x) < 0;
    quadrant += down ? 1 : 0;
    float scale = __rpp_exp2i<float>(-62 - zeros);
    scale = down != negative ? -scale : scale;
    return {hi * scale, lo * scale, negative ? -quadrant : quadrant};
}

/* The same with 64-bit words; x = m 2^(e - 1075) with a 53-bit m. */
RPP_MATH __rpp_reduced<double> __rpp_reduce_large(double x) {
    RPP_EXACT
    __rpp_u64 bits = (__rpp_u64)__rpp_bits(x) & 0x7fffffffffffffffull;
    __rpp_u64 m = (bits & 0xfffffffffffffull) | 0x10000000000000ull;
    int place = (int)(bits >> 52) - 1013;
    const __rpp_u64 *table = __rpp_two_over_pi_64 + (place >> 6);
    int shift = place & 63;
    __rpp_u64 w0 = __rpp_window(table[0], table[1], shift);
    __rpp_u64 w1 = __rpp_window(table[1], table[2], shift);
    __rpp_u64 w2 = __rpp_window(table[2], table[3], shift);
    __rpp_u64 low = m * w2, p1 = __rpp_mulhi(m, w2);
    __rpp_u64 middle = m * w1 + p1;
    __rpp_u64 high = m * w0 + __rpp_mulhi(m, w1) + (middle < p1 ? 1 : 0);
    int quadrant = (int)(high >> 62);
    __rpp_u64 f1 = high << 2 | middle >> 62, f0 = middle << 2 | low >> 62;
    bool down = (f1 >> 63) != 0;
    __rpp_u64 s0 = down ? -f0 : f0;
    __rpp_u64 s1 = down ? ~f1 + (f0 == 0 ? 1 : 0) : f1;
    int zeros = __builtin_clzll(s1 | 1);
    __rpp_u64 n1 = __rpp_window(s1, s0, zeros), n0 = s0 << zeros;
    /* 53 + 53 bits of the normalised fraction, then times pi/2 */
    __rpp_dd fraction = {(double)(__rpp_i64)(n1 >> 11) * 0x1p-53,
                         (double)(__rpp_i64)((n1 & 0x7ffull) << 42 | n0 >> 22) * 0x1p-106};
    __rpp_dd r = __rpp_product(fraction, __rpp_dd{0x1.921fb54442d18p0, 0x1.1a62633145c07p-54});
    double scale = __rpp_exp2i<double>(-zeros);
    bool negative = __rpp_bits(x) < 0;
    quadrant += down ? 1 : 0;
    scale = down != negative ? -scale : scale;
    return {r.hi * scale, r.lo * scale, negative ? -quadrant : quadrant};
}

RPP_MATH bool __rpp_is_small_angle(float x) { return __rpp_abs(x) < 6000.0f; }
RPP_MATH bool __rpp_is_small_angle(double x) { return __rpp_abs(x) < 0x1p30; }

/* NaN and infinity give NaN. */
template <class T> RPP_MATH __rpp_reduced<T> __rpp_reduce(T x) {
    if (__builtin_expect(__rpp_is_small_angle(x), 1)) return __rpp_reduce_small(x);
    if (!(__rpp_abs(x) < __rpp_format<T>::infinity)) return {x - x, T(0), 0};
    return __rpp_reduce_large(x);
}
