"""A small kernel and cards for the runtime's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from openrpp.runtime import Card, Function

ADD = """
.param .u32 src
.param .u32 dst
.param .u16 n
.var .u32 %p
.var .u32 %q
.var .u32 %at
.var .u16 %x
.var .u16 %y
.var .u16 %all
.var .u16 %n
LDPARAM.U16 [tbDim.x], %x
LDPARAM.U16 [tbDim.y], %y
LDPARAM.U16 [tid_xyz], %all
CFGXYZ %x, %y, %all
LDPARAM.U32 [src], %p
LDPARAM.U32 [dst], %q
LDPARAM.U16 [n], %n
MUL.U16.WIDE %blockIdx.x, %x, %at
SHL.U32 %at, 1, %at
ADD.U32 %p, %at, %p
ADD.U32 %q, %at, %q
LOADCONT %p, MB
ADD.U16 MB, %n, VA
##
STORECONT %q, VA
##
"""
"""dst[i] = src[i] + n over 16-bit words, one thread per word."""


@pytest.fixture(scope="session")
def add_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kernels") / "add.s"
    path.write_text(ADD)
    return path


@pytest.fixture
def card() -> Card:
    return Card("ae7100")


@pytest.fixture
def add(card: Card, add_file: Path) -> Function:
    return card.module(add_file)["add"]
