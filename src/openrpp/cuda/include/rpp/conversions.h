/* Conversions with a rounding direction, reinterpretation of bits, arithmetic with a rounding direction. */
#pragma once
#include "rpp/fast.h"
#include "rpp/math.h"
#include "rpp/qualifiers.h"
#include "rpp/rounding.h"

RPP_DEVICE int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
RPP_DEVICE unsigned int __float_as_uint(float x) { return __builtin_bit_cast(unsigned int, x); }
RPP_DEVICE float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
RPP_DEVICE float __uint_as_float(unsigned int x) { return __builtin_bit_cast(float, x); }
RPP_DEVICE long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
RPP_DEVICE double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
RPP_DEVICE int __double2hiint(double x) { return (int)(__builtin_bit_cast(unsigned long long, x) >> 32); }
RPP_DEVICE int __double2loint(double x) { return (int)__builtin_bit_cast(unsigned long long, x); }
RPP_DEVICE double __hiloint2double(int hi, int lo) {
    return __builtin_bit_cast(double, (unsigned long long)(unsigned int)hi << 32 | (unsigned int)lo);
}

/* Float to integer: saturating, NaN gives 0. */
#define RPP_TO_INT(from, F, to, I) \
    RPP_DEVICE I __##from##2##to##_rn(F x) { return (I)__rpp_rint(x); } \
    RPP_DEVICE I __##from##2##to##_rz(F x) { return (I)x; } \
    RPP_DEVICE I __##from##2##to##_ru(F x) { return (I)__rpp_ceil(x); } \
    RPP_DEVICE I __##from##2##to##_rd(F x) { return (I)__rpp_floor(x); }
#define RPP_TO_INTS(from, F) \
    RPP_TO_INT(from, F, int, int) RPP_TO_INT(from, F, uint, unsigned int) \
    RPP_TO_INT(from, F, ll, long long) RPP_TO_INT(from, F, ull, unsigned long long)
RPP_TO_INTS(float, float)
RPP_TO_INTS(double, double)
#undef RPP_TO_INTS
#undef RPP_TO_INT

/* Integer to float: the nearest one, and a step where the integer lies on the other side. 32 bits fit a double. */
RPP_DEVICE float __rpp_from_i64(long long x, int direction) {
    double high = (double)(x >> 32) * 0x1p32, low = (double)(x & 0xffffffffll);
    __rpp_dd sum = __rpp_two_sum(high, low);
    return __rpp_narrow(sum.hi, sum.lo, direction);
}
RPP_DEVICE float __rpp_from_u64(unsigned long long x, int direction) {
    double high = (double)(x >> 32) * 0x1p32, low = (double)(x & 0xffffffffull);
    __rpp_dd sum = __rpp_two_sum(high, low);
    return __rpp_narrow(sum.hi, sum.lo, direction);
}
RPP_DEVICE double __rpp_wide_i64(long long x, int direction) {
    __rpp_dd sum = __rpp_two_sum((double)(x >> 32) * 0x1p32, (double)(x & 0xffffffffll));
    return __rpp_directed(sum.hi, sum.lo, direction);
}
RPP_DEVICE double __rpp_wide_u64(unsigned long long x, int direction) {
    __rpp_dd sum = __rpp_two_sum((double)(x >> 32) * 0x1p32, (double)(x & 0xffffffffull));
    return __rpp_directed(sum.hi, sum.lo, direction);
}
#define RPP_FROM(name, I, T, directed) \
    RPP_DEVICE T name##_rn(I x) { return (T)x; } \
    RPP_DEVICE T name##_rz(I x) { return directed(x, __rpp_toward_zero); } \
    RPP_DEVICE T name##_ru(I x) { return directed(x, __rpp_upward); } \
    RPP_DEVICE T name##_rd(I x) { return directed(x, __rpp_downward); }
RPP_DEVICE float __rpp_from_double(double x, int direction) { return __rpp_narrow(x, 0.0, direction); }
RPP_FROM(__int2float, int, float, __rpp_from_i64)
RPP_FROM(__uint2float, unsigned int, float, __rpp_from_u64)
RPP_FROM(__ll2float, long long, float, __rpp_from_i64)
RPP_FROM(__ull2float, unsigned long long, float, __rpp_from_u64)
RPP_FROM(__ll2double, long long, double, __rpp_wide_i64)
RPP_FROM(__ull2double, unsigned long long, double, __rpp_wide_u64)
RPP_FROM(__double2float, double, float, __rpp_from_double)
#undef RPP_FROM
RPP_DEVICE double __int2double_rn(int x) { return (double)x; }
RPP_DEVICE double __uint2double_rn(unsigned int x) { return (double)x; }

/* Intrinsics that clang does not fuse: nearest even, toward zero, up, down. */
#define RPP_ARITHMETIC(end, direction) \
    RPP_DEVICE float __fadd_##end(float x, float y) { return __rpp_add_to(x, y, direction); } \
    RPP_DEVICE float __fsub_##end(float x, float y) { return __rpp_add_to(x, -y, direction); } \
    RPP_DEVICE float __fmul_##end(float x, float y) { return __rpp_mul_to(x, y, direction); } \
    RPP_DEVICE float __fdiv_##end(float x, float y) { return __rpp_div_to(x, y, direction); } \
    RPP_DEVICE float __frcp_##end(float x) { return __rpp_div_to(1.0f, x, direction); } \
    RPP_DEVICE float __fsqrt_##end(float x) { return __rpp_sqrt_to(x, direction); } \
    RPP_DEVICE float __fmaf_##end(float x, float y, float z) { return __rpp_fma_to(x, y, z, direction); } \
    RPP_DEVICE double __dadd_##end(double x, double y) { return __rpp_add_to(x, y, direction); } \
    RPP_DEVICE double __dsub_##end(double x, double y) { return __rpp_add_to(x, -y, direction); } \
    RPP_DEVICE double __dmul_##end(double x, double y) { return __rpp_mul_to(x, y, direction); } \
    RPP_DEVICE double __ddiv_##end(double x, double y) { return __rpp_div_to(x, y, direction); } \
    RPP_DEVICE double __drcp_##end(double x) { return __rpp_div_to(1.0, x, direction); } \
    RPP_DEVICE double __dsqrt_##end(double x) { return __rpp_sqrt_to(x, direction); } \
    RPP_DEVICE double __fma_##end(double x, double y, double z) { return __rpp_fma_to(x, y, z, direction); }
RPP_ARITHMETIC(rz, __rpp_toward_zero)
RPP_ARITHMETIC(ru, __rpp_upward)
RPP_ARITHMETIC(rd, __rpp_downward)
#undef RPP_ARITHMETIC
RPP_DEVICE float __fadd_rn(float x, float y) { RPP_EXACT return x + y; }
RPP_DEVICE float __fsub_rn(float x, float y) { RPP_EXACT return x - y; }
RPP_DEVICE float __fmul_rn(float x, float y) { RPP_EXACT return x * y; }
RPP_DEVICE float __fdiv_rn(float x, float y) { return x / y; }
RPP_DEVICE float __frcp_rn(float x) { return 1.0f / x; }
RPP_DEVICE float __fsqrt_rn(float x) { return __rpp_sqrt(x); }
RPP_DEVICE float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
RPP_DEVICE float __fmaf_ieee_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
RPP_DEVICE double __dadd_rn(double x, double y) { RPP_EXACT return x + y; }
RPP_DEVICE double __dsub_rn(double x, double y) { RPP_EXACT return x - y; }
RPP_DEVICE double __dmul_rn(double x, double y) { RPP_EXACT return x * y; }
RPP_DEVICE double __ddiv_rn(double x, double y) { return x / y; }
RPP_DEVICE double __drcp_rn(double x) { return 1.0 / x; }
RPP_DEVICE double __dsqrt_rn(double x) { return __rpp_sqrt(x); }
RPP_DEVICE double __fma_rn(double x, double y, double z) { return __builtin_fma(x, y, z); }

/* 1 / sqrt(x) correctly rounded is one instruction of the extended card. */
RPP_OP float __rpp_frsqrt(float x) __attribute__((const));
RPP_DEVICE float __frsqrt_rn(float x) { return __rpp_frsqrt(x); }
