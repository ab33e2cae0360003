/* threadIdx and its kin: variables without storage whose members call for a register. Not the registers that clang knows:
   it holds blocks to 1024 threads, and those of the card may have 8160. */
#pragma once
#include "rpp/vector_types.h"

#define RPP_REGISTER(name) RPP_OP unsigned int __rpp_##name(void) __attribute__((const, noconvergent));
#define RPP_REGISTERS(name) RPP_REGISTER(name##_x) RPP_REGISTER(name##_y) RPP_REGISTER(name##_z)
RPP_REGISTERS(tid)
RPP_REGISTERS(ctaid)
RPP_REGISTERS(ntid)
RPP_REGISTERS(nctaid)
RPP_REGISTER(laneid)
#undef RPP_REGISTERS
#undef RPP_REGISTER

#ifdef __CUDA_ARCH__
#define RPP_MEMBER(axis, read) \
    __declspec(property(get = __get_##axis)) unsigned int axis; \
    static __attribute__((device, always_inline)) unsigned int __get_##axis(void) { return __rpp_##read##_##axis(); }
#define RPP_VARIABLE(name, read) \
    struct __rpp_##read##_variable { \
        RPP_MEMBER(x, read) \
        RPP_MEMBER(y, read) \
        RPP_MEMBER(z, read) \
        __attribute__((device, always_inline)) operator uint3() const { return {x, y, z}; } \
        __attribute__((device, always_inline)) operator dim3() const { return dim3(x, y, z); } \
    }; \
    extern const __attribute__((device, weak)) __rpp_##read##_variable name;
RPP_VARIABLE(threadIdx, tid)
RPP_VARIABLE(blockIdx, ctaid)
RPP_VARIABLE(blockDim, ntid)
RPP_VARIABLE(gridDim, nctaid)
#undef RPP_VARIABLE
#undef RPP_MEMBER
#else
extern const __attribute__((device)) uint3 threadIdx, blockIdx;
extern const __attribute__((device)) dim3 blockDim, gridDim;
#endif

static const __attribute__((device, unused)) int warpSize = 32;
