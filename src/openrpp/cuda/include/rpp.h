/* What the RPP card has and CUDA does not name. */
#pragma once
#include "cuda_runtime.h"

RPP_OP float __rpp_dot8_bf16(unsigned int a0, unsigned int a1, unsigned int a2, unsigned int a3, unsigned int b0,
                             unsigned int b1, unsigned int b2, unsigned int b3, float c) __attribute__((const));
RPP_OP unsigned short __rpp_lut(const unsigned short *table, unsigned int index);
RPP_OP unsigned int __rpp_unpack4(unsigned int packed, unsigned int other) __attribute__((const));
RPP_OP unsigned int __rpp_unpack4_high(unsigned int packed, unsigned int other) __attribute__((const));
RPP_OP unsigned int __rpp_unpack8(unsigned int packed, unsigned int other) __attribute__((const));
RPP_OP float __rpp_fexp2(float x) __attribute__((const));
RPP_OP float __rpp_flog2(float x) __attribute__((const));
RPP_OP void __rpp_stage_in(__attribute__((address_space(3))) void *to, const void *from, unsigned int bytes);
RPP_OP void __rpp_stage_out(void *to, const __attribute__((address_space(3))) void *from, unsigned int bytes);
RPP_OP void __rpp_transfer(void *to, const void *from, unsigned int bytes);
RPP_OP void __rpp_stage_wait(void);

namespace rpp {

/* c + (E + O) for eight pairs of bfloat16 values, two to a word, low half first: E sums the products of terms 0, 2, 4, 6
   and O those of terms 1, 3, 5, 7, each from +0 upward, in float32. The memory port's dot product. */
RPP_DEVICE float dot8(uint4 a, uint4 b, float c) {
    return __rpp_dot8_bf16(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w, c);
}

/* The same of values in memory; both addresses are multiples of 16. */
template <class T> RPP_DEVICE float dot8(const T *a, const T *b, float c) {
    static_assert(sizeof(T) == 2, "dot8 takes bfloat16 values");
    return dot8(*reinterpret_cast<const uint4 *>(a), *reinterpret_cast<const uint4 *>(b), c);
}

/* a b + c in float32, rounded once, of the bits of two bfloat16 values: HFMA of the published chip. fmaf of float values
   whose low halves are seen to be zero is the same instruction. */
RPP_DEVICE float hfma(unsigned short a, unsigned short b, float c) {
    return __builtin_elementwise_fma(__builtin_bit_cast(float, (unsigned int)a << 16),
                                     __builtin_bit_cast(float, (unsigned int)b << 16), c);
}

/* Entry `index` of a table of 16-bit entries: how the published chip evaluates exp, 1/x and other functions of bfloat16. */
template <class T> RPP_DEVICE T lookup(const T *table, unsigned int index) {
    static_assert(sizeof(T) == 2, "a table has 16-bit entries");
    return __builtin_bit_cast(T, __rpp_lut(reinterpret_cast<const unsigned short *>(table), index));
}

/* Two parts of 16 packed bits into the halves of a word, or'ed with another: nibbles 0 and 1, nibbles 2 and 3, the two
   bytes. With 0x43004300 a part below 128 becomes the bfloat16 number 128 + part. */
RPP_DEVICE unsigned int unpack4(unsigned int packed, unsigned int other) { return __rpp_unpack4(packed, other); }
RPP_DEVICE unsigned int unpack4_high(unsigned int packed, unsigned int other) { return __rpp_unpack4_high(packed, other); }
RPP_DEVICE unsigned int unpack8(unsigned int packed, unsigned int other) { return __rpp_unpack8(packed, other); }

/* The units of the extended card: at most 0.50002 ulp off, in one instruction. */
RPP_DEVICE float exp2_unit(float x) { return __rpp_fexp2(x); }
RPP_DEVICE float log2_unit(float x) { return __rpp_flog2(x); }
RPP_DEVICE float rsqrt_unit(float x) { return __rpp_frsqrt(x); }

/* DMA between device memory and shared memory, started by the whole block with equal operands; `wait` is a barrier at
   which the transfers are over. */
template <class T> RPP_DEVICE void stage_in(T *shared, const T *global, unsigned int count) {
    __rpp_stage_in((__attribute__((address_space(3))) void *)shared, global, count * (unsigned int)sizeof(T));
}
template <class T> RPP_DEVICE void stage_out(T *global, const T *shared, unsigned int count) {
    __rpp_stage_out(global, (const __attribute__((address_space(3))) void *)shared, count * (unsigned int)sizeof(T));
}
RPP_DEVICE void wait() { __rpp_stage_wait(); }

/* DMA between buffers, in SRAM or DDR, started by the whole block with equal operands. A buffer that is only moved like this may
   lie in DDR on the published chip, too. What nobody waits for outlives the kernel: the data is there behind the first `wait`
   of a later launch in the same stream. */
template <class T> RPP_DEVICE void transfer(T *to, const T *from, unsigned int count) {
    __rpp_transfer(to, from, count * (unsigned int)sizeof(T));
}
/* The same, for what a later launch will read: weights from DDR to a place in SRAM that outlives the kernel. */
template <class T> RPP_DEVICE void prefetch(T *sram, const T *ddr, unsigned int count) { transfer(sram, ddr, count); }

}  // namespace rpp
