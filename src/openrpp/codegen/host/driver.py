"""Compiled code that runs a list of launches: a call from Python costs more than many kernels take.

One thread drives: it runs launch after launch. Others help: each looks for the launch that is open and takes blocks of
it, as the driver does. A helper that comes too late, or that the system lets wait, is never waited for, except for the
blocks that it has begun; so helpers cost nothing where the cores are busy with other work.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cache
from typing import Any, Final

from openrpp.codegen.host import llvm
from openrpp.codegen.host.context import Context
from openrpp.codegen.host.tiers import Tier

WORDS: Final = 8
"""Words of the header and of each item."""
_CLOSED: Final = 1 << 62


class Header(IntEnum):
    """Words of the header of a list; its items follow."""

    OPEN = 0  # number of the item that helpers may take part in, plus 1; above COUNT once all is over
    COUNT = 1
    STOP = 2  # 1 to end the list


class Item(IntEnum):
    """Words of an item."""

    WORK = 0  # address of its code
    CONTEXT = 1
    STATE = 2  # helpers that have entered, plus _CLOSED
    LEFT = 3  # helpers that have left
    SHARED = 4  # whether helpers may enter
    BEGIN = 5  # ticks of the counter of cycles
    END = 6


_TEXT: Final = """
declare i32 @sched_yield()
{declared}

define i64 @drive(ptr %list, ptr %scratch) nounwind {{
  %count.at = getelementptr i64, ptr %list, i64 {count}
  %count = load i64, ptr %count.at
  %halt.at = getelementptr i64, ptr %list, i64 {halt}
  br label %head
head:
  %index = phi i64 [ 0, %0 ], [ %next, %on ]
  %told = load atomic volatile i64, ptr %halt.at monotonic, align 8
  %halted = icmp ne i64 %told, 0
  %last = icmp uge i64 %index, %count
  %over = or i1 %halted, %last
  br i1 %over, label %out, label %run
run:
  %next = add i64 %index, 1
  %start = mul i64 %next, {words}
  %item = getelementptr i64, ptr %list, i64 %start
  %work = load ptr, ptr %item
  %context.at = getelementptr i64, ptr %item, i64 {context}
  %context = load ptr, ptr %context.at
  %state.at = getelementptr i64, ptr %item, i64 {state}
  %left.at = getelementptr i64, ptr %item, i64 {left}
  %shared.at = getelementptr i64, ptr %item, i64 {shared}
  %flag = load i64, ptr %shared.at
  %shared = icmp ne i64 %flag, 0
  %begin.at = getelementptr i64, ptr %item, i64 {begin}
  %begin = call i64 @llvm.{counter}()
  store i64 %begin, ptr %begin.at
  br i1 %shared, label %open, label %go
open:
  store atomic i64 %next, ptr %list release, align 8
  br label %go
go:
  call void %work(ptr %context, ptr %scratch)
  br i1 %shared, label %close, label %done
close:
  %entered = atomicrmw or ptr %state.at, i64 {closed} acq_rel
  br label %wait
wait:
  %tries = phi i64 [ 0, %close ], [ %more, %pause ]
  %left = load atomic i64, ptr %left.at acquire, align 8
  %all = icmp eq i64 %left, %entered
  br i1 %all, label %done, label %pause
pause:
  %more = call i64 @relax(i64 %tries)
  br label %wait
done:
  %end = call i64 @llvm.{counter}()
  %end.at = getelementptr i64, ptr %item, i64 {end}
  store i64 %end, ptr %end.at
  %stop.at = getelementptr i64, ptr %context, i64 {stop}
  %stop = load volatile i64, ptr %stop.at
  %stopped = icmp ne i64 %stop, 0
  br i1 %stopped, label %out, label %on
on:
  br label %head
out:
  %reached = phi i64 [ %index, %head ], [ %index, %done ]
  %beyond = add i64 %count, 1
  store atomic i64 %beyond, ptr %list release, align 8
  ret i64 %reached
}}

define void @help(ptr %list, ptr %scratch) nounwind {{
  %count.at = getelementptr i64, ptr %list, i64 {count}
  %count = load i64, ptr %count.at
  br label %look
look:
  %seen = phi i64 [ 0, %0 ], [ %seen, %pause ], [ %now, %next ]
  %tries = phi i64 [ 0, %0 ], [ %more, %pause ], [ 0, %next ]
  %now = load atomic i64, ptr %list acquire, align 8
  %over = icmp ugt i64 %now, %count
  br i1 %over, label %out, label %fresh
fresh:
  %old = icmp eq i64 %now, %seen
  br i1 %old, label %pause, label %try
pause:
  %more = call i64 @relax(i64 %tries)
  br label %look
try:
  %start = mul i64 %now, {words}
  %item = getelementptr i64, ptr %list, i64 %start
  %state.at = getelementptr i64, ptr %item, i64 {state}
  %first = load atomic i64, ptr %state.at monotonic, align 8
  br label %enter
enter:
  %state = phi i64 [ %first, %try ], [ %other, %claim ]
  %shut = icmp uge i64 %state, {closed}
  br i1 %shut, label %next, label %claim
claim:
  %plus = add i64 %state, 1
  %pair = cmpxchg ptr %state.at, i64 %state, i64 %plus acq_rel monotonic
  %other = extractvalue {{i64, i1}} %pair, 0
  %in = extractvalue {{i64, i1}} %pair, 1
  br i1 %in, label %work, label %enter
work:
  %code = load ptr, ptr %item
  %context.at = getelementptr i64, ptr %item, i64 {context}
  %context = load ptr, ptr %context.at
  call void %code(ptr %context, ptr %scratch)
  %left.at = getelementptr i64, ptr %item, i64 {left}
  %gone = atomicrmw add ptr %left.at, i64 1 release
  br label %next
next:
  br label %look
out:
  ret void
}}

define internal i64 @relax(i64 %tries) noinline nounwind {{
  %long = icmp ugt i64 %tries, 2000
  br i1 %long, label %give, label %spin
give:
  %ignored = call i32 @sched_yield()
  ret i64 %tries
spin:
  {pause}
  %more = add i64 %tries, 1
  ret i64 %more
}}
"""


def text(tier: Tier) -> str:
    """The LLVM IR."""
    arm = tier.triple.startswith("aarch64")
    pause = "call void @llvm.aarch64.hint(i32 1)" if arm else "call void @llvm.x86.sse2.pause()"
    counter = "readsteadycounter" if arm else "readcyclecounter"
    declared = ["declare void @llvm.aarch64.hint(i32)" if arm else "declare void @llvm.x86.sse2.pause()"]
    declared += [f"declare i64 @llvm.{counter}()"]
    return _TEXT.format(
        declared="\n".join(declared), pause=pause, counter=counter, words=WORDS, closed=_CLOSED,
        count=int(Header.COUNT), halt=int(Header.STOP), context=int(Item.CONTEXT), state=int(Item.STATE),
        left=int(Item.LEFT), shared=int(Item.SHARED), begin=int(Item.BEGIN), end=int(Item.END), stop=int(Context.STOP),
    )  # fmt: skip


class Driver:
    """The two functions. `drive(list, scratch)` gives the number of the item that ended the list, or their count."""

    def __init__(self, tier: Tier, store: llvm.ObjectStore | None) -> None:
        self._code = llvm.Loaded(llvm.object_code(text(tier), tier, store), "drive", "help")
        pointers = (ctypes.c_void_p, ctypes.c_void_p)
        self.drive: Any = ctypes.CFUNCTYPE(ctypes.c_int64, *pointers)(self._code.addresses["drive"])
        self.help: Any = ctypes.CFUNCTYPE(None, *pointers)(self._code.addresses["help"])


@cache
def driver(tier: Tier, store: llvm.ObjectStore | None) -> Driver:
    """The driver for a tier."""
    return Driver(tier, store)
