/* Rounding to whole numbers, remainders, exponents, neighbours: exact functions. */
#pragma once
#include "rpp/scale.h"

template <class T> RPP_MATH T __rpp_round(T x) {
    RPP_EXACT
    T whole = __rpp_trunc(x);
    T away = __rpp_abs(x - whole) >= T(0.5) ? whole + __rpp_copysign(T(1), x) : whole;
    return __rpp_copysign(away, x);
}

RPP_MATH int __rpp_leading_zeros(__rpp_u32 x) { return __builtin_clz(x); }
RPP_MATH int __rpp_leading_zeros(__rpp_u64 x) { return __builtin_clzll(x); }

/* |x| = mantissa 2^(exponent - bias - mantissa bits) with the top mantissa bit set, for finite x other than 0. */
template <class T> struct __rpp_integer_parts {
    typename __rpp_format<T>::Unsigned mantissa;
    int exponent;
};

template <class T> RPP_MATH __rpp_integer_parts<T> __rpp_integers(T x) {
    typedef __rpp_format<T> F;
    typedef typename F::Unsigned U;
    constexpr int width = sizeof(T) * 8;
    U bits = (U)__rpp_bits(x) << 1 >> 1;
    U low = bits & (((U)1 << F::mantissa) - 1);
    int exponent = (int)(bits >> F::mantissa);
    int shift = __rpp_leading_zeros(low | 1) - (width - 1 - F::mantissa);
    bool subnormal = exponent == 0;
    return {subnormal ? low << shift : low | (U)1 << F::mantissa, subnormal ? 1 - shift : exponent};
}

/* |x| = quotient |y| + rest, the low bits of the quotient. Long division, as many bits at once as an integer has room. */
template <class T> struct __rpp_division {
    T rest;
    typename __rpp_format<T>::Unsigned quotient;
};

template <class T> RPP_MATH __rpp_division<T> __rpp_divide(T x, T y) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    typedef typename F::Unsigned U;
    constexpr int width = sizeof(T) * 8, chunk = width - 1 - F::mantissa;
    __rpp_integer_parts<T> a = __rpp_integers(x), b = __rpp_integers(y);
    int left = a.exponent - b.exponent;
    U quotient = left < 0 ? 0 : a.mantissa / b.mantissa;
    U rest = a.mantissa - quotient * b.mantissa;
    while (left > 0) {
        int step = left < chunk ? left : chunk;
        U wide = rest << step;
        U digits = wide / b.mantissa;
        rest = wide - digits * b.mantissa;
        quotient = (quotient << step) + digits;
        left -= step;
    }
    int shift = __rpp_leading_zeros(rest | 1) - chunk;
    int exponent = b.exponent - shift;
    U normal = ((rest << shift) & (((U)1 << F::mantissa) - 1)) | (U)exponent << F::mantissa;
    U subnormal = b.exponent > 0 ? rest << (b.exponent - 1 < width ? b.exponent - 1 : 0) : rest >> (1 - b.exponent);
    U bits = exponent > 0 ? normal : subnormal;
    bool smaller = __rpp_abs(x) < __rpp_abs(y);
    return {smaller ? __rpp_abs(x) : F::from(rest == 0 ? 0 : bits), smaller ? 0 : quotient};
}

template <class T> RPP_MATH bool __rpp_divides(T x, T y) {
    typedef __rpp_format<T> F;
    return __rpp_abs(x) < F::infinity && y == y && y != T(0);
}

template <class T> RPP_MATH T __rpp_fmod(T x, T y) {
    RPP_EXACT
    if (!__rpp_divides(x, y)) return (x * y) / (x * y);
    if (__rpp_abs(x) < __rpp_abs(y) || x == T(0)) return x;
    return __rpp_copysign(__rpp_divide(x, y).rest, x);
}

/* The quotient's low 31 bits with its sign go to `quotient`. */
template <class T> RPP_MATH T __rpp_remquo(T x, T y, int *quotient) {
    RPP_EXACT
    *quotient = 0;
    if (!__rpp_divides(x, y)) return (x * y) / (x * y);
    T size = __rpp_abs(y);
    if (x == T(0) || size == __rpp_format<T>::infinity) return x;
    __rpp_division<T> d = __rpp_divide(x, y);
    T other = size - d.rest;
    bool up = d.rest > other || (d.rest == other && (d.quotient & 1));
    T rest = up ? d.rest - size : d.rest;
    int count = (int)((d.quotient + (up ? 1 : 0)) & 0x7fffffff);
    bool negative = __rpp_bits(x) < 0;
    *quotient = negative != (__rpp_bits(y) < 0) ? -count : count;
    return rest == T(0) ? __rpp_copysign(rest, x) : negative ? -rest : rest;
}

template <class T> RPP_MATH T __rpp_remainder(T x, T y) {
    int ignored;
    return __rpp_remquo(x, y, &ignored);
}

/* x 2^n with one rounding: the part of n that leaves the normal range comes last. */
template <class T> RPP_MATH T __rpp_ldexp(T x, int n) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    constexpr int up = F::bias, down = F::bias - 1 - F::mantissa - 1;
    T y = x;
    for (int i = 0; i < 2; ++i) {
        bool large = n > up, small = n < -down;
        y *= large ? __rpp_exp2i<T>(up) : small ? __rpp_exp2i<T>(-down) : T(1);
        n = large ? n - up : small ? n + down : n;
    }
    n = n > up ? up : n < 1 - F::bias ? 1 - F::bias : n;
    return y * __rpp_exp2i<T>(n);
}

template <class T> RPP_MATH T __rpp_frexp(T x, int *exponent) {
    typedef __rpp_format<T> F;
    typedef typename F::Unsigned U;
    bool finite = __rpp_abs(x) < F::infinity && x != T(0);
    __rpp_integer_parts<T> parts = __rpp_integers(x);
    *exponent = finite ? parts.exponent - F::bias + 1 : 0;
    U bits = (parts.mantissa & (((U)1 << F::mantissa) - 1)) | (U)(F::bias - 1) << F::mantissa;
    return finite ? __rpp_copysign(F::from(bits), x) : x;
}

template <class T> RPP_MATH int __rpp_ilogb(T x) {
    typedef __rpp_format<T> F;
    int exponent = __rpp_integers(x).exponent - F::bias;
    int finite = x == T(0) ? -0x7fffffff - 1 : exponent;
    return __rpp_abs(x) < F::infinity ? finite : x == x ? 0x7fffffff : -0x7fffffff - 1;
}

template <class T> RPP_MATH T __rpp_logb(T x) {
    typedef __rpp_format<T> F;
    T finite = x == T(0) ? -F::infinity : T(__rpp_integers(x).exponent - F::bias);
    return __rpp_abs(x) < F::infinity ? finite : x * x;
}

template <class T> RPP_MATH T __rpp_modf(T x, T *whole) {
    RPP_EXACT
    *whole = __rpp_trunc(x);
    T fraction = __rpp_abs(x) < __rpp_format<T>::infinity ? x - *whole : x == x ? T(0) : x;
    return __rpp_copysign(fraction, x);
}

template <class T> RPP_MATH T __rpp_nextafter(T x, T y) {
    typedef __rpp_format<T> F;
    typedef typename F::Unsigned U;
    U bits = (U)__rpp_bits(x);
    U away = bits + 1, toward = bits - 1;
    bool grows = (y > x) == (x > T(0));
    T moved = F::from(grows ? away : toward);
    T from_zero = __rpp_copysign(F::from(1), y);
    T next = x == T(0) ? from_zero : moved;
    return x != x || y != y ? x + y : x == y ? y : next;
}

template <class T> RPP_MATH T __rpp_fdim(T x, T y) {
    RPP_EXACT
    return x <= y ? T(0) : x - y;
}
