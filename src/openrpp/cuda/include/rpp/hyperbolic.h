/* Hyperbolic functions and their inverses. */
#pragma once
#include "rpp/exp.h"
#include "rpp/log.h"

/* e^|x| / 2 without early overflow. */
template <class T> RPP_MATH T __rpp_half_exp(T size) {
    RPP_EXACT
    __rpp_exponential<T> e = __rpp_exp_parts(__rpp_clamp(size, T(0), __rpp_exp_constants<T>::greatest + T(2)), T(0));
    return __rpp_scale(T(1) + e.fraction, e.exponent - 1);
}

template <class T> RPP_MATH T __rpp_cosh(T x) {
    RPP_EXACT
    T e = __rpp_half_exp(__rpp_abs(x));
    return e + T(0.25) / e;
}

template <class T> RPP_MATH T __rpp_sinh(T x) {
    RPP_EXACT
    T size = __rpp_abs(x);
    T z = x * x;
    T inner = x + x * z * __rpp_poly_sinh(z);
    T e = __rpp_half_exp(size);
    T outer = __rpp_copysign(e - T(0.25) / e, x);
    return size < T(1) ? inner : outer;
}

/* 1 - 2 / (e^(2x) + 1); a polynomial near zero. */
template <class T> RPP_MATH T __rpp_tanh(T x) {
    RPP_EXACT
    T size = __rpp_abs(x);
    T z = x * x;
    T inner = x + x * z * __rpp_poly_tanh(z);
    T e = __rpp_exp(T(2) * __rpp_clamp(size, T(0), T(22)));
    T outer = T(1) - T(2) / (e + T(1));
    T result = size < T(0.6) ? inner : outer;
    return x != x ? x : __rpp_copysign(result, x);
}

/* log(x + sqrt(x^2 + 1)) = log1p(x + x^2 / (1 + sqrt(x^2 + 1))). */
template <class T> RPP_MATH T __rpp_asinh(T x) {
    RPP_EXACT
    T size = __rpp_abs(x);
    T far = __rpp_exp2i<T>(__rpp_format<T>::mantissa + 3);
    bool large = size > far;
    T inside = large ? T(1) : size;
    T square = inside * inside;
    T argument = inside + square / (T(1) + __rpp_sqrt(T(1) + square));
    T result = large ? __rpp_log(size) + T(0x1.62e42fefa39efp-1) : __rpp_log1p(argument);
    return x != x ? x : __rpp_copysign(result, x);
}

/* log1p(t + sqrt(2 t + t^2)), t = x - 1. */
template <class T> RPP_MATH T __rpp_acosh(T x) {
    RPP_EXACT
    bool large = x > __rpp_exp2i<T>(__rpp_format<T>::mantissa + 3);
    T t = large ? T(1) : x - T(1);
    T argument = t + __rpp_sqrt(T(2) * t + t * t);
    T result = large ? __rpp_log(x) + T(0x1.62e42fefa39efp-1) : __rpp_log1p(argument);
    return x < T(1) ? __rpp_format<T>::nan : result;
}

template <class T> RPP_MATH T __rpp_atanh(T x) {
    RPP_EXACT
    T size = __rpp_abs(x);
    T result = T(0.5) * __rpp_log1p((size + size) / (T(1) - size));
    bool tiny = size < __rpp_exp2i<T>(-__rpp_format<T>::mantissa / 2 - 2);
    return tiny ? x : __rpp_copysign(result, x);
}
