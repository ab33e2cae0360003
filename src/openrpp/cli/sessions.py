"""What commands that run a model share: the options of a session, and how its report is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from openrpp.cli.errors import InputError

if TYPE_CHECKING:
    from openrpp.graph import HostNode, Session, SessionReport

P = ParamSpec("P")
R = TypeVar("R")
SHOWN = 4
"""Nodes of a kind that the table names."""

_OPTIONS = (
    click.option("--arch", default="ae7100", show_default=True, help="Preset name or architecture file."),
    click.option(
        "--engine",
        type=click.Choice(["native", "reference", "interpreter"]),
        default="native",
        show_default=True,
        help="What carries out kernels.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(["bf16", "f32"]),
        default="bf16",
        show_default=True,
        help="What the card computes in; f32 is for comparisons and slow there.",
    ),
    click.option("--no-host", is_flag=True, help="Refuse a model of which nodes would run on the host."),
    click.option("--fact", "facts", multiple=True, metavar="NAME=VALUE", help="A fact about the model, see below."),
    click.option("--catalogue", "catalogues", multiple=True, metavar="FILE", help="One more catalogue of models."),
)
FACTS = """\b
What a model does not say about itself stands in its catalogue (rpp pull --help), in the metadata that Ultralytics
writes, or is given by --fact:
  head=yolox, yolov8 or classes    what the output means; else found by its shape
  place=stretch, centre, corner or crop
                                   the picture is stretched, laid whole on grey, or cut
  mean=127, deviation=[58,57,57]   a pixel of 0 to 255 is fed as (pixel - mean) / deviation; 0 and 255 by default
  channels=RGB or BGR              their order
  size=[480,640]                   height and width where the model leaves them open
  labels=names.txt                 names of the classes, one per line or JSON; or a name of the catalogue
  score=0.25, overlap=0.45         least score of a box; boxes that overlap by more count as one"""


def session_options(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command with the options of a session."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def facts_given(texts: tuple[str, ...]) -> dict[str, Any]:
    """The facts of --fact. Raises VisionError."""
    from openrpp.vision.facts import fact

    return dict(fact(text) for text in texts)


def open_session(model: Any, name: str, options: dict[str, Any]) -> Session:
    """A session for a model. Raises GraphError."""
    from openrpp.cli.wild import explain_wild_accesses
    from openrpp.graph import Session

    if options["engine"] == "native":
        explain_wild_accesses(f"of {name}", "--engine reference")
    return Session(model, options["arch"], options["engine"], dtype=options["dtype"], no_host=options["no_host"])


@contextmanager
def waiting(what: str) -> Generator[None]:
    """Say on a terminal what takes a while."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def need_onnx(model: str) -> None:
    """Raises InputError where the extra is not installed; a compiled model may do without it."""
    from openrpp.vision.models import COMPILED

    if model.endswith(COMPILED):
        return
    try:
        import onnx
        import onnx_ir
        import onnxscript
    except ImportError as error:
        raise InputError(f"{error.name or 'onnx'} is not installed; pip install 'openrpp[vision]'") from None
    del onnx, onnx_ir, onnxscript


def show_report(report: SessionReport, session: Session, name: str, host_seconds: float) -> None:
    """Print what a run took: card time, launches, and what ran on the host instead."""
    from openrpp.report.figures import duration, durations, percent, scaled
    from openrpp.report.tables import grid, pairs, show

    rows = [
        ("card time", _card_time(report)),
        ("copies", f"{durations(report.edges)} of card time between host and card"),
        ("on the card", f"{report.launches} launches and {report.copies} copies for {report.nodes} nodes"),
    ]
    if report.peak is not None and report.card is not None:
        rate = scaled(report.macs / report.card.nominal, "MAC/s")
        rows.append(("rate", f"{rate}, {percent(report.peak)} of the card's peak (nominal)"))
    rows.append(("memory", f"{report.weights:,} bytes of weights, {report.sram:,} of SRAM, {report.ddr:,} of DDR"))
    share = percent(sum(node.share for node in report.host_nodes))
    count = len(report.host_nodes)
    what = f"{count} node{'s' if count > 1 else ''}, {share} of the host time" if count else "no node"
    rows.append(("on the host", what))
    show(pairs(f"{name} on {session.card.arch.name}, {session.dtype}", rows))
    if count:
        show(grid(("on the host", "nodes", "share", "why", "names"), _hosts(report)))
    what = f"this first run on the {session.card.engine} engine, which loads the kernels"
    show(f" host time {duration(host_seconds)} for {what} (not card time)")


def _card_time(report: SessionReport) -> str:
    from openrpp.report.figures import durations

    if not report.launches:
        return "none, nothing ran on the card"
    if report.card is None:
        return f"not known: {report.unknown[0]}"
    return f"{durations(report.card)} for one run, launches included (low / nominal / high)"


def _hosts(report: SessionReport) -> list[tuple[str, ...]]:
    """Host nodes by operator and reason, those with most time first; --json has every single one."""
    from openrpp.report.figures import percent

    groups: dict[tuple[str, str], list[HostNode]] = {}
    for node in report.host_nodes:
        groups.setdefault((node.op, node.reason), []).append(node)
    ordered = sorted(groups.items(), key=lambda item: -sum(node.share for node in item[1]))
    return [
        (op, str(len(nodes)), percent(sum(node.share for node in nodes)), reason, _names(nodes))
        for (op, reason), nodes in ordered
    ]


def _names(nodes: Sequence[HostNode]) -> str:
    more = f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else ""
    return ", ".join(node.name for node in nodes[:SHOWN]) + more
