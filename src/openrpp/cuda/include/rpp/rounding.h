/* Arithmetic with a chosen rounding direction: the nearest result, then one step where the exact error asks for it. */
#pragma once
#include "rpp/extended.h"
#include "rpp/integral.h"

enum __rpp_direction { __rpp_nearest_even, __rpp_toward_zero, __rpp_upward, __rpp_downward };

/* `value` is the exact result rounded to nearest; `error` has the sign of exact - value. */
template <class T> RPP_MATH T __rpp_directed(T value, T error, int direction) {
    typedef __rpp_format<T> F;
    bool negative = __rpp_bits(value) < 0;
    bool up = direction == __rpp_upward || (direction == __rpp_toward_zero && negative);
    bool down = direction == __rpp_downward || (direction == __rpp_toward_zero && !negative);
    T higher = __rpp_nextafter(value, F::infinity), lower = __rpp_nextafter(value, -F::infinity);
    T moved = up && error > T(0) ? higher : down && error < T(0) ? lower : value;
    return value == T(0) && moved != value ? __rpp_copysign(moved, error) : moved;
}

/* hi + lo, a sum of doubles that no rounding has touched, as a float. */
RPP_MATH float __rpp_narrow(double hi, double lo, int direction) {
    RPP_EXACT
    float value = (float)hi;
    double rest = hi - (double)value;
    float error = rest > 0 ? 1.0f : rest < 0 ? -1.0f : lo > 0 ? 1.0f : lo < 0 ? -1.0f : 0.0f;
    return __rpp_directed(value, error, direction);
}

/* An exact zero of two operands that are no zeros, or of zeros of both signs, is -0 when rounding down. */
template <class T> RPP_MATH T __rpp_sum_zero(T result, T a, T b, int direction) {
    bool both = __rpp_bits(a) != __rpp_bits(b);
    return direction == __rpp_downward && result == T(0) && both && a == -b ? -T(0) : result;
}

RPP_MATH float __rpp_add_to(float a, float b, int direction) {
    __rpp_dd sum = __rpp_two_sum((double)a, (double)b);
    return __rpp_sum_zero(__rpp_narrow(sum.hi, sum.lo, direction), a, b, direction);
}

RPP_MATH float __rpp_mul_to(float a, float b, int direction) {
    RPP_EXACT
    return __rpp_narrow((double)a * (double)b, 0.0, direction);
}

RPP_MATH float __rpp_fma_to(float a, float b, float c, int direction) {
    RPP_EXACT
    double product = (double)a * (double)b;
    __rpp_dd sum = __rpp_two_sum(product, (double)c);
    float result = __rpp_narrow(sum.hi, sum.lo, direction);
    return direction == __rpp_downward && result == 0.0f && product == -(double)c && a * b != 0.0f ? -0.0f : result;
}

RPP_MATH float __rpp_div_to(float a, float b, int direction) {
    RPP_EXACT
    float q = a / b;
    double rest = __rpp_fma(-(double)q, (double)b, (double)a);
    float error = (rest > 0) == (b > 0) ? 1.0f : -1.0f;
    error = q - q != 0.0f ? -q : rest == 0.0 ? 0.0f : error;
    bool infinite = __rpp_abs(a) == __builtin_inff() || __rpp_abs(b) == __builtin_inff() || b == 0.0f;
    return infinite ? q : __rpp_directed(q, error, direction);
}

RPP_MATH float __rpp_sqrt_to(float a, int direction) {
    RPP_EXACT
    float q = __rpp_sqrt(a);
    double rest = (double)a - (double)q * (double)q;
    float error = rest > 0 ? 1.0f : rest < 0 ? -1.0f : 0.0f;
    return a > 0.0f && a < __builtin_inff() ? __rpp_directed(q, error, direction) : q;
}

/* Doubles have no wider type: operands are scaled to about 1, where errors of sums and products are exact. */
struct __rpp_unit {
    double value;
    int exponent;
};

RPP_MATH __rpp_unit __rpp_unit_of(double x) {
    __rpp_unit found;
    found.value = __rpp_frexp(x, &found.exponent);
    return found;
}

RPP_MATH bool __rpp_is_finite(double x) { return __rpp_abs(x) < __builtin_inf(); }

RPP_MATH double __rpp_add_to(double a, double b, int direction) {
    RPP_EXACT
    double sum = a + b;
    bool over = !__rpp_is_finite(sum);
    double error = over ? -sum : __rpp_two_sum(a * 0.5, b * 0.5).lo;
    /* halving loses the last bit of subnormals, whose sums are exact */
    error = __rpp_abs(sum) < 0x1p-1000 ? 0.0 : error;
    bool defined = __rpp_is_finite(a) && __rpp_is_finite(b);
    return defined ? __rpp_sum_zero(__rpp_directed(sum, error, direction), a, b, direction) : sum;
}

/* The sign of a b + c - value, for a finite a, b, c. Parts far below the largest one are cut to a size at which only
   their sign matters. */
RPP_MATH double __rpp_residue(double a, double b, double c, double value) {
    RPP_EXACT
    if (!__rpp_is_finite(value)) return -value;
    __rpp_unit x = __rpp_unit_of(a), y = __rpp_unit_of(b), z = __rpp_unit_of(c), v = __rpp_unit_of(value);
    int product = x.value == 0.0 || y.value == 0.0 ? -5000 : x.exponent + y.exponent;
    int top = product;
    top = z.value != 0.0 && z.exponent > top ? z.exponent : top;
    top = v.value != 0.0 && v.exponent > top ? v.exponent : top;
    int dp = product - top < -400 ? -400 : product - top;
    int dz = z.value == 0.0 || z.exponent - top < -400 ? -400 : z.exponent - top;
    int dv = v.value == 0.0 || v.exponent - top < -400 ? -400 : v.exponent - top;
    __rpp_dd p = __rpp_two_product(x.value * __rpp_exp2i<double>(dp), y.value);
    __rpp_dd s = __rpp_two_sum(p.hi, -v.value * __rpp_exp2i<double>(dv));
    __rpp_dd t = __rpp_two_sum(s.hi, z.value * __rpp_exp2i<double>(dz));
    __rpp_dd u = __rpp_two_sum(s.lo, p.lo);
    __rpp_dd w = __rpp_two_sum(t.lo, u.hi);
    double first = t.hi + w.hi;
    return first != 0.0 ? first : w.lo + u.lo;
}

RPP_MATH double __rpp_fma_to(double a, double b, double c, int direction) {
    RPP_EXACT
    double value = __rpp_fma(a, b, c);
    bool defined = __rpp_is_finite(a) && __rpp_is_finite(b) && __rpp_is_finite(c);
    double error = __rpp_residue(a, b, c, value);
    bool cancelled = direction == __rpp_downward && value == 0.0 && error == 0.0 && a * b == -c && c != 0.0;
    return cancelled ? -0.0 : defined ? __rpp_directed(value, error, direction) : value;
}

RPP_MATH double __rpp_mul_to(double a, double b, int direction) {
    RPP_EXACT
    double value = a * b;
    bool defined = __rpp_is_finite(a) && __rpp_is_finite(b);
    return defined ? __rpp_directed(value, __rpp_residue(a, b, 0.0, value), direction) : value;
}

RPP_MATH double __rpp_div_to(double a, double b, int direction) {
    RPP_EXACT
    double q = a / b;
    if (!__rpp_is_finite(a) || !__rpp_is_finite(b) || b == 0.0 || a == 0.0) return q;
    __rpp_unit x = __rpp_unit_of(a), y = __rpp_unit_of(b);
    double scaled = __rpp_ldexp(q, y.exponent - x.exponent);
    double rest = __rpp_fma(-scaled, y.value, x.value);
    double error = (rest > 0) == (b > 0) ? 1.0 : -1.0;
    error = !__rpp_is_finite(q) ? -q : rest == 0.0 ? 0.0 : error;
    return __rpp_directed(q, error, direction);
}

RPP_MATH double __rpp_sqrt_to(double a, int direction) {
    RPP_EXACT
    double q = __rpp_sqrt(a);
    if (!(a > 0.0) || !__rpp_is_finite(a)) return q;
    __rpp_unit x = __rpp_unit_of(a);
    int half = x.exponent >> 1;
    double scaled = __rpp_ldexp(q, -half);
    double rest = __rpp_fma(-scaled, scaled, __rpp_ldexp(x.value, x.exponent - 2 * half));
    return __rpp_directed(q, rest, direction);
}
