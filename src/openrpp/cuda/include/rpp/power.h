/* Powers and roots. */
#pragma once
#include "rpp/exp.h"
#include "rpp/extended.h"
#include "rpp/log.h"

/* 2 / ln 2 and 1/3 in two parts. */
template <class T> struct __rpp_power_constants;
template <> struct __rpp_power_constants<float> {
    static constexpr float scale = 0x1.715476p1f, scale_lo = 0x1.4ae0cp-25f;
    static constexpr float third = 0x1.555556p-2f, third_lo = -0x1.555556p-27f;
};
template <> struct __rpp_power_constants<double> {
    static constexpr double scale = 0x1.71547652b82fep1, scale_lo = 0x1.777d0ffda0d24p-55;
    static constexpr double third = 0x1.5555555555555p-2, third_lo = 0x1.5555555555555p-56;
};

/* log2(x + x_lo) of a positive finite x to about 1.4 times the digits of the type:
   k + 2 / ln 2 (s + s^3/3 + s^5 P(s^2)) with s = f / (2 + f). x_lo is below an ulp of x, and of a normal x. */
template <class T> RPP_MATH __rpp_pair<T> __rpp_log2_pair(T x, T x_lo) {
    RPP_EXACT
    typedef __rpp_power_constants<T> C;
    __rpp_parts<T> parts = __rpp_take_apart(x);
    __rpp_pair<T> f = {parts.significand - T(1), x_lo == T(0) ? T(0) : x_lo * (parts.significand / x)};
    __rpp_pair<T> s = __rpp_quotient(__rpp_quick_sum(f.hi, f.lo), __rpp_sum(__rpp_two_sum(T(2), f.hi), f.lo));
    __rpp_pair<T> z = __rpp_product(s, s);
    __rpp_pair<T> cube = __rpp_product(__rpp_product(z, s), __rpp_pair<T>{C::third, C::third_lo});
    T tail = s.hi * z.hi * z.hi * __rpp_poly_atanh5(z.hi);
    __rpp_pair<T> sum = __rpp_sum(__rpp_sum(s, cube), tail);
    return __rpp_sum(__rpp_product(sum, __rpp_pair<T>{C::scale, C::scale_lo}), __rpp_number<T>(parts.exponent));
}

/* x^y for positive finite x and any y that is not NaN. */
template <class T> RPP_MATH T __rpp_pow_positive(T x, T y) {
    RPP_EXACT
    typedef __rpp_exp_constants<T> C;
    __rpp_pair<T> log = __rpp_log2_pair(x, T(0));
    T size = y * log.hi;
    T bounded = __rpp_abs(size) < C::greatest2 * T(2) ? y : T(0);
    __rpp_pair<T> product = __rpp_product(log, bounded);
    __rpp_exponential<T> e = __rpp_exp2_parts(__rpp_clamp(product.hi, C::least2, C::greatest2), product.lo);
    T result = __rpp_scale(T(1) + e.fraction, e.exponent);
    T beyond = size > T(0) ? __rpp_format<T>::infinity : T(0);
    return bounded == y ? result : beyond;
}

/* IEEE 754 pow, C17 annex F. */
template <class T> RPP_MATH T __rpp_pow(T x, T y) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    T size = __rpp_abs(x);
    bool whole = __rpp_trunc(y) == y;
    bool odd = whole && __rpp_trunc(y * T(0.5)) * T(2) != y;
    bool edge = size == T(0) || size == F::infinity;
    T at_edge = (size == T(0)) == (y > T(0)) ? T(0) : F::infinity;
    T power = edge ? at_edge : __rpp_pow_positive(size, y);
    T at_infinity = size == T(1) ? T(1) : (size > T(1)) == (y > T(0)) ? F::infinity : T(0);
    power = __rpp_abs(y) == F::infinity ? at_infinity : power;
    T signed_power = odd && __rpp_bits(x) < 0 ? -power : power;
    T defined = x < T(0) && !whole && size != F::infinity ? F::nan : signed_power;
    T number = x != x || y != y ? x + y : defined;
    return y == T(0) || x == T(1) ? T(1) : number;
}

/* x^n; the sign of odd powers is exact even where n has more digits than T. */
template <class T> RPP_MATH T __rpp_powi(T x, int n) {
    T power = __rpp_pow(__rpp_abs(x), T(n));
    return n & 1 ? __rpp_copysign(power, x) : power;
}

/* The cube root: a first guess from the exponent, three steps of Halley's method, the last one with an exact cube. */
template <class T> RPP_MATH T __rpp_cbrt(T x) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    T size = __rpp_abs(x);
    __rpp_parts<T> parts = __rpp_take_apart(size);
    int third = (parts.exponent + 3 * 1024) / 3 - 1024;
    T m = parts.significand * __rpp_exp2i<T>(parts.exponent - 3 * third); /* in [sqrt(1/2), 4 sqrt(2)) */
    T t = T(0.57) + m * (T(0.46) - m * T(0.04));
    for (int step = 0; step < 2; ++step) {
        T cube = t * t * t;
        t = t + t * (m - cube) / (cube + cube + m);
    }
    __rpp_pair<T> square = __rpp_two_product(t, t);
    __rpp_pair<T> cube = __rpp_product(square, t);
    t = t + t * ((m - cube.hi) - cube.lo) / (T(3) * m);
    T result = __rpp_copysign(t * __rpp_exp2i<T>(third), x);
    return size == T(0) || !(size < F::infinity) ? x : result;
}

template <class T> RPP_MATH T __rpp_rsqrt(T x) {
    RPP_EXACT
    return T(1) / __rpp_sqrt(x);
}

/* sqrt(sum of squares) without over- or underflow: the largest operand is scaled to about 1. */
template <class T> struct __rpp_norm_result {
    T root; /* of the scaled squares */
    int exponent;
    bool infinite;
};

template <class T> RPP_MATH __rpp_norm_result<T> __rpp_norm_of(T a, T b, T c, T d) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    a = __rpp_abs(a), b = __rpp_abs(b), c = __rpp_abs(c), d = __rpp_abs(d);
    bool infinite = a == F::infinity || b == F::infinity || c == F::infinity || d == F::infinity;
    T ab = a > b ? a : b, cd = c > d ? c : d;
    T large = ab > cd ? ab : cd;
    int exponent = (int)((typename F::Unsigned)__rpp_bits(large) >> F::mantissa) - F::bias;
    exponent = exponent < 1 - F::bias ? 1 - F::bias : exponent > F::bias - 1 ? F::bias - 1 : exponent;
    T scale = __rpp_exp2i<T>(-exponent);
    a *= scale, b *= scale, c *= scale, d *= scale;
    return {__rpp_sqrt((a * a + b * b) + (c * c + d * d)), exponent, infinite};
}

template <class T> RPP_MATH T __rpp_norm(T a, T b, T c, T d) {
    RPP_EXACT
    __rpp_norm_result<T> n = __rpp_norm_of(a, b, c, d);
    return n.infinite ? __rpp_format<T>::infinity : n.root * __rpp_exp2i<T>(n.exponent);
}

template <class T> RPP_MATH T __rpp_rnorm(T a, T b, T c, T d) {
    RPP_EXACT
    __rpp_norm_result<T> n = __rpp_norm_of(a, b, c, d);
    return n.infinite ? T(0) : T(1) / n.root * __rpp_exp2i<T>(-n.exponent);
}
