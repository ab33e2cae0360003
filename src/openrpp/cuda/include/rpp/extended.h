/* Unevaluated sums hi + lo of two floats or two doubles: twice the precision where one value does not suffice. */
#pragma once
#include "rpp/target.h"

template <class T> struct __rpp_pair {
    T hi, lo;
};

typedef __rpp_pair<float> __rpp_ff;
typedef __rpp_pair<double> __rpp_dd;

/* a + b exactly, for |a| >= |b| or a = 0 (Dekker). */
template <class T> RPP_MATH __rpp_pair<T> __rpp_quick_sum(T a, T b) {
    RPP_EXACT
    T s = a + b;
    return {s, b - (s - a)};
}

/* a + b exactly (Knuth). */
template <class T> RPP_MATH __rpp_pair<T> __rpp_two_sum(T a, T b) {
    RPP_EXACT
    T s = a + b;
    T v = s - a;
    return {s, (a - (s - v)) + (b - v)};
}

/* The high 12 bits of a float, or 26 of a double; what is left of the float fits in 12 bits as well. */
RPP_MATH float __rpp_high(float a) { return __rpp_float(__rpp_bits(a) & 0xfffff000u); }

RPP_MATH double __rpp_high(double a) { return __rpp_double(__rpp_bits(a) & 0xfffffffff8000000ull); }

/* a b exactly, unless the error underflows. Floats do without fma, which the published chip lacks (Veltkamp, Dekker). */
RPP_MATH __rpp_ff __rpp_two_product(float a, float b) {
    RPP_EXACT
    float p = a * b;
    float ah = __rpp_high(a), bh = __rpp_high(b);
    float al = a - ah, bl = b - bh;
    return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

RPP_MATH __rpp_dd __rpp_two_product(double a, double b) {
    RPP_EXACT
    double p = a * b;
    return {p, __rpp_fma(a, b, -p)};
}

template <class T> RPP_MATH __rpp_pair<T> __rpp_product(__rpp_pair<T> a, __rpp_pair<T> b) {
    RPP_EXACT
    __rpp_pair<T> p = __rpp_two_product(a.hi, b.hi);
    return __rpp_quick_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

template <class T> RPP_MATH __rpp_pair<T> __rpp_product(__rpp_pair<T> a, T b) {
    RPP_EXACT
    __rpp_pair<T> p = __rpp_two_product(a.hi, b);
    return __rpp_quick_sum(p.hi, p.lo + a.lo * b);
}

template <class T> RPP_MATH __rpp_pair<T> __rpp_sum(__rpp_pair<T> a, __rpp_pair<T> b) {
    RPP_EXACT
    __rpp_pair<T> s = __rpp_two_sum(a.hi, b.hi);
    return __rpp_quick_sum(s.hi, s.lo + (a.lo + b.lo));
}

template <class T> RPP_MATH __rpp_pair<T> __rpp_sum(__rpp_pair<T> a, T b) {
    RPP_EXACT
    __rpp_pair<T> s = __rpp_two_sum(a.hi, b);
    return __rpp_quick_sum(s.hi, s.lo + a.lo);
}

template <class T> RPP_MATH __rpp_pair<T> __rpp_quotient(__rpp_pair<T> a, __rpp_pair<T> b) {
    RPP_EXACT
    T q = a.hi / b.hi;
    __rpp_pair<T> p = __rpp_two_product(q, b.hi);
    return __rpp_quick_sum(q, ((a.hi - p.hi) - p.lo + a.lo - q * b.lo) / b.hi);
}
