/* Logarithms. log(x) = k ln 2 + log(1 + f) with x = 2^k (1 + f) and 1 + f in [sqrt(1/2), sqrt(2)). */
#pragma once
#include "rpp/exp.h"
#include "rpp/extended.h"

/* What is left of log(1 + f) behind f - f^2 / 2. */
RPP_MATH float __rpp_log_tail(float f, float) {
    RPP_EXACT
    return f * f * f * __rpp_poly_log(f);
}

/* With s = f / (2 + f): log(1 + f) = f - f^2/2 + s (f^2/2 + 2 s^2 P(s^2)). */
RPP_MATH double __rpp_log_tail(double f, double half_square) {
    RPP_EXACT
    double s = f / (2.0 + f);
    double z = s * s;
    return s * (half_square + 2.0 * z * __rpp_poly_atanh(z));
}

/* The values of a logarithm at 0, at infinity, of NaN and of negative numbers; else `result`. */
template <class T> RPP_MATH T __rpp_log_edges(T x, T result) {
    typedef __rpp_format<T> F;
    T positive = x < F::infinity ? result : x;
    T defined = x < T(0) ? F::nan : positive;
    return x == T(0) ? -F::infinity : defined;
}

template <class T> RPP_MATH T __rpp_log(T x) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    __rpp_parts<T> parts = __rpp_take_apart(x);
    T k = __rpp_number<T>(parts.exponent), f = parts.significand - T(1);
    T half_square = T(0.5) * f * f;
    T small = __rpp_log_tail(f, half_square) + k * C::ln2_lo;
    return __rpp_log_edges(x, k * C::ln2_hi - ((half_square - small) - f));
}

template <class T> RPP_MATH T __rpp_log1p(T x) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    T u = T(1) + x;
    T lost = u >= T(2) ? T(1) - (u - x) : x - (u - T(1));
    __rpp_parts<T> parts = __rpp_take_apart(u);
    T k = __rpp_number<T>(parts.exponent);
    bool near = parts.exponent == 0;
    T f = near ? x : parts.significand - T(1);
    T correction = near ? T(0) : lost / u;
    T half_square = T(0.5) * f * f;
    T small = __rpp_log_tail(f, half_square) + (k * C::ln2_lo + correction);
    T result = k * C::ln2_hi - ((half_square - small) - f);
    T inside = x < __rpp_format<T>::infinity ? result : x;
    T defined = x < T(-1) ? __rpp_format<T>::nan : inside;
    T least = x == T(-1) ? -__rpp_format<T>::infinity : defined;
    return __rpp_abs(x) < __rpp_format<T>::least_normal * T(2) ? x : least;
}

/* log(1 + f) / ln(base) + k log_base(2), where the first factor is a pair of constants, the high one short. */
template <class T> RPP_MATH T __rpp_log_base(T x, T scale_hi, T scale_lo, T two_hi, T two_lo) {
    RPP_EXACT
    __rpp_parts<T> parts = __rpp_take_apart(x);
    T k = __rpp_number<T>(parts.exponent), f = parts.significand - T(1);
    T half_square = T(0.5) * f * f;
    T hi = __rpp_high(f - half_square);
    T lo = ((f - hi) - half_square) + __rpp_log_tail(f, half_square);
    T small = (lo * scale_lo + lo * scale_hi) + (hi * scale_lo + k * two_lo);
    __rpp_pair<T> sum = __rpp_two_sum(k * two_hi, hi * scale_hi);
    return __rpp_log_edges(x, sum.hi + (sum.lo + small));
}

RPP_MATH float __rpp_log2(float x) { return __rpp_log_base(x, 0x1.714p0f, 0x1.47652cp-12f, 1.0f, 0.0f); }
RPP_MATH double __rpp_log2(double x) {
    return __rpp_log_base(x, 0x1.715476p0, 0x1.4ae0bf85ddf44p-26, 1.0, 0.0);
}
RPP_MATH float __rpp_log10(float x) {
    return __rpp_log_base(x, 0x1.bcap-2f, 0x1.7b1526p-14f, 0x1.344p-2f, 0x1.3509f8p-18f);
}
RPP_MATH double __rpp_log10(double x) {
    return __rpp_log_base(x, 0x1.bcb7b1p-2, 0x1.49b9438ca9aaep-28, 0x1.34413509f6p-2, 0x1.9fef311f12b36p-42);
}
