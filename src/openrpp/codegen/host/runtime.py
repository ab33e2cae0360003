"""LLVM text of the few functions that generated code calls, and of the one that calls it."""

from __future__ import annotations

from openrpp.codegen.host.tiers import Tier

TEXT = """
define internal i1 @poll(ptr %stop) noinline nounwind memory(argmem: read, inaccessiblemem: readwrite) {
  %told = load volatile i64, ptr %stop
  %yes = icmp ne i64 %told, 0
  ret i1 %yes
}

define internal void @stopped(ptr %stop, i32 %site, i64 %block, i32 %thread) noinline nounwind {
  %pair = cmpxchg ptr %stop, i64 0, i64 2 seq_cst seq_cst
  %first = extractvalue {i64, i1} %pair, 1
  br i1 %first, label %note, label %out
note:
  %site.at = getelementptr i64, ptr %stop, i64 1
  %site.wide = zext i32 %site to i64
  store i64 %site.wide, ptr %site.at
  %block.at = getelementptr i64, ptr %stop, i64 2
  store i64 %block, ptr %block.at
  %thread.at = getelementptr i64, ptr %stop, i64 3
  %thread.wide = zext i32 %thread to i64
  store i64 %thread.wide, ptr %thread.at
  br label %out
out:
  ret void
}

define internal ptr @reserve(ptr %stop, i64 %size) noinline nounwind {
  %buffer.at = getelementptr i64, ptr %stop, i64 4
  %buffer = load ptr, ptr %buffer.at
  %capacity.at = getelementptr i64, ptr %stop, i64 5
  %capacity = load i64, ptr %capacity.at
  %used.at = getelementptr i64, ptr %stop, i64 6
  %start = atomicrmw add ptr %used.at, i64 %size monotonic
  %end = add i64 %start, %size
  %fits = icmp ule i64 %end, %capacity
  br i1 %fits, label %room, label %none
room:
  %place = getelementptr i8, ptr %buffer, i64 %start
  ret ptr %place
none:
  %dropped.at = getelementptr i64, ptr %stop, i64 7
  %dropped = atomicrmw add ptr %dropped.at, i64 1 monotonic
  ret ptr null
}
"""

_SET_X86 = """
  %kept = alloca i32
  %plain = alloca i32
  store i32 8064, ptr %plain
  call void @llvm.x86.sse.stmxcsr(ptr %kept)
  call void @llvm.x86.sse.ldmxcsr(ptr %plain)
"""
_RESET_X86 = "  call void @llvm.x86.sse.ldmxcsr(ptr %kept)\n"
_DECLARED_X86 = "declare void @llvm.x86.sse.stmxcsr(ptr)\ndeclare void @llvm.x86.sse.ldmxcsr(ptr)\n"
_SET_ARM = "  %kept = call i64 @llvm.aarch64.get.fpcr()\n  call void @llvm.aarch64.set.fpcr(i64 0)\n"
_RESET_ARM = "  call void @llvm.aarch64.set.fpcr(i64 %kept)\n"
_DECLARED_ARM = "declare i64 @llvm.aarch64.get.fpcr()\ndeclare void @llvm.aarch64.set.fpcr(i64)\n"


def work(tier: Tier) -> str:
    """The exported function: `worker` with denormals kept and rounding to nearest, whatever the thread had set.

    Libraries change that behind a program's back: one that gcc has linked with -ffast-math flushes denormals from the
    moment that it is loaded.
    """
    arm = tier.triple.startswith("aarch64")
    start, end, declared = (_SET_ARM, _RESET_ARM, _DECLARED_ARM) if arm else (_SET_X86, _RESET_X86, _DECLARED_X86)
    call = "  call void @worker(ptr %ctx, ptr %scratch)\n"
    return f"{declared}define void @work(ptr %ctx, ptr %scratch) nounwind {{\n{start}{call}{end}  ret void\n}}"
