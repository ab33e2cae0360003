/* Exponents: taking a number apart and putting it together. */
#pragma once
#include "rpp/target.h"

/* The nearest integer to x, |x| < 2^(mantissa - 1), as a number and as an int; additions only. */
template <class T> struct __rpp_nearest {
    T value;
    int integer;
};

template <class T> RPP_MATH __rpp_nearest<T> __rpp_round_small(T x) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    T shifted = x + F::magic;
    return {shifted - F::magic, (int)(__rpp_bits(shifted) - __rpp_bits(F::magic))};
}

/* n as a number, |n| < 2^22; an addition on bits and one on numbers. */
template <class T> RPP_MATH T __rpp_number(int n) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    return F::from((typename F::Unsigned)(__rpp_bits(F::magic) + n)) - F::magic;
}

/* 2^n for a normal result. */
template <class T> RPP_MATH T __rpp_exp2i(int n) {
    typedef __rpp_format<T> F;
    return F::from((typename F::Unsigned)(n + F::bias) << F::mantissa);
}

/* x 2^n for |n| below three quarters of the exponent range twice over; rounds at most once where 1/2 <= |x| <= 2. */
template <class T> RPP_MATH T __rpp_scale(T x, int n) {
    RPP_EXACT
    int half = n >> 1;
    return x * __rpp_exp2i<T>(half) * __rpp_exp2i<T>(n - half);
}

/* x = significand 2^exponent with a significand in [sqrt(1/2), sqrt(2)), for positive finite x, subnormals included. */
template <class T> struct __rpp_parts {
    T significand;
    int exponent;
};

template <class T> RPP_MATH __rpp_parts<T> __rpp_take_apart(T x) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    typedef typename F::Unsigned U;
    bool subnormal = x < F::least_normal;
    T normal = subnormal ? x * __rpp_exp2i<T>(F::mantissa + 2) : x;
    U one = (U)F::bias << F::mantissa;
    U bits = (U)__rpp_bits(normal) + (one - F::sqrt_half);
    int exponent = (int)(bits >> F::mantissa) - F::bias - (subnormal ? F::mantissa + 2 : 0);
    U significand = (bits & (((U)1 << F::mantissa) - 1)) + F::sqrt_half;
    return {F::from(significand), exponent};
}
