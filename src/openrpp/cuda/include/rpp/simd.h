/* Arithmetic on the bytes or half words of a 32-bit word. */
#pragma once
#include "rpp/qualifiers.h"

/* Apply f to the n parts of two words; parts are given as S, results are cut to their width. */
template <int n, class S, class F> RPP_DEVICE unsigned int __rpp_by_parts(unsigned int a, unsigned int b, F f) {
    constexpr int width = 32 / n;
    constexpr unsigned int mask = (1u << width) - 1;
    unsigned int out = 0;
#pragma unroll
    for (int i = 0; i < n; ++i) {
        int x = (S)(a >> (i * width)), y = (S)(b >> (i * width));
        out |= ((unsigned int)f(x, y) & mask) << (i * width);
    }
    return out;
}

/* Lowest and highest values of a part. */
template <class S> struct __rpp_part;
template <> struct __rpp_part<signed char> { static constexpr int low = -128, high = 127; };
template <> struct __rpp_part<unsigned char> { static constexpr int low = 0, high = 255; };
template <> struct __rpp_part<short> { static constexpr int low = -32768, high = 32767; };
template <> struct __rpp_part<unsigned short> { static constexpr int low = 0, high = 65535; };
template <class S> RPP_DEVICE int __rpp_within(int x) {
    return x < __rpp_part<S>::low ? __rpp_part<S>::low : x > __rpp_part<S>::high ? __rpp_part<S>::high : x;
}

#define RPP_SIMD(name, n, S, expression) \
    RPP_DEVICE unsigned int name(unsigned int a, unsigned int b) { \
        return __rpp_by_parts<n, S>(a, b, [](int x, int y) { return expression; }); \
    }
#define RPP_SIMD_BOTH(n, s, u) \
    RPP_SIMD(__vadd##n, n, u, x + y) \
    RPP_SIMD(__vsub##n, n, u, x - y) \
    RPP_SIMD(__vaddss##n, n, s, __rpp_within<s>(x + y)) \
    RPP_SIMD(__vaddus##n, n, u, __rpp_within<u>(x + y)) \
    RPP_SIMD(__vsubss##n, n, s, __rpp_within<s>(x - y)) \
    RPP_SIMD(__vsubus##n, n, u, __rpp_within<u>(x - y)) \
    RPP_SIMD(__vmaxs##n, n, s, x > y ? x : y) \
    RPP_SIMD(__vmaxu##n, n, u, x > y ? x : y) \
    RPP_SIMD(__vmins##n, n, s, x < y ? x : y) \
    RPP_SIMD(__vminu##n, n, u, x < y ? x : y) \
    RPP_SIMD(__vabsdiffs##n, n, s, x > y ? x - y : y - x) \
    RPP_SIMD(__vabsdiffu##n, n, u, x > y ? x - y : y - x) \
    RPP_SIMD(__vhaddu##n, n, u, (x + y) >> 1) \
    RPP_SIMD(__vavgu##n, n, u, (x + y + 1) >> 1) \
    RPP_SIMD(__vavgs##n, n, s, (x + y + (x + y >= 0)) >> 1) \
    RPP_SIMD(__vcmpeq##n, n, u, x == y ? -1 : 0) \
    RPP_SIMD(__vcmpne##n, n, u, x != y ? -1 : 0) \
    RPP_SIMD(__vcmpgts##n, n, s, x > y ? -1 : 0) \
    RPP_SIMD(__vcmpgtu##n, n, u, x > y ? -1 : 0) \
    RPP_SIMD(__vcmpges##n, n, s, x >= y ? -1 : 0) \
    RPP_SIMD(__vcmpgeu##n, n, u, x >= y ? -1 : 0) \
    RPP_SIMD(__vcmplts##n, n, s, x < y ? -1 : 0) \
    RPP_SIMD(__vcmpltu##n, n, u, x < y ? -1 : 0) \
    RPP_SIMD(__vcmples##n, n, s, x <= y ? -1 : 0) \
    RPP_SIMD(__vcmpleu##n, n, u, x <= y ? -1 : 0) \
    RPP_SIMD(__vseteq##n, n, u, x == y) \
    RPP_SIMD(__vsetne##n, n, u, x != y) \
    RPP_SIMD(__vsetgts##n, n, s, x > y) \
    RPP_SIMD(__vsetgtu##n, n, u, x > y) \
    RPP_SIMD(__vsetges##n, n, s, x >= y) \
    RPP_SIMD(__vsetgeu##n, n, u, x >= y) \
    RPP_SIMD(__vsetlts##n, n, s, x < y) \
    RPP_SIMD(__vsetltu##n, n, u, x < y) \
    RPP_SIMD(__vsetles##n, n, s, x <= y) \
    RPP_SIMD(__vsetleu##n, n, u, x <= y) \
    RPP_DEVICE unsigned int __vabs##n(unsigned int a) { \
        return __rpp_by_parts<n, s>(a, a, [](int x, int) { return x < 0 ? -x : x; }); \
    } \
    RPP_DEVICE unsigned int __vabsss##n(unsigned int a) { \
        return __rpp_by_parts<n, s>(a, a, [](int x, int) { return __rpp_within<s>(x < 0 ? -x : x); }); \
    } \
    RPP_DEVICE unsigned int __vneg##n(unsigned int a) { return __vsub##n(0, a); } \
    RPP_DEVICE unsigned int __vnegss##n(unsigned int a) { return __vsubss##n(0, a); } \
    RPP_DEVICE unsigned int __vsads##n(unsigned int a, unsigned int b) { return __rpp_part_sum<n>(__vabsdiffs##n(a, b)); } \
    RPP_DEVICE unsigned int __vsadu##n(unsigned int a, unsigned int b) { return __rpp_part_sum<n>(__vabsdiffu##n(a, b)); }

template <int n> RPP_DEVICE unsigned int __rpp_part_sum(unsigned int a) {
    unsigned int sum = 0;
#pragma unroll
    for (int i = 0; i < n; ++i) sum += a >> (i * 32 / n) & ((1u << 32 / n) - 1);
    return sum;
}
RPP_SIMD_BOTH(4, signed char, unsigned char)
RPP_SIMD_BOTH(2, short, unsigned short)
#undef RPP_SIMD_BOTH
#undef RPP_SIMD
