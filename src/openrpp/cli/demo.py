"""`rpp demo`: something to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.errors import InputError
from openrpp.cli.output import emit, json_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from openrpp.machine.report import LaunchReport
    from openrpp.runtime import Card

EPILOG = """\b
Examples:
  rpp demo photo --out photo.png
  rpp demo photo --image holiday.jpg --filter edges --out edges.png
"""
PHOTOS = ("astronaut", "camera", "coffee")
FILTER_NAMES = ("sharpen", "blur", "edges", "emboss")


@click.group("demo", epilog=EPILOG, short_help="Programs to look at: filter a photo.")
def command() -> None:
    """Programs to look at."""


@command.command("photo", epilog=EPILOG)
@click.option("--out", "output", required=True, metavar="FILE.png", help="Picture to write.")
@click.option("--image", default="astronaut", show_default=True, help=f"{', '.join(PHOTOS)} or a picture file.")
@click.option("--filter", "name", type=click.Choice(FILTER_NAMES), default="sharpen", show_default=True)
@click.option("--compare", is_flag=True, help="Write the original to the left of the result.")
@click.option("--arch", default="ae7100", show_default=True, help="Preset name or architecture file.")
@json_option
def photo(output: str, image: str, name: str, compare: bool, arch: str, as_json: bool) -> None:
    """Filter a photo on the virtual card with a 5x5 filter in RPP assembly; write the picture, print the report."""
    import time

    import numpy as np

    from openrpp.cli.photo import FILTERS, filter_photo, model
    from openrpp.cli.progress import BlockProgress
    from openrpp.runtime import Card

    program = program_file("filter5x5")
    pixels = load_photo(image)
    card = Card(arch)
    function = card.module(program)["filter5x5"]
    begun = time.perf_counter()
    with BlockProgress("filter5x5", 0) as progress:
        if progress.visible:
            card.observe(progress)
        result, reports = filter_photo(card, function, pixels, FILTERS[name])
    host_seconds = time.perf_counter() - begun
    equal = bool(np.array_equal(result, model(pixels, FILTERS[name])))
    save_photo(output, np.concatenate([pixels, result], axis=1) if compare else result)
    facts = {"image": image, "filter": name, "shape": list(pixels.shape), "output": output, "equals_numpy": equal}
    if as_json:
        emit(_document(card, reports, facts, host_seconds))
    else:
        _print(card, reports, facts, host_seconds)
    if not equal:
        raise click.ClickException("the card's picture differs from the NumPy model; this is a bug")


def program_file(name: str) -> Path:
    """Assembly text of a demo program. Raises InputError where it is not at hand."""
    import openrpp

    package = Path(openrpp.__file__).parent
    # A wheel holds the examples inside the package, a checkout beside it.
    for folder in (package / "examples", package.parents[1] / "examples"):
        path = folder / f"{name}.s"
        if path.is_file():
            return path
    raise InputError(f"{name}.s is not installed; run the demo from a checkout of OpenRPP")


def load_photo(image: str) -> NDArray[np.uint8]:
    """A photo of scikit-image by name, or a picture file; 8-bit, grey or RGB.

    Raises InputError for what is no picture, OSError for a file that cannot be read.
    """
    import numpy as np

    if image in PHOTOS:
        data: Any = _optional("skimage.data", "scikit-image")
        pixels: NDArray[np.uint8] = getattr(data, image)()
        return pixels
    pillow: Any = _optional("PIL.Image", "pillow")
    if not Path(image).exists():
        raise InputError(f"{image}: no such file; photos by name are {', '.join(PHOTOS)}")
    try:
        with pillow.open(image) as opened:
            return np.asarray(opened.convert("L" if opened.mode in ("1", "L", "I;16") else "RGB"))
    except pillow.UnidentifiedImageError:
        raise InputError(f"{image}: not a picture that pillow can read") from None


def save_photo(path: str, pixels: NDArray[np.uint8]) -> None:
    """Write a picture; its folder is made. Raises InputError for an unknown kind of file, OSError."""
    pillow: Any = _optional("PIL.Image", "pillow")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    try:
        pillow.fromarray(pixels).save(path)
    except ValueError:
        raise InputError(f"{path}: pillow writes no such kind of file; use .png") from None


def _optional(module: str, package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"{package} is not installed; pip install 'openrpp[demo]'") from None


def busy(card: Card) -> dict[str, float]:
    """Nominal seconds that each engine was busy."""
    found: dict[str, float] = {}
    for record in card.timeline:
        found[record.engine] = found.get(record.engine, 0.0) + record.end - record.start
    return found


def _document(card: Card, reports: list[LaunchReport], facts: dict[str, Any], host_seconds: float) -> dict[str, Any]:
    total = card.now
    return {
        **facts,
        "card": card.arch.name,
        "launches": [report.as_dict() for report in reports],
        "total_card_seconds": {"low": total.low, "nominal": total.nominal, "high": total.high},
        "busy_card_seconds": busy(card),
        "host_seconds": host_seconds,
    }


def _print(card: Card, reports: list[LaunchReport], facts: dict[str, Any], host_seconds: float) -> None:
    from openrpp.report.figures import duration, durations, scaled
    from openrpp.report.launch import launch_table
    from openrpp.report.tables import pairs, show

    total = card.now
    height, width = facts["shape"][:2]
    pixels = height * width
    engines = ", ".join(f"{name} {duration(seconds)}" for name, seconds in busy(card).items())
    rows = [
        ("photo", f"{facts['image']}, {width} x {height}, {'colour' if len(facts['shape']) == 3 else 'grey'}"),
        ("bands", f"{len(reports)} launches on two streams"),
        ("card time", f"{durations(total)}, copies and launches included"),
        ("rate", scaled(pixels / total.nominal, "pixel/s")),
        ("busy", f"{engines} (nominal; they overlap)"),
        ("result", f"{facts['output']}, equal to NumPy bit for bit" if facts["equals_numpy"] else "differs from NumPy"),
    ]
    show(launch_table(reports[0], card.arch.limits.warp.value))
    show(pairs(f"5x5 filter '{facts['filter']}' on {card.arch.name} (card time)", rows))
    show(f" host time {duration(host_seconds)} (reference engine on this computer; not card time)")
