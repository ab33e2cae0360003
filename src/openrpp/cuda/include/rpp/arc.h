/* Inverse trigonometric functions. */
#pragma once
#include "rpp/extended.h"
#include "rpp/polynomials.h"
#include "rpp/scale.h"

/* pi/4, pi/2 and pi in two parts. */
template <class T> struct __rpp_angles;
template <> struct __rpp_angles<float> {
    static constexpr float quarter = 0x1.921fb6p-1f, quarter_lo = -0x1.777a5cp-26f;
};
template <> struct __rpp_angles<double> {
    static constexpr double quarter = 0x1.921fb54442d18p-1, quarter_lo = 0x1.1a62633145c07p-55;
};

/* The angle of (x, y) for x, y >= 0, not both zero, finite: atan(u) + m pi/4 with |u| <= tan(pi/8) and one division. */
template <class T> RPP_MATH T __rpp_first_quadrant(T y, T x, bool beyond) {
    RPP_EXACT
    typedef __rpp_angles<T> A;
    bool steep = y > T(2.41421356) * x, flat = y <= T(0.41421356) * x;
    T top = flat ? y : steep ? -x : y - x;
    T bottom = flat ? x : steep ? y : y + x;
    T turns = flat ? T(0) : steep ? T(2) : T(1);
    T u = top / bottom;
    T z = u * u;
    T tail = u * z * __rpp_poly_atan(z);
    /* beyond: the angle is taken from pi */
    T sign = beyond ? T(-1) : T(1);
    T start = beyond ? T(4) - turns : turns;
    T small = sign * tail + start * A::quarter_lo;
    __rpp_pair<T> sum = __rpp_two_sum(start * A::quarter, sign * u);
    return sum.hi + (sum.lo + small);
}

template <class T> RPP_MATH T __rpp_atan(T x) {
    T size = __rpp_abs(x);
    T large = size < T(0x1p60) ? size : T(0x1p60);
    T angle = __rpp_first_quadrant(large, T(1), false);
    return x != x ? x : __rpp_copysign(angle, x);
}

/* Numbers are brought to moderate exponents first, so that neither quotient nor sums over- or underflow too early. */
template <class T> RPP_MATH T __rpp_atan2(T y, T x) {
    RPP_EXACT
    typedef __rpp_format<T> F;
    T ax = __rpp_abs(x), ay = __rpp_abs(y);
    T large = ax > ay ? ax : ay;
    T down = large > __rpp_exp2i<T>(F::bias - 4) ? T(0.0625) : T(1);
    T up = large < __rpp_exp2i<T>(-F::bias / 2) ? __rpp_exp2i<T>(F::bias / 2) : down;
    bool infinite = large == F::infinity;
    T sx = infinite ? T(ax == F::infinity ? 1 : 0) : ax * up;
    T sy = infinite ? T(ay == F::infinity ? 1 : 0) : ay * up;
    bool origin = large == T(0);
    T angle = __rpp_first_quadrant(sy, origin ? T(1) : sx, __rpp_bits(x) < 0);
    return x != x || y != y ? x + y : __rpp_copysign(angle, y);
}

/* asin(a) for 0 <= a <= 1/2 is a + a z P(z), z = a^2. Beyond, pi/2 - 2 asin(s) with s = sqrt((1 - a) / 2). */
template <class T> struct __rpp_arc {
    T root_hi, root_lo, tail; /* asin(root) = root_hi + (root_lo + tail) */
    bool outer;
};

template <class T> RPP_MATH __rpp_arc<T> __rpp_arc_of(T a) {
    RPP_EXACT
    bool outer = a > T(0.5);
    T z = outer ? (T(1) - a) * T(0.5) : a * a;
    T s = outer ? __rpp_sqrt(z) : a;
    __rpp_pair<T> square = __rpp_two_product(s, s);
    T lo = outer && s > T(0) ? ((z - square.hi) - square.lo) / (s + s) : T(0);
    return {s, lo, s * z * __rpp_poly_asin(z), outer};
}

template <class T> RPP_MATH T __rpp_asin(T x) {
    RPP_EXACT
    typedef __rpp_angles<T> A;
    __rpp_arc<T> arc = __rpp_arc_of(__rpp_abs(x));
    T inner = arc.root_hi + arc.tail;
    __rpp_pair<T> sum = __rpp_two_sum(T(2) * A::quarter, T(-2) * arc.root_hi);
    T outer = sum.hi + (sum.lo + (T(2) * A::quarter_lo - T(2) * (arc.root_lo + arc.tail)));
    return __rpp_copysign(arc.outer ? outer : inner, x);
}

template <class T> RPP_MATH T __rpp_acos(T x) {
    RPP_EXACT
    typedef __rpp_angles<T> A;
    __rpp_arc<T> arc = __rpp_arc_of(__rpp_abs(x));
    bool negative = x < T(0);
    /* inner: pi/2 - asin(x); outer: 2 asin(s), from pi for negative x */
    T sign = arc.outer ? T(2) : T(-1);
    T factor = negative ? -sign : sign;
    T start = arc.outer ? (negative ? T(4) : T(0)) : T(2);
    __rpp_pair<T> sum = __rpp_two_sum(start * A::quarter, factor * arc.root_hi);
    return sum.hi + (sum.lo + (start * A::quarter_lo + factor * (arc.root_lo + arc.tail)));
}
