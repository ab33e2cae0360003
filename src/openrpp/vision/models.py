"""A model that looks at pictures: its file or name, its facts, and what it makes of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from openrpp import weights
from openrpp.vision.boxes import Box, find_boxes, head_of
from openrpp.vision.classes import Guess, best_classes, read_labels
from openrpp.vision.errors import VisionError
from openrpp.vision.facts import Facts, facts_in, facts_of
from openrpp.vision.images import Pixels, Placement, fit, normalised

if TYPE_CHECKING:
    from openrpp.graph import Port

OPEN_SIZE: Final = (640, 640)
"""Height and width of an input that is open, where no fact says another."""
COMPILED: Final = ".rppm"
"""Files of `Session.save`."""
_TYPES: Final[dict[str, Any]] = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}  # fmt: skip


class Runs(Protocol):
    """A session in onnxruntime's shape: ours, or onnxruntime's itself."""

    def run(self, output_names: Any, input_feed: Any, /) -> Any:
        """Outputs for arrays by input name."""
        ...


@dataclass(frozen=True)
class Fed:
    """A picture as a model's input, and where the picture lies in it."""

    feed: dict[str, NDArray[Any]]
    placement: Placement


@dataclass(frozen=True)
class VisionModel:
    """A model and how it wants its picture.

    `model` is that of `Found`; `size` is (height, width) of the input `name` of `type`, whose channels are its `last`
    axis or its second.
    """

    title: str
    model: Any
    facts: Facts
    name: str
    size: tuple[int, int]
    last: bool
    type: str

    def feed(self, pixels: Pixels) -> Fed:
        """The input for a picture [height][width][3]."""
        placed, placement = fit(pixels, self.size, self.facts)
        dtype = _TYPES[self.type]
        values: NDArray[Any] = placed if dtype is np.uint8 else normalised(placed, self.facts).astype(dtype)
        ordered = values if self.last else values.transpose(2, 0, 1)
        return Fed({self.name: np.ascontiguousarray(ordered[None])}, placement)

    def is_detector(self, output: NDArray[Any]) -> bool:
        """Whether an output holds boxes."""
        return head_of(self.facts, output.shape, self.size) in ("yolox", "yolov8")

    def boxes(self, output: NDArray[Any], placement: Placement, pixels: Pixels) -> list[Box]:
        """Boxes on the picture. Raises VisionError for an output that holds none."""
        return find_boxes(output, self.facts, self.size, placement, pixels.shape[:2])

    def detect(self, session: Runs, pixels: Pixels) -> list[Box]:
        """What a session finds in a picture."""
        fed = self.feed(pixels)
        return self.boxes(session.run(None, fed.feed)[0], fed.placement, pixels)

    def classify(self, session: Runs, pixels: Pixels, count: int = 5) -> list[Guess]:
        """What a session takes a picture for."""
        return best_classes(session.run(None, self.feed(pixels).feed)[0], self.facts, count)


@dataclass(frozen=True)
class Found:
    """A model as it was read.

    Attributes:
        where: what errors call it.
        model: what `openrpp.graph.Session` takes.
        inputs, outputs: its ports.
        metadata: what the file says about itself.
        given: the facts of its catalogue.
    """

    where: str
    model: Any
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    metadata: Mapping[str, str]
    given: Mapping[str, Any]


def find_model(text: str, catalogues: Sequence[Path] = ()) -> Found:
    """The model of a file, or of a name in a catalogue whose weights are here.

    Raises VisionError, WeightsError, and GraphError for a file that is no model.
    """
    if Path(text).exists() or "/" in text or text.endswith((".onnx", COMPILED)):
        return _read(text, Path(text), {})
    item = weights.entry(text, *catalogues)
    if item.kind == "llm":
        raise VisionError(f"{text} is a language model; 'rpp chat {text}' talks to it")
    return _read(text, weights.find(text, catalogues), item.facts)


def _read(where: str, path: Path, given: Mapping[str, Any]) -> Found:
    from openrpp.graph import saved
    from openrpp.graph.compile import port_of
    from openrpp.graph.source import read_model
    from openrpp.vision import efficientnet
    from openrpp.vision.torch_file import read_tensors

    if path.suffix == COMPILED:
        compiled = saved.load(path)
        return Found(where, compiled, compiled.inputs, compiled.outputs, {}, given)
    match given.get("build", ""):
        case "":
            model = read_model(path)
        case "efficientnet-lite0":
            model = efficientnet.build(read_tensors(path))
        case other:
            raise VisionError(f"{where}: build = {other!r}; there is efficientnet-lite0")
    fed = [port_of(value) for value in model.graph.inputs if value.name not in model.graph.initializers]
    outputs = [port_of(value) for value in model.graph.outputs]
    return Found(where, model, fed, outputs, model.metadata_props, given)


def open_model(text: str, catalogues: Sequence[Path] = (), more: Mapping[str, Any] | None = None) -> VisionModel:
    """The model of `find_model` that takes a picture; `more` are facts that come before all others.

    Raises VisionError, WeightsError, and GraphError for a file that is no model.
    """
    return picture_model(find_model(text, catalogues), catalogues, more)


def picture_model(
    found: Found, catalogues: Sequence[Path] = (), more: Mapping[str, Any] | None = None, name: str = ""
) -> VisionModel:
    """How a model takes a picture; `name` is the input that gets it, by default the only one.

    Raises VisionError.
    """
    facts = facts_of({**facts_in(found.metadata), **found.given, **(more or {})}, found.where)
    if isinstance(facts.labels, str):
        facts = replace(facts, labels=_labels(facts.labels, catalogues))
    return _described(found, facts, name)


def _labels(name: str, catalogues: Sequence[Path]) -> tuple[str, ...]:
    """Names of classes from a file, or from an entry of the catalogue; none where that has not been pulled."""
    if Path(name).exists():
        return read_labels(Path(name))
    item = weights.entry(name, *catalogues)
    return read_labels(weights.place(item)) if weights.is_here(item) else ()


def _described(found: Found, facts: Facts, name: str) -> VisionModel:
    """The input that takes the picture. Raises VisionError for one that takes none."""
    chosen = [port for port in found.inputs if name in ("", port.name)]
    if len(chosen) != 1:
        raise VisionError(f"{found.where}: which input takes the picture? They are {listed(found.inputs) or 'none'}")
    port = chosen[0]
    if len(port.shape) != 4 or port.type not in _TYPES:
        wanted = "a picture has 4 axes of float, float16, double or uint8"
        raise VisionError(f"{found.where}: input {listed(chosen)} takes no picture; {wanted}")
    shape = [extent if isinstance(extent, int) else None for extent in port.shape]
    last = shape[3] == 3 and shape[1] != 3
    if shape[0] not in (None, 1) or shape[3 if last else 1] not in (None, 3):
        raise VisionError(f"{found.where}: input {listed(chosen)} takes no single picture of three channels")
    height, width = shape[1:3] if last else shape[2:4]
    open_size = facts.size or OPEN_SIZE
    size = (height or open_size[0], width or open_size[1])
    return VisionModel(found.where, found.model, facts, port.name, size, last, port.type)


def listed(ports: Sequence[Port]) -> str:
    """Inputs or outputs as sentences name them: `images tensor(float) [1, 3, 416, 416]`."""
    return ", ".join(f"{port.name} {port.type} [{', '.join(map(str, port.shape))}]" for port in ports)
