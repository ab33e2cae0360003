/* Integer and bit intrinsics; min and max; conversions; loads and stores with cache hints. */
#pragma once
#include "rpp/qualifiers.h"
#include "rpp/math.h"
#include "rpp/vector_types.h"

RPP_DEVICE int __popc(unsigned int x) { return __builtin_popcount(x); }
RPP_DEVICE int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
RPP_DEVICE int __clz(int x) { return __builtin_clzg((unsigned int)x, 32); }
RPP_DEVICE int __clzll(long long x) { return __builtin_clzg((unsigned long long)x, 64); }
RPP_DEVICE int __ffs(int x) { return x == 0 ? 0 : __builtin_ctz((unsigned int)x) + 1; }
RPP_DEVICE int __ffsll(long long x) { return x == 0 ? 0 : __builtin_ctzll((unsigned long long)x) + 1; }
RPP_DEVICE unsigned int __brev(unsigned int x) { return __builtin_bitreverse32(x); }
RPP_DEVICE unsigned long long __brevll(unsigned long long x) { return __builtin_bitreverse64(x); }
RPP_DEVICE int __fns(unsigned int mask, unsigned int base, int offset) {
    int place = (int)base, left = offset < 0 ? -offset : offset, step = offset < 0 ? -1 : 1;
    if (offset == 0) return mask >> base & 1 ? (int)base : -1;
    for (; place >= 0 && place < 32; place += step) {
        if (mask >> place & 1 && --left == 0) return place;
    }
    return -1;
}

RPP_OP unsigned int __rpp_prmt(unsigned int low, unsigned int high, unsigned int selector);
RPP_DEVICE unsigned int __byte_perm(unsigned int x, unsigned int y, unsigned int s) { return __rpp_prmt(x, y, s & 0x7777u); }
RPP_DEVICE unsigned int __funnelshift_l(unsigned int low, unsigned int high, unsigned int n) {
    return __builtin_elementwise_fshl(high, low, n & 31);
}
RPP_DEVICE unsigned int __funnelshift_r(unsigned int low, unsigned int high, unsigned int n) {
    return __builtin_elementwise_fshr(high, low, n & 31);
}
RPP_DEVICE unsigned int __funnelshift_lc(unsigned int low, unsigned int high, unsigned int n) {
    return n >= 32 ? low : __funnelshift_l(low, high, n);
}
RPP_DEVICE unsigned int __funnelshift_rc(unsigned int low, unsigned int high, unsigned int n) {
    return n >= 32 ? high : __funnelshift_r(low, high, n);
}

RPP_DEVICE int __mul24(int x, int y) { return (x << 8 >> 8) * (y << 8 >> 8); }
RPP_DEVICE unsigned int __umul24(unsigned int x, unsigned int y) { return (x & 0xffffff) * (y & 0xffffff); }
RPP_DEVICE int __mulhi(int x, int y) { return (int)((long long)x * y >> 32); }
RPP_DEVICE unsigned int __umulhi(unsigned int x, unsigned int y) { return (unsigned int)((unsigned long long)x * y >> 32); }
RPP_DEVICE long long __mul64hi(long long x, long long y) { return __nvvm_mulhi_ll(x, y); }
RPP_DEVICE unsigned long long __umul64hi(unsigned long long x, unsigned long long y) { return __nvvm_mulhi_ull(x, y); }
RPP_DEVICE unsigned int __sad(int x, int y, unsigned int z) {
    return z + (x > y ? (unsigned int)x - (unsigned int)y : (unsigned int)y - (unsigned int)x);
}
RPP_DEVICE unsigned int __usad(unsigned int x, unsigned int y, unsigned int z) { return z + (x > y ? x - y : y - x); }
RPP_DEVICE int __hadd(int x, int y) { return (int)(((long long)x + y) >> 1); }
RPP_DEVICE int __rhadd(int x, int y) { return (int)(((long long)x + y + 1) >> 1); }
RPP_DEVICE unsigned int __uhadd(unsigned int x, unsigned int y) { return (x & y) + ((x ^ y) >> 1); }
RPP_DEVICE unsigned int __urhadd(unsigned int x, unsigned int y) { return (x | y) - ((x ^ y) >> 1); }

/* Dot products of bytes; a letter says which operand is signed. */
RPP_OP int __rpp_dp4a_ss(int a, int b, int c);
RPP_OP int __rpp_dp4a_uu(int a, int b, int c);
RPP_DEVICE int __dp4a(int a, int b, int c) { return __rpp_dp4a_ss(a, b, c); }
RPP_DEVICE unsigned int __dp4a(unsigned int a, unsigned int b, unsigned int c) {
    return (unsigned int)__rpp_dp4a_uu((int)a, (int)b, (int)c);
}
RPP_DEVICE int __dp4a(char4 a, char4 b, int c) {
    return __rpp_dp4a_ss(__builtin_bit_cast(int, a), __builtin_bit_cast(int, b), c);
}
RPP_DEVICE unsigned int __dp4a(uchar4 a, uchar4 b, unsigned int c) {
    return (unsigned int)__rpp_dp4a_uu(__builtin_bit_cast(int, a), __builtin_bit_cast(int, b), (int)c);
}
/* Two 16-bit numbers of a with the low (lo) or high (hi) two bytes of b. */
RPP_DEVICE int __dp2a_lo(int a, int b, int c) { return c + (short)a * (signed char)b + (a >> 16) * (signed char)(b >> 8); }
RPP_DEVICE int __dp2a_hi(int a, int b, int c) { return __dp2a_lo(a, b >> 16, c); }
RPP_DEVICE unsigned int __dp2a_lo(unsigned int a, unsigned int b, unsigned int c) {
    return c + (a & 0xffff) * (b & 0xff) + (a >> 16) * (b >> 8 & 0xff);
}
RPP_DEVICE unsigned int __dp2a_hi(unsigned int a, unsigned int b, unsigned int c) { return __dp2a_lo(a, b >> 16, c); }

/* min and max of any two arithmetic types; as in C++, the operands are brought to a common type first. */
#define RPP_LEAST(T) \
    RPP_EITHER T min(T a, T b) { return b < a ? b : a; } \
    RPP_EITHER T max(T a, T b) { return a < b ? b : a; }
RPP_LEAST(int) RPP_LEAST(unsigned int) RPP_LEAST(long) RPP_LEAST(unsigned long)
RPP_LEAST(long long) RPP_LEAST(unsigned long long)
#undef RPP_LEAST
#define RPP_LEAST_MIXED(A, B, T) \
    RPP_EITHER T min(A a, B b) { return min((T)a, (T)b); } \
    RPP_EITHER T min(B a, A b) { return min((T)a, (T)b); } \
    RPP_EITHER T max(A a, B b) { return max((T)a, (T)b); } \
    RPP_EITHER T max(B a, A b) { return max((T)a, (T)b); }
RPP_EITHER float min(float a, float b) { return __builtin_elementwise_minimumnum(a, b); }
RPP_EITHER float max(float a, float b) { return __builtin_elementwise_maximumnum(a, b); }
RPP_EITHER double min(double a, double b) { return __builtin_elementwise_minimumnum(a, b); }
RPP_EITHER double max(double a, double b) { return __builtin_elementwise_maximumnum(a, b); }
RPP_LEAST_MIXED(int, unsigned int, unsigned int)
RPP_LEAST_MIXED(int, long, long)
RPP_LEAST_MIXED(int, unsigned long, unsigned long)
RPP_LEAST_MIXED(int, long long, long long)
RPP_LEAST_MIXED(int, unsigned long long, unsigned long long)
RPP_LEAST_MIXED(unsigned int, long, long)
RPP_LEAST_MIXED(unsigned int, unsigned long, unsigned long)
RPP_LEAST_MIXED(unsigned int, long long, long long)
RPP_LEAST_MIXED(unsigned int, unsigned long long, unsigned long long)
RPP_LEAST_MIXED(long, unsigned long, unsigned long)
RPP_LEAST_MIXED(long long, unsigned long long, unsigned long long)
RPP_LEAST_MIXED(float, double, double)
RPP_LEAST_MIXED(float, int, float)
RPP_LEAST_MIXED(float, unsigned int, float)
RPP_LEAST_MIXED(float, long, float)
RPP_LEAST_MIXED(float, unsigned long, float)
RPP_LEAST_MIXED(double, int, double)
RPP_LEAST_MIXED(double, unsigned int, double)
RPP_LEAST_MIXED(double, long, double)
RPP_LEAST_MIXED(double, unsigned long, double)
#undef RPP_LEAST_MIXED
RPP_EITHER unsigned int umin(unsigned int a, unsigned int b) { return min(a, b); }
RPP_EITHER unsigned int umax(unsigned int a, unsigned int b) { return max(a, b); }
RPP_EITHER long long llmin(long long a, long long b) { return min(a, b); }
RPP_EITHER long long llmax(long long a, long long b) { return max(a, b); }
RPP_EITHER unsigned long long ullmin(unsigned long long a, unsigned long long b) { return min(a, b); }
RPP_EITHER unsigned long long ullmax(unsigned long long a, unsigned long long b) { return max(a, b); }

/* Loads and stores with a hint about caches, of which the card has none that a program could steer. */
#define RPP_HINTS(T) \
    RPP_DEVICE T __ldg(const T *p) { return *p; } \
    RPP_DEVICE T __ldca(const T *p) { return *p; } \
    RPP_DEVICE T __ldcg(const T *p) { return *p; } \
    RPP_DEVICE T __ldcs(const T *p) { return *p; } \
    RPP_DEVICE T __ldlu(const T *p) { return *p; } \
    RPP_DEVICE T __ldcv(const T *p) { return *p; } \
    RPP_DEVICE void __stwb(T *p, T v) { *p = v; } \
    RPP_DEVICE void __stcg(T *p, T v) { *p = v; } \
    RPP_DEVICE void __stcs(T *p, T v) { *p = v; } \
    RPP_DEVICE void __stwt(T *p, T v) { *p = v; }
RPP_HINTS(char) RPP_HINTS(signed char) RPP_HINTS(unsigned char) RPP_HINTS(short) RPP_HINTS(unsigned short)
RPP_HINTS(int) RPP_HINTS(unsigned int) RPP_HINTS(long) RPP_HINTS(unsigned long) RPP_HINTS(long long)
RPP_HINTS(unsigned long long) RPP_HINTS(float) RPP_HINTS(double)
RPP_HINTS(char2) RPP_HINTS(char4) RPP_HINTS(uchar2) RPP_HINTS(uchar4) RPP_HINTS(short2) RPP_HINTS(short4)
RPP_HINTS(ushort2) RPP_HINTS(ushort4) RPP_HINTS(int2) RPP_HINTS(int4) RPP_HINTS(uint2) RPP_HINTS(uint4)
RPP_HINTS(longlong2) RPP_HINTS(ulonglong2) RPP_HINTS(float2) RPP_HINTS(float4) RPP_HINTS(double2)
