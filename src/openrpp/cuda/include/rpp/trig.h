/* Sine, cosine, tangent; and of multiples of pi. */
#pragma once
#include "rpp/polynomials.h"
#include "rpp/trig_reduce.h"

/* sin and cos of r = hi + lo, |r| <= pi/4. */
template <class T> RPP_MATH T __rpp_sin_kernel(T hi, T lo) {
    RPP_EXACT
    T z = hi * hi;
    return hi + (hi * z * __rpp_poly_sin(z) + (lo - T(0.5) * z * lo));
}

template <class T> RPP_MATH T __rpp_cos_kernel(T hi, T lo) {
    RPP_EXACT
    T z = hi * hi;
    T half = T(0.5) * z;
    T w = T(1) - half;
    return w + (((T(1) - w) - half) + (z * z * __rpp_poly_cos(z) - hi * lo));
}

/* sin(pi r) and cos(pi r), |r| <= 1/4; pi as hi + lo with the first short, so that hi r is exact. */
template <class T> struct __rpp_pi;
template <> struct __rpp_pi<float> { static constexpr float hi = 0x1.92p1f, lo = 0x1.fb5444p-11f; };
template <> struct __rpp_pi<double> { static constexpr double hi = 0x1.921fb5p1, lo = 0x1.110b4611a6263p-25; };

template <class T> RPP_MATH T __rpp_sinpi_kernel(T r) {
    RPP_EXACT
    T z = r * r;
    T short_r = __rpp_high(r), rest = r - short_r;
    T small = (rest * __rpp_pi<T>::hi + r * __rpp_pi<T>::lo) + r * z * __rpp_poly_sinpi(z);
    return short_r * __rpp_pi<T>::hi + small;
}

template <class T> RPP_MATH T __rpp_cospi_kernel(T r) {
    RPP_EXACT
    T z = r * r;
    return T(1) + z * __rpp_poly_cospi(z);
}

/* Signs and roles of the two kernels in a quadrant. */
template <class T> struct __rpp_sine_cosine {
    T sine, cosine;
};

template <class T> RPP_MATH __rpp_sine_cosine<T> __rpp_turned(T sine, T cosine, int quadrant) {
    T s = quadrant & 1 ? cosine : sine;
    T c = quadrant & 1 ? sine : cosine;
    return {quadrant & 2 ? -s : s, (quadrant + 1) & 2 ? -c : c};
}

template <class T> RPP_MATH __rpp_sine_cosine<T> __rpp_sincos(T x) {
    RPP_EXACT
    __rpp_reduced<T> r = __rpp_reduce(x);
    return __rpp_turned(__rpp_sin_kernel(r.hi, r.lo), __rpp_cos_kernel(r.hi, r.lo), r.quadrant);
}

/* -0 and subnormals: the reduction would lose the sign of zero. */
template <class T> RPP_MATH T __rpp_sin(T x) { return x == T(0) ? x : __rpp_sincos(x).sine; }
template <class T> RPP_MATH T __rpp_cos(T x) { return __rpp_sincos(x).cosine; }

template <class T> RPP_MATH T __rpp_tan(T x) {
    RPP_EXACT
    __rpp_reduced<T> r = __rpp_reduce(x);
    T s = __rpp_sin_kernel(r.hi, r.lo), c = __rpp_cos_kernel(r.hi, r.lo);
    T t = r.quadrant & 1 ? -c / s : s / c;
    return x == T(0) ? x : t;
}

/* x = 2 m + turn and turn = n/2 + r, all exactly. */
template <class T> RPP_MATH __rpp_sine_cosine<T> __rpp_sincospi(T x) {
    RPP_EXACT
    T turn = x - T(2) * __rpp_rint(x * T(0.5));
    __rpp_nearest<T> n = __rpp_round_small<T>(T(2) * turn);
    T r = turn - T(0.5) * n.value;
    return __rpp_turned(__rpp_sinpi_kernel(r), __rpp_cospi_kernel(r), n.integer);
}

/* Whole numbers give a zero of their sign. */
template <class T> RPP_MATH T __rpp_sinpi(T x) {
    T result = __rpp_sincospi(x).sine;
    return result == T(0) ? __rpp_copysign(T(0), x) : result;
}

template <class T> RPP_MATH T __rpp_cospi(T x) {
    T result = __rpp_sincospi(x).cosine;
    return result == T(0) ? T(0) : result;
}

template <class T> RPP_MATH T __rpp_tanpi(T x) {
    RPP_EXACT
    __rpp_sine_cosine<T> both = __rpp_sincospi(x);
    return both.sine == T(0) ? __rpp_copysign(T(0), x) : both.sine / (both.cosine == T(0) ? T(0) : both.cosine);
}
