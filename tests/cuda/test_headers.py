"""The surface of our device headers: every function is there, in device code and beside the C library's headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from openrpp.cuda.clang import find_clang, standard_library
from openrpp.cuda.compile import INCLUDE, compile_source
from openrpp.cuda.options import Options
from openrpp.cuda.reader import DeviceModule, read
from openrpp.kir.types import F64
from openrpp.storage import Cache

Build = Callable[..., DeviceModule]

UNARY = [
    "exp",
    "exp2",
    "exp10",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "sinpi",
    "cospi",
    "tanpi",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "sqrt",
    "rsqrt",
    "cbrt",
    "rcbrt",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "erfcinv",
    "normcdf",
    "normcdfinv",
    "tgamma",
    "lgamma",
    "floor",
    "ceil",
    "trunc",
    "round",
    "rint",
    "nearbyint",
    "fabs",
    "logb",
]
BINARY = ["pow", "atan2", "fmod", "remainder", "hypot", "rhypot", "fmin", "fmax", "fdim", "copysign", "nextafter"]
WITH_INTEGERS = ["exp", "log", "sin", "cos", "tan", "sqrt", "fabs", "floor", "ceil", "pow", "atan2", "fmod"]
TO_INTEGER = ["lrint", "llrint", "lround", "llround", "ilogb"]
QUICK = ["__expf", "__exp10f", "__logf", "__log2f", "__log10f", "__sinf", "__cosf", "__tanf", "__saturatef"]
STANDARD = [
    "abs",
    "sqrt",
    "exp",
    "log",
    "pow",
    "sin",
    "cos",
    "floor",
    "ceil",
    "fabs",
    "fmin",
    "fmax",
    "isnan",
    "isinf",
    "isfinite",
    "signbit",
    "round",
    "trunc",
    "fmod",
]


def _kernel(lines: list[str], includes: str = "") -> str:
    body = "\n".join(f"    {line}" for line in lines)
    head = 'extern "C" __global__ void k(float *f, double *d, int *n) {\n'
    head += "    float v = f[0]; double w = d[0]; int m = n[0];\n"
    return f"{includes}\n{head}{body}\n}}\n"


def _calls() -> list[str]:
    lines = [f"f[{i}] += {name}f(v), d[{i}] += {name}(w)" for i, name in enumerate(UNARY)]
    lines += [f"f[{i}] += {name}(v)" for i, name in enumerate(UNARY) if name not in ("exp10",)]
    lines += [f"f[{i}] += {name}f(v, f[1]), d[{i}] += {name}(w, d[1])" for i, name in enumerate(BINARY)]
    lines += [f"f[{i}] += {name}(v)" for i, name in enumerate(QUICK)]
    lines += [f"n[{i}] += (int){name}f(v) + (int){name}(w)" for i, name in enumerate(TO_INTEGER)]
    lines += [
        f"d[{i}] += {name}({'m, m' if name in BINARY else 'm'})"
        for i, name in enumerate(WITH_INTEGERS)
        if name not in ("atan2", "fmod")
    ]
    lines += ["d[0] += atan2(1, w) + fmod(w, 3) + pow(m, 2) + pow(2, w) + pow(v, 2) + pow(w, v)"]
    lines += [
        "f[0] += powif(v, 3), d[0] += powi(w, m)",
        "f[1] += norm3df(v, v, v) + rnorm3df(v, v, v) + norm4df(v, v, v, v)",
    ]
    lines += [
        "f[2] += ldexpf(v, m) + scalbnf(v, 3) + frexpf(v, n) + modff(v, f + 3)",
        "d[2] += ldexp(w, m) + frexp(w, n) + modf(w, d + 3)",
    ]
    lines += [
        "sincosf(v, f, f + 1)",
        "sincos(w, d, d + 1)",
        "sincospif(v, f, f + 1)",
        "__sincosf(v, f, f + 1)",
        "d[3] += remquo(w, d[1], n)",
    ]
    lines += [
        "n[0] += isnan(v) + isinf(w) + isfinite(v) + signbit(w) + isnormal(v)",
        "f[4] += fmaf(v, v, v), d[4] += fma(w, w, w)",
    ]
    lines += [f"f[{i}] += {name}(v, f[1])" for i, name in enumerate(("__powf", "__fdividef"))]
    for end in ("rn", "rz", "ru", "rd"):
        lines += [
            f"f[5] += __f{op}_{end}(v, f[1]), d[5] += __d{op}_{end}(w, d[1])" for op in ("add", "sub", "mul", "div")
        ]
        lines += [f"f[6] += __f{op}_{end}(v), d[6] += __d{op}_{end}(w)" for op in ("rcp", "sqrt")]
        lines += [f"f[6] += __fmaf_{end}(v, v, v), d[6] += __fma_{end}(w, w, w)"]
        lines += [
            f"n[1] += (int)__{a}2{b}_{end}({a[0]}[2])" for a in ("float", "double") for b in ("int", "uint", "ll")
        ]
        lines += [f"f[7] += __int2float_{end}(m) + __ll2float_{end}(m) + __double2float_{end}(w)"]
        lines += [f"d[7] += __ll2double_{end}(m)"]
    return [line + ";" for line in lines]


def test_every_math_function_reaches_kernel_ir(build: Build) -> None:
    kernel = build(_kernel(_calls())).module.kernels["k"]
    assert sum(1 for _ in kernel.instructions()) > 10000


def test_float_functions_use_neither_fused_multiply_add_nor_doubles(build: Build) -> None:
    lines = [f"f[{i}] = {name}f(v);" for i, name in enumerate(UNARY)] + [f"f[9] = {name}(v);" for name in QUICK]
    lines += [f"f[{i}] = {name}f(v, f[1]);" for i, name in enumerate(BINARY)]
    source = "\n".join(lines).join(['extern "C" __global__ void k(float *f) { float v = f[0];\n', "\n}"])
    kernel = build(source, Options(contract=False)).module.kernels["k"]
    assert not [instr for instr in kernel.instructions() if instr.op.name == "fma" or instr.type is F64]


@pytest.mark.parametrize("program", [False, True])
def test_math_functions_work_beside_the_c_and_cpp_headers(build: Build, program: bool) -> None:
    includes = "#include <math.h>\n#include <cmath>\n#include <cstdlib>\n#include <algorithm>\n#include <limits>"
    lines = [f"d[{i}] += std::{name}(w{', d[1]' if name in BINARY else ''})" for i, name in enumerate(STANDARD)]
    lines += [f"f[{i}] += std::{name}(v{', f[1]' if name in BINARY else ''})" for i, name in enumerate(STANDARD)]
    lines += ["f[0] += sqrtf(v) + sin(v) + std::max(v, 1.0f) + std::min(m, 3) + max(m, 3) + abs(m) + abs(v)"]
    lines += ["d[0] += std::numeric_limits<double>::epsilon() + std::abs(w) + M_PI"]
    assert "k" in build(_kernel([line + ";" for line in lines], includes), Options(program=program)).names


def test_fast_math_means_the_quick_functions_and_nothing_else(build: Build) -> None:
    source = _kernel(["f[0] = sinf(v) + expf(f[1]) + powf(v, f[2]);"])
    counts = [
        sum(1 for _ in build(source, Options(fast_math=fast)).module.kernels["k"].instructions())
        for fast in (False, True)
    ]
    assert counts[1] < counts[0] / 2


PROGRAM = """
#include <iostream>
#include <vector>
#include <cuda_fp16.h>
__constant__ float weights[4];
texture<float, 2> image;
template <class T> __global__ void scale(T *x, T a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] = a * x[i];
}
#define CHECK(call) \\
    do { cudaError_t e = call; if (e != cudaSuccess) { printf("%s\\n", cudaGetErrorString(e)); exit(1); } } while (0)
int main() {
    std::vector<float> host(100, 1.0f);
    float *device = nullptr, milliseconds;
    cudaStream_t stream;
    cudaEvent_t start, stop;
    cudaDeviceProp properties;
    CHECK(cudaMalloc(&device, 400));
    CHECK(cudaMemcpy(device, host.data(), 400, cudaMemcpyHostToDevice));
    CHECK(cudaMemcpyToSymbol(weights, host.data(), sizeof weights));
    CHECK(cudaStreamCreate(&stream));
    CHECK(cudaEventCreate(&start));
    CHECK(cudaEventCreate(&stop));
    CHECK(cudaGetDeviceProperties(&properties, 0));
    CHECK(cudaBindTexture2D(nullptr, image, device, 10, 10, 40));
    cudaEventRecord(start, stream);
    scale<<<4, 32, 0, stream>>>(device, 2.0f, 100);
    scale<half><<<dim3(1, 2), dim3(32, 2)>>>(nullptr, half(2.0f), 0);
    cudaEventRecord(stop, stream);
    cudaEventSynchronize(stop);
    CHECK(cudaEventElapsedTime(&milliseconds, start, stop));
    CHECK(cudaFuncSetAttribute(scale<float>, cudaFuncAttributeMaxDynamicSharedMemorySize, 65536));
    cudaDeviceSynchronize();
    cudaFree(device);
    std::cout << max(1, 2) << " " << std::max(1.0f, 2.0f) << " " << make_float4(1, 2, 3, 4).w << std::endl;
    return 0;
}
"""


def test_whole_programs_parse_in_the_device_pass(store: Cache) -> None:
    code = compile_source(PROGRAM, options=Options(program=True), store=store)
    assert "@_Z5scaleIfEvPT_S0_i(" in code.ir and "@main(" not in code.ir


def test_the_same_headers_serve_the_host_pass(tmp_path: Path) -> None:
    path = tmp_path / "program.cu"
    path.write_text(PROGRAM)
    flags = ["-x", "cuda", "--cuda-host-only", "-nocudainc", "-nocudalib", "--cuda-path=/nonexistent", "-std=c++17"]
    flags += [
        "-Xclang",
        "-target-sdk-version=12.8",
        "-fdeclspec",
        "-isystem",
        str(INCLUDE),
        "-DRPP_PROGRAM=1",
        "-fsyntax-only",
    ]
    done = find_clang().run(
        [*flags, *standard_library(find_clang()), "-include", str(INCLUDE / "cuda_runtime.h"), str(path)]
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("header", sorted(path.name for path in INCLUDE.glob("*.h*")))
def test_each_header_stands_alone_and_can_be_included_twice(store: Cache, header: str) -> None:
    compile_source(f"#include <{header}>\n#include <{header}>\n__global__ void k() {{}}\n", store=store)


def test_no_vendor_header_is_near() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in INCLUDE.rglob("*.h"))
    assert "NVIDIA" not in text and "Copyright" not in text


def test_old_texture_programs_name_arrays_by_their_struct(build: Build) -> None:
    build("""#include <cuda.h>
    texture<uint4, 2, cudaReadModeElementType> t;
    __global__ void k(uint4 *x) { *x = tex2D(t, 1.0f, 2.0f); }
    void bind(void *p, cudaChannelFormatDesc d, size_t *free_bytes, size_t *all) {
        cudaMallocArray((cudaArray **)&p, &d, 8, 8);
        cudaBindTextureToArray(t, (cudaArray *)p, d);
        CUresult result = cuMemGetInfo(free_bytes, all);
        (void)result;
    }""")


def test_helper_headers_see_the_toolkits_guard_and_error_codes(build: Build) -> None:
    build("""
    #ifndef __DRIVER_TYPES_H__
    #error a helper header would leave out its macros
    #endif
    __global__ void k(int *x) { *x = 0; }
    const char *name(cudaError_t code) {
        switch (code) {
        case cudaErrorProfilerNotInitialized: return "6";
        case cudaErrorTextureNotBound: return "24";
        case cudaErrorNoKernelImageForDevice: return "209";
        case cudaErrorApiFailureBase: return "10000";
        default: return "";
        }
    }""")


@pytest.mark.parametrize(
    "macro", ["-DT=16", "-DF=3", "-Dreal=float", "-Dsize=8", "-Drows=4", "-DA", "-Dx=1", "-DN=4", "-DH=2", "-DP=3"]
)
def test_macros_of_a_program_do_not_reach_our_headers(store: Cache, macro: str) -> None:
    name = macro[2:].partition("=")[0]
    source = (
        "#include <cuda_fp16.h>\n#include <cooperative_groups.h>\n"
        f"#ifndef {name}\n#error it is gone\n#endif\n"
        'extern "C" __global__ void k(int *q) { *q = 1; }'
    )
    found = read(compile_source(source, options=Options.from_flags([macro]), store=store))
    assert "k" in found.module.kernels


def test_a_macro_can_be_taken_back(store: Cache) -> None:
    source = '#ifdef W\n#error it is there\n#endif\nextern "C" __global__ void k(int *q) { *q = 1; }'
    assert compile_source(source, options=Options.from_flags(["-DW=1", "-UW"]), store=store).ir
