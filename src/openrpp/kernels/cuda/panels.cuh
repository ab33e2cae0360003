// Groups of 32 weights of an output as panels hold them (kernels/quant.py), opened into numbers.
#pragma once
#include <rpp.h>
#include "element.cuh"

// f16 to float, exact; no infinities, no NaN.
static __device__ __forceinline__ float half_value(unsigned h) {
    float magnitude = __uint_as_float((h & 0x7FFF) << 13) * 5.192296858534828e33f;  // 2^112
    return __uint_as_float(__float_as_uint(magnitude) | (h & 0x8000) << 16);
}

// 128 in both halves of a word: with a part below 128 or'ed in it is the bfloat16 number 128 + part.
static const unsigned both_128 = 0x43004300, both_minus = 0x80008000;
static __device__ __forceinline__ float lower(unsigned pair) { return __uint_as_float(pair << 16); }
static __device__ __forceinline__ float upper(unsigned pair) { return __uint_as_float(pair & 0xFFFF0000u); }

// Four nibbles as 128 + q.
struct Nibbles {
    unsigned even, odd;
    __device__ __forceinline__ Nibbles(unsigned q) : even(rpp::unpack4(q, both_128)), odd(rpp::unpack4_high(q, both_128)) {}
    __device__ __forceinline__ float operator[](int i) const {
        unsigned pair = i < 2 ? even : odd;
        return i & 1 ? upper(pair) : lower(pair);
    }
    __device__ __forceinline__ __bf16 brain_at(int i) const {
        unsigned pair = i < 2 ? even : odd;
        return __builtin_bit_cast(__bf16, (word)(i & 1 ? pair >> 16 : pair));
    }
};

static __device__ __forceinline__ __bf16 brain(unsigned short bits) { return __builtin_bit_cast(__bf16, bits); }
static __device__ __forceinline__ word bits(__bf16 x) { return __builtin_bit_cast(word, x); }

// `open` writes the 32 numbers of a group, 32 elements apart; the words of the group are `width` apart.
struct Q4_0 {
    static const int words = 9;
    static __device__ __forceinline__ void open(const word *from, unsigned width, float *to) {
        float scale = half_value(from[8 * width]);
#pragma unroll 2
        for (int i = 0; i < 8; i++) {
            Nibbles q(from[i * width]);
#pragma unroll
            for (int j = 0; j < 4; j++) to[(4 * i + j) * 32] = (q[j] - 136.0f) * scale;
        }
    }
    // The 11 bits of the scale are the sum of two bfloat16 numbers, and the product with the lower one is exact: so the
    // product with both is rounded once.
    static __device__ __forceinline__ void open(const word *from, unsigned width, word *to) {
        float scale = half_value(from[8 * width]);
        word high = __float_as_uint(scale) >> 16;
        __bf16 above = brain(high), below = brain(__float_as_uint(scale - value(high)) >> 16);
#pragma unroll 2
        for (int i = 0; i < 8; i++) {
            Nibbles q(from[i * width]);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                __bf16 number = q.brain_at(j) + brain(0xC308);  // - 136
                to[(4 * i + j) * 32] = bits(__builtin_elementwise_fma(number, above, number * below));
            }
        }
    }
};

struct Q4_1 {
    static const int words = 10;
    template <class T> static __device__ __forceinline__ void open(const word *from, unsigned width, T *to) {
        float scale = half_value(from[8 * width]), least = half_value(from[9 * width]);
#pragma unroll 2
        for (int i = 0; i < 8; i++) {
            Nibbles q(from[i * width]);
#pragma unroll
            for (int j = 0; j < 4; j++) put(to + (4 * i + j) * 32, (q[j] - 128.0f) * scale + least);
        }
    }
};

struct Q8_0 {
    static const int words = 17;
    // q = (b & 127) - (b & 128) for a byte b of two's complement: 128 more and 128 less than that are bfloat16 numbers.
    template <class T> static __device__ __forceinline__ void open(const word *from, unsigned width, T *to) {
        float scale = half_value(from[16 * width]);
#pragma unroll 2
        for (int i = 0; i < 16; i++) {
            unsigned q = from[i * width];
            unsigned rest = rpp::unpack8(q & 0x7F7F, both_128), sign = rpp::unpack8(q & 0x8080, both_128 | both_minus);
            put(to + 2 * i * 32, (lower(rest) + lower(sign)) * scale);
            put(to + (2 * i + 1) * 32, (upper(rest) + upper(sign)) * scale);
        }
    }
};

struct Brain {
    static const int words = 32;
    static __device__ __forceinline__ void copy(const word *from, word *to) { *to = *from; }
    static __device__ __forceinline__ void copy(const word *from, float *to) { *to = value(*from); }
    template <class T> static __device__ __forceinline__ void open(const word *from, unsigned width, T *to) {
#pragma unroll 4
        for (int k = 0; k < 32; k++) copy(from + k * width, to + k * 32);
    }
};

struct Half {
    static const int words = 32;
    template <class T> static __device__ __forceinline__ void open(const word *from, unsigned width, T *to) {
#pragma unroll 4
        for (int k = 0; k < 32; k++) put(to + k * 32, half_value(from[k * width]));
    }
};

// Two words to a number, the lower half first.
struct Single {
    static const int words = 64;
    template <class T> static __device__ __forceinline__ void open(const word *from, unsigned width, T *to) {
#pragma unroll 4
        for (int k = 0; k < 32; k++)
            put(to + k * 32, __uint_as_float(from[2 * k * width] | (unsigned)from[(2 * k + 1) * width] << 16));
    }
};
