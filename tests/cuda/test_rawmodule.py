"""CUDA source at run time on a card, in CuPy's shape: results against NumPy, names, arguments, errors."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from openrpp.cuda import CompileError, CudaError, RawKernel, RawModule, Texture, ToolchainError, UnsupportedError
from openrpp.machine import LaunchError
from openrpp.runtime import CaptureError, Card, Event, KernelFault
from openrpp.storage import Cache

SOURCE = r"""
struct Pair { float weight; int index; double bias; };

__global__ void saxpy(int n, float a, const float *x, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

template <int T> __global__ void matmul(const float *a, const float *b, float *c, int n) {
  __shared__ float left[T][T], right[T][T];
  int row = blockIdx.y * T + threadIdx.y, column = blockIdx.x * T + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += T) {
    left[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
    right[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + column];
    __syncthreads();
    for (int j = 0; j < T; ++j) sum += left[threadIdx.y][j] * right[j][threadIdx.x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}

__global__ void total(const int *x, int n, int *out) {
  extern __shared__ int part[];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  part[threadIdx.x] = i < n ? x[i] : 0;
  __syncthreads();
  for (int step = blockDim.x / 2; step > 0; step /= 2) {
    if (threadIdx.x < step) part[threadIdx.x] += part[threadIdx.x + step];
    __syncthreads();
  }
  if (threadIdx.x == 0) atomicAdd(out, part[0]);
}

__global__ void histogram(const unsigned char *data, int n, unsigned *bins) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&bins[data[i]], 1u);
}

template <typename T> __global__ void fill(T *x, T value) { x[threadIdx.x] = value; }

namespace state {
__constant__ float table[4] = {1, 2, 3, 4};
__device__ int calls;
}
__global__ void look_up(float *out) {
  out[threadIdx.x] = state::table[threadIdx.x % 4];
  if (threadIdx.x == 0) state::calls += 1;
}

__global__ void weigh(Pair p, const float *x, float *out) { out[0] = p.weight * x[p.index] + (float)p.bias; }
__global__ void bump(Pair *p) { p[threadIdx.x].index += 1; }
__global__ void greet() { printf("thread %d of %s\n", threadIdx.x, "two"); }
__global__ void __launch_bounds__(64) bounded(int *p) { p[threadIdx.x] = 1; }
__global__ void small(signed char c, bool flag, double d, short *out) { out[0] = flag ? c : (short)d; }
__global__ void demand(int n) {
  printf("asked for %d\n", n);
  assert(n < 3);
}
__global__ void nested(int *p) { p[0] = p[1] ? 1 : 2; }
__global__ void far(unsigned *seen) {
  atomicAdd(seen, 1u);
  atomicMax(seen + 1, blockIdx.x);
  if (blockIdx.x == gridDim.x - 1) seen[2] = blockIdx.x * blockDim.x;
}
__global__ void corner(long long *out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (blockIdx.x == gridDim.x - 1 && threadIdx.x == blockDim.x - 1) {
    out[0] = blockIdx.x;
    out[1] = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    out[2] = i;
  }
}
__global__ void spin(volatile int *p) {
  while (1) p[0] = 1;
}
"""
PAIR = np.dtype([("weight", "f4"), ("index", "i4"), ("bias", "f8")])
rng = np.random.default_rng(11)


@pytest.fixture(scope="module")
def module(store: Cache) -> RawModule:
    names = ["fill<double>", "fill<unsigned short>", "matmul< 16 >"]
    return RawModule(SOURCE, name_expressions=names, card=Card(engine="native"), store=store)


@pytest.fixture(params=["native", "reference", "interpreter"])
def card(request: pytest.FixtureRequest) -> Card:
    return Card("ae7100x", request.param)


def test_arrays_are_copied_to_the_card_and_back(module: RawModule, card: Card) -> None:
    x, y = rng.integers(-9, 9, 1000).astype(np.float32), rng.integers(-9, 9, 1000).astype(np.float32)
    expected, before = 2 * x + y, x.copy()
    report = module.get_function("saxpy")((4,), (256,), (999, 2.0, x, y), card=card)
    assert (np.array_equal(y[:999], expected[:999]) and y[999] != expected[999]) or x[999] == 0
    assert np.array_equal(x, before)
    assert report is not None and (report.kernel, report.engine) == ("saxpy", card.engine)
    assert report.seconds is not None and report.as_dict()["seconds"]["nominal"] == report.seconds.nominal


def test_tiled_matmul_through_shared_memory(module: RawModule) -> None:
    a, b = (rng.integers(-4, 5, (64, 64)).astype(np.float32) for _ in "ab")
    c = np.zeros((64, 64), np.float32)
    module.get_function("matmul<16>")((4, 4), (16, 16), (a, b, c, np.int32(64)))
    assert np.array_equal(c, a @ b)


def test_reduction_in_dynamic_shared_memory(module: RawModule, card: Card) -> None:
    x, out = rng.integers(-1000, 1000, 500).astype(np.int32), np.zeros(1, np.int32)
    module.get_function("total")((8,), (64,), (x, 500, out), shared_mem=64 * 4, card=card)
    assert out[0] == x.sum()


def test_histogram_by_atomics(module: RawModule) -> None:
    data, bins = rng.integers(0, 256, 20000, dtype=np.uint8), np.zeros(256, np.uint32)
    module.get_function("histogram")((7,), (128,), (data, data.size, bins))
    assert np.array_equal(bins, np.bincount(data, minlength=256))


def test_instances_of_templates_have_names(module: RawModule) -> None:
    doubles, shorts = np.zeros(4), np.zeros(4, np.uint16)
    module.get_function("fill<double>")(1, 4, (doubles, 0.1))
    module.get_function("fill< unsigned short >")(1, 3, (shorts, 65535))
    assert doubles.tolist() == [0.1] * 4 and shorts.tolist() == [65535] * 3 + [0]
    with pytest.raises(CudaError, match=r"several kernels 'fill': 'fill<double>' .*'fill<unsigned short>'"):
        module.get_function("fill")
    with pytest.raises(CudaError, match="name_expressions"):
        module.get_function("fill<float>")


def test_a_wrong_name_expression_is_reported_at_its_place(store: Cache) -> None:
    with pytest.raises(CompileError, match=r"name_expressions:1:\d+: use of undeclared identifier 'nothing'"):
        RawModule(SOURCE, name_expressions=["nothing<int>"], store=store)


def test_structs_by_value_and_arrays_of_structs(module: RawModule, card: Card) -> None:
    x, out = np.arange(8, dtype=np.float32), np.zeros(1, np.float32)
    pair = np.array((2.5, 3, 0.25), PAIR)[()]
    module.get_function("weigh")(1, 1, (pair, x, out), card=card)
    assert out[0] == 2.5 * 3 + 0.25
    module.get_function("weigh")(1, 1, (pair.tobytes(), x[1:], out), card=card)
    assert out[0] == 2.5 * 4 + 0.25
    pairs = np.zeros(3, PAIR)
    module.get_function("bump")(1, 3, (pairs,), card=card)
    assert pairs["index"].tolist() == [1, 1, 1]


def test_variables_are_initialised_once_per_module_and_card(store: Cache, card: Card) -> None:
    module = RawModule(SOURCE, store=store, card=card)
    out, kernel = np.zeros(4, np.float32), module.get_function("look_up")
    kernel(1, 4, (out,))
    assert out.tolist() == [1, 2, 3, 4]
    module.get_global("state::table", np.float32).write(np.array([5, 6, 7, 8], np.float32))
    kernel(2, 4, (out,))
    assert out.tolist() == [5, 6, 7, 8]
    assert module.get_global("calls", "int32").numpy().tolist() in ([2], [3])  # two blocks may add at once
    other = Card(engine=card.engine)
    kernel(1, 4, (out,), card=other)
    assert out.tolist() == [1, 2, 3, 4]
    assert module.get_global("calls", "int32", card=other).numpy().tolist() == [1]
    with pytest.raises(CudaError, match=r"no variable 'tabel' .*did you mean"):
        module.get_global("tabel")


def test_printf_goes_to_standard_output_and_into_the_report(
    module: RawModule, card: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    report = module.get_function("greet")(1, 2, (), card=card)
    assert report is not None and report.output == "thread 0 of two\nthread 1 of two\n"
    assert capsys.readouterr().out == report.output


def test_a_failed_assertion_stops_the_kernel_and_keeps_what_was_printed(
    module: RawModule, card: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KernelFault, match=r"kernel\.cu:\d+: kernel demand: .*n < 3") as found:
        module.get_function("demand")(1, 1, (7,), card=card)
    if card.engine == "native":
        assert found.value.output == capsys.readouterr().out == "asked for 7\n"
    module.get_function("demand")(1, 1, (2,), card=card)


def test_blocks_beyond_the_cards_own_grid(module: RawModule) -> None:
    seen = np.zeros(3, np.uint32)
    module.get_function("far")((200_000,), (3,), (seen,))
    assert seen.tolist() == [600_000, 199_999, 599_997]


def test_threads_beyond_two_to_the_31st_have_right_indices(module: RawModule) -> None:
    out, blocks = np.zeros(3, np.int64), 270_000
    module.get_function("corner")((blocks,), (8160,), (out,))
    last = blocks * 8160 - 1
    assert last > 1 << 31 and out.tolist() == [blocks - 1, last, last - (1 << 32)]


def test_an_interrupt_ends_a_kernel_and_the_card_stays_usable(module: RawModule) -> None:
    card = Card(engine="native")
    flag = card.array(np.zeros(1, np.int32))
    view = card.device.memory.view(flag.address, 4)

    def interrupt() -> None:
        while not view[0]:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        module.get_function("spin")(2, 64, (flag,))
    x = np.ones(4, np.float32)
    module.get_function("saxpy")(1, 4, (4, 1.0, x, x), card=card)
    assert x.tolist() == [2] * 4


def test_buffers_stay_on_the_card_and_choose_it(module: RawModule, card: Card) -> None:
    x, y = card.array(np.ones(64, np.float32)), card.array(np.ones(64, np.float32), memory="sram")
    stream = card.stream()
    report = module.get_function("saxpy")(1, 64, (64, 1.0, x, y), stream=stream)
    assert report is not None and report.engine == card.engine
    assert y.numpy().tolist() == [2] * 64
    used = card.memory_info("ddr").used
    module.get_function("saxpy")(1, 64, (64, 1.0, np.ones(64, np.float32), y))
    assert card.memory_info("ddr").used == used
    with pytest.raises(LaunchError, match="belongs to another card"):
        module.get_function("saxpy")(1, 64, (64, 1.0, x, y), card=Card(engine="native"))


def test_card_time_is_not_invented(module: RawModule, card: Card) -> None:
    x = card.array(np.ones(64, np.float32))
    first = Event().record(card.default_stream)
    module.get_function("saxpy")(1, 64, (64, 1.0, x, x))
    second = Event().record(card.default_stream)
    third = Event().record(card.default_stream)
    assert third.elapsed(second).nominal == 0
    if card.engine == "reference":
        assert second.elapsed(first).nominal > card.arch.launch.stream_us.value * 1e-6
        return
    assert card.untimed == 1
    with pytest.raises(LaunchError, match="not known"):
        second.elapsed(first)


def test_graphs_replay_kernels_with_new_arguments(module: RawModule, card: Card) -> None:
    x, y = card.array(np.ones(8, np.float32)), card.array(np.zeros(8, np.float32))
    stream, kernel = card.stream(), module.get_function("saxpy")
    with card.capture(stream) as graph:
        assert kernel(1, 8, (8, 2.0, x, y), stream=stream) is None
        with pytest.raises(CaptureError, match="arrays of the host"):
            kernel(1, 8, (8, 2.0, np.ones(8, np.float32), y), stream=stream)
    assert y.numpy().tolist() == [0] * 8
    graph.launch()
    (node,) = graph.nodes
    node.update(a=10.0)
    (report,) = graph.launch()
    assert y.numpy().tolist() == [12] * 8 and report.kernel == "saxpy"
    with pytest.raises(LaunchError, match="no parameter b"):
        node.update(b=1)


def test_an_array_given_twice_is_one_buffer_and_overlapping_ones_are_refused(module: RawModule) -> None:
    x = np.ones(16, np.float32)
    module.get_function("saxpy")(1, 16, (16, 1.0, x, x))
    assert x.tolist() == [2] * 16
    with pytest.raises(LaunchError, match=r"argument 4 \(y\): the array overlaps"):
        module.get_function("saxpy")(1, 8, (8, 1.0, x[:10], x[4:14]))


def test_read_only_arrays_are_not_written_back(module: RawModule) -> None:
    x, y = np.ones(4, np.float32), np.ones(4, np.float32)
    y.flags.writeable = False
    module.get_function("saxpy")(1, 4, (4, 1.0, x, y))
    assert y.tolist() == [1] * 4


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((1, 1.0, None), r"takes 4 arguments \(n: a 32-bit integer, a: a float, x: a pointer, y: a pointer\); 3 are"),
        ((1 << 32, 1.0, None, None), r"argument 1 \(n: a 32-bit integer\): 4294967296 does not fit"),
        ((1.5, 1.0, None, None), r"argument 1 .*1\.5 is a float"),
        ((1, "2", None, None), r"argument 2 \(a: a float\): a str is no number"),
        ((1, 1e39, None, None), r"argument 2 .*1e\+39 is out of range"),
        ((1, np.ones(3), None, None), r"argument 2 .*an array is given for a number"),
        ((1, 1.0, 0.5, None), r"argument 3 \(x: a pointer\): a float is no pointer"),
        ((1, 1.0, True, None), r"argument 3 .*truth value"),
        ((1, 1.0, np.ones((4, 4), np.float32)[:, 1], None), r"argument 3 \(x\): the array is not contiguous"),
        ((1, 1.0, np.array([None]), None), r"argument 3 \(x\): dtype object"),
    ],
)
def test_unfit_arguments_are_refused_by_place_and_name(
    module: RawModule, args: tuple[object, ...], message: str
) -> None:
    with pytest.raises(LaunchError, match=message):
        module.get_function("saxpy")(1, 1, args)  # type: ignore[arg-type]


def test_narrow_numbers_and_truth_values(module: RawModule, card: Card) -> None:
    out, kernel = np.zeros(1, np.int16), module.get_function("small")
    kernel(1, 1, (-128, True, 0, out), card=card)
    assert out[0] == -128
    kernel(1, 1, (np.int8(5), np.False_, np.float32(7.5), out), card=card)
    assert out[0] == 7
    kernel((np.int64(1),), 1, (np.array(3, np.int8), np.array(True), 0, out), shared_mem=np.int32(0), card=card)
    assert out[0] == 3
    with pytest.raises(LaunchError, match="256 does not fit; -128 to 255 do"):
        kernel(1, 1, (256, True, 0, out), card=card)


@pytest.mark.parametrize(
    ("grid", "block", "message"),
    [
        ((0,), (1,), "axis x must be 1 to 2147483647"),
        ((1 << 31,), (1,), "axis x must be 1 to 2147483647"),
        ((1, 70000), (1,), "axis y must be 1 to 65535"),
        ((1,), (8161,), r"8161 threads; a block has 1 to 8160 \(255 warps of 32\)"),
        ((1,), (1, 1, 1, 1), "one to three whole numbers"),
        ((1,), (65,), "65 threads; its launch bounds allow 64"),
    ],
)
def test_illegal_geometry_is_refused(
    module: RawModule, grid: tuple[int, ...], block: tuple[int, ...], message: str
) -> None:
    with pytest.raises(LaunchError, match=f"kernel bounded: .*{message}"):
        module.get_function("bounded")(grid, block, (None,))


def test_shared_memory_is_limited_by_the_card(module: RawModule) -> None:
    with pytest.raises(LaunchError, match="dynamic ones do not fit"):
        module.get_function("total")(1, 64, (None, 0, None), shared_mem=1 << 30)
    with pytest.raises(LaunchError, match="-4 bytes"):
        module.get_function("total")(1, 64, (None, 0, None), shared_mem=-4)


def test_checks_find_what_is_wrong_and_where(module: RawModule) -> None:
    card = Card(engine="native")
    x, y = card.array(np.ones(10, np.float32)), card.empty(16, np.float32)
    function = module.on(card)[module.get_function("saxpy").kernel.name]
    found = function.check(1, 16, 16, 1.0, x, y, unwritten=[y])
    kinds = {(item.check, item.kind): item.sentence for item in found.findings}
    assert set(kinds) == {("memory", "out-of-bounds"), ("init", "uninitialised")}
    assert "argument 'x'" in kinds["memory", "out-of-bounds"]
    assert function.check(1, 10, 10, 1.0, x, y, checks="memory").clean
    with pytest.raises(LaunchError, match="memory"):
        function.check(1, 10, 10, 1.0, x, y, checks="nothing")


def test_checks_on_arrays_of_the_host(module: RawModule) -> None:
    x, y = np.ones(10, np.float32), np.ones(10, np.float32)
    assert module.get_function("saxpy").check(1, 16, (10, 1.0, x, y)).clean
    assert y.tolist() == [2] * 10
    report = module.get_function("saxpy").check(1, 16, (12, 1.0, x, y), "memory")
    assert not report.clean and "argument 'x'" in str(report)


def test_names_that_are_not_there(module: RawModule) -> None:
    with pytest.raises(CudaError, match=r"no kernel 'saxpi'; did you mean 'saxpy'\?; it has saxpy, .*greet"):
        module.get_function("saxpi")
    assert {"saxpy", "fill<double>", "matmul< 16 >"} <= set(module.kernels)


def test_a_kernel_from_its_source(store: Cache) -> None:
    x = np.arange(4, dtype=np.float32)
    source = 'extern "C" __global__ void scale(float *x) { x[threadIdx.x] *= FACTOR; }'
    kernel = RawKernel(source, "scale", ("-DFACTOR=3",), store=store)
    kernel((1,), (4,), (x,))
    assert x.tolist() == [0, 3, 6, 9] and kernel.name == "scale" and kernel.shared_size_bytes == 0
    typed = RawKernel("template <typename T> __global__ void one(T *x) { *x = 1; }", "one<float>", store=store)
    typed(1, 1, (x,))
    assert x[0] == 1


def test_a_module_from_a_file_with_instances(tmp_path: Path, store: Cache) -> None:
    (tmp_path / "value.h").write_text("#define VALUE 5\n")
    file = tmp_path / "fill.cu"
    file.write_text(
        '#include "value.h"\ntemplate <typename T> __global__ void fill(T *x) { x[threadIdx.x] = VALUE; }\n'
    )
    x = np.zeros(2, np.int64)
    RawModule(path=file, name_expressions=["fill<long>"], store=store).get_function("fill<long>")(1, 2, (x,))
    assert x.tolist() == [5, 5]
    with pytest.raises(CudaError, match="it has none: templates count once"):
        RawModule(path=file, store=store).get_function("fill")
    with pytest.raises(FileNotFoundError):
        RawModule(path=tmp_path / "none.cu", name_expressions=["f<1>"], store=store)


def test_what_clang_refuses_is_reported_with_its_place(store: Cache) -> None:
    with pytest.raises(CompileError, match=r"^mine\.cu:2:3: unknown type name 'flaot'"):
        RawModule("__global__ void k() {\n  flaot x;\n}", name="mine.cu", store=store)


def test_a_kernel_without_kernel_ir_is_refused_when_it_is_asked_for(store: Cache) -> None:
    source = """
    __device__ __noinline__ int down(int n) { return n < 2 ? n : down(n - 1) + down(n - 2); }
    __global__ void bad(int *p) { p[0] = down(p[1]); }
    __global__ void good(int *p) { p[0] = 4; }
    """
    module, x = RawModule(source, store=store), np.zeros(2, np.int32)
    module.get_function("good")(1, 1, (x,))
    assert x[0] == 4
    with pytest.raises(UnsupportedError, match="down"):
        module.get_function("bad")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (RawModule, "either source text"),
        (lambda: RawModule("", options="-DX"), "sequence of texts"),
        (lambda: RawModule("", ("--no-such",)), "not known"),
        (lambda: Card(engine="quick"), "engine 'quick' is not known; there are reference, native, interpreter"),
        (lambda: Card(engine="native", workers=0), "0 workers"),
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises((CudaError, LaunchError), match=message):
        make()


def test_without_a_clang_there_is_a_sentence(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPP_CLANG", "no-such-clang")
    with pytest.raises(ToolchainError, match="no-such-clang is no program"):
        RawModule("__global__ void never_seen_before() {}", store=store)


def test_textures_by_object_and_by_reference(store: Cache, card: Card) -> None:
    file = Path(__file__).parent / "kernels" / "textures.cu"
    module = RawModule(path=file, store=store, card=card)
    image = rng.integers(0, 16, (4, 5)).astype(np.float32)
    texture = Texture(card.array(image), address="clamp")
    at = np.array([[0.5, 0.5], [4.5, 3.5], [2.2, 1.9], [-3, 9]], np.float32)
    out = np.zeros(4, np.float32)
    module.get_function("plane")(1, 4, (texture, at, out))
    assert out.tolist() == [image[0, 0], image[3, 4], image[1, 2], image[3, 0]]
    linear = Texture(card.array(image), filter="linear", address="border")
    module.get_function("plane")(1, 1, (linear, np.array([2.0, 2.0], np.float32), out))
    assert out[0] == image[1:3, 1:3].mean()
    shades = Texture(card.array(np.array([0, 51, 255], np.uint8)))
    for name, bound in (("reference", texture), ("normalised", shades)):
        module.get_global(name, "uint64").write(np.array([bound.handle], np.uint64))
    both = np.zeros((3, 2), np.float32)
    module.get_function("references")(1, 3, (both,))
    assert np.array_equal(both[:, 0], image[1, :3]) and both[2, 1] == 1
    with pytest.raises(LaunchError, match="textures have no texels of float64"):
        Texture(card.array(np.zeros(3)))
    with pytest.raises(LaunchError, match="4 channels in a buffer of shape"):
        Texture(card.array(image), channels=4)
