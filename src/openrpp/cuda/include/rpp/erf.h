/* Error functions and their inverses; the normal distribution. */
#pragma once
#include "rpp/exp.h"
#include "rpp/extended.h"
#include "rpp/log.h"

/* e^(y^2) erfc(y) for 0.45 <= y; the polynomial's variable is (y - c) / (y + c). */
template <class T> struct __rpp_erfcx_constants;
template <> struct __rpp_erfcx_constants<float> { static constexpr float centre = 2, far = 10.25f, last = 10.5f; };
template <> struct __rpp_erfcx_constants<double> { static constexpr double centre = 4, far = 27.25, last = 27.5; };

template <class T> RPP_MATH T __rpp_erfcx_inside(T y) {
    RPP_EXACT
    typedef __rpp_erfcx_constants<T> C;
    return __rpp_poly_erfcx((y - C::centre) / (y + C::centre)) / (T(1) + T(2) * y);
}

/* erfc(y + y_lo) for 0.45 <= y <= last: e^-(y^2) with an exact square. */
template <class T> RPP_MATH T __rpp_erfc_far(T y, T y_lo) {
    RPP_EXACT
    __rpp_pair<T> square = __rpp_two_product(y, y);
    T lo = square.lo + T(2) * y * y_lo;
    __rpp_exponential<T> e = __rpp_exp_parts(-square.hi, -lo);
    T tail = __rpp_erfcx_inside(y);
    return __rpp_scale(tail + tail * e.fraction, e.exponent);
}

template <class T> RPP_MATH T __rpp_erf_near(T x) {
    RPP_EXACT
    return x + x * __rpp_poly_erf(x * x);
}

/* erfc(x + x_lo) */
template <class T> RPP_MATH T __rpp_erfc_sum(T x, T x_lo) {
    RPP_EXACT
    typedef __rpp_erfcx_constants<T> C;
    T size = __rpp_abs(x);
    T slope = T(1.1283791670955126); /* 2 / sqrt(pi) */
    T near = T(1) - (__rpp_erf_near(x) + slope * x_lo);
    T far = __rpp_erfc_far(__rpp_clamp(size, T(0.5), C::last), size < C::last ? __rpp_copysign(T(1), x) * x_lo : T(0));
    T outer = x < T(0) ? T(2) - far : far;
    return size < T(0.5) || x != x ? near : outer;
}

template <class T> RPP_MATH T __rpp_erfc(T x) { return __rpp_erfc_sum(x, T(0)); }

RPP_MATH float __rpp_erf(float x) {
    RPP_EXACT
    float size = __rpp_abs(x);
    float near = __rpp_erf_near(x);
    float far = 1.0f - __rpp_exp(__rpp_poly_log_erfc(__rpp_clamp(size, 1.0f, 4.0f)));
    return size < 1.0f || x != x ? near : __rpp_copysign(far, x);
}

RPP_MATH double __rpp_erf(double x) {
    RPP_EXACT
    double size = __rpp_abs(x);
    double near = __rpp_erf_near(x);
    double far = 1.0 - __rpp_erfc_far(__rpp_clamp(size, 1.0, 6.5), 0.0);
    return size < 1.0 || x != x ? near : __rpp_copysign(far, x);
}

/* e^(x^2) erfc(x); 1 / (sqrt(pi) x) and its next terms for large x. */
template <class T> RPP_MATH T __rpp_erfcx(T x) {
    RPP_EXACT
    typedef __rpp_erfcx_constants<T> C;
    T inside = __rpp_clamp(x, T(0.5), C::last);
    T y = T(1) / x;
    T z = y * y;
    T series = y * T(0.5641895835477563) * (T(1) - T(0.5) * z * (T(1) - T(1.5) * z * (T(1) - T(2.5) * z * (T(1) -
               T(3.5) * z * (T(1) - T(4.5) * z * (T(1) - T(5.5) * z * (T(1) - T(6.5) * z)))))));
    T right = x > C::far ? series : __rpp_erfcx_inside(inside);
    /* Below 1/2: e^(x^2) times erfc(x), with the exact square. */
    T bounded = __rpp_clamp(x, T(-30), T(0.5));
    __rpp_pair<T> square = __rpp_two_product(bounded, bounded);
    T left = __rpp_exp_sum(square.hi, square.lo) * __rpp_erfc(bounded);
    return x < T(0.5) || x != x ? (x != x ? x : left) : right;
}

/* erfinv(y) / y as a function of w = -log(1 - y^2), in float precision (after Giles). */
RPP_MATH float __rpp_erfinv_ratio(float w) {
    RPP_EXACT
    float root = __rpp_sqrt(w);
    float centre = __rpp_poly_erfinv_centre(__rpp_clamp(w, 0.0f, 5.0f) - 2.5f);
    float tail = __rpp_poly_erfinv_tail(__rpp_clamp(root, 2.236f, 4.12f) - 3.0f);
    float distant = __rpp_clamp(root, 4.1f, 27.2f);
    float far = __rpp_poly_erfinv_far((distant - 8.0f) / (distant + 8.0f));
    return w < 5.0f ? centre : root < 4.11f ? tail : far;
}

RPP_MATH float __rpp_erfinv(float x) {
    RPP_EXACT
    float size = __rpp_abs(x);
    float result = x * __rpp_erfinv_ratio(-__rpp_log((1.0f - size) * (1.0f + size)));
    result = size == 1.0f ? __rpp_copysign(__builtin_inff(), x) : result;
    return size > 1.0f ? __builtin_nanf("") : result;
}

/* y = 1 - x is exact where it matters, as w depends on x itself. */
RPP_MATH float __rpp_erfcinv(float x) {
    RPP_EXACT
    float result = (1.0f - x) * __rpp_erfinv_ratio(-(__rpp_log(x) + __rpp_log(2.0f - x)));
    result = x == 0.0f ? __builtin_inff() : x == 2.0f ? -__builtin_inff() : result;
    return x < 0.0f || x > 2.0f ? __builtin_nanf("") : result;
}

/* A step of Halley's method for erf(y) = x, |x| <= 1/2. */
RPP_MATH double __rpp_erfinv_near(double x) {
    RPP_EXACT
    double y = x * __rpp_erfinv_ratio(-(float)__rpp_log1p(-x * x));
    double newton = (__rpp_erf_near(y) - x) * 0.88622692545275801 * __rpp_exp(y * y);
    return y - newton / (1.0 + y * newton);
}

/* Two steps of Halley's method for erfc(y) = q, 0 < q <= 1/2. */
RPP_MATH double __rpp_erfcinv_far(double q) {
    RPP_EXACT
    double w = -(__rpp_log(q) + __rpp_log1p(1.0 - q));
    double y = (1.0 - q) * __rpp_erfinv_ratio((float)w);
    for (int step = 0; step < 2; ++step) {
        __rpp_dd square = __rpp_two_product(y, y);
        double newton = (__rpp_erfcx_inside(y) - q * __rpp_exp_sum(square.hi, square.lo)) * 0.88622692545275801;
        y = y + newton / (1.0 - y * newton);
    }
    return y;
}

RPP_MATH double __rpp_erfinv(double x) {
    RPP_EXACT
    double size = __rpp_abs(x);
    double near = __rpp_erfinv_near(__rpp_clamp(x, -0.5, 0.5));
    double far = __rpp_copysign(__rpp_erfcinv_far(__rpp_clamp(1.0 - size, 0x1p-60, 0.5)), x);
    double result = size < 0.5 || x != x ? near : far;
    result = size == 1.0 ? __rpp_copysign(__builtin_inf(), x) : size < 0x1p-500 ? x * 0.88622692545275801 : result;
    return size > 1.0 ? __builtin_nan("") : result;
}

RPP_MATH double __rpp_erfcinv(double x) {
    RPP_EXACT
    double near = __rpp_erfinv_near(__rpp_clamp(1.0 - x, -0.5, 0.5));
    double tail = x < 1.0 ? x : 2.0 - x;
    double far = __rpp_erfcinv_far(__rpp_clamp(tail, 0x1p-1074, 0.5));
    far = x < 1.0 ? far : -far;
    double result = tail < 0.5 ? far : near;
    result = x == 0.0 ? __builtin_inf() : x == 2.0 ? -__builtin_inf() : result;
    return x < 0.0 || x > 2.0 ? __builtin_nan("") : result;
}

/* erfc(-x / sqrt(2)) / 2 */
RPP_MATH float __rpp_normcdf(float x) {
    RPP_EXACT
    float inside = __rpp_clamp(x, -40.0f, 40.0f);
    __rpp_ff y = __rpp_product(__rpp_ff{-0x1.6a09e6p-1f, -0x1.9fcef4p-27f}, inside);
    return 0.5f * __rpp_erfc_sum(y.hi, y.lo);
}

RPP_MATH double __rpp_normcdf(double x) {
    RPP_EXACT
    double inside = __rpp_clamp(x, -100.0, 100.0);
    __rpp_dd y = __rpp_product(__rpp_dd{-0x1.6a09e667f3bcdp-1, 0x1.bdd3413b26456p-55}, inside);
    return 0.5 * __rpp_erfc_sum(y.hi, y.lo);
}

template <class T> RPP_MATH T __rpp_normcdfinv(T p) {
    RPP_EXACT
    return T(-1.4142135623730951) * __rpp_erfcinv(p + p);
}
