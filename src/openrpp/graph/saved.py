"""Compiled models in a file (`.rppm`): plans, weights, and the kernels that they launch as kernel IR.

A zip archive: `manifest.json` has the ports and the plans' steps, `weights.bin` the constants behind each other,
`kernels/` the kernel IR of the library's kernels, `host/` one ONNX model for each node that runs on the host. It needs
neither clang nor, without host nodes, onnx.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from openrpp.graph.errors import GraphError
from openrpp.graph.layout import Flat, Tensor
from openrpp.graph.plan import Constant, Download, HostStep, Move, Plan, Port, Step, Upload
from openrpp.graph.run import kernels_of
from openrpp.kernels import library
from openrpp.kernels.launch import Argument, At, Launch, Region
from openrpp.kernels.slabs import Element, Slabs
from openrpp.kir.ir import Module
from openrpp.kir.parser import parse_module
from openrpp.kir.printer import print_module

FORMAT: Final = "openrpp model"
VERSION: Final = 1
SUFFIX: Final = ".rppm"
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # so that equal content gives equal files
Data = dict[str, Any]


@dataclass(frozen=True)
class Compiled:
    """What a file holds."""

    dtype: Element
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    plans: Sequence[Plan]
    modules: Mapping[str, Module]


def save(path: Path, compiled: Compiled) -> None:
    """Write a file. Raises OSError."""
    kernels = sorted({name for plan in compiled.plans for name in kernels_of(plan)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        weights = _Weights()
        hosts: list[bytes] = []
        plans = [_Writer(plan, weights, hosts).data() for plan in compiled.plans]
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "dtype": compiled.dtype,
            "inputs": [asdict(port) for port in compiled.inputs],
            "outputs": [asdict(port) for port in compiled.outputs],
            "kernels": kernels,
            "plans": plans,
        }
        _add(archive, "manifest.json", json.dumps(manifest, separators=(",", ":")).encode())
        for name in kernels:
            module = compiled.modules.get(name) or library.kernel(name)
            _add(archive, f"kernels/{name}.kir", print_module(module).encode())
        for index, model in enumerate(hosts):
            _add(archive, f"host/{index}.onnx", model)
        _add(archive, "weights.bin", weights.content)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


class _Weights:
    """Constants of all plans, each content once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._places: dict[str, int] = {}
        self._end = 0

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)

    def place(self, constant: Constant) -> int:
        if constant.key not in self._places:
            self._places[constant.key] = self._end
            self._parts.append(constant.content.tobytes())
            self._end += constant.content.nbytes
        return self._places[constant.key]


class _Writer:
    """A plan as JSON-able data; regions are numbers there."""

    def __init__(self, plan: Plan, weights: _Weights, hosts: list[bytes]) -> None:
        self.plan, self.weights, self.hosts = plan, weights, hosts
        self._regions: dict[Region, int] = {}

    def data(self) -> Data:
        plan = self.plan
        found: Data = {
            "inputs": [asdict(port) for port in plan.inputs],
            "outputs": [asdict(port) for port in plan.outputs],
            "steps": [self._step(step) for step in plan.steps],
            "constants": [
                {"region": self._region(item.region), "key": item.key, "at": self.weights.place(item)}
                for item in plan.constants
            ],
            "states": {name: self._region(region) for name, region in plan.states.items()},
            "offsets": [[self._region(region), offset] for region, offset in plan.offsets.items()],
            "arenas": plan.arenas,
            "literals": {
                name: {"dtype": array.dtype.str, "shape": array.shape, "bytes": array.tobytes().hex()}
                for name, array in plan.literals.items()
            },
            "nodes": plan.nodes,
        }
        found["regions"] = [[region.name, region.bytes, region.memory] for region in self._regions]
        return found

    def _region(self, region: Region) -> int:
        return self._regions.setdefault(region, len(self._regions))

    def _at(self, at: At) -> list[int]:
        return [self._region(at.region), at.offset]

    def _step(self, step: Step) -> Data:
        match step:
            case Launch():
                return {
                    "launch": step.kernel,
                    "grid": step.grid,
                    "block": step.block,
                    "arguments": [self._at(item) if isinstance(item, At) else item for item in step.arguments],
                    "reads": [self._region(region) for region in step.reads],
                    "writes": [self._region(region) for region in step.writes],
                    "shared": step.shared_bytes,
                    "macs": step.macs,
                    "node": step.node,
                }
            case Move():
                ends = [self._at(step.target), self._at(step.source)]
                return {"move": ends, "bytes": step.bytes, "node": step.node}
            case HostStep():
                self.hosts.append(step.model)
                names = {"label": step.label, "op": step.op, "reason": step.reason}
                return {"host": len(self.hosts) - 1, **names, "inputs": step.inputs, "outputs": step.outputs}
            case Upload():
                return {"upload": step.value, "to": self._layout(step.to)}
            case Download():
                return {"download": step.value, "from": self._layout(step.source)}

    def _layout(self, layout: Tensor | Flat) -> Data:
        if isinstance(layout, Flat):
            return {"shape": layout.shape, "dtype": layout.dtype, "region": self._region(layout.region)}
        slabs = {name: getattr(layout.slabs, name) for name in _SLABS}
        region = self._region(layout.slabs.region)
        return {"shape": layout.shape, "channel": layout.channel, "slabs": slabs, "region": region}


_SLABS: Final = ("offset", "channels", "height", "width", "border", "element", "first", "lanes")


def load(path: Path) -> Compiled:
    """Read a file. Raises GraphError for one that is no compiled model or a damaged one, and OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path)
    except zipfile.BadZipFile as error:
        raise GraphError(f"{path} is no compiled model, or a damaged one: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, GraphError):
            raise
        raise GraphError(f"{path} cannot be used: {type(error).__name__}: {error}") from None


def _read(archive: zipfile.ZipFile, path: Path) -> Compiled:
    if "manifest.json" not in archive.namelist():
        raise GraphError(f"{path} holds no manifest.json, so it is no compiled model")
    found: Data = json.loads(archive.read("manifest.json"))
    if found.get("format") != FORMAT:
        raise GraphError(f"{path}: its format is {found.get('format')!r}, not {FORMAT!r}")
    if found["version"] > VERSION:
        raise GraphError(f"{path} has version {found['version']}; this OpenRPP reads up to version {VERSION}")
    modules = {name: parse_module(archive.read(f"kernels/{name}.kir").decode("utf-8")) for name in found["kernels"]}
    weights = archive.read("weights.bin")
    plans = [_Reader(data, weights, archive).plan() for data in found["plans"]]
    return Compiled(found["dtype"], _ports(found["inputs"]), _ports(found["outputs"]), plans, modules)


def _ports(data: Sequence[Data]) -> list[Port]:
    return [Port(item["name"], tuple(item["shape"]), item["type"]) for item in data]


def _region(data: Any) -> Region:
    return Region(data[0], data[1], data[2])


class _Reader:
    """A plan out of what `_Writer` made of it."""

    def __init__(self, data: Data, weights: bytes, archive: zipfile.ZipFile) -> None:
        self.found, self.weights, self.archive = data, weights, archive
        self.regions = [_region(item) for item in data["regions"]]

    def plan(self) -> Plan:
        found = self.found
        return Plan(
            _ports(found["inputs"]),
            _ports(found["outputs"]),
            [self._step(step) for step in found["steps"]],
            [self._constant(item) for item in found["constants"]],
            {name: self._number(index) for name, index in found["states"].items()},
            {self._number(index): offset for index, offset in found["offsets"]},
            found["arenas"],
            {
                name: np.frombuffer(bytes.fromhex(item["bytes"]), item["dtype"]).reshape(item["shape"])
                for name, item in found["literals"].items()
            },
            found["nodes"],
        )

    def _number(self, index: int) -> Region:
        return self.regions[index]

    def _constant(self, item: Data) -> Constant:
        region = self._number(item["region"])
        content = np.frombuffer(self.weights, np.uint8, region.bytes, item["at"])
        return Constant(region, item["key"], content)

    def _at(self, data: Sequence[int]) -> At:
        return At(self._number(data[0]), data[1])

    def _argument(self, data: Any) -> Argument:
        return self._at(data) if isinstance(data, list) else data  # pyright: ignore[reportUnknownArgumentType]

    def _step(self, data: Data) -> Step:
        if "launch" in data:
            return self._launch(data)
        if "move" in data:
            target, source = data["move"]
            return Move(self._at(target), self._at(source), data["bytes"], data["node"])
        if "upload" in data:
            return Upload(data["upload"], self._layout(data["to"]))
        if "download" in data:
            return Download(self._layout(data["from"]), data["download"])
        model = self.archive.read(f"host/{data['host']}.onnx")
        names = data["label"], data["op"], data["reason"]
        return HostStep(*names, model, tuple(data["inputs"]), tuple(data["outputs"]))

    def _launch(self, data: Data) -> Launch:
        grid, block = data["grid"], data["block"]
        return Launch(
            data["launch"],
            (grid[0], grid[1], grid[2]),
            (block[0], block[1], block[2]),
            tuple(self._argument(item) for item in data["arguments"]),
            tuple(self._number(index) for index in data["reads"]),
            tuple(self._number(index) for index in data["writes"]),
            data["shared"],
            data["macs"],
            data["node"],
        )

    def _layout(self, data: Data) -> Tensor | Flat:
        region, shape = self._number(data["region"]), tuple(data["shape"])
        if "dtype" in data:
            return Flat(shape, data["dtype"], region)
        return Tensor(shape, data["channel"], Slabs(region, **data["slabs"]))
