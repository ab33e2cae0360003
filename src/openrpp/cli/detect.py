"""`rpp detect`: boxes on a picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.output import emit, json_option
from openrpp.cli.sessions import FACTS, facts_given, need_onnx, open_session, session_options, show_report, waiting

if TYPE_CHECKING:
    from openrpp.vision.boxes import Box

DEFAULT = "yolox-tiny-glyphs"
EPILOG = (
    FACTS
    + """

\b
Examples:
  rpp pull yolox-tiny-glyphs
  rpp detect page.png -o boxes.png
  rpp detect street.jpg --model yolov8n.onnx --score 0.4 --json
  rpp detect street.jpg --model my-yolox.onnx --fact head=yolox --fact deviation=1 --fact labels=coco.txt
"""
)


@click.command("detect", epilog=EPILOG, short_help="Find things in a picture with a YOLO on the virtual card.")
@click.argument("photo", metavar="PHOTO")
@click.option("--model", default=DEFAULT, show_default=True, metavar="NAME|FILE", help="A model by name, or its file.")
@click.option("-o", "--output", metavar="FILE", help="Write the picture with its boxes.")
@click.option("--score", type=click.FloatRange(0, 1), help="Least score of a box; as --fact score.")
@session_options
@json_option
def command(photo: str, model: str, output: str | None, score: float | None, as_json: bool, **options: Any) -> None:
    """Find things in PHOTO with a YOLO model, and say what the card took for it.

    Resizing, decoding and suppression of overlapping boxes are the host's work; the network runs on the card.
    """
    from openrpp.cli.arrays import check_writable
    from openrpp.vision.images import draw, read_image, write_image
    from openrpp.vision.models import open_model

    if output:
        check_writable(output)
    need_onnx(model)
    pixels = read_image(photo)
    given = facts_given(options["facts"]) | ({} if score is None else {"score": score})
    found = open_model(model, [Path(file) for file in options["catalogues"]], given)
    with waiting(f"compiling {model}"):
        session = open_session(found.model, found.title, options)
    fed = found.feed(pixels)
    begun = time.perf_counter()
    with waiting(f"running {model}"):
        first = session.run(None, fed.feed)[0]
    host_seconds = time.perf_counter() - begun
    boxes = found.boxes(first, fed.placement, pixels)
    if output:
        write_image(output, draw(pixels, boxes))
    if as_json:
        document = {"photo": photo, "model": model, "size": list(pixels.shape[1::-1]), "output": output}
        rows = [box.as_dict() for box in boxes]
        emit({**document, "boxes": rows, "report": session.report().as_dict(), "host_seconds": host_seconds})
        return
    _show(photo, boxes)
    with waiting("working out its card time"):
        report = session.report()
    show_report(report, session, found.title, host_seconds)
    if output:
        click.echo(f" boxes -> {output}")


def _show(photo: str, boxes: Sequence[Box]) -> None:
    from openrpp.report.tables import grid, show

    rows = [
        (box.name, f"{box.score:.3f}", *(f"{edge:.1f}" for edge in (box.x0, box.y0, box.x1, box.y1))) for box in boxes
    ]
    if rows:
        show(grid(("what", "score", "left", "top", "right", "bottom"), rows, f"{photo}: {len(boxes)} found"))
    else:
        show(f"{photo}: nothing found")
