/* Atomic functions: relaxed, for the device; _block and _system say otherwise. Fences. */
#pragma once
#include "rpp/qualifiers.h"

#define RPP_FETCH(name, builtin, T, scope) \
    RPP_DEVICE T name(T *p, T v) { return __scoped_atomic_##builtin(p, v, __ATOMIC_RELAXED, __MEMORY_SCOPE_##scope); }
#define RPP_INTS(name, builtin, scope) RPP_FETCH(name, builtin, int, scope) RPP_FETCH(name, builtin, unsigned int, scope)
#define RPP_LONGS(name, builtin, scope) \
    RPP_FETCH(name, builtin, unsigned long long, scope) RPP_FETCH(name, builtin, long long, scope) \
    RPP_FETCH(name, builtin, unsigned long, scope) RPP_FETCH(name, builtin, long, scope)
#define RPP_FLOATS(name, builtin, scope) RPP_FETCH(name, builtin, float, scope) RPP_FETCH(name, builtin, double, scope)
#define RPP_SWAP(name, T, scope) \
    RPP_DEVICE T name(T *p, T expected, T v) { \
        __scoped_atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED, \
                                           __MEMORY_SCOPE_##scope); \
        return expected; \
    }
#define RPP_ATOMICS(end, scope) \
    RPP_INTS(atomicAdd##end, fetch_add, scope) RPP_LONGS(atomicAdd##end, fetch_add, scope) \
    RPP_FLOATS(atomicAdd##end, fetch_add, scope) \
    RPP_INTS(atomicSub##end, fetch_sub, scope) \
    RPP_INTS(atomicExch##end, exchange_n, scope) RPP_LONGS(atomicExch##end, exchange_n, scope) \
    RPP_DEVICE float atomicExch##end(float *p, float v) { \
        return __builtin_bit_cast(float, atomicExch##end((int *)p, __builtin_bit_cast(int, v))); \
    } \
    RPP_DEVICE double atomicExch##end(double *p, double v) { \
        return __builtin_bit_cast(double, atomicExch##end((long long *)p, __builtin_bit_cast(long long, v))); \
    } \
    RPP_INTS(atomicMin##end, fetch_min, scope) RPP_LONGS(atomicMin##end, fetch_min, scope) \
    RPP_INTS(atomicMax##end, fetch_max, scope) RPP_LONGS(atomicMax##end, fetch_max, scope) \
    RPP_INTS(atomicAnd##end, fetch_and, scope) RPP_LONGS(atomicAnd##end, fetch_and, scope) \
    RPP_INTS(atomicOr##end, fetch_or, scope) RPP_LONGS(atomicOr##end, fetch_or, scope) \
    RPP_INTS(atomicXor##end, fetch_xor, scope) RPP_LONGS(atomicXor##end, fetch_xor, scope) \
    RPP_DEVICE unsigned int atomicInc##end(unsigned int *p, unsigned int v) { return __nvvm_atom_inc_gen_ui(p, v); } \
    RPP_DEVICE unsigned int atomicDec##end(unsigned int *p, unsigned int v) { return __nvvm_atom_dec_gen_ui(p, v); } \
    RPP_SWAP(atomicCAS##end, int, scope) RPP_SWAP(atomicCAS##end, unsigned int, scope) \
    RPP_SWAP(atomicCAS##end, unsigned long long, scope) RPP_SWAP(atomicCAS##end, long long, scope) \
    RPP_SWAP(atomicCAS##end, unsigned long, scope) RPP_SWAP(atomicCAS##end, long, scope) \
    RPP_SWAP(atomicCAS##end, unsigned short, scope)

RPP_ATOMICS(, DEVICE)
RPP_ATOMICS(_block, WRKGRP)
RPP_ATOMICS(_system, SYSTEM)
#undef RPP_ATOMICS
#undef RPP_SWAP
#undef RPP_FLOATS
#undef RPP_LONGS
#undef RPP_INTS
#undef RPP_FETCH

RPP_DEVICE void __threadfence_block() { __scoped_atomic_thread_fence(__ATOMIC_SEQ_CST, __MEMORY_SCOPE_WRKGRP); }
RPP_DEVICE void __threadfence() { __scoped_atomic_thread_fence(__ATOMIC_SEQ_CST, __MEMORY_SCOPE_DEVICE); }
RPP_DEVICE void __threadfence_system() { __scoped_atomic_thread_fence(__ATOMIC_SEQ_CST, __MEMORY_SCOPE_SYSTEM); }
