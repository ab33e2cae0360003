/* What the math headers need from the compiler. They compile for the device and, for measuring them, for the host. */
#pragma once

#ifdef __CUDA__
#define RPP_MATH static __attribute__((device, always_inline, unused))
#else
#define RPP_MATH static inline __attribute__((always_inline, unused))
#endif

#ifdef __CUDA_ARCH__
#define RPP_TABLE static __attribute__((constant))
#else
#define RPP_TABLE static
#endif

/* First in a function body: every operation in it rounds by itself, so that fma appears where it is written only. */
#define RPP_EXACT _Pragma("clang fp contract(off)")

typedef unsigned int __rpp_u32;
typedef unsigned long long __rpp_u64;
typedef long long __rpp_i64;

RPP_MATH double __rpp_fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
RPP_MATH int __rpp_bits(float x) { return __builtin_bit_cast(int, x); }
RPP_MATH __rpp_i64 __rpp_bits(double x) { return __builtin_bit_cast(__rpp_i64, x); }
RPP_MATH float __rpp_float(__rpp_u32 bits) { return __builtin_bit_cast(float, bits); }
RPP_MATH double __rpp_double(__rpp_u64 bits) { return __builtin_bit_cast(double, bits); }

RPP_MATH float __rpp_sqrt(float x) { return __builtin_sqrtf(x); }
RPP_MATH double __rpp_sqrt(double x) { return __builtin_sqrt(x); }
RPP_MATH float __rpp_abs(float x) { return __builtin_fabsf(x); }
RPP_MATH double __rpp_abs(double x) { return __builtin_fabs(x); }
RPP_MATH float __rpp_copysign(float x, float y) { return __builtin_copysignf(x, y); }
RPP_MATH double __rpp_copysign(double x, double y) { return __builtin_copysign(x, y); }
RPP_MATH float __rpp_trunc(float x) { return __builtin_truncf(x); }
RPP_MATH double __rpp_trunc(double x) { return __builtin_trunc(x); }
RPP_MATH float __rpp_rint(float x) { return __builtin_elementwise_roundeven(x); }
RPP_MATH double __rpp_rint(double x) { return __builtin_elementwise_roundeven(x); }

RPP_MATH __rpp_u64 __rpp_mulhi(__rpp_u64 a, __rpp_u64 b) {
#ifdef __CUDA_ARCH__
    return __nvvm_mulhi_ull(a, b);
#else
    return (__rpp_u64)((unsigned __int128)a * b >> 64);
#endif
}

/* IEEE formats, for functions that are written once for both. */
template <class T> struct __rpp_format;

template <> struct __rpp_format<float> {
    typedef int Int;
    typedef __rpp_u32 Unsigned;
    static constexpr int mantissa = 23, bias = 127, top = 255;
    static constexpr float infinity = __builtin_inff(), nan = __builtin_nanf("");
    static constexpr float least_normal = 0x1p-126f;
    static constexpr float magic = 0x1.8p23f; /* x + magic holds the nearest integer in its low bits, |x| < 2^22 */
    static constexpr Unsigned sqrt_half = 0x3f3504f3u;
    RPP_MATH float from(Unsigned bits) { return __rpp_float(bits); }
};

template <> struct __rpp_format<double> {
    typedef __rpp_i64 Int;
    typedef __rpp_u64 Unsigned;
    static constexpr int mantissa = 52, bias = 1023, top = 2047;
    static constexpr double infinity = __builtin_inf(), nan = __builtin_nan("");
    static constexpr double least_normal = 0x1p-1022;
    static constexpr double magic = 0x1.8p52;
    static constexpr Unsigned sqrt_half = 0x3fe6a09e667f3bcdull;
    RPP_MATH double from(Unsigned bits) { return __rpp_double(bits); }
};
