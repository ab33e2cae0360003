"""Element types of pointers, from the symbols that clang gives kernels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openrpp.cuda import RawModule
from openrpp.cuda.mangling import elements, mismatch
from openrpp.cuda.reader import DeviceModule
from openrpp.machine import LaunchError
from openrpp.storage import Cache

SOURCE = """
namespace n {
struct P { int a; };
template <typename T> struct Q { T v; };
template <typename T> __global__ void
in(const T *a, Q<T> *b, T c, const T *__restrict__ d, P *e, P f, n::Q<float> g, double *h) {
  b->v = *a + c + *d + e->a + f.a + g.v + *h;
}
template __global__ void in<float>(const float *, n::Q<float> *, float, const float *, P *, P, n::Q<float>, double *);
}
template <typename T, int N, typename U = int> __global__ void
t(T *a, T *b, U *c, U d, unsigned long long *e, const T *const *f, T **g) { *a = *b + N + d + *c + *e + **f + **g; }
template __global__ void t<short, -3, long>(short *, short *, long *, long, unsigned long long *, const short *const *,
                                            short **);
__global__ void k(float *a, const float *b, int n, volatile unsigned *c, float4 *d, const float4 *e, void *f, char *g,
                  const unsigned short *h, const unsigned short *i, float4 j, float4 *k, bool *l) {
  *a = *b + n + *c + d->x + e->y + *(int *)f + *g + *h + *i + j.x + k->y + *l;
}
__global__ void none() {}
extern "C" __global__ void c(float *a) { *a = 1; }
__global__ void rows(float (*a)[4], int *b) { a[0][0] = *b; }
"""
KNOWN = {
    "in<float>": ("float", "", "", "float", "", "", "", "double"),
    "t<short, -3, long>": ("short", "short", "long", "", "unsigned long long", "", ""),
    "k": (
        "float", "float", "", "unsigned int", "", "", "void", "char",
        "unsigned short", "unsigned short", "", "", "bool",
    ),
    "none": (),
    "c": ("",),
    "rows": ("", ""),
}  # fmt: skip


def test_pointers_of_kernels_as_clang_names_them(build: Callable[..., DeviceModule]) -> None:
    names = build(SOURCE).names
    assert {name: elements(symbol, len(KNOWN[name])) for name, (symbol,) in names.items()} == KNOWN


def test_nothing_is_claimed_of_what_is_not_understood() -> None:
    for symbol in ("main", "_Z", "_Z9999x", "_Z1kPDv4_f", "_Z1kPFvvE", "_Z1kPS7_", "_Z1kPf"):
        assert elements(symbol, 3) == ("", "", "")


@pytest.mark.parametrize(
    ("element", "dtype", "wanted"),
    [
        ("float", "f4", ""), ("float", "f8", "float32"), ("float", "i4", "float32"), ("float", "c8", ""),
        ("float", "u1", ""), ("int", "u4", ""), ("int", "i8", "int32"), ("unsigned long", "i8", ""),
        ("short", "f2", "int16"), ("double", "c16", ""), ("double", "f4", "float64"), ("void", "f8", ""),
        ("char", "i8", ""), ("", "f8", ""), ("bool", "i4", ""),
    ],
)  # fmt: skip
def test_which_arrays_fit(element: str, dtype: str, wanted: str) -> None:
    assert mismatch(element, np.dtype(dtype)) == wanted


def test_arrays_of_other_elements_are_refused(store: Cache) -> None:
    kernel = RawModule("__global__ void one(int n, float *x) { *x = n; }", store=store).get_function("one")
    with pytest.raises(
        LaunchError, match=r"kernel one, argument 2 \(x: float \*\): the array is float64; pass float32, or array\.view"
    ):
        kernel(1, 1, (1, np.zeros(4)))
    x = np.zeros(4)
    kernel(1, 1, (1, x.view("float32")))
    assert x.view("float32")[0] == 1
