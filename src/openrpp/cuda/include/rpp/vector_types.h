/* Vector types and dim3. */
#pragma once
#include "rpp/qualifiers.h"

#define RPP_VECTOR_1(name, T) \
    struct name##1 { T x; }; \
    RPP_EITHER name##1 make_##name##1(T x) { return {x}; }
#define RPP_VECTOR_2(name, T, align) \
    struct __attribute__((aligned(align))) name##2 { T x, y; }; \
    RPP_EITHER name##2 make_##name##2(T x, T y) { return {x, y}; }
#define RPP_VECTOR_3(name, T) \
    struct name##3 { T x, y, z; }; \
    RPP_EITHER name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }
#define RPP_VECTOR_4(name, T, align) \
    struct __attribute__((aligned(align))) name##4 { T x, y, z, w; }; \
    RPP_EITHER name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
#define RPP_VECTORS(name, T, align2, align4) \
    RPP_VECTOR_1(name, T) RPP_VECTOR_2(name, T, align2) RPP_VECTOR_3(name, T) RPP_VECTOR_4(name, T, align4)

RPP_VECTORS(char, signed char, 2, 4)
RPP_VECTORS(uchar, unsigned char, 2, 4)
RPP_VECTORS(short, short, 4, 8)
RPP_VECTORS(ushort, unsigned short, 4, 8)
RPP_VECTORS(int, int, 8, 16)
RPP_VECTORS(uint, unsigned int, 8, 16)
RPP_VECTORS(long, long, 16, 16)
RPP_VECTORS(ulong, unsigned long, 16, 16)
RPP_VECTORS(longlong, long long, 16, 16)
RPP_VECTORS(ulonglong, unsigned long long, 16, 16)
RPP_VECTORS(float, float, 8, 16)
RPP_VECTORS(double, double, 16, 16)

#undef RPP_VECTORS
#undef RPP_VECTOR_1
#undef RPP_VECTOR_2
#undef RPP_VECTOR_3
#undef RPP_VECTOR_4

struct dim3 {
    unsigned int x, y, z;
    __attribute__((host, device)) constexpr dim3(unsigned int x = 1, unsigned int y = 1, unsigned int z = 1)
        : x(x), y(y), z(z) {}
    __attribute__((host, device)) constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    __attribute__((host, device)) constexpr operator uint3() const { return {x, y, z}; }
};
