"""What has no kernel IR is refused by name, line and reason; what clang refuses keeps clang's message and place."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from openrpp.cuda.errors import CompileError, Location, UnsupportedError
from openrpp.cuda.reader import DeviceModule

Build = Callable[..., DeviceModule]

REFUSED = {
    "malloc": (
        "__global__ void k(int **p) {\n  int *q = (int *)malloc(4 * threadIdx.x);\n  p[0] = q;\n}",
        "kernel.cu:2:19: 'malloc' is not supported: a kernel cannot allocate memory on RPP: allocate it on the host "
        "and pass a pointer",
    ),
    "new": (
        "#include <new>\nstruct S { int a[9]; };\n__global__ void k(S **p) {\n  p[threadIdx.x] = new S();\n}",
        "kernel.cu:4:20: 'malloc' is not supported: a kernel cannot allocate memory on RPP: allocate it on the host "
        "and pass a pointer",
    ),
    "recursion": (
        "__device__ int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n"
        "__global__ void k(int *p) {\n  p[0] = f(p[0]);\n}",
        "kernel.cu:3:10: '_Z1fi' is not supported: recursion has no RPP mapping: a kernel must come down to one "
        "function",
    ),
    "function pointer": (
        "typedef int (*F)(int);\n__global__ void k(F f, int *p) {\n  p[0] = f(p[0]);\n}",
        "kernel.cu:3:10: 'function pointer' is not supported: a call whose target is known at run time only has no RPP"
        " mapping",
    ),
    "asm": (
        '__global__ void k(int *p) {\n  int x;\n  asm volatile("mov.u32 %0, %%laneid;" : "=r"(x));\n  p[0] = x;\n}',
        "kernel.cu:3:3: 'asm' is not supported: inline PTX has no RPP mapping: 'mov.u32 $0, %laneid;'",
    ),
    "undefined function": (
        "__device__ float missing(float);\n__global__ void k(float *p) {\n  p[0] = missing(p[0]);\n}",
        "kernel.cu:3:10: '_Z7missingf' is not supported: the device function is declared, but not defined in this "
        "source",
    ),
    "128-bit integers": (
        "__global__ void k(unsigned long long *p) {\n  unsigned __int128 x = p[0];\n  x *= p[1];\n  x *= p[2];\n"
        "  p[3] = (unsigned long long)(x >> 64);\n}",
        "kernel.cu:2:25: '128-bit integer' is not supported: integers have at most 64 bits",
    ),
    "variable array": (
        "__global__ void k(int *p, int n) {\n  int *a = (int *)__builtin_alloca(n);\n"
        "  for (int i = 0; i < n; ++i) a[i] = p[i];\n  p[0] = a[p[1]];\n}",
        "kernel.cu:2:19: 'alloca' is not supported: the size of a local array must be known when the kernel is"
        " compiled",
    ),
    "printf format": (
        "#include <cstdio>\n__global__ void k(const char *p) {\n  printf(p, 1);\n}",
        "kernel.cu:3:3: 'printf' is not supported: its format must be a string literal",
    ),
    "narrow atomics": (
        "__global__ void k(unsigned char *p) {\n  __atomic_fetch_add(p, 1, __ATOMIC_RELAXED);\n}",
        "kernel.cu:2:3: 'atomic add of 8 bits' is not supported: atomic integers have 32 or 64 bits",
    ),
    "named barrier": (
        "__global__ void k(int *p) {\n  __nvvm_bar_sync(1);\n  p[0] = 1;\n}",
        "kernel.cu:2:3: 'named barrier' is not supported: a block has one barrier, number 0",
    ),
    "tensor cores": (
        "#include <mma.h>\nusing namespace nvcuda::wmma;\n__global__ void k(half *p) {\n"
        "  fragment<matrix_a, 16, 16, 16, half, row_major> a;\n  load_matrix_sync(a, p, 16);\n}",
        "kernel.cu:5:3: 'load_matrix_sync' is not supported: tensor-core fragments have no RPP mapping; use rpp::dot8 "
        "of rpp.h",
    ),
    "bessel": (
        "__global__ void k(float *p) { p[0] = j0f(p[0]); }",
        "kernel.cu:1:38: 'j0f' is not supported: OpenRPP has no Bessel functions",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_kernel_ir_is_named_with_line_and_reason(build: Build, name: str) -> None:
    source, sentence = REFUSED[name]
    with pytest.raises(UnsupportedError) as caught:
        build(source)
    assert str(caught.value) == sentence


def test_errors_survive_pickling(build: Build) -> None:
    with pytest.raises(UnsupportedError) as caught:
        build(REFUSED["asm"][0])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value) and copy.location == Location("kernel.cu", 3, 3)
    with pytest.raises(CompileError) as failed:
        build("__global__ void k() { x = 1; }")
    assert str(pickle.loads(pickle.dumps(failed.value))) == str(failed.value)


def test_other_kernels_of_the_source_can_still_be_had(build: Build) -> None:
    good = "__global__ void good(int *p) { p[0] = 1; }\n"
    found = build(good + REFUSED["asm"][0], strict=False)
    assert list(found.module.kernels) == ["_Z4goodPi"]
    assert [error.name for error in found.refused.values()] == ["asm"]


def test_device_side_launches_are_refused_by_clang(build: Build) -> None:
    with pytest.raises(CompileError) as caught:
        build("__global__ void a() {}\n__global__ void k() {\n  a<<<1, 1>>>();\n}")
    assert caught.value.errors[0].location is not None
    assert caught.value.errors[0].location.line == 3


def test_syntax_errors_carry_clangs_message_and_place(build: Build) -> None:
    with pytest.raises(CompileError) as caught:
        build("__global__ void k(float *p) {\n  p[0] = unknown + 1;\n  int x = ;\n}")
    first, second = caught.value.errors
    assert str(first) == "kernel.cu:2:10: use of undeclared identifier 'unknown'"
    assert second.location == Location("kernel.cu", 3, 11) and second.message == "expected expression"


def test_notes_hang_on_their_error(build: Build) -> None:
    with pytest.raises(CompileError) as caught:
        build("__device__ void f(int);\n__global__ void k() {\n  f();\n}")
    (error,) = caught.value.errors
    assert [note.severity for note in error.notes] == ["note"]
    assert error.notes[0].location is not None and error.notes[0].location.line == 1


def test_a_place_in_an_inlined_function_is_that_of_the_function(build: Build) -> None:
    source = '__device__ int lane() {\n  int x;\n  asm("mov.u32 %0, %%laneid;" : "=r"(x));\n  return x;\n}\n'
    source += "__global__ void k(int *p) {\n  p[0] = lane();\n}"
    with pytest.raises(UnsupportedError) as caught:
        build(source)
    assert caught.value.location is not None and caught.value.location.line == 3
