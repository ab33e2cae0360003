/* Exponentials. e^x = 2^n e^r with r = x - n ln 2, |r| <= ln 2 / 2, and a polynomial for e^r. */
#pragma once
#include "rpp/polynomials.h"
#include "rpp/scale.h"

/* ln 2 and log10 2 in two parts; the product of the first with an integer below 2^9 (float) or 2^12 (double) is exact. */
template <class T> struct __rpp_exp_constants;
template <> struct __rpp_exp_constants<float> {
    static constexpr float log2e = 0x1.715476p0f, ln2_hi = 0x1.62e4p-1f, ln2_lo = 0x1.7f7d1cp-20f;
    static constexpr float log2_10 = 0x1.a934fp1f, log10_2_hi = 0x1.344p-2f, log10_2_lo = 0x1.3509f8p-18f;
    static constexpr float least = -104.0f, greatest = 89.0f, least10 = -46.0f, greatest10 = 39.0f;
    static constexpr float least2 = -151.0f, greatest2 = 129.0f;
};
template <> struct __rpp_exp_constants<double> {
    static constexpr double log2e = 0x1.71547652b82fep0, ln2_hi = 0x1.62e42fefa2p-1, ln2_lo = 0x1.9ef35793c7673p-41;
    static constexpr double log2_10 = 0x1.a934f0979a371p1, log10_2_hi = 0x1.34413509f6p-2;
    static constexpr double log10_2_lo = 0x1.9fef311f12b36p-42;
    static constexpr double least = -746.0, greatest = 710.0, least10 = -324.0, greatest10 = 309.0;
    static constexpr double least2 = -1076.0, greatest2 = 1025.0;
};

/* x within [low, high]; NaN stays. */
template <class T> RPP_MATH T __rpp_clamp(T x, T low, T high) {
    T above = x < low ? low : x;
    return above > high ? high : above;
}

/* e^x = (1 + fraction) 2^exponent for an x in range. */
template <class T> struct __rpp_exponential {
    T fraction;
    int exponent;
};

template <class T> RPP_MATH __rpp_exponential<T> __rpp_exp_parts(T x, T x_lo) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    __rpp_nearest<T> n = __rpp_round_small<T>(x * C::log2e);
    T r = ((x - n.value * C::ln2_hi) - n.value * C::ln2_lo) + x_lo;
    return {r + r * r * __rpp_poly_exp(r), n.integer};
}

/* e^(x + x_lo) for |x_lo| far below |x|. */
template <class T> RPP_MATH T __rpp_exp_sum(T x, T x_lo) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    T inside = __rpp_clamp(x, C::least, C::greatest);
    __rpp_exponential<T> e = __rpp_exp_parts(inside, inside == x ? x_lo : T(0));
    return __rpp_scale(T(1) + e.fraction, e.exponent);
}

template <class T> RPP_MATH T __rpp_exp(T x) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    __rpp_exponential<T> e = __rpp_exp_parts(__rpp_clamp(x, C::least, C::greatest), T(0));
    return __rpp_scale(T(1) + e.fraction, e.exponent);
}

template <class T> RPP_MATH T __rpp_exp2(T x) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    T inside = __rpp_clamp(x, C::least2, C::greatest2);
    __rpp_nearest<T> n = __rpp_round_small<T>(inside);
    T r = inside - n.value;
    return __rpp_scale(T(1) + r * __rpp_poly_exp2(r), n.integer);
}

template <class T> RPP_MATH T __rpp_exp10(T x) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    T inside = __rpp_clamp(x, C::least10, C::greatest10);
    __rpp_nearest<T> n = __rpp_round_small<T>(inside * C::log2_10);
    T r = (inside - n.value * C::log10_2_hi) - n.value * C::log10_2_lo;
    return __rpp_scale(T(1) + r * __rpp_poly_exp10(r), n.integer);
}

/* 2^(hi + lo) as (1 + fraction) 2^exponent, for |hi| < 2^20; lo is below an ulp of hi. */
template <class T> RPP_MATH __rpp_exponential<T> __rpp_exp2_parts(T hi, T lo) {
    RPP_EXACT
    __rpp_nearest<T> n = __rpp_round_small<T>(hi);
    T r = (hi - n.value) + lo;
    return {r * __rpp_poly_exp2(r), n.integer};
}

/* e^x - 1 = 2 ((2^(n-1) - 1/2) + 2^(n-1) (e^r - 1)). */
template <class T> RPP_MATH T __rpp_expm1(T x) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    __rpp_exponential<T> e = __rpp_exp_parts(__rpp_clamp(x, C::least / 2, C::greatest), T(0));
    T half = __rpp_exp2i<T>(e.exponent - 1);
    T result = ((half - T(0.5)) + half * e.fraction) * T(2);
    return __rpp_abs(x) < __rpp_format<T>::least_normal * T(2) ? x : result;
}
