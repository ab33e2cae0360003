/* Barriers, shuffles, votes, matches, reductions of a warp. */
#pragma once
#include "rpp/builtin_variables.h"

RPP_OP unsigned int __rpp_barrier_count(bool predicate);
RPP_OP bool __rpp_barrier_and(bool predicate);
RPP_OP bool __rpp_barrier_or(bool predicate);
RPP_OP void __rpp_warp_sync(unsigned int mask);
RPP_OP void __rpp_grid_barrier(void);
RPP_OP bool __rpp_vote_any(unsigned int mask, bool predicate);
RPP_OP bool __rpp_vote_all(unsigned int mask, bool predicate);
RPP_OP bool __rpp_vote_uni(unsigned int mask, bool predicate);
RPP_OP unsigned int __rpp_ballot(unsigned int mask, bool predicate);
RPP_OP unsigned int __rpp_activemask(void);

#define RPP_EXCHANGES(T, name) \
    RPP_OP T __rpp_shfl_idx_##name(unsigned int mask, T value, unsigned int lane, unsigned int width); \
    RPP_OP T __rpp_shfl_up_##name(unsigned int mask, T value, unsigned int delta, unsigned int width); \
    RPP_OP T __rpp_shfl_down_##name(unsigned int mask, T value, unsigned int delta, unsigned int width); \
    RPP_OP T __rpp_shfl_xor_##name(unsigned int mask, T value, unsigned int lanes, unsigned int width); \
    RPP_OP unsigned int __rpp_match_any_##name(unsigned int mask, T value); \
    RPP_OP unsigned int __rpp_match_all_##name(unsigned int mask, T value);
RPP_EXCHANGES(unsigned int, i32)
RPP_EXCHANGES(unsigned long long, i64)
RPP_EXCHANGES(float, f32)
RPP_EXCHANGES(double, f64)
#undef RPP_EXCHANGES

#define RPP_REDUX(combine) RPP_OP unsigned int __rpp_redux_##combine(unsigned int mask, unsigned int value);
RPP_REDUX(add) RPP_REDUX(and) RPP_REDUX(or) RPP_REDUX(xor)
RPP_REDUX(umin) RPP_REDUX(umax) RPP_REDUX(smin) RPP_REDUX(smax)
#undef RPP_REDUX

/* __syncthreads itself is known to clang. */
RPP_DEVICE int __syncthreads_count(int predicate) { return (int)__rpp_barrier_count(predicate != 0); }
RPP_DEVICE int __syncthreads_and(int predicate) { return __rpp_barrier_and(predicate != 0); }
RPP_DEVICE int __syncthreads_or(int predicate) { return __rpp_barrier_or(predicate != 0); }
RPP_DEVICE void __syncwarp(unsigned int mask = 0xffffffffu) { __rpp_warp_sync(mask); }

RPP_DEVICE int __any_sync(unsigned int mask, int predicate) { return __rpp_vote_any(mask, predicate != 0); }
RPP_DEVICE int __all_sync(unsigned int mask, int predicate) { return __rpp_vote_all(mask, predicate != 0); }
RPP_DEVICE int __uni_sync(unsigned int mask, int predicate) { return __rpp_vote_uni(mask, predicate != 0); }
RPP_DEVICE unsigned int __ballot_sync(unsigned int mask, int predicate) { return __rpp_ballot(mask, predicate != 0); }
RPP_DEVICE unsigned int __activemask() { return __rpp_activemask(); }
RPP_DEVICE unsigned int __lane_id() { return __rpp_laneid(); }

/* The type in which a value travels. Small integers go as 32 bits. */
#define RPP_SHUFFLES(T, wire, name) \
    RPP_DEVICE T __shfl_sync(unsigned int mask, T v, int lane, int width = 32) { \
        return (T)__rpp_shfl_idx_##name(mask, (wire)v, (unsigned int)lane, (unsigned int)width); \
    } \
    RPP_DEVICE T __shfl_up_sync(unsigned int mask, T v, unsigned int delta, int width = 32) { \
        return (T)__rpp_shfl_up_##name(mask, (wire)v, delta, (unsigned int)width); \
    } \
    RPP_DEVICE T __shfl_down_sync(unsigned int mask, T v, unsigned int delta, int width = 32) { \
        return (T)__rpp_shfl_down_##name(mask, (wire)v, delta, (unsigned int)width); \
    } \
    RPP_DEVICE T __shfl_xor_sync(unsigned int mask, T v, int lanes, int width = 32) { \
        return (T)__rpp_shfl_xor_##name(mask, (wire)v, (unsigned int)lanes, (unsigned int)width); \
    } \
    RPP_DEVICE unsigned int __match_any_sync(unsigned int mask, T v) { return __rpp_match_any_##name(mask, (wire)v); } \
    RPP_DEVICE unsigned int __match_all_sync(unsigned int mask, T v, int *all) { \
        unsigned int found = __rpp_match_all_##name(mask, (wire)v); \
        *all = found != 0; \
        return found; \
    } \
    /* Before Volta there was no mask: the lanes that are there. */ \
    RPP_DEVICE T __shfl(T v, int lane, int width = 32) { return __shfl_sync(__activemask(), v, lane, width); } \
    RPP_DEVICE T __shfl_up(T v, unsigned int d, int width = 32) { return __shfl_up_sync(__activemask(), v, d, width); } \
    RPP_DEVICE T __shfl_down(T v, unsigned int d, int width = 32) { return __shfl_down_sync(__activemask(), v, d, width); } \
    RPP_DEVICE T __shfl_xor(T v, int lanes, int width = 32) { return __shfl_xor_sync(__activemask(), v, lanes, width); }
RPP_SHUFFLES(int, unsigned int, i32)
RPP_SHUFFLES(unsigned int, unsigned int, i32)
RPP_SHUFFLES(long, unsigned long long, i64)
RPP_SHUFFLES(unsigned long, unsigned long long, i64)
RPP_SHUFFLES(long long, unsigned long long, i64)
RPP_SHUFFLES(unsigned long long, unsigned long long, i64)
RPP_SHUFFLES(float, float, f32)
RPP_SHUFFLES(double, double, f64)
#undef RPP_SHUFFLES

RPP_DEVICE int __any(int predicate) { return __any_sync(__activemask(), predicate); }
RPP_DEVICE int __all(int predicate) { return __all_sync(__activemask(), predicate); }
RPP_DEVICE unsigned int __ballot(int predicate) { return __ballot_sync(__activemask(), predicate); }

RPP_DEVICE int __reduce_add_sync(unsigned int mask, int v) { return (int)__rpp_redux_add(mask, (unsigned int)v); }
RPP_DEVICE int __reduce_min_sync(unsigned int mask, int v) { return (int)__rpp_redux_smin(mask, (unsigned int)v); }
RPP_DEVICE int __reduce_max_sync(unsigned int mask, int v) { return (int)__rpp_redux_smax(mask, (unsigned int)v); }
RPP_DEVICE unsigned int __reduce_add_sync(unsigned int mask, unsigned int v) { return __rpp_redux_add(mask, v); }
RPP_DEVICE unsigned int __reduce_min_sync(unsigned int mask, unsigned int v) { return __rpp_redux_umin(mask, v); }
RPP_DEVICE unsigned int __reduce_max_sync(unsigned int mask, unsigned int v) { return __rpp_redux_umax(mask, v); }
RPP_DEVICE unsigned int __reduce_and_sync(unsigned int mask, unsigned int v) { return __rpp_redux_and(mask, v); }
RPP_DEVICE unsigned int __reduce_or_sync(unsigned int mask, unsigned int v) { return __rpp_redux_or(mask, v); }
RPP_DEVICE unsigned int __reduce_xor_sync(unsigned int mask, unsigned int v) { return __rpp_redux_xor(mask, v); }
