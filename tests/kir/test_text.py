"""Printer, parser, builder, verifier: what the text form carries, and the sentences about what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrpp.kir import (
    Builder,
    Constant,
    Edge,
    Exit,
    Global,
    Instr,
    Kernel,
    Location,
    Module,
    Parameter,
    ParseError,
    Terminator,
    TypeMismatch,
    VerifyError,
    constant,
    parse_kernel,
    parse_module,
    print_kernel,
    print_module,
    verify_kernel,
    verify_module,
)
from openrpp.kir.fuzz import program
from openrpp.kir.ops import lookup
from openrpp.kir.printer import literal
from openrpp.kir.types import F32, F64, FLOATS, I1, I8, I16, I32, I64, INTS, PTR_GLOBAL, PTR_SHARED, Space, Type
from tests.kir.kernels import kernel_of, module_of

EVERYTHING = """\
module "a \\"name\\""
global @table constant size 4 align 4 data "01020304"
global @tile shared size 64 align 8
global @rest shared size 0 align 16 dynamic
global @state global size 16 align 8 reloc 8 @table -4

kernel @all(%n: i32, %s: byval 24 align 8, %p: ptr.global) max_threads 256 merge 4 {  !"k.cu":1:0
  local @buffer size 40 align 4
^entry:
  %0 = global_addr symbol=tile : ptr.shared  !"k.cu":3:5 in "main.cu":30:1 in "x.h":2:0
  %x = add nsw nuw %n, -1:i32 : i32
  %c = icmp pred=slt %x, 5:i32 : i1
  %f = select %c, 1.5:f32, 0x7fc00000:f32 : f32
  store align=16 volatile %f, %0
  %r = printf format="%d \\"%s\\"\\n" %x, %p : i32
  barrier
  switch %x, ^loop(%x), 1 ^loop(7:i32), -2 ^out
^loop(%i: i32):
  %next = add %i, 1:i32 : i32
  cbr %c, ^loop(%next), ^out
^out:
  unreachable
}
"""


def test_everything_in_the_text_form_survives() -> None:
    module = parse_module(EVERYTHING)
    verify_module(module)
    assert print_module(module) == EVERYTHING
    kernel = module.kernels["all"]
    assert (kernel.max_threads, kernel.merge, kernel.params[1].size) == (256, 4, 24)
    first = kernel.entry.body[0]
    assert first.location == Location("k.cu", 3, 5, Location("main.cu", 30, 1, Location("x.h", 2)))
    assert module.globals["state"].relocations == ((8, "table", -4),)


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_random_kernels_print_and_parse_to_themselves(seed: int) -> None:
    module = program(seed, 5).module
    text = print_module(module)
    again = parse_module(text)
    verify_module(again)
    assert print_module(again) == text


@given(st.sampled_from((*INTS, *FLOATS)), st.integers(0, (1 << 64) - 1))
def test_every_bit_pattern_has_a_literal(kind: Type, bits: int) -> None:
    bits &= kind.mask
    text = literal(kind, bits)
    kernel = parse_kernel(f"kernel @k(%p: ptr.global) {{\n^e:\n  store {text}:{kind}, %p\n  ret\n}}\n")
    stored = kernel.entry.body[0].operands[0]
    assert isinstance(stored, Constant)
    assert stored.bits == bits


def test_names_are_hints_that_printing_makes_distinct() -> None:
    kernel = Kernel("k", [Parameter(I32, "x")])
    build = Builder(kernel)
    one = build("add", kernel.params[0], 1, label="x")
    build("add", one, 1, label="x")
    build.ret()
    assert "%x.1 = add %x, 1:i32" in print_kernel(kernel)
    assert "%x.2 = add %x.1, 1:i32" in print_kernel(kernel)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%a = addd %n, %n : i32", "3:8: 'addd' is not an op; did you mean 'add'?"),
        ("%a = add %n, %m : i32", "3:16: '%m' is not defined"),
        ("%a = add %n, 1.0:f32 : i32", "3:8: operand 2 of 'add' is f32; allowed: i32"),
        ("%a = icmp pred=lt %n, %n : i1", "attribute 'pred' of 'icmp' is 'lt'; allowed: eq, ne, ult"),
        ("%a = trunc %n : i64", "3:8: the result of 'trunc' is i64; it must be narrower than i32"),
        ("%a = load %n : i64", "3:8: operand 1 of 'load' is i32; allowed: ptr.generic, ptr.global"),
        ("%a = add %n : i32", "3:8: 'add' takes 2 operands, not 1"),
        ("%a = add exact=1 %n, %n : i32", "3:8: 'add' has no attribute 'exact'; it has nuw, nsw"),
        ("%a = tid : i32", "3:8: 'tid' needs the attribute 'axis'"),
        ("%a = add %n, 7:i33 : i32", "3:18: 'i33' is not a type"),
        ("%a = add %n, 1.5:i32 : i32", "'1.5' is not a number of type i32"),
        ("%a = add %n ? %n : i32", "3:15: '?' starts no token of kernel IR"),
        ("br ^nowhere\n^f:", "'nowhere' is used in kernel 'k' but not defined"),
    ],
)
def test_parse_errors_name_the_place_and_what_would_be_right(line: str, sentence: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_kernel(f"kernel @k(%n: i32) {{\n^e:\n  {line}\n  ret\n}}\n")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("^e:\n cbr %n, ^a, ^a\n^a:\n ret", "its condition must be an i1"),
        ("^e:\n br ^a\n^a(%x: i32):\n ret", "block 'a' takes i32"),
        ("^e:\n br ^e", "an edge leads outside the kernel or to its entry"),
        ("^e:\n switch %n, ^a, 1 ^a, 1 ^a\n^a:\n ret", "two cases are equal"),
        ("^e:\n %x = add %y, 1:i32 : i32\n %y = add %n, 1:i32 : i32\n ret", "an operand is not defined on every path"),
        ("^e:\n %p = local_addr symbol=b : ptr.private\n ret", "the kernel has no local 'b'"),
        ("^e:\n %p = global_addr symbol=t : ptr.shared\n ret", "the module has no variable 't' of type ptr.shared"),
        ("^e:\n %x = load align=3 0x0:ptr.global : i32\n ret", "align 3 is not a power of two"),
    ],
)
def test_the_verifier_says_which_rule_is_broken(text: str, sentence: str) -> None:
    kernel = parse_kernel(f"kernel @k(%n: i32) {{\n{text}\n}}\n")
    with pytest.raises(VerifyError) as caught:
        verify_kernel(kernel, Module())
    assert sentence in str(caught.value)
    assert "kernel k" in str(caught.value)


def test_a_value_must_be_defined_on_every_path() -> None:
    text = "^e:\n cbr %c, ^a, ^b\n^a:\n %x = add 1:i32, 1:i32 : i32\n br ^b\n^b:\n %y = add %x, 1:i32 : i32\n ret"
    with pytest.raises(VerifyError, match="'%y = add %x, 1:i32 : i32': an operand is not defined on every path"):
        kernel_of(f"kernel @k(%c: i1) {{\n{text}\n}}")


def test_a_verify_error_names_source_line_and_pass() -> None:
    kernel = parse_kernel('kernel @k() {\n^e:\n  ret  !"a.cu":7:1\n}\n')
    kernel.entry.terminator.value = constant(I32, 1)
    with pytest.raises(VerifyError) as caught:
        verify_kernel(kernel, after="fold")
    expected = "rpp: kir: a.cu:7: kernel k: block 'e': 'ret 1:i32': it takes no value (after pass fold)"
    assert str(caught.value) == expected


def test_a_wrong_hand_made_result_type_is_found() -> None:
    kernel = kernel_of("kernel @k(%n: i32) {\n^e:\n %x = add %n, 1:i32 : i32\n ret\n}")
    kernel.entry.body[0].type = I64
    with pytest.raises(VerifyError, match="the result has type i32"):
        verify_kernel(kernel)


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        (Global("v", Space.PRIVATE, 4), "a variable of the module cannot lie in private memory"),
        (Global("v", Space.SHARED, 4, data=b"1234"), "shared memory has no initial content"),
        (Global("v", Space.GLOBAL, 4, align=3), "its alignment 3 is not a power of two"),
        (Global("v", Space.GLOBAL, 4, data=b"1"), "its initial content has 1 bytes, the variable 4"),
        (Global("v", Space.SHARED, 4, dynamic=True), "only a shared variable of size 0 can be dynamic"),
        (Global("v", Space.GLOBAL, 8, relocations=((0, "w", 0),)), "the relocation of 'w' at 0 has no target"),
    ],
)
def test_variables_keep_their_rules(variable: Global, sentence: str) -> None:
    module = Module()
    module.add_global(variable)
    with pytest.raises(VerifyError, match=sentence):
        verify_module(module)


def test_the_builder_gives_numbers_the_type_of_their_neighbours() -> None:
    kernel = Kernel("k", [Parameter(I16, "h"), Parameter(PTR_GLOBAL, "p"), Parameter(F64, "d")])
    build = Builder(kernel)
    h, p, d = kernel.params
    assert build("add", h, 3).operands[1].type is I16
    assert build("fma", 2, d, 0.5).operands[2].type is F64
    assert build("ptr_add", p, -4).operands[1].type is I64
    assert build("shfl_down", -1, 1.5, 1, 32, kind=F32).type is F32
    with pytest.raises(TypeMismatch, match="the type of the number 1 does not follow from the operands of 'store'"):
        build("store", 1, p)
    with pytest.raises(TypeMismatch, match="'add' takes 2 operands, not 1"):
        build("add", h)


def test_an_unknown_type_of_result_is_asked_for() -> None:
    with pytest.raises(TypeMismatch, match="'load' needs a result type"):
        Instr(lookup("load"), [Parameter(PTR_GLOBAL, "p")])


def test_values_are_compared_by_identity_and_types_too() -> None:
    assert constant(I8, -1).bits == 255
    assert constant(I8, -1) is not constant(I8, -1)
    assert module_of("").kernels == {}


def test_a_switch_and_an_edge_can_be_built() -> None:
    kernel = Kernel("k", [Parameter(I32, "n")])
    build = Builder(kernel)
    low, high = build.block("low", I32), build.block("high")
    build.switch(kernel.params[0], Edge(high), [(-1, Edge(low, [constant(I32, 4)]))])
    build.at(low).ret()
    build.at(high).unreachable()
    verify_kernel(kernel)
    assert kernel.entry.terminator.cases == [0xFFFF_FFFF]
    assert kernel.entry.terminator.kind is Exit.SWITCH
    assert Terminator(Exit.RETURN).edges == []
    assert (I1.bytes, PTR_SHARED.bytes) == (1, 8)
