"""What a model does not say about itself: how it wants its picture, and what its answer means.

The facts of a catalogue entry come before those in the file's own metadata (Ultralytics writes them), these before the
defaults.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, cast, get_args

from openrpp.vision.errors import VisionError

Head = Literal["", "yolox", "yolov8", "classes"]
Place = Literal["stretch", "centre", "corner", "crop"]
Channels = Literal["RGB", "BGR"]
CROP_MARGIN: Final = 0.875
"""Share of a picture's shorter side that `crop` takes, as ImageNet's classifiers are judged (224 of 256)."""
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "head": get_args(Head), "place": get_args(Place), "channels": get_args(Channels),
}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """How a picture becomes a model's input, and its output boxes or classes.

    Attributes:
        head: `yolox`: [1, cells, 5 + classes], boxes relative to cells, to be decoded; `yolov8`: [1, 4 + classes,
            cells], boxes decoded; `classes`: [1, classes]; empty: found by the output's shape, or none.
        size: height and width of the input where the model leaves them open.
        place: `stretch` to the input's size; `centre` or `corner`: the whole picture with its proportions, on grey;
            `crop`: the middle of the picture.
        channels: their order.
        mean, deviation: a pixel of 0 to 255 is fed as (pixel - mean) / deviation, one number or one per channel.
        labels: names of the classes; a model of the catalogue that holds them may be named instead.
        score: least score of a box.
        overlap: boxes of a class that overlap by more (intersection over union) count as one.
    """

    head: Head = ""
    size: tuple[int, int] | None = None
    place: Place = "stretch"
    channels: Channels = "RGB"
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (255.0,)
    labels: tuple[str, ...] | str = ()
    score: float = 0.25
    overlap: float = 0.45


def facts_of(given: Mapping[str, Any], where: str) -> Facts:
    """Facts from a table of a catalogue, numbers and lists as TOML has them. Raises VisionError with `where`."""
    known = {item.name for item in fields(Facts)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name == "build":
            continue
        if name not in known:
            raise VisionError(f"{where}: {name} is no fact about a model; there are {', '.join(sorted(known))}")
        values[name] = _value(name, value, where)
    return Facts(**values)


def _value(name: str, value: Any, where: str) -> Any:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise VisionError(f"{where}: {name} = {value!r}; there are {', '.join(filter(None, _CHOICES[name]))}")
        return value
    if name == "labels":
        return value if isinstance(value, str) else tuple(str(item) for item in _listed(value))
    numbers = _listed(value)
    if not all(isinstance(item, int | float) and not isinstance(item, bool) for item in numbers):
        raise VisionError(f"{where}: {name} = {value!r} is no number")
    if name == "size":
        height, width = (int(numbers[0]), int(numbers[-1]))
        if not (0 < height <= 1 << 14 and 0 < width <= 1 << 14):
            raise VisionError(f"{where}: size = {value!r} is no height and width in pixels")
        return height, width
    if name in ("mean", "deviation"):
        if len(numbers) not in (1, 3) or (name == "deviation" and 0 in numbers):
            raise VisionError(f"{where}: {name} = {value!r}; give one number or three, a deviation is not 0")
        return tuple(float(item) for item in numbers)
    if not 0 <= numbers[0] <= 1:
        raise VisionError(f"{where}: {name} = {value!r} is not between 0 and 1")
    return float(numbers[0])


def _listed(value: Any) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) and value else [value]


def facts_in(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Facts that Ultralytics' exporter has written into a model's metadata; none for other models."""
    if metadata.get("task") != "detect" or "names" not in metadata:
        return {}
    found: dict[str, Any] = {"head": "yolov8", "place": "centre"}
    names, size = _literal(metadata["names"]), _literal(metadata.get("imgsz", ""))
    if isinstance(names, dict):
        found["labels"] = [str(name) for name in cast("dict[Any, Any]", names).values()]
    if isinstance(size, list) and len(cast("list[Any]", size)) == 2:
        found["size"] = size
    return found


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def fact(text: str) -> tuple[str, Any]:
    """NAME=VALUE of the command line: `mean=127`, `head=yolox`, `size=[640,480]`. Raises VisionError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise VisionError(f"{text!r} is no fact; write NAME=VALUE, such as head=yolox or mean=[124,116,104]")
    found = _literal(value)
    return name, value if found is None else found
