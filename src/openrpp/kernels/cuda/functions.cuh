// Functions of float32 that the card has no unit for, from sums, products and integer operations: a first guess from
// the bits, then Newton steps, or a polynomial. Every engine gives the same bits. No infinities, no NaN, no denormals.
#pragma once

// 1 / sqrt(x), relative error at most 3e-7; x > 0.
static __device__ __forceinline__ float inverse_root(float x) {
    float y = __uint_as_float(0x5F375A86u - (__float_as_uint(x) >> 1)), half = 0.5f * x;
    for (int step = 0; step < 4; step++) y = y * (1.5f - half * y * y);
    return y;
}

// 1 / x, relative error at most 3e-7; 1e-37 < x < 1e37.
static __device__ __forceinline__ float inverse(float x) {
    float y = __uint_as_float(0x7EF311C7u - __float_as_uint(x));
    for (int step = 0; step < 4; step++) y = y * (2.0f - x * y);
    return y;
}

// exp(x) for x <= 0, relative error at most 3e-7 above -80; 0 (or next to it) below -87. 2^f on [-1/2, 1/2] is the
// Taylor polynomial of degree 6 of e^(f ln 2).
static __device__ __forceinline__ float exp_negative(float x) {
    float t = (x < -87.0f ? -87.0f : x) * 1.44269504f;
    float shifted = t + 12582912.0f;  // 1.5 * 2^23: the nearest integer in its low bits
    float f = t - (shifted - 12582912.0f);
    float p = 1.54035304e-4f;
    p = p * f + 1.33335581e-3f;
    p = p * f + 9.61812911e-3f;
    p = p * f + 5.55041087e-2f;
    p = p * f + 2.40226507e-1f;
    p = p * f + 6.93147181e-1f;
    p = p * f + 1.0f;
    return __uint_as_float(__float_as_uint(p) + (__float_as_uint(shifted) << 23));
}
