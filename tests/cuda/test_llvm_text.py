"""Hand-written LLVM IR: every opcode and intrinsic that is read, against LLVM's own code for this machine."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openrpp.cuda import llvm
from openrpp.cuda.compile import DeviceCode
from openrpp.cuda.errors import CudaError, UnsupportedError
from openrpp.cuda.llvm import HostCode
from openrpp.cuda.reader import read
from openrpp.cuda.reader.instructions import PARSERS
from openrpp.cuda.reader.types import ArrayType, FloatType, IntType, PointerType, StructType, align, offsets, size
from openrpp.kir.interp import launch

ROWS = 24


def run_both(body: str, ins: list[np.ndarray], out: np.ndarray, declared: str = "") -> tuple[np.ndarray, np.ndarray]:
    """(results of the reader and interpreter, of LLVM's JIT) of a function of one row: pointers %a, %b, ..., %out.

    The function is called for every row; pointers are to that row.
    """
    names = [f"%{letter}" for letter in "abc"[: len(ins)]]
    steps = [array.dtype.itemsize * array[0].size for array in (*ins, out)]
    lines = [f"  {name}.r = getelementptr i8, ptr {name}, i64 %row.{k}" for k, name in enumerate([*names, "%out"])]
    lines = [f"  %row.{k} = mul i64 %i, {step}" for k, step in enumerate(steps)] + lines
    text = "\n".join(lines) + "\n" + body
    for name in [*names, "%out"]:
        text = text.replace(f"{name}!", f"{name}.r")
    params = ", ".join(f"ptr {name}" for name in [*names, "%out"])
    device = (
        f"declare i32 @__rpp_tid_x()\n{declared}\ndefine ptx_kernel void @k({params}) {{\n"
        f"  %t = call i32 @__rpp_tid_x()\n  %i = zext i32 %t to i64\n{text}\n  ret void\n}}\n"
    )
    host = f"{declared}\ndefine void @k({params}, i64 %i) {{\n{text}\n  ret void\n}}\n"
    mine, theirs = np.zeros_like(out), np.zeros_like(out)
    code = DeviceCode("test.ll", device, "")
    launch(read(code).module, "k", 1, len(out), [*(array.copy() for array in ins), mine])
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(ins) + 1), ctypes.c_int64)
    compiled = HostCode(host)
    call = function(compiled.address("k"))
    for row in range(len(out)):
        call(*(array.ctypes.data for array in ins), theirs.ctypes.data, row)
    return mine, theirs


def integers(bits: int, seed: int, shape: tuple[int, ...] = (ROWS,)) -> np.ndarray:
    """Small, large and edge values below 2^bits, as unsigned numbers of the next wider type."""
    random = np.random.default_rng(seed)
    kind = next(k for k in (np.uint8, np.uint16, np.uint32, np.uint64) if np.dtype(k).itemsize * 8 >= bits)
    wide = random.integers(0, 2**64, shape, dtype=np.uint64) >> random.integers(0, 64, shape).astype(np.uint64)
    flat = wide.ravel()
    edges = [0, 1, 2**bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1, 2]
    flat[: len(edges)] = random.permutation(np.array(edges, np.uint64))
    return (flat.reshape(shape) & np.uint64(2**bits - 1)).astype(kind)


def floats(kind: Any, seed: int, shape: tuple[int, ...] = (ROWS,)) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=shape) * 2.0 ** random.integers(-12, 12, shape)
    flat = values.ravel()
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 2.5, -2.5, 1.0]
    flat[: len(edges)] = random.permutation(edges)
    return flat.reshape(shape).astype(kind)


def same(mine: np.ndarray, theirs: np.ndarray) -> None:
    if mine.dtype.kind == "f":
        assert np.array_equal(np.isnan(mine), np.isnan(theirs))
        mine, theirs = (np.nan_to_num(x, nan=0.0) for x in (mine, theirs))
        kind = f"u{mine.dtype.itemsize}"
        mine, theirs = mine.view(kind), theirs.view(kind)
    assert np.array_equal(mine, theirs), np.argwhere(mine != theirs)[:3]


def width_of(bits: int) -> int:
    return next(k for k in (8, 16, 32, 64) if k >= bits)


BINARY = ["add", "sub", "mul", "and", "or", "xor"]
DIVIDING = ["udiv", "urem", "sdiv", "srem"]
SHIFTING = ["shl", "lshr", "ashr"]


@pytest.mark.parametrize("bits", [1, 8, 13, 16, 24, 32, 33, 48, 64])
def test_integer_arithmetic_of_every_width(bits: int) -> None:
    a, b = integers(bits, 1), integers(bits, 2)
    wide = width_of(bits)
    lines = [f"  %x{w} = load i{wide}, ptr %{w}!" for w in "ab"]
    lines += [
        f"  %{w}n = trunc i{wide} %x{w} to i{bits}" if wide != bits else f"  %{w}n = add i{bits} %x{w}, 0" for w in "ab"
    ]
    lines += [f"  %zero = icmp eq i{bits} %bn, 0", f"  %d1 = select i1 %zero, i{bits} 1, i{bits} %bn"]
    lines += [f"  %least = icmp eq i{bits} %d1, -1", f"  %d = select i1 %least, i{bits} 1, i{bits} %d1"]
    lines += [f"  %s = urem i{bits} %bn, {min(bits, 2**bits - 1)}"]
    ops = [(op, "%bn") for op in BINARY] + [(op, "%d") for op in DIVIDING] + [(op, "%s") for op in SHIFTING]
    results: list[tuple[str, int]] = []
    for k, (op, right) in enumerate(ops):
        lines.append(f"  %r{k} = {op} i{bits} %an, {right}")
        results.append((f"%r{k}", bits))
    predicates = ["eq", "ne", "ugt", "uge", "ult", "ule", "sgt", "sge", "slt", "sle"]
    for k, predicate in enumerate(predicates):
        lines.append(f"  %c{k} = icmp {predicate} i{bits} %an, %bn")
        results.append((f"%c{k}", 1))
    out = np.zeros((ROWS, 2 * len(results)), np.uint64)
    for k, (name, have) in enumerate(results):
        for j, how in enumerate(("zext", "sext")):
            value = name
            if have < 64:
                lines.append(f"  %w{k}.{j} = {how} i{have} {name} to i64")
                value = f"%w{k}.{j}"
            lines.append(f"  %p{k}.{j} = getelementptr i64, ptr %out!, i64 {2 * k + j}")
            lines.append(f"  store i64 {value}, ptr %p{k}.{j}")
    if bits == 1:
        lines = [line for line in lines if not line.startswith("  %s =")]
        lines = [line.replace("%an, %s", "%an, 0") for line in lines]
    same(*run_both("\n".join(lines), [a, b], out))


UNARY_INTRINSICS = ["ctpop", "ctlz", "cttz", "bitreverse", "bswap", "abs"]
BINARY_INTRINSICS = ["smin", "smax", "umin", "umax", "sadd.sat", "uadd.sat", "ssub.sat", "usub.sat"]
TERNARY_INTRINSICS = ["fshl", "fshr"]
OVERFLOWS = ["sadd", "uadd", "ssub", "usub", "smul", "umul"]


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_integer_intrinsics(bits: int) -> None:
    a, b = integers(bits, 3), integers(bits, 4)
    kind = f"i{bits}"
    lines = [f"  %x = load {kind}, ptr %a!", f"  %y = load {kind}, ptr %b!"]
    declared: list[str] = []
    names: list[str] = []
    for name in UNARY_INTRINSICS:
        if name == "bswap" and bits == 8:
            continue
        flagged = name in ("ctlz", "cttz", "abs")
        declared.append(f"declare {kind} @llvm.{name}.{kind}({kind}{', i1' if flagged else ''})")
        lines.append(f"  %{name} = call {kind} @llvm.{name}.{kind}({kind} %x{', i1 false' if flagged else ''})")
        names.append(f"%{name}")
    for name in BINARY_INTRINSICS:
        declared.append(f"declare {kind} @llvm.{name}.{kind}({kind}, {kind})")
        lines.append(f"  %{name} = call {kind} @llvm.{name}.{kind}({kind} %x, {kind} %y)")
        names.append(f"%{name}")
    for name in TERNARY_INTRINSICS:
        declared.append(f"declare {kind} @llvm.{name}.{kind}({kind}, {kind}, {kind})")
        lines.append(f"  %{name} = call {kind} @llvm.{name}.{kind}({kind} %x, {kind} %y, {kind} %x)")
        names.append(f"%{name}")
    for name in OVERFLOWS:
        pair = f"{{ {kind}, i1 }}"
        declared.append(f"declare {pair} @llvm.{name}.with.overflow.{kind}({kind}, {kind})")
        lines.append(f"  %{name}.p = call {pair} @llvm.{name}.with.overflow.{kind}({kind} %x, {kind} %y)")
        lines.append(f"  %{name}.v = extractvalue {pair} %{name}.p, 0")
        lines.append(f"  %{name}.o = extractvalue {pair} %{name}.p, 1")
        lines.append(f"  %{name}.w = select i1 %{name}.o, {kind} 77, {kind} 33")
        names += [f"%{name}.v", f"%{name}.w"]
    for name in ("scmp", "ucmp"):
        declared.append(f"declare i8 @llvm.{name}.i8.{kind}({kind}, {kind})")
        lines.append(f"  %{name} = call i8 @llvm.{name}.i8.{kind}({kind} %x, {kind} %y)")
        lines.append(f"  %{name}.w = sext i8 %{name} to {kind}" if bits > 8 else f"  %{name}.w = add i8 %{name}, 0")
        names.append(f"%{name}.w")
    out = np.zeros((ROWS, len(names)), a.dtype)
    for k, name in enumerate(names):
        lines += [f"  %q{k} = getelementptr {kind}, ptr %out!, i64 {k}", f"  store {kind} {name}, ptr %q{k}"]
    same(*run_both("\n".join(lines), [a, b], out, "\n".join(declared)))


FLOAT_1 = ["sqrt", "fabs", "floor", "ceil", "trunc", "rint", "nearbyint", "roundeven", "canonicalize"]
FLOAT_2 = ["copysign", "minimumnum", "maximumnum", "minimum", "maximum"]
FLOAT_3 = ["fma", "fmuladd"]


@pytest.mark.parametrize(("kind", "letter", "dtype"), [("float", "f32", np.float32), ("double", "f64", np.float64)])
def test_float_arithmetic_and_intrinsics(kind: str, letter: str, dtype: Any) -> None:
    a, b = floats(dtype, 5), floats(dtype, 6)
    lines = [
        f"  %x = load {kind}, ptr %a!",
        f"  %y = load {kind}, ptr %b!",
        f"  %neg = fneg {kind} %x",
        f"  %one = fdiv {kind} 1.0, %x",
    ]
    declared: list[str] = []
    names = ["%neg", "%one"]
    for op in ("fadd", "fsub", "fmul", "fdiv"):
        lines.append(f"  %{op} = {op} {kind} %x, %y")
        names.append(f"%{op}")
    for count, group in ((1, FLOAT_1), (2, FLOAT_2), (3, FLOAT_3)):
        for name in group:
            declared.append(f"declare {kind} @llvm.{name}.{letter}({', '.join([kind] * count)})")
            operands = ", ".join(f"{kind} {value}" for value in ("%x", "%y", "%x")[:count])
            lines.append(f"  %{name} = call {kind} @llvm.{name}.{letter}({operands})")
            names.append(f"%{name}")
    out = np.zeros((ROWS, len(names)), dtype)
    for k, name in enumerate(names):
        lines += [f"  %q{k} = getelementptr {kind}, ptr %out!, i64 {k}", f"  store {kind} {name}, ptr %q{k}"]
    same(*run_both("\n".join(lines), [a, b], out, "\n".join(declared)))


@pytest.mark.parametrize(("kind", "letter", "dtype"), [("float", "f32", np.float32), ("double", "f64", np.float64)])
def test_float_comparisons_classes_and_conversions(kind: str, letter: str, dtype: Any) -> None:
    a, b = floats(dtype, 7), floats(dtype, 8)
    a[8:14] = np.array([1e30, -1e30, 3e9, -129.5, 1e-44 if dtype is np.float32 else 5e-324, 255.9], dtype)
    lines = [f"  %x = load {kind}, ptr %a!", f"  %y = load {kind}, ptr %b!"]
    declared = [f"declare i1 @llvm.is.fpclass.{letter}({kind}, i32 immarg)"]
    names: list[tuple[str, int]] = []
    for k, predicate in enumerate(
        [
            "oeq",
            "one",
            "ogt",
            "oge",
            "olt",
            "ole",
            "ord",
            "ueq",
            "une",
            "ugt",
            "uge",
            "ult",
            "ule",
            "uno",
            "true",
            "false",
        ]
    ):
        lines.append(f"  %c{k} = fcmp {predicate} {kind} %x, %y")
        names.append((f"%c{k}", 1))
    for mask in (*(1 << k for k in range(2, 10)), 3, 0x204, 0x108, 0x090, 0x060, 0x3C0, 0x03C, 0x264):
        lines.append(f"  %m{mask} = call i1 @llvm.is.fpclass.{letter}({kind} %x, i32 {mask})")
        names.append((f"%m{mask}", 1))
    for sign, width in (("s", 8), ("s", 16), ("s", 32), ("s", 64), ("u", 8), ("u", 32), ("u", 64)):
        declared.append(f"declare i{width} @llvm.fpto{sign}i.sat.i{width}.{letter}({kind})")
        lines.append(f"  %{sign}{width} = call i{width} @llvm.fpto{sign}i.sat.i{width}.{letter}({kind} %x)")
        names.append((f"%{sign}{width}", width))
    out = np.zeros((ROWS, len(names)), np.uint64)
    for k, (name, width) in enumerate(names):
        if width < 64:
            lines.append(f"  %z{k} = zext i{width} {name} to i64")
        value = name if width == 64 else f"%z{k}"
        lines += [f"  %q{k} = getelementptr i64, ptr %out!, i64 {k}", f"  store i64 {value}, ptr %q{k}"]
    same(*run_both("\n".join(lines), [a, b], out, "\n".join(declared)))


@pytest.mark.parametrize("kind", ["half", "float", "double"])
@pytest.mark.parametrize("bits", [8, 24, 32, 47, 64])
def test_integers_become_floats_with_one_rounding(kind: str, bits: int) -> None:
    a, wide = integers(bits, 9), width_of(bits)
    lines = [
        f"  %w = load i{wide}, ptr %a!",
        f"  %x = trunc i{wide} %w to i{bits}" if wide != bits else f"  %x = or i{bits} %w, 0",
    ]
    out = np.zeros((ROWS, 2))
    for k, sign in enumerate("us"):
        lines.append(f"  %f{k} = {sign}itofp i{bits} %x to {kind}")
        lines.append(
            f"  %d{k} = fpext {kind} %f{k} to double" if kind != "double" else f"  %d{k} = fadd double %f{k}, -0.0"
        )
        lines += [f"  %q{k} = getelementptr double, ptr %out!, i64 {k}", f"  store double %d{k}, ptr %q{k}"]
    same(*run_both("\n".join(lines), [a], out))


def test_vectors_arrays_and_structs_in_registers() -> None:
    a, b = integers(32, 10, (ROWS, 4)), integers(32, 11, (ROWS, 4))
    body = """
  %x = load <4 x i32>, ptr %a!, align 4
  %y = load <4 x i32>, ptr %b!, align 4
  %sum = add <4 x i32> %x, %y
  %less = icmp slt <4 x i32> %x, <i32 5, i32 -5, i32 500000, i32 0>
  %least = select <4 x i1> %less, <4 x i32> %sum, <4 x i32> splat (i32 9)
  %mixed = shufflevector <4 x i32> %least, <4 x i32> %y, <4 x i32> <i32 7, i32 0, i32 poison, i32 5>
  %e = extractelement <4 x i32> %sum, i64 2
  %index = and i32 %e, 3
  %dynamic = extractelement <4 x i32> %x, i32 %index
  %in = insertelement <4 x i32> %mixed, i32 %dynamic, i64 2
  %in2 = insertelement <4 x i32> %in, i32 77, i32 %index
  %halves = bitcast <4 x i32> %in2 to <8 x i16>
  %swapped = shufflevector <8 x i16> %halves, <8 x i16> poison, <8 x i32> SWAPPED
  %pairs = bitcast <8 x i16> %swapped to <2 x i64>
  %p0 = extractelement <2 x i64> %pairs, i32 0
  %bytes = bitcast i64 %p0 to <8 x i8>
  %b3 = extractelement <8 x i8> %bytes, i32 3
  %bits = bitcast <4 x i1> %less to i4
  %wide = zext i4 %bits to i64
  %f = bitcast i32 %e to float
  %isnan = fcmp uno float %f, 0.0
  %agg = insertvalue { i32, [2 x i64], i8 } poison, i32 %e, 0
  %agg1 = insertvalue { i32, [2 x i64], i8 } %agg, i64 %p0, 1, 1
  %agg2 = insertvalue { i32, [2 x i64], i8 } %agg1, i64 %wide, 1, 0
  %agg3 = insertvalue { i32, [2 x i64], i8 } %agg2, i8 %b3, 2
  %picked = select i1 %isnan, { i32, [2 x i64], i8 } CONSTANT, { i32, [2 x i64], i8 } %agg3
  %v0 = extractvalue { i32, [2 x i64], i8 } %picked, 0
  %v1 = extractvalue { i32, [2 x i64], i8 } %picked, 1, 0
  %v2 = extractvalue { i32, [2 x i64], i8 } %picked, 1, 1
  %v3 = extractvalue { i32, [2 x i64], i8 } %picked, 2
  %w0 = zext i32 %v0 to i64
  %w3 = zext i8 %v3 to i64
  store i64 %w0, ptr %out!
  %q1 = getelementptr i64, ptr %out!, i64 1
  store i64 %v1, ptr %q1
  %q2 = getelementptr i64, ptr %out!, i64 2
  store i64 %v2, ptr %q2
  %q3 = getelementptr i64, ptr %out!, i64 3
  store i64 %w3, ptr %q3
  %q4 = getelementptr i64, ptr %out!, i64 4
  store <2 x i64> %pairs, ptr %q4, align 8
  %total = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %sum)
  %most = call i32 @llvm.vector.reduce.smax.v4i32(<4 x i32> %sum)
  %q6 = getelementptr i64, ptr %out!, i64 6
  store i32 %total, ptr %q6
  %q7 = getelementptr i64, ptr %out!, i64 7
  store i32 %most, ptr %q7"""
    declared = (
        "declare i32 @llvm.vector.reduce.add.v4i32(<4 x i32>)\ndeclare i32 @llvm.vector.reduce.smax.v4i32(<4 x i32>)"
    )
    body = body.replace("SWAPPED", "<i32 1, i32 0, i32 3, i32 2, i32 5, i32 4, i32 7, i32 6>")
    body = body.replace("CONSTANT", "{ i32 1, [2 x i64] [i64 2, i64 3], i8 4 }")
    same(*run_both(body, [a, b], np.zeros((ROWS, 8), np.uint64), declared))


def test_phis_of_vectors_and_switches_between_blocks() -> None:
    a = integers(8, 12)
    body = """
  %x = load i8, ptr %a!
  %key = and i8 %x, 7
  br label %head
head:
  %n = phi i32 [ 0, %0 ], [ %next, %join ]
  %pair = phi <2 x i32> [ <i32 1, i32 2>, %0 ], [ %changed, %join ]
  switch i8 %key, label %other [
    i8 0, label %first
    i8 5, label %second
    i8 6, label %second
  ]
first:
  %f = add <2 x i32> %pair, splat (i32 3)
  br label %join
second:
  %s = shufflevector <2 x i32> %pair, <2 x i32> poison, <2 x i32> <i32 1, i32 0>
  br label %join
other:
  br label %join
join:
  %changed = phi <2 x i32> [ %f, %first ], [ %s, %second ], [ zeroinitializer, %other ]
  %next = add nuw i32 %n, 1
  %more = icmp ult i32 %next, 5
  br i1 %more, label %head, label %done
done:
  store <2 x i32> %changed, ptr %out!, align 4"""
    same(*run_both(body, [a], np.zeros((ROWS, 2), np.uint32)))


def test_memory_of_odd_shapes() -> None:
    a = integers(8, 13, (ROWS, 64))
    body = """
  %local = alloca { i8, [3 x i16], i24, ptr }, align 8
  %s = getelementptr { i8, [3 x i16], i24, ptr }, ptr %local, i64 0, i32 1, i64 2
  %v = load i16, ptr %a!, align 1
  store i16 %v, ptr %s
  %t = getelementptr inbounds { i8, [3 x i16], i24, ptr }, ptr %local, i64 0, i32 2
  %w = load i24, ptr %a!, align 1
  store i24 %w, ptr %t
  %back = load i24, ptr %t
  %wide = sext i24 %back to i64
  store i64 %wide, ptr %out!, align 1
  %o1 = getelementptr i8, ptr %out!, i64 8
  %struct = load <{ i8, i32, [2 x i16] }>, ptr %a!, align 1
  store <{ i8, i32, [2 x i16] }> %struct, ptr %o1, align 1
  %h = load i16, ptr %s
  %o2 = getelementptr i8, ptr %out!, i64 20
  store i16 %h, ptr %o2
  %index = load i8, ptr %a!
  %small = and i8 %index, 15
  %from = getelementptr [4 x [8 x i8]], ptr %a!, i64 0, i8 1, i8 %small
  %byte = load i8, ptr %from
  %o3 = getelementptr i8, ptr %out!, i64 24
  call void @llvm.memset.p0.i64(ptr %o3, i8 %byte, i64 6, i1 false)
  %o4 = getelementptr i8, ptr %out!, i64 32
  call void @llvm.memcpy.p0.p0.i64(ptr align 1 %o4, ptr align 1 %a!, i64 21, i1 false)
  %o5 = getelementptr i8, ptr %out!, i64 34
  call void @llvm.memmove.p0.p0.i64(ptr %o5, ptr %o4, i64 19, i1 false)
  %n = zext i8 %small to i64
  %o6 = getelementptr i8, ptr %out!, i64 64
  call void @llvm.memcpy.p0.p0.i64(ptr %o6, ptr %a!, i64 %n, i1 false)
  %o7 = getelementptr i8, ptr %out!, i64 66
  call void @llvm.memmove.p0.p0.i64(ptr %o7, ptr %o6, i64 %n, i1 false)"""
    declared = """declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"""
    same(*run_both(body, [a], np.zeros((ROWS, 96), np.uint8), declared))


def test_atomics_fences_and_pointers_as_integers() -> None:
    a = integers(32, 14)
    body = """
  %cell = alloca i32, align 4
  %x = load i32, ptr %a!
  store i32 %x, ptr %cell
  %old = atomicrmw xchg ptr %cell, i32 5 syncscope("agent") monotonic, align 4
  %pair = cmpxchg ptr %cell, i32 5, i32 %x monotonic monotonic
  %was = extractvalue { i32, i1 } %pair, 0
  %did = extractvalue { i32, i1 } %pair, 1
  %odd = zext i1 %did to i32
  fence seq_cst
  %n = atomicrmw uinc_wrap ptr %cell, i32 100 monotonic
  %m = atomicrmw udec_wrap ptr %cell, i32 100 monotonic
  %u = atomicrmw umax ptr %cell, i32 7 monotonic
  %last = load atomic i32, ptr %cell acquire, align 4
  store atomic i32 %last, ptr %out! release, align 4
  %q = ptrtoint ptr %out! to i64
  %q1 = add i64 %q, 4
  %r = inttoptr i64 %q1 to ptr
  %same = icmp ult ptr %out!, %r
  %s = zext i1 %same to i32
  %sum0 = add i32 %was, %odd
  %sum = add i32 %sum0, %s
  %f = freeze i32 %sum
  store i32 %f, ptr %r"""
    same(*run_both(body, [a], np.zeros((ROWS, 2), np.uint32)))


def test_layout_is_that_of_the_target() -> None:
    byte, word, wide = IntType(8), IntType(32), IntType(64)
    pair = StructType((byte, word, byte))
    assert (offsets(pair), size(pair), align(pair)) == (((0, 4, 8), 12), 12, 4)
    assert offsets(StructType((byte, wide, PointerType()), packed=True)) == ((0, 1, 9), 17)
    assert size(ArrayType(3, FloatType("float"), vector=True)) == 16 and size(ArrayType(3, FloatType("float"))) == 12
    assert (size(IntType(1)), size(IntType(24)), size(IntType(33)), size(IntType(128))) == (1, 4, 8, 16)


def test_every_opcode_is_read_somewhere_in_this_file() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    generated = {*BINARY, *DIVIDING, *SHIFTING, "uitofp", "sitofp", "fadd", "fsub", "fmul", "fdiv", "fptoui", "fptosi"}
    elsewhere = {"frem", "ptrtoaddr", "addrspacecast", "unreachable", "fptrunc"}  # refused, new, or in CUDA sources
    missing = [op for op in PARSERS if f" {op} " not in text and op not in generated | elsewhere]
    assert missing == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("  %x = va_arg ptr %out, i32", "'va_arg' is not supported: the instruction has no kernel IR"),
        (
            "  %x = frem float 1.0, 2.0",
            "'frem' is not supported: the remainder of floats is a function: call fmod or fmodf",
        ),
        (
            "  %x = call float @llvm.sin.f32(float 1.0)",
            "'llvm.sin.f32' is not supported: LLVM's intrinsic has no kernel IR",
        ),
        (
            "  %x = atomicrmw nand ptr %out, i32 1 monotonic",
            "'atomicrmw nand' is not supported: there is no such atomic operation on the card",
        ),
    ],
)
def test_unknown_instructions_are_refused(line: str, sentence: str) -> None:
    text = f"declare float @llvm.sin.f32(float)\ndefine ptx_kernel void @k(ptr %out) {{\n{line}\n  ret void\n}}\n"
    with pytest.raises(UnsupportedError) as caught:
        read(DeviceCode("test.ll", text, ""))
    assert str(caught.value) == f"kernel k: {sentence}"


def test_text_that_is_no_ir_is_an_error() -> None:
    with pytest.raises(CudaError, match=r"^test\.ll: '\)' is missing before|^test\.ll: "):
        read(DeviceCode("test.ll", "define ptx_kernel void @k(ptr %out, {\n}\n", ""))


def test_ir_without_calls_is_not_touched_by_the_inliner() -> None:
    text = "define ptx_kernel void @k(ptr %out) {\n  ret void\n}\n"
    assert llvm.inlined(text) is text
