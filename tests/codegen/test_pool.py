"""Worker threads: interrupts, errors, launches at the same time, scratch memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from openrpp.codegen import host
from openrpp.codegen.host import pool
from openrpp.kir.parser import parse_module
from tests.codegen.support import Arena

ENDLESS = """
import sys
import numpy as np
from openrpp.codegen import host
from openrpp.kir.parser import parse_module

BODY = {
    "uniform": "^entry:\\n  br ^turn\\n^turn:\\n  %v = load volatile %flag : i32\\n"
               "  %go = icmp pred=eq %v, 0:i32 : i1\\n"
               "  cbr %go, ^turn, ^done\\n^done:\\n  ret\\n",
    "lanes": "^entry:\\n  %t = tid axis=x : i32\\n  br ^turn(%t)\\n^turn(%i: i32):\\n  %n = add %i, 1:i32 : i32\\n"
             "  %m = or %n, 1:i32 : i32\\n  %go = icmp pred=ne %m, 0:i32 : i1\\n  cbr %go, ^turn(%n), ^done\\n"
             "^done:\\n  store %n, %flag\\n  ret\\n",
    "barrier": "^entry:\\n  br ^turn\\n^turn:\\n  barrier\\n  %v = load volatile %flag : i32\\n"
               "  %go = icmp pred=eq %v, 0:i32 : i1\\n  cbr %go, ^turn, ^done\\n^done:\\n  ret\\n",
}
kernel = "module \\"m\\"\\nkernel @endless(%flag: ptr.global) {\\n" + BODY[sys.argv[1]] + "}\\n"
data = np.zeros(4096, np.uint8)
made = host.compile(parse_module(kernel), "endless", (64, 1, 1))
memory = host.HostMemory([(4096, data)])
print("running", flush=True)
try:
    made.launch((100, 1, 1), [4096], memory, workers=int(sys.argv[2]))
    print("ended")
except KeyboardInterrupt:
    data[:4] = 1
    if sys.argv[1] != "lanes":
        made.launch((100, 1, 1), [4096], memory, workers=int(sys.argv[2]))
    print("interrupted", flush=True)
"""

FORKED = """
import os, warnings
import numpy as np
from openrpp.codegen import host
from openrpp.kir.parser import parse_module

warnings.simplefilter("ignore")
kernel = "module \\"m\\"\\nkernel @one(%p: ptr.global) {\\n^entry:\\n  store 1:i32, %p\\n  ret\\n}\\n"
data = np.zeros(4096, np.uint8)
made = host.compile(parse_module(kernel), "one", (4, 1, 1))
memory = host.HostMemory([(4096, data)])
made.launch((8, 1, 1), [4096], memory, workers=2)
data[:] = 0
child = os.fork()
if not child:
    made.launch((8, 1, 1), [4096], memory, workers=2)
    os._exit(int(data[0]) + 40)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

SUM = """
kernel @sum(%out: ptr.global, %add: i32) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %n = ntid axis=x : i32
  %s = global_addr symbol="kept" : ptr.shared
  %o = mul %t, 4:i32 : i32
  %at = ptr_add %s, %o : ptr.shared
  %v = add %t, %add : i32
  store %v, %at
  barrier
  %last = sub %n, 1:i32 : i32
  %r = sub %last, %t : i32
  %ro = mul %r, 4:i32 : i32
  %from = ptr_add %s, %ro : ptr.shared
  %w = load %from : i32
  %first = mul %b, %n : i32
  %i = add %first, %t : i32
  %io = mul %i, 4:i32 : i32
  %to = ptr_add %out, %io : ptr.global
  store %w, %to
  ret
}
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", ["uniform", "lanes", "barrier"])
def test_interrupt_ends_an_endless_kernel(kind: str, workers: int) -> None:
    command = [sys.executable, "-c", ENDLESS, kind, str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        try:
            rest, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert rest == "interrupted\n"


def test_a_forked_process_has_workers() -> None:
    found = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "41\n"


def kernel(threads: int) -> host.HostKernel:
    return host.compile(
        parse_module(f'module "m"\nglobal @kept shared size {4 * threads} align 4\n' + SUM), "sum", (threads, 1, 1)
    )


def summed(made: host.HostKernel, threads: int, blocks: int, add: int, workers: int) -> None:
    arena, out = Arena(), np.zeros(threads * blocks, np.uint32)
    place = arena.place(out)
    made.launch((blocks, 1, 1), [place, add], arena.memory, workers=workers)
    wanted = np.tile(np.arange(threads)[::-1] + add, blocks)
    np.testing.assert_array_equal(arena.read(place, out), wanted)


def test_scratch_is_used_again() -> None:
    for threads in (32, 1024, 64, 512):
        made = kernel(threads)
        for add in range(5):
            summed(made, threads, 7, add, 1 + add % 3)


def in_threads(*jobs: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_launches_at_the_same_time(workers: int) -> None:
    made, other = kernel(64), kernel(256)

    def many(which: host.HostKernel, threads: int, first: int) -> Callable[[], None]:
        def job() -> None:
            for add in range(first, first + 40):
                summed(which, threads, 50, add, workers)

        return job

    in_threads(many(made, 64, 0), many(made, 64, 1000), many(other, 256, 7))


def test_an_error_of_a_worker_is_raised_and_stops_the_others() -> None:
    context = np.zeros(4, np.uint64)
    entered = threading.Barrier(2)

    def work(address: int, scratch: int) -> None:
        if entered.wait() == 0:
            raise MemoryError("no scratch")
        while not context[3]:
            time.sleep(0.001)

    with pytest.raises(MemoryError, match="no scratch"):
        pool.run(work, context, 64, 2, 3)
    assert context[3] == 1


def test_scratch_is_aligned_and_of_each_thread() -> None:
    seen: list[int] = []
    entered = threading.Barrier(2)

    def work(address: int, scratch: int) -> None:
        seen.append(scratch)
        entered.wait()

    pool.run(work, np.zeros(4, np.uint64), 1000, 2, 3)
    assert len(set(seen)) == 2
    assert all(address % 64 == 0 for address in seen)


def test_cores_are_those_that_the_process_may_use() -> None:
    assert pool.cores() == len(os.sched_getaffinity(0))
