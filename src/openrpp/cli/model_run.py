"""`rpp run` of an ONNX model: inputs from pictures and arrays, outputs, card time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.errors import InputError
from openrpp.cli.output import emit, json_option
from openrpp.cli.sessions import FACTS, facts_given, need_onnx, open_session, session_options, show_report, waiting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openrpp.graph import Session
    from openrpp.vision.models import Found, VisionModel

SUFFIXES = (".onnx", ".rppm")
EPILOG = (
    """\b
--input [NAME=]FILE gives an input the array of a .npy file, or a picture, which is resized and normalised as the model
wants it. Without NAME files go to the inputs in order. --out [NAME=]FILE.npy saves an output.

"""
    + FACTS
    + """

\b
Examples:
  rpp run efficientnet-lite0 --input cat.jpg
  rpp run yolov8n.onnx --input street.jpg --out output0=out.npy
  rpp run yolov8n.onnx --input street.jpg --save yolov8n.rppm
  rpp run model.onnx --input tokens=ids.npy --input mask=mask.npy --json
"""
)


@dataclass(frozen=True)
class Fed:
    """A session's inputs, and the model that takes a picture among them."""

    arrays: dict[str, NDArray[Any]]
    vision: VisionModel | None


def is_model(words: Sequence[str]) -> bool:
    """Whether the words behind `rpp run` are about a model: one ends in .onnx, or the first is a name to be pulled."""
    if any(word.endswith(SUFFIXES) and not word.startswith("-") and "=" not in word for word in words):
        return True
    first = words[0] if words else ""
    if not first or first.startswith("-") or Path(first).suffix in (".s", ".o", ".cu", ".cuh", ".rpp", ".bin"):
        return False
    from openrpp.weights import entries

    return not Path(first).exists() and first in entries()


@click.command("run", epilog=EPILOG, short_help="Run a model on the virtual card.")
@click.argument("model", metavar="MODEL")
@click.option("--input", "inputs", multiple=True, metavar="[NAME=]FILE", help="An input: a picture or a .npy file.")
@click.option("--out", "outputs", multiple=True, metavar="[NAME=]FILE", help="An output to save as a .npy file.")
@click.option("--save", "compiled", metavar="FILE.rppm", help="Write the compiled model, which needs no clang to run.")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="Classes of a classifier to show.")
@session_options
@json_option
def command(
    model: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    compiled: str | None,
    top: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Run MODEL on the virtual card and print its report.

    MODEL is an ONNX file, the name of a model that was pulled, or what --save has written (.rppm).
    """
    from openrpp.cli.arrays import check_writable, write_array
    from openrpp.vision.models import find_model

    catalogues = [Path(file) for file in options["catalogues"]]
    need_onnx(model)
    found = find_model(model, catalogues)
    fed = _feed(found, inputs, catalogues, facts_given(options["facts"]))
    saved = _places(outputs, [port.name for port in found.outputs])
    if compiled:
        check_writable(compiled)
        if not compiled.endswith(SUFFIXES[1]):
            raise InputError(f"--save {compiled}: a compiled model is called FILE{SUFFIXES[1]}")
    with waiting(f"compiling {model}"):
        session = open_session(found.model, model, options)
    begun = time.perf_counter()
    with waiting(f"running {model}"):
        results = session.run(None, fed.arrays)
    host_seconds = time.perf_counter() - begun
    values = dict(zip((port.name for port in session.get_outputs()), results, strict=True))
    for name, file in saved.items():
        write_array(file, values[name], "")
    if compiled:
        session.save(compiled)
    meaning = _meaning(fed, results, top)
    if as_json:
        rows = [_row(name, value, saved) for name, value in values.items()]
        document = {"model": model, "outputs": rows, "classes": meaning, "saved": compiled}
        emit({**document, "report": session.report().as_dict(), "host_seconds": host_seconds})
        return
    _show(session, values, saved, meaning)
    with waiting("working out its card time"):
        report = session.report()
    show_report(report, session, model, host_seconds)
    if compiled:
        click.echo(f" compiled model -> {compiled}")


def _feed(found: Found, inputs: Sequence[str], catalogues: Sequence[Path], facts: Mapping[str, Any]) -> Fed:
    """Arrays by input name. Raises InputError for a wrong number of files, what readers of files raise."""
    import numpy as np

    from openrpp.cli.arrays import read_array
    from openrpp.vision.images import read_image
    from openrpp.vision.models import listed, picture_model

    named = _places(inputs, [port.name for port in found.inputs], "input")
    arrays: dict[str, NDArray[Any]] = {}
    vision: VisionModel | None = None
    for port in found.inputs:
        name = port.name
        if name not in named:
            raise InputError(f"input {name} has no value; give --input {name}=FILE (inputs are {listed(found.inputs)})")
        if Path(named[name]).suffix == ".npy":
            wanted = port.type.removeprefix("tensor(").removesuffix(")")
            dtype = {"float": "float32", "double": "float64"}.get(wanted, wanted)
            given = read_array(named[name], "")
            if not np.can_cast(given.dtype, dtype, "same_kind"):
                raise InputError(
                    f"{named[name]}: input {name} is {wanted}; {given.dtype} does not convert without loss"
                )
            arrays[name] = given.astype(dtype)
            continue
        pixels = read_image(named[name])
        vision = picture_model(found, catalogues, facts, name)
        arrays |= vision.feed(pixels).feed
    return Fed(arrays, vision)


def _places(given: Sequence[str], names: Sequence[str], what: str = "output") -> dict[str, str]:
    """File by name of an input or output. Raises InputError for names that are not there or come twice."""
    from openrpp.cli.arrays import check_writable

    found: dict[str, str] = {}
    free = [name for name in names if not any(text.startswith(f"{name}=") for text in given)]
    for text in given:
        name, equals, file = text.partition("=")
        if not (equals and name in names):
            if equals and not Path(text).exists() and "/" not in name:
                raise InputError(f"there is no {what} {name}; there are {', '.join(names)}")
            if not free:
                raise InputError(f"{text}: no {what} is left for this file; there are {', '.join(names)}")
            name, file = free.pop(0), text
        if name in found:
            raise InputError(f"{what} {name} is given twice")
        if what == "output":
            check_writable(file)
        found[name] = file
    return found


def _meaning(fed: Fed, results: Sequence[NDArray[Any]], top: int) -> list[dict[str, Any]]:
    """The best classes where the model is a classifier of pictures."""
    from openrpp.vision.boxes import head_of
    from openrpp.vision.classes import best_classes

    vision = fed.vision
    if vision is None or head_of(vision.facts, results[0].shape, vision.size) != "classes":
        return []
    return [guess.as_dict() for guess in best_classes(results[0], vision.facts, top)]


def _row(name: str, value: NDArray[Any], saved: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "shape": list(value.shape), "dtype": str(value.dtype), "file": saved.get(name)}


def _show(
    session: Session, values: Mapping[str, NDArray[Any]], saved: Mapping[str, str], meaning: Sequence[dict[str, Any]]
) -> None:
    from openrpp.report.tables import grid, show

    rows = [(name, str(value.dtype), _shape(value), _range(value), saved.get(name, "-")) for name, value in
            values.items()]  # fmt: skip
    show(grid(("output", "type", "shape", "values", "saved to"), rows))
    if meaning:
        cells = [(str(row["label"]), row["name"], f"{row['score']:.3f}") for row in meaning]
        show(grid(("class", "what", "share"), cells))


def _shape(value: NDArray[Any]) -> str:
    return " x ".join(map(str, value.shape)) or "one value"


def _range(value: NDArray[Any]) -> str:
    if not value.size or value.dtype.kind not in "biuf":
        return "-"
    return f"{value.min():.4g} to {value.max():.4g}"
