"""What the published chip cannot do is refused with the source line, the instruction and a way round."""

from __future__ import annotations

import pytest

from openrpp.codegen import card
from openrpp.codegen.card.published.answer import published_answer
from openrpp.codegen.errors import Unsupported
from openrpp.cuda.compile import compile_source
from openrpp.cuda.reader import read
from openrpp.kir.ir import Module
from openrpp.storage import Cache

from .support import expanded

SOURCE = r"""extern "C" __global__ void fused(float *x) { int i = threadIdx.x;
    x[i] = 3.0f * x[i] + 1.0f;
}
extern "C" __global__ void root(float *x) { int i = threadIdx.x;
    x[i] = sqrtf(x[i]); }
extern "C" __global__ void adds(int *x) {
    atomicAdd(x, 1);
}
extern "C" __global__ void moved(int *x) {
    x[threadIdx.x] = __shfl_down_sync(0xffffffff, x[threadIdx.x], 4);
}
extern "C" __global__ void asked(int *x) {
    x[threadIdx.x] = __ballot_sync(0xffffffff, x[threadIdx.x]);
}
extern "C" __global__ void rows(float **x) {
    x[threadIdx.x][0] = 1.0f;
}
extern "C" __global__ void several(float *x, int *count) { int i = threadIdx.x;
    x[i] = sqrtf(x[i]);
    atomicAdd(count, 1);
}
extern "C" __global__ void simple(float *x) {
    x[threadIdx.x] = x[threadIdx.x] * 2.0f;
}
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    """Compiled here: lines inside the headers are told apart by where the headers are."""
    store = Cache(tmp_path_factory.mktemp("cache"))
    return expanded(read(compile_source(SOURCE, store=store)).module, target="ae7100")


@pytest.mark.parametrize(
    ("name", "line", "sentence"),
    [
        ("fused", 2, r"no FMA\.F32 \(extension 'fma32'\): compile with -fmad=false"),
        ("root", 5, r"no SQRT\.F32 \(extension 'math'\): look the result up in a table"),
        ("adds", 7, r"no ATOM\.ADD\.U32 \(extension 'atomic'\): reduce through shared memory"),
        ("moved", 10, r"no .* \(extension '(shuffle|vote)'\): .* shared memory"),
        ("asked", 13, r"no BALLOT \(extension 'vote'\)"),
        ("rows", 16, "a pointer from memory may not lead: pass the buffer as an argument"),
    ],
)
def test_the_sentence_names_line_and_instruction_and_advises(
    module: Module, name: str, line: int, sentence: str
) -> None:
    with pytest.raises(
        Unsupported, match=rf"kernel\.cu:{line}\b.*: kernel {name}: .*{sentence}.* use --target ae7100x"
    ):
        card.compile(module, name, (32, 1, 1), target="ae7100")


def test_an_unknown_target_is_named(module: Module) -> None:
    with pytest.raises(ValueError, match="target 'ae7200' is not known; there are ae7100x, ae7100"):
        card.compile(module, "simple", (32, 1, 1), target="ae7200")


def test_the_answer_says_what_stands_in_the_way(module: Module) -> None:
    answer = published_answer(module, card.compile(module, "several", (32, 1, 1)))
    assert not answer.runs and not answer.compiles
    assert {need.group for need in answer.missing} >= {"ddr", "math", "atomic"}
    lines = {need.group: need.location.line for need in answer.missing if need.location}
    assert lines["math"] == 19 and lines["atomic"] == 20
    assert len(answer.refusals) == 2
    assert str(answer).startswith("published chip: no, because it uses ")


def test_the_answer_says_when_another_target_would_do(module: Module) -> None:
    program = card.compile(module, "simple", (32, 1, 1))
    answer = published_answer(module, program)
    assert not answer.runs and answer.compiles and str(answer).endswith("with --target ae7100: yes")
    assert str(published_answer(module, card.compile(module, "fused", (32, 1, 1)))).endswith(
        "with --target ae7100: yes (-fmad=false, so that product and sum round by themselves)"
    )
    published = card.compile(module, "simple", (32, 1, 1), target="ae7100")
    assert str(published_answer(module, published)) == "published chip: yes"
