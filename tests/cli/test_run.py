from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from openrpp.cli.arrays import from_bf16, to_bf16
from openrpp.cli.progress import BlockProgress
from openrpp.isa.objects import write_object
from openrpp.machine import load_text
from openrpp.machine.faults import Place

from .conftest import Rpp

SEARCHED = [str(Path(path).absolute()) for path in sys.path]  # before a test changes the folder
LAUNCH = ("run", "add.s", "--grid", "4", "--block", "256")


def test_a_run_saves_its_output_and_prints_card_time_and_host_time_apart(rpp: Rpp) -> None:
    result = rpp(*LAUNCH, "--in", "src=a.npy", "--out", "dst=b.npy:uint16:1024", "--param", "n=3")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(np.load("b.npy"), np.arange(1024) + 3)
    lines = result.stdout.splitlines()
    assert lines[0] == "kernel add (card time, low / nominal / high over the card's figures)"
    names = [line.split()[0] for line in lines[1:]]
    assert names[:9] == ["grid", "block", "columns", "cycles", "kernel", "launch", "utilisation", "limiter", "roofline"]
    assert lines[3] == " columns      8 configurations"
    assert "dst -> b.npy (uint16, 1024)" in result.stdout
    assert lines[-1].startswith(" host time ") and lines[-1].endswith(
        "(reference engine on this computer; not card time)"
    )
    assert all(line == line.rstrip() for line in lines)
    assert result.stderr == ""


def test_json_is_all_that_stands_on_standard_output(rpp: Rpp) -> None:
    result = rpp(*LAUNCH, "--in", "src=a.npy", "--out", "dst=b.npy:uint16:4x256", "--param", "3", "--json")
    document = json.loads(result.stdout)
    assert document["report"]["kernel"] == "add" and document["report"]["columns"] == 8
    assert document["outputs"] == [{"name": "dst", "file": "b.npy", "dtype": "uint16", "shape": [4, 256]}]
    assert document["host_seconds"] > 0 and document["card"] == "ae7100" and document["engine"] == "reference"
    total = document["total_card_seconds"]
    assert 0 < total["low"] < total["nominal"] < total["high"]
    # Two legs in, launch and kernel, two legs out, by the preset's nominal figures.
    legs = 2e-6 + 2048 / (3.94e9 * 0.85) + 184e-9 + 2048 / (59.7e9 * 0.87)
    assert total["nominal"] == pytest.approx(2 * legs + 25e-6 + document["report"]["seconds"]["nominal"], rel=1e-9)


@pytest.mark.parametrize("engine", ["native", "interpreter"])
def test_programs_run_lifted_with_the_same_card_time(rpp: Rpp, engine: str) -> None:
    options = ("--in", "src=a.npy", "--out", "dst=b.npy:uint16:1024", "--param", "n=3", "--json")
    reference, lifted = (json.loads(rpp(*LAUNCH, *options, "--engine", name).stdout) for name in ("reference", engine))
    np.testing.assert_array_equal(np.load("b.npy"), np.arange(1024) + 3)
    assert lifted["engine"] == engine and lifted["report"] == reference["report"]
    refused = rpp(*LAUNCH, *options, "--engine", engine, "--strict")
    assert refused.exit_code and f"programs on {engine} have none" in refused.stderr


def test_a_program_that_leaves_the_card_on_the_native_engine_is_a_sentence(folder: Path) -> None:
    (folder / "wild.s").write_text(
        "MMOV 64, DVA\nMOVE.U32 0, DS4\nMOVE.U32 0, DS6\n##\nSTORE.D32 IAB, [DS4 + DVA]\n##\n"
    )
    command = [sys.executable, "-m", "openrpp.cli", "run", "wild.s", "--block", "64", "--arch", "ae7100x"]
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(SEARCHED)}
    command += ["--engine", "native"]
    done = subprocess.run(command, env=here, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("rpp: fault: kernel wild accessed an address outside of the card's memory")
    assert "--engine reference finds the access" in done.stderr


def test_an_output_named_as_an_input_reads_the_same_buffer_back(rpp: Rpp) -> None:
    result = rpp(*LAUNCH, "--in", "src=a.npy", "--out", "src=b.npy", "--param", "dst=@src", "--param", "n=0x10")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(np.load("b.npy"), np.arange(1024) + 16)


def test_positional_parameters_fill_what_is_not_named(rpp: Rpp) -> None:
    result = rpp(*LAUNCH, "--in", "x=a.npy", "--out", "x=b.npy", "--param", "@x", "--param", "@x+2", "--param", "n=0")
    assert result.exit_code == 0, result.stderr
    shifted = np.load("b.npy")
    np.testing.assert_array_equal(shifted[1:257], np.arange(256))


def test_bf16_is_converted_both_ways(rpp: Rpp, folder: Path) -> None:
    values = np.array([1.0, -2.5, 3.1415927, 65504.0], np.float32)
    np.save(folder / "f.npy", np.tile(values, 16))
    result = rpp(
        "run", "add.s", "--block", "64", "--in", "src=f.npy:bf16", "--out", "dst=g.npy:bf16:64", "--param", "0"
    )
    assert result.exit_code == 0, result.stderr
    back = np.load("g.npy")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back[:4], np.array([1.0, -2.5, 3.140625, 65536.0], np.float32))


def test_bf16_rounds_to_nearest_even_and_keeps_nan() -> None:
    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F800001, 0xFF800000, 0x7F7FFFFF], np.uint32)
    assert [hex(word) for word in to_bf16(bits.view(np.float32))] == [
        "0x3f80", "0x3f82", "0x3f81", "0x7fc0", "0xff80", "0x7f80",
    ]  # fmt: skip
    every = np.arange(1 << 16, dtype=np.uint16)
    number = ~np.isnan(from_bf16(every))
    np.testing.assert_array_equal(to_bf16(from_bf16(every))[number], every[number])


def test_buffers_may_lie_in_ddr(rpp: Rpp) -> None:
    result = rpp(*LAUNCH, "--in", "src=a.npy:ddr", "--param", "dst=@src", "--param", "n=1")
    assert result.exit_code == 1
    assert re.sub(r" \(line \d+\)", "", result.stderr) == (
        "rpp: fault: kernel add, block (0, 0, 0), column 0, word 11, lane 0, address 0x50000000: "
        "the memory port reaches SRAM only; SRAM is 0x4000000 to 0x57fffff\n"
    )
    result = rpp(*LAUNCH, "--in", "far=a.npy:ddr", "--out", "far=b.npy", "--in", "src=a.npy", "--param", "dst=@src",
                 "--param", "n=@far.high")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(np.load("b.npy"), np.arange(1024))


def test_one_kernel_of_an_object_is_chosen_by_name(rpp: Rpp, folder: Path) -> None:
    kernel = load_text("add.s")
    write_object("lib.o", {"add": kernel, "plus": kernel})
    options = ("--block", "64", "--in", "src=a.npy", "--param", "dst=@src", "--param", "n=1")
    assert rpp("run", "lib.o", "--kernel", "plus", *options).exit_code == 0
    result = rpp("run", "lib.o", *options)
    assert result.stderr == "rpp: run: lib.o holds add, plus; choose one with --kernel\n"
    result = rpp("run", "lib.o", "--kernel", "sub", *options)
    assert result.stderr == "rpp: launch: lib.o has no kernel sub; it has add, plus\n"


@pytest.mark.parametrize("order", ["column", "warp", "random", "descending", "shuffled"])
def test_orders_checks_and_architectures_are_options(rpp: Rpp, order: str) -> None:
    checks = "order,undefined" if order == "column" else "undefined"
    more = ("--order", order, "--seed", "3", "--check", checks, "--strict", "--arch", "ae7100x")
    result = rpp(*LAUNCH, "--in", "src=a.npy", "--out", "dst=b.npy:uint16:1024", "--param", "n=3", *more)
    assert result.exit_code == 0, result.stderr
    np.testing.assert_array_equal(np.load("b.npy"), np.arange(1024) + 3)


GOOD = "--grid 4 --block 256 --in src=a.npy --param dst=@src --param n=1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"run none.s {GOOD}", "run: none.s: No such file or directory"),
        (
            "run add.s --block 64 --in src=a.npy",
            "run: parameters have no value: dst, n; give --param, --in or --out (parameters are src, dst, n)",
        ),
        (f"run add.s {GOOD} --param 4", "run: 1 --param too many; parameters are src, dst, n"),
        (
            f"run add.s {GOOD} --param m=4",
            "run: --param m: the kernel has no such parameter; parameters are src, dst, n",
        ),
        (f"run add.s {GOOD} --param n=4", "run: --param n is given twice"),
        (f"run add.s {GOOD} --param src=4", "run: parameter src is given by --param and by a buffer of that name"),
        (f"run add.s {GOOD} --in src=a.npy", "run: --in src is given twice"),
        (
            f"run add.s {GOOD} --in z=a.npy",
            "run: buffer z is used by no parameter; parameters are src, dst, n; @z passes its address",
        ),
        (
            "run add.s --block 64 --in src=a.npy --param dst=@z --param n=1",
            "run: @z: no buffer has that name; buffers are src",
        ),
        (
            f"run add.s {GOOD} --out src=b.npy:uint16:3",
            "run: --out src: an input's buffer has its dtype and shape already; leave them out",
        ),
        (
            "run add.s --block 64 --out dst=b.npy --param src=0x4000000 --param n=1",
            "run: --out dst=b.npy needs :DTYPE:COUNT, since there is no input to be like",
        ),
        (
            "run add.s --block 64 --out dst=no/b.npy:uint16:64 --in src=a.npy --param n=1",
            "run: no/b.npy: folder no does not exist",
        ),
        (
            "run add.s --block 64 --in src=a.npy --param dst=@src --param n=70000",
            "launch: kernel add, parameter n (u16): 70000 does not fit 16 bits",
        ),
        (
            "run add.s --block 64 --in src=a.npy --param dst=@src --param n=1.5",
            "launch: kernel add, parameter n (u16): 1.5 is a float, which takes 32 bits; "
            "pass bf16 as its uint16 bit pattern",
        ),
        (
            "run add.s --block 8161 --in src=a.npy --param dst=@src --param n=1",
            "launch: block (8161, 1, 1) has 8161 threads; a block has 1 to 8160 (255 warps of 32)",
        ),
        (
            "run add.s --block 64 --out dst=b.npy:uint8:23068672 --in src=a.npy --param n=1",
            "memory: SRAM has no room for 23068672 bytes (23069184 with rounding and guard): "
            "23066112 are free, the largest gap has 23066112",
        ),
        (
            "run add.s --block 64 --out dst=b.npy:uint8:99999999999999:ddr --in src=a.npy --param n=1",
            "memory: DDR has no room for 99999999999999 bytes (100000000000000 with rounding and guard): "
            "16106127360 are free, the largest gap has 16106127360",
        ),
        (f"run add.s {GOOD} --arch ae9", "arch: ae9: no such preset or file; allowed: ae7100, ae7100x"),
        (
            f"run add.s {GOOD} --engine warp9",
            "launch: engine 'warp9' is not known; there are reference, native, interpreter",
        ),
        (
            f"run add.s {GOOD} --order up",
            "launch: order 'up' is not known; there are column, warp, random, descending, shuffled",
        ),
        (
            f"run add.s {GOOD} --check tokens,spelling",
            "launch: check 'spelling' is not known; there are tokens, order, undefined",
        ),
        (
            f"run add.s {GOOD} --param k=x",
            "run: Invalid value for '--param': 'k=x' is no parameter; write NAME=VALUE or VALUE, where VALUE is a "
            "whole number, a float such as 1.0, bf16:1.0, or @BUFFER; see 'rpp run --help'",
        ),
        (
            f"run add.s {GOOD} --in a.npy",
            "run: a.npy: no parameter is left for this buffer; parameters are src, dst, n",
        ),
        (
            f"run add.s {GOOD} --in src=",
            "run: Invalid value for '--in': 'src=' is no input; write NAME=FILE.npy, NAME=FILE.npy:bf16 or "
            "NAME=FILE.npy:ddr; see 'rpp run --help'",
        ),
        (
            "run add.s --block 1,2,3,4",
            "run: Invalid value for '--block': '1,2,3,4' is no extent; write one to three whole numbers, "
            "such as 256 or 32,8; see 'rpp run --help'",
        ),
        (
            "run add.s --block 64 --out dst=b.npy:float23:7",
            "run: Invalid value for '--out': 'dst=b.npy:float23:7' needs FILE:DTYPE:COUNT, such as b.npy:uint16:256 "
            "or b.npy:bf16:16x32; dtypes are uint8, int8, uint16, int16, uint32, int32, uint64, int64, float16, "
            "float32, float64, bf16; see 'rpp run --help'",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_exit_code_2(rpp: Rpp, line: str, said: str) -> None:
    result = rpp(*line.split())
    assert (result.stderr, result.stdout, result.exit_code) == (f"rpp: {said}\n", "", 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "x.npy: not an array of numbers in NumPy's .npy format: No data left in file"),
        (
            b"hello world",
            "x.npy: not an array of numbers in NumPy's .npy format: "
            "This file contains pickled (object) data. If you trust the file you can load it unsafely using the "
            "`allow_pickle=` keyword argument or `pickle.load()`.",
        ),
    ],
)
def test_a_file_that_is_no_array_is_refused(rpp: Rpp, folder: Path, content: bytes, said: str) -> None:
    (folder / "x.npy").write_bytes(content)
    result = rpp("run", "add.s", "--block", "64", "--in", "src=x.npy", "--param", "1", "--param", "1")
    assert result.exit_code == 2 and result.stderr == f"rpp: run: {said}\n"


def test_arrays_of_other_kinds_are_refused_or_straightened(rpp: Rpp, folder: Path) -> None:
    options = ("--block", "64", "--param", "dst=@src", "--param", "n=0", "--out", "src=out.npy")
    cases = {
        "text.npy": (np.array(["a", "b"]), "text.npy: dtype <U1 cannot live on the card; use a fixed-size number type"),
        "empty.npy": (np.zeros((0, 4)), "empty.npy: the array of shape (0, 4) is empty"),
        "complex.npy": (
            np.zeros(4, complex),
            "complex.npy: dtype complex128 cannot live on the card; use a fixed-size number type",
        ),
    }
    for name, (array, said) in cases.items():
        np.save(folder / name, array)
        result = rpp("run", "add.s", "--in", f"src={name}", *options)
        assert (result.exit_code, result.stderr) == (2, f"rpp: run: {said}\n")
    np.savez(folder / "several.npz", a=np.zeros(3), b=np.zeros(3))
    result = rpp("run", "add.s", "--in", "src=several.npz", *options)
    assert result.stderr == "rpp: run: several.npz: an archive of several arrays; give a .npy file with one\n"
    fortran = np.asfortranarray(np.arange(128, dtype=">u2").reshape(8, 16))
    np.save(folder / "fortran.npy", fortran)
    assert rpp("run", "add.s", "--in", "src=fortran.npy", *options).exit_code == 0
    np.testing.assert_array_equal(np.load("out.npy"), fortran)


def test_every_complaint_about_a_text_is_a_line(rpp: Rpp, folder: Path) -> None:
    (folder / "bad.s").write_text("FROB VA\n##\nLOADCONT %p, MB\n##\n")
    result = rpp("run", "bad.s", "--block", "64")
    assert result.exit_code == 2 and result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("rpp: asm: bad.s:1:1: 'FROB'") and lines[1].startswith("rpp: asm: bad.s:3:")


def test_a_runaway_program_ends_with_exit_code_1(rpp: Rpp, folder: Path) -> None:
    (folder / "spin.s").write_text("$AGAIN:\nJMP $AGAIN\n##\n")
    result = rpp("run", "spin.s", "--block", "64", "--max-words", "100")
    assert result.exit_code == 1
    assert result.stderr.startswith("rpp: fault: kernel spin, block (0, 0, 0), column 0, word 0")


def test_an_interrupt_ends_quietly_with_130(folder: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "openrpp.cli",
        "trace",
        "add.s",
        "--grid",
        "60000",
        "--block",
        "8160",
        "-o",
        "t.json",
    ]
    words += ["--in", "src=a.npy", "--param", "dst=@src", "--param", "n=1"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (folder / "t.json").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "rpp: interrupted")
    assert json.loads((folder / "t.json").read_text())["traceEvents"]


def test_progress_shows_after_a_while_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    place, clock = Place("k"), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    quiet = BlockProgress("k", 10)
    assert not quiet.visible  # standard error is captured here
    with BlockProgress("k", 10) as progress:
        progress.visible = True
        progress.block(place)
        assert progress._bar is None
        clock[0] = 2.5
        progress.block(place)
        assert progress._bar is not None and progress.begun == 2
        assert progress._bar.tasks[0].completed == 1 and progress._bar.tasks[0].total == 10


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_tables_fit_the_terminal(folder: Path) -> None:
    master, slave = os.openpty()
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-m", "openrpp.cli", "info"], stdout=slave, env=environment)
    os.close(slave)
    text = b""
    try:
        while part := os.read(master, 65536):
            text += part
    except OSError:
        pass
    assert process.wait(timeout=60) == 0
    assert b"\x1b[" in text and b"stage_latency" in text


def test_buffers_without_names_take_the_first_parameters_and_an_output_is_like_the_input(
    rpp: Rpp, folder: Path
) -> None:
    named = rpp(
        "run", "add.s", "--block", "64", "--in", "src=a.npy", "--out", "dst=b.npy:uint16:1024", "--param", "n=3"
    )
    bare = rpp("run", "add.s", "--block", "64", "--in", "a.npy", "--out", "c.npy", "--param", "3")
    assert (named.exit_code, bare.exit_code) == (0, 0), named.stderr + bare.stderr
    assert np.load(folder / "c.npy").shape == np.load(folder / "a.npy").shape
    assert np.array_equal(np.load(folder / "c.npy")[:64], np.load(folder / "b.npy")[:64])
