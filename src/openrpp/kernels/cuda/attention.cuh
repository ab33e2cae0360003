// Pieces that the attention kernels share: the cache's layout, products, and rows meeting in shared memory.
//
// The cache of a layer is [tiles][key heads][K | V]: K of 32 tokens as [size][32 tokens], V as [size/32][32 tokens][32].
#pragma once
#include <rpp.h>

#include "element.cuh"
#include "functions.cuh"

static __device__ __forceinline__ float multiply_add(float a, float b, float c) { return c + a * b; }
static __device__ __forceinline__ float multiply_add(word a, word b, float c) { return fmaf(value(a), value(b), c); }

static __device__ __forceinline__ float larger(float a, float b) { return a > b ? a : b; }

// Elements of K of a tile; those of V follow them.
static __device__ __forceinline__ int key_part(int size) { return size * 32; }

// Where channel `c` of a row lies in slabs.
static __device__ __forceinline__ int channel(int c, int plane) { return (c >> 5) * plane + (c & 31); }

// Channel d of a head that begins at channel `first`, rotated by its position: the row of the table is cos of each pair,
// then sin. Pairs are (d, d + size/2), or (2d, 2d + 1) if interleaved is 1; nothing turns if it is -1.
template <class T>
static __device__ __forceinline__ float rotated(const T *x, int first, int d, int size, int plane, const float *table,
                                                int interleaved) {
    float a = value(x[channel(first + d, plane)]);
    if (interleaved < 0) return a;
    int half = size >> 1, second = interleaved ? d & 1 : d >= half;
    int pair = interleaved ? d >> 1 : second ? d - half : d;
    int other = interleaved ? d ^ 1 : second ? d - half : d + half;
    float turned = value(x[channel(first + other, plane)]) * table[half + pair];
    return a * table[pair] + (second ? turned : -turned);
}
