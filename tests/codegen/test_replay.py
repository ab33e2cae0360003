"""Lists of launches in compiled code: order, helpers, stops, interrupts."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from openrpp.codegen import host
from openrpp.codegen.host.context import Context
from openrpp.kir.parser import parse_module
from tests.codegen.support import Arena

TURN = """
module "m"
kernel @turn(%src: ptr.global, %dst: ptr.global, %last: i32, %add: i32) {
^entry:
  %t = tid axis=x : i32
  %b = ctaid axis=x : i32
  %n = ntid axis=x : i32
  %first = mul %b, %n : i32
  %i = add %first, %t : i32
  %j = sub %last, %i : i32
  %jo = mul %j, 4:i32 : i32
  %io = mul %i, 4:i32 : i32
  %from = ptr_add %src, %jo : ptr.global
  %to = ptr_add %dst, %io : ptr.global
  %v = load %from : i32
  %w = add %v, %add : i32
  store %w, %to
  ret
}
kernel @stop(%at: ptr.global, %go: i32) {
^entry:
  store %go, %at
  %c = icmp pred=eq %go, 0:i32 : i1
  cbr %c, ^bad, ^out
^bad:
  trap  !"stop.cu":7:3
  ret
^out:
  ret
}
kernel @say() {
^entry:
  %r = printf format="hello" : i32
  ret
}
"""

ENDLESS = """
import sys
import numpy as np
from openrpp.codegen import host
from openrpp.kir.parser import parse_module

kernel = ("module \\"m\\"\\nkernel @endless(%flag: ptr.global) {\\n^entry:\\n  br ^turn\\n^turn:\\n"
          "  %v = load volatile %flag : i32\\n  %go = icmp pred=eq %v, 0:i32 : i1\\n  cbr %go, ^turn, ^done\\n"
          "^done:\\n  ret\\n}\\n")
data, workers = np.zeros(4096, np.uint8), int(sys.argv[1])
made = host.compile(parse_module(kernel), "endless", (64, 1, 1))
one = made.prepare((100, 1, 1), [4096], host.HostMemory([(4096, data)]), workers=workers)
replay = host.Replay([one, one, one], made.tier)
print("running", flush=True)
try:
    replay.run(workers)
    print("ended")
except KeyboardInterrupt:
    data[:4] = 1
    replay.run(workers)
    print("interrupted", flush=True)
"""


def turns(arena: Arena, launches: int, blocks: int, workers: int) -> tuple[host.Replay, int, int]:
    """Kernels that turn an array round, each what the one before has left: (list, one place, the other)."""
    size = 32 * blocks
    one, two = (arena.place(np.arange(size, dtype=np.int32)) for _ in "ab")
    made = host.compile(parse_module(TURN), "turn", (32, 1, 1))
    calls: list[host.Prepared] = []
    for index in range(launches):
        places = (one, two) if index % 2 == 0 else (two, one)
        calls.append(made.prepare((blocks, 1, 1), [*places, size - 1, index], arena.memory, workers=workers))
    return host.Replay(calls, made.tier), one, two


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("blocks", [1, 3, 200])
def test_each_launch_sees_what_the_one_before_left(workers: int, blocks: int) -> None:
    arena, size = Arena(), 32 * blocks
    replay, one, _ = turns(arena, 50, blocks, workers)
    wanted = np.arange(size, dtype=np.int32)
    for _ in range(20):
        replay.run(workers)
        wanted = wanted + sum(range(50))
        np.testing.assert_array_equal(arena.read(one, wanted), wanted)
    assert len(replay) == replay.ticks.size == 50 and (replay.ticks > 0).all()


def test_lists_run_in_several_threads_at_once() -> None:
    arena = Arena()
    lists = [turns(arena, 20, 16, 2) for _ in range(4)]
    threads = [threading.Thread(target=lambda made=made: [made[0].run(2) for _ in range(10)]) for made in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = np.arange(512, dtype=np.int32) + 10 * sum(range(20))
    for _, one, _ in lists:
        np.testing.assert_array_equal(arena.read(one, wanted), wanted)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_ends_the_list_and_names_the_launch(workers: int) -> None:
    arena = Arena()
    places = [arena.place(np.full(1, 9, np.int32)) for _ in range(5)]
    made = host.compile(parse_module(TURN), "stop", (1, 1, 1))
    calls = [made.prepare((4, 1, 1), [at, int(place != 3)], arena.memory, workers=2) for place, at in enumerate(places)]
    replay = host.Replay(calls, made.tier)
    for _ in range(2):
        with pytest.raises(host.ReplayStopped, match="trap") as found:
            replay.run(workers)
        assert found.value.index == 3 and str(found.value.stopped.location) == "stop.cu:7"
        left = [int(arena.read(at, np.zeros(1, np.int32))[0]) for at in places]
        assert left == [1, 1, 1, 0, 9]
    made.change(calls[3], 1, 5)
    assert replay.change(3, calls[3])
    replay.run(workers)
    assert [int(arena.read(at, np.zeros(1, np.int32))[0]) for at in places] == [1, 1, 1, 5, 1]


def test_another_launch_takes_the_place_of_one() -> None:
    arena = Arena()
    replay, one, two = turns(arena, 1, 2, 1)
    module = parse_module(TURN)
    made = host.compile(module, "turn", (32, 1, 1))
    assert replay.change(0, made.prepare((1, 1, 1), [one, two, 31, 100], arena.memory, workers=1))
    replay.run()
    np.testing.assert_array_equal(arena.read(two, np.zeros(33, np.int32)), [*range(131, 99, -1), 32])
    other = host.compile(module, "stop", (1, 1, 1)).prepare((1, 1, 1), [one, 1], arena.memory)
    assert other.context.size < made.prepare((1, 1, 1), [one, two, 0, 0], arena.memory).context.size
    assert not replay.change(0, other)


def test_launches_that_print_are_refused() -> None:
    made = host.compile(parse_module(TURN), "say", (1, 1, 1))
    call = made.prepare((1, 1, 1), [], Arena().memory)
    with pytest.raises(host.HostLaunchError, match="cannot be replayed"):
        host.Replay([call], made.tier)
    assert not call.is_plain and call.context[Context.TOTAL] == 1


def test_an_empty_list_runs() -> None:
    made = host.compile(parse_module(TURN), "say", (1, 1, 1))
    host.Replay([], made.tier).run()


def test_a_program_with_a_handler_of_its_own_is_served_elsewhere() -> None:
    arena = Arena()
    replay, one, _ = turns(arena, 4, 64, 2)
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        for workers in (1, 2):
            replay.run(workers)
    finally:
        signal.signal(signal.SIGINT, before)
    wanted = np.arange(2048, dtype=np.int32) + 2 * sum(range(4))
    np.testing.assert_array_equal(arena.read(one, wanted), wanted)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_ends_a_list(workers: int) -> None:
    command = [sys.executable, "-c", ENDLESS, str(workers)]
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
