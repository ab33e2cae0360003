/* The gamma function and its logarithm. */
#pragma once
#include "rpp/log.h"
#include "rpp/power.h"
#include "rpp/trig.h"

/* From where on Stirling's series holds; constants in two parts. */
template <class T> struct __rpp_gamma_constants;
template <> struct __rpp_gamma_constants<float> {
    static constexpr int start = 3;
    static constexpr float log2e = 0x1.715476p0f, log2e_lo = 0x1.4ae0cp-26f;
    static constexpr float ln2 = 0x1.62e43p-1f, ln2_lo = -0x1.05c61p-29f;
    static constexpr float half_log2_2pi = 0x1.53643ap0f, half_log2_2pi_lo = -0x1.6ce442p-26f;
    static constexpr float pi = 0x1.921fb6p1f, greatest = 36.0f, far = 0x1p30f;
};
template <> struct __rpp_gamma_constants<double> {
    static constexpr int start = 8;
    static constexpr double log2e = 0x1.71547652b82fep0, log2e_lo = 0x1.777d0ffda0d24p-56;
    static constexpr double ln2 = 0x1.62e42fefa39efp-1, ln2_lo = 0x1.abc9e3b39803fp-56;
    static constexpr double half_log2_2pi = 0x1.536439a4c6efcp0, half_log2_2pi_lo = -0x1.49e49a361efebp-54;
    static constexpr double pi = 0x1.921fb54442d18p1, greatest = 172.0, far = 0x1p60;
};

/* log2(gamma(z + z_lo)) by Stirling's series; z_lo is below an ulp of z. */
template <class T> RPP_MATH __rpp_pair<T> __rpp_stirling(T z, T z_lo) {
    RPP_EXACT
    typedef __rpp_gamma_constants<T> C;
    __rpp_pair<T> log = __rpp_log2_pair(z, z_lo);
    __rpp_pair<T> less = __rpp_two_sum(z, T(-0.5));
    __rpp_pair<T> main = __rpp_product(log, __rpp_quick_sum(less.hi, less.lo + z_lo));
    __rpp_pair<T> linear = __rpp_product(__rpp_pair<T>{C::log2e, C::log2e_lo}, __rpp_pair<T>{z, z_lo});
    __rpp_pair<T> sum = __rpp_sum(main, __rpp_pair<T>{-linear.hi, -linear.lo});
    T inverse = T(1) / z;
    T series = inverse * __rpp_poly_stirling(inverse * inverse) * C::log2e;
    return __rpp_sum(__rpp_sum(sum, __rpp_pair<T>{C::half_log2_2pi, C::half_log2_2pi_lo}), series);
}

/* gamma(x) = 2^power / product for x > 0: small x are moved up by whole numbers. */
template <class T> struct __rpp_gamma_parts {
    __rpp_pair<T> power, product;
};

template <class T> RPP_MATH __rpp_gamma_parts<T> __rpp_gamma_of(T x) {
    RPP_EXACT
    typedef __rpp_gamma_constants<T> C;
    bool small = x < T(C::start);
    T y = small ? x : T(1);
    __rpp_pair<T> product = {y, T(0)};
#pragma unroll
    for (int i = 1; i < C::start; ++i) product = __rpp_product(product, __rpp_two_sum(y, T(i)));
    __rpp_pair<T> z = __rpp_two_sum(x, small ? T(C::start) : T(0));
    product.hi = small ? product.hi : T(1);
    product.lo = small ? product.lo : T(0);
    return {__rpp_stirling(z.hi, z.lo), product};
}

template <class T> RPP_MATH T __rpp_tgamma(T x) {
    RPP_EXACT
    typedef __rpp_gamma_constants<T> C;
    typedef __rpp_format<T> F;
    T size = __rpp_abs(x);
    T w = __rpp_clamp(size, F::least_normal, C::greatest + T(16));
    __rpp_gamma_parts<T> parts = __rpp_gamma_of(w);
    T relative = parts.product.lo / parts.product.hi;
    __rpp_exponential<T> up = __rpp_exp2_parts(parts.power.hi, parts.power.lo);
    T ratio = (T(1) + up.fraction) / parts.product.hi;
    T positive = __rpp_scale(ratio - ratio * relative, up.exponent);
    /* gamma(-w) = -pi / (w sin(pi w) gamma(w)) */
    __rpp_exponential<T> down = __rpp_exp2_parts(-parts.power.hi, -parts.power.lo);
    T factor = C::pi * (parts.product.hi / (w * __rpp_sincospi(w).sine));
    T scaled = (factor + factor * relative) * (T(1) + down.fraction);
    T negative = -__rpp_scale(scaled, down.exponent);
    T result = x > T(0) ? positive : negative;
    bool pole = x < T(0) && __rpp_trunc(x) == x;
    result = size < __rpp_exp2i<T>(-F::mantissa - 2) ? T(1) / x : result;
    result = x > C::greatest ? F::infinity : result;
    result = pole ? F::nan : result;
    return x != x || x == F::infinity ? x : result;
}

/* log(gamma(x)) for x > 0. */
template <class T> RPP_MATH T __rpp_lgamma_positive(T x) {
    RPP_EXACT
    typedef __rpp_gamma_constants<T> C;
    /* Stirling's series in the unit ln 2 */
    __rpp_pair<T> power = __rpp_stirling(__rpp_clamp(x, T(C::start), C::far), T(0));
    __rpp_pair<T> natural = __rpp_product(power, __rpp_pair<T>{C::ln2, C::ln2_lo});
    T far = x > C::far ? x * (__rpp_log(x) - T(1)) : natural.hi;
    /* between 3 and there: down to [2, 3) by gamma(y + 1) = y gamma(y) */
    T y = __rpp_clamp(x, __rpp_format<T>::least_normal, T(C::start)), product = T(1);
    for (int i = 3; i < C::start; ++i) {
        bool above = y >= T(3);
        y = above ? y - T(1) : y;
        product = above ? product * y : product;
    }
    bool tiny = y < T(0.5), one = y < T(1.5);
    T from = tiny ? y : one ? y - T(1) : y - T(2);
    T polynomial = one ? __rpp_poly_lgamma1(__rpp_clamp(from, T(-0.5), T(0.5)))
                       : __rpp_poly_lgamma2(__rpp_clamp(from, T(-0.5), T(1)));
    T log = __rpp_log(tiny ? y : product);
    T near = from * polynomial + (tiny ? -log : log);
    return x < T(C::start) ? near : far;
}

template <class T> RPP_MATH T __rpp_lgamma(T x) {
    RPP_EXACT
    typedef __rpp_gamma_constants<T> C;
    typedef __rpp_format<T> F;
    T size = __rpp_abs(x);
    T positive = __rpp_lgamma_positive(size);
    T sine = __rpp_abs(__rpp_sincospi(size).sine);
    T negative = __rpp_log(C::pi / (size * sine)) - positive;
    T result = x > T(0) ? positive : negative;
    bool pole = x <= T(0) && __rpp_trunc(x) == x;
    result = size < __rpp_exp2i<T>(-F::mantissa - 2) ? -__rpp_log(size) : result;
    result = pole || size == F::infinity ? F::infinity : result;
    return x != x ? x : result;
}
