/* The math functions of CUDA C++: float, double and integer arguments. */
#pragma once
#include "rpp/arc.h"
#include "rpp/erf.h"
#include "rpp/gamma.h"
#include "rpp/hyperbolic.h"
#include "rpp/integral.h"
#include "rpp/power.h"
#include "rpp/trig.h"

template <class I> struct __rpp_integral {};
#define RPP_INTEGRAL(I) template <> struct __rpp_integral<I> { typedef double real; typedef int truth; };
RPP_INTEGRAL(bool) RPP_INTEGRAL(char) RPP_INTEGRAL(signed char) RPP_INTEGRAL(unsigned char)
RPP_INTEGRAL(short) RPP_INTEGRAL(unsigned short) RPP_INTEGRAL(int) RPP_INTEGRAL(unsigned)
RPP_INTEGRAL(long) RPP_INTEGRAL(unsigned long) RPP_INTEGRAL(long long) RPP_INTEGRAL(unsigned long long)
#undef RPP_INTEGRAL

/* What float and double make together, double but for two floats. */
template <class A, class B> struct __rpp_mixed {};
template <class I> struct __rpp_mixed<float, I> { typedef typename __rpp_integral<I>::real real; };
template <class I> struct __rpp_mixed<double, I> { typedef typename __rpp_integral<I>::real real; };
template <class I> struct __rpp_mixed<I, float> { typedef typename __rpp_integral<I>::real real; };
template <class I> struct __rpp_mixed<I, double> { typedef typename __rpp_integral<I>::real real; };
template <> struct __rpp_mixed<float, double> { typedef double real; };
template <> struct __rpp_mixed<double, float> { typedef double real; };

#define RPP_FLOAT_1(name) RPP_MATH float name##f(float x) { return __rpp_##name(x); }
#define RPP_DOUBLE_1(name) RPP_MATH double name(double x) { return __rpp_##name(x); }
#define RPP_CUDA_1(name) RPP_FLOAT_1(name) RPP_DOUBLE_1(name) \
    RPP_MATH float name(float x) { return __rpp_##name(x); }
/* Functions of the C library take integers as well. */
#define RPP_C_1(name) RPP_CUDA_1(name) \
    template <class I> RPP_MATH typename __rpp_integral<I>::real name(I x) { return __rpp_##name((double)x); }
#define RPP_CUDA_2(name) \
    RPP_MATH float name##f(float x, float y) { return __rpp_##name(x, y); } \
    RPP_MATH double name(double x, double y) { return __rpp_##name(x, y); } \
    RPP_MATH float name(float x, float y) { return __rpp_##name(x, y); }
#define RPP_C_2(name) RPP_CUDA_2(name) \
    template <class A, class B> RPP_MATH typename __rpp_mixed<A, B>::real name(A x, B y) { \
        return __rpp_##name((double)x, (double)y); \
    }

#ifdef __USE_FAST_MATH__
#include "rpp/fast.h"
#define RPP_QUICK_1(name) RPP_MATH float name##f(float x) { return __rpp_fast_##name(x); } RPP_DOUBLE_1(name) \
    RPP_MATH float name(float x) { return __rpp_fast_##name(x); } \
    template <class I> RPP_MATH typename __rpp_integral<I>::real name(I x) { return __rpp_##name((double)x); }
RPP_MATH float __rpp_fast_sin(float x) { return __rpp_fast_sincos(x).sine; }
RPP_MATH float __rpp_fast_cos(float x) { return __rpp_fast_sincos(x).cosine; }
RPP_QUICK_1(exp) RPP_QUICK_1(log) RPP_QUICK_1(log2) RPP_QUICK_1(log10) RPP_QUICK_1(sin) RPP_QUICK_1(cos)
RPP_QUICK_1(tan)
RPP_MATH float exp10f(float x) { return __rpp_fast_exp10(x); }
RPP_MATH float powf(float x, float y) { return __rpp_fast_pow(x, y); }
RPP_MATH float pow(float x, float y) { return __rpp_fast_pow(x, y); }
#else
RPP_C_1(exp) RPP_C_1(log) RPP_C_1(log2) RPP_C_1(log10) RPP_C_1(sin) RPP_C_1(cos) RPP_C_1(tan)
RPP_FLOAT_1(exp10)
RPP_MATH float powf(float x, float y) { return __rpp_pow(x, y); }
RPP_MATH float pow(float x, float y) { return __rpp_pow(x, y); }
#endif

RPP_C_1(exp2) RPP_C_1(expm1) RPP_C_1(log1p) RPP_C_1(logb)
RPP_C_1(asin) RPP_C_1(acos) RPP_C_1(atan)
RPP_C_1(sinh) RPP_C_1(cosh) RPP_C_1(tanh) RPP_C_1(asinh) RPP_C_1(acosh) RPP_C_1(atanh)
RPP_C_1(sqrt) RPP_C_1(cbrt) RPP_C_1(erf) RPP_C_1(erfc) RPP_C_1(tgamma) RPP_C_1(lgamma)
RPP_MATH double exp10(double x) { return __rpp_exp10(x); }
RPP_CUDA_1(rsqrt) RPP_CUDA_1(sinpi) RPP_CUDA_1(cospi) RPP_CUDA_1(tanpi)
RPP_CUDA_1(erfcx) RPP_CUDA_1(erfinv) RPP_CUDA_1(erfcinv) RPP_CUDA_1(normcdf) RPP_CUDA_1(normcdfinv)

RPP_MATH double pow(double x, double y) { return __rpp_pow(x, y); }
RPP_MATH float pow(float x, int n) { return __rpp_powi(x, n); }
RPP_MATH double pow(double x, int n) { return __rpp_powi(x, n); }
RPP_MATH float powif(float x, int n) { return __rpp_powi(x, n); }
RPP_MATH double powi(double x, int n) { return __rpp_powi(x, n); }
template <class A, class B> RPP_MATH typename __rpp_mixed<A, B>::real pow(A x, B y) {
    return __rpp_pow((double)x, (double)y);
}
template <class A, class B> RPP_MATH double pow(A x, B y, typename __rpp_integral<A>::truth = 0,
                                                typename __rpp_integral<B>::truth = 0) {
    return __rpp_pow((double)x, (double)y);
}

RPP_C_2(atan2) RPP_C_2(fmod) RPP_C_2(remainder) RPP_C_2(nextafter) RPP_C_2(fdim)

RPP_MATH float copysignf(float x, float y) { return __rpp_copysign(x, y); }
RPP_MATH double copysign(double x, double y) { return __rpp_copysign(x, y); }
RPP_MATH float copysign(float x, float y) { return __rpp_copysign(x, y); }

/* The number wins against NaN, -0 lies below +0. */
RPP_MATH float __rpp_fmin(float x, float y) { return __builtin_elementwise_minimumnum(x, y); }
RPP_MATH double __rpp_fmin(double x, double y) { return __builtin_elementwise_minimumnum(x, y); }
RPP_MATH float __rpp_fmax(float x, float y) { return __builtin_elementwise_maximumnum(x, y); }
RPP_MATH double __rpp_fmax(double x, double y) { return __builtin_elementwise_maximumnum(x, y); }
RPP_C_2(fmin) RPP_C_2(fmax)

/* Exact operations that the compiler knows. */
RPP_MATH float __rpp_floor(float x) { return __builtin_floorf(x); }
RPP_MATH double __rpp_floor(double x) { return __builtin_floor(x); }
RPP_MATH float __rpp_ceil(float x) { return __builtin_ceilf(x); }
RPP_MATH double __rpp_ceil(double x) { return __builtin_ceil(x); }
RPP_MATH float __rpp_nearbyint(float x) { return __rpp_rint(x); }
RPP_MATH double __rpp_nearbyint(double x) { return __rpp_rint(x); }
RPP_C_1(floor) RPP_C_1(ceil) RPP_C_1(trunc) RPP_C_1(round) RPP_C_1(rint) RPP_C_1(nearbyint)
RPP_MATH float fabsf(float x) { return __rpp_abs(x); }
RPP_MATH double fabs(double x) { return __rpp_abs(x); }
RPP_MATH float fabs(float x) { return __rpp_abs(x); }
template <class I> RPP_MATH typename __rpp_integral<I>::real fabs(I x) { return __rpp_abs((double)x); }
RPP_MATH float fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
RPP_MATH double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
RPP_MATH float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
RPP_MATH float fdividef(float x, float y) { return x / y; }
RPP_MATH float rcbrtf(float x) { return 1.0f / __rpp_cbrt(x); }
RPP_MATH double rcbrt(double x) { return 1.0 / __rpp_cbrt(x); }
RPP_MATH float rcbrt(float x) { return 1.0f / __rpp_cbrt(x); }

#define RPP_TO_WHOLE(type, name, from) \
    RPP_MATH type name##f(float x) { return (type)__rpp_##from(x); } \
    RPP_MATH type name(double x) { return (type)__rpp_##from(x); } \
    RPP_MATH type name(float x) { return (type)__rpp_##from(x); }
RPP_TO_WHOLE(long, lrint, rint) RPP_TO_WHOLE(long long, llrint, rint)
RPP_TO_WHOLE(long, lround, round) RPP_TO_WHOLE(long long, llround, round)
#undef RPP_TO_WHOLE

#define RPP_EXPONENTS(T, f) \
    RPP_MATH T ldexp##f(T x, int n) { return __rpp_ldexp(x, n); } \
    RPP_MATH T scalbn##f(T x, int n) { return __rpp_ldexp(x, n); } \
    RPP_MATH T scalbln##f(T x, long n) { return __rpp_ldexp(x, n > 9999 ? 9999 : n < -9999 ? -9999 : (int)n); } \
    RPP_MATH T frexp##f(T x, int *n) { return __rpp_frexp(x, n); } \
    RPP_MATH T modf##f(T x, T *whole) { return __rpp_modf(x, whole); } \
    RPP_MATH int ilogb##f(T x) { return __rpp_ilogb(x); } \
    RPP_MATH T remquo##f(T x, T y, int *n) { return __rpp_remquo(x, y, n); } \
    RPP_MATH void sincos##f(T x, T *s, T *c) { auto both = __rpp_sincos(x); *s = x == 0 ? x : both.sine; *c = both.cosine; } \
    RPP_MATH void sincospi##f(T x, T *s, T *c) { *s = __rpp_sinpi(x), *c = __rpp_cospi(x); } \
    RPP_MATH T hypot##f(T x, T y) { return __rpp_norm<T>(x, y, 0, 0); } \
    RPP_MATH T rhypot##f(T x, T y) { return __rpp_rnorm<T>(x, y, 0, 0); } \
    RPP_MATH T norm3d##f(T x, T y, T z) { return __rpp_norm<T>(x, y, z, 0); } \
    RPP_MATH T rnorm3d##f(T x, T y, T z) { return __rpp_rnorm<T>(x, y, z, 0); } \
    RPP_MATH T norm4d##f(T x, T y, T z, T w) { return __rpp_norm<T>(x, y, z, w); } \
    RPP_MATH T rnorm4d##f(T x, T y, T z, T w) { return __rpp_rnorm<T>(x, y, z, w); } \
    RPP_MATH T norm##f(int n, const T *p) { \
        T sum = 0; \
        for (int i = 0; i < n; ++i) sum = __rpp_norm<T>(sum, p[i], 0, 0); \
        return sum; \
    } \
    RPP_MATH T rnorm##f(int n, const T *p) { return 1 / norm##f(n, p); }
RPP_EXPONENTS(double, )
RPP_EXPONENTS(float, f)
#undef RPP_EXPONENTS
RPP_MATH float ldexp(float x, int n) { return __rpp_ldexp(x, n); }
RPP_MATH float scalbn(float x, int n) { return __rpp_ldexp(x, n); }
RPP_MATH float frexp(float x, int *n) { return __rpp_frexp(x, n); }
RPP_MATH float modf(float x, float *whole) { return __rpp_modf(x, whole); }
RPP_MATH int ilogb(float x) { return __rpp_ilogb(x); }
RPP_MATH float remquo(float x, float y, int *n) { return __rpp_remquo(x, y, n); }
RPP_MATH float hypot(float x, float y) { return __rpp_norm<float>(x, y, 0, 0); }
template <class A, class B> RPP_MATH typename __rpp_mixed<A, B>::real hypot(A x, B y) {
    return __rpp_norm<double>((double)x, (double)y, 0, 0);
}
RPP_MATH float nanf(const char *) { return __builtin_nanf(""); }
RPP_MATH double nan(const char *) { return __builtin_nan(""); }

#define RPP_CLASSES(T) \
    RPP_MATH bool isnan(T x) { return x != x; } \
    RPP_MATH bool isinf(T x) { return __rpp_abs(x) == __rpp_format<T>::infinity; } \
    RPP_MATH bool isfinite(T x) { return __rpp_abs(x) < __rpp_format<T>::infinity; } \
    RPP_MATH bool isnormal(T x) { \
        return __rpp_abs(x) >= __rpp_format<T>::least_normal && __rpp_abs(x) < __rpp_format<T>::infinity; \
    } \
    RPP_MATH bool signbit(T x) { return __rpp_bits(x) < 0; } \
    RPP_MATH bool isgreater(T x, T y) { return x > y; } \
    RPP_MATH bool isless(T x, T y) { return x < y; } \
    RPP_MATH bool isunordered(T x, T y) { return x != x || y != y; }
#undef isnan
#undef isinf
#undef isfinite
#undef isnormal
#undef signbit
#undef isgreater
#undef isless
#undef isunordered
RPP_CLASSES(float)
RPP_CLASSES(double)
#undef RPP_CLASSES
RPP_MATH bool finite(double x) { return isfinite(x); }
RPP_MATH bool finitef(float x) { return isfinite(x); }
RPP_MATH int __isnanf(float x) { return isnan(x); }
RPP_MATH int __isinff(float x) { return isinf(x); }
RPP_MATH int __isnan(double x) { return isnan(x); }
RPP_MATH int __isinf(double x) { return isinf(x); }
RPP_MATH int __finitef(float x) { return isfinite(x); }
RPP_MATH int __finite(double x) { return isfinite(x); }

RPP_MATH int abs(int x) { return x < 0 ? -x : x; }
RPP_MATH long abs(long x) { return x < 0 ? -x : x; }
RPP_MATH long long abs(long long x) { return x < 0 ? -x : x; }
RPP_MATH long labs(long x) { return x < 0 ? -x : x; }
RPP_MATH long long llabs(long long x) { return x < 0 ? -x : x; }
RPP_MATH float abs(float x) { return __rpp_abs(x); }
RPP_MATH double abs(double x) { return __rpp_abs(x); }

/* Not here: Bessel functions. Named, so that the message says so. */
#ifdef __CUDA__
#define RPP_NO_BESSEL __attribute__((device, unavailable("OpenRPP has no Bessel functions")))
#define RPP_BESSEL(name) RPP_NO_BESSEL double name(double x); RPP_NO_BESSEL float name##f(float x);
#define RPP_BESSEL_N(name) RPP_NO_BESSEL double name(int n, double x); RPP_NO_BESSEL float name##f(int n, float x);
RPP_BESSEL(j0) RPP_BESSEL(j1) RPP_BESSEL(y0) RPP_BESSEL(y1) RPP_BESSEL(cyl_bessel_i0) RPP_BESSEL(cyl_bessel_i1)
RPP_BESSEL_N(jn) RPP_BESSEL_N(yn)
#undef RPP_BESSEL
#undef RPP_BESSEL_N
#endif
