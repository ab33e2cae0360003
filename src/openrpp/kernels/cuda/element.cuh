// Elements of activations as float32 values: bfloat16 in words, or float32 itself.
#pragma once

typedef unsigned short word;  // a bfloat16 value

static __device__ __forceinline__ float value(float x) { return x; }
static __device__ __forceinline__ float value(word x) { return __uint_as_float((unsigned)x << 16); }

// To the nearest bfloat16, ties to even. NaN with only low mantissa bits is not looked for.
static __device__ __forceinline__ word rounded(float x) {
    unsigned bits = __float_as_uint(x);
    return (word)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static __device__ __forceinline__ void put(float *to, float x) { *to = x; }
static __device__ __forceinline__ void put(word *to, float x) { *to = rounded(x); }
