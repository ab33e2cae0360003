/* Tensor-core fragments: named, so that clang says at the place of use that there are none. */
#pragma once
#include "cuda_fp16.h"

namespace nvcuda {
namespace wmma {

#define RPP_NO_FRAGMENTS RPP_MISSING("tensor-core fragments have no RPP mapping; use rpp::dot8 of rpp.h")

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
namespace precision {
struct tf32 {};
}  // namespace precision
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int m, int n, int k, class T, class Layout = void> struct fragment {
    static constexpr int num_elements = 8;
    T x[num_elements];
};
template <class F, class T> RPP_NO_FRAGMENTS void fill_fragment(F &fragment, const T &value);
template <class F, class T> RPP_NO_FRAGMENTS void load_matrix_sync(F &fragment, const T *p, unsigned int stride);
template <class F, class T> RPP_NO_FRAGMENTS void load_matrix_sync(F &fragment, const T *p, unsigned int stride, layout_t);
template <class F, class T> RPP_NO_FRAGMENTS void store_matrix_sync(T *p, const F &fragment, unsigned int stride, layout_t);
template <class D, class A, class B, class C> RPP_NO_FRAGMENTS void mma_sync(D &d, const A &a, const B &b, const C &c);

#undef RPP_NO_FRAGMENTS

}  // namespace wmma
}  // namespace nvcuda
