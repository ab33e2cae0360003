"""PyTorch checkpoints without PyTorch, and the net that is built from one."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from openrpp.vision import efficientnet
from openrpp.vision.errors import VisionError
from openrpp.vision.torch_file import MAGIC, read_tensors


class Named:
    """A name that a pickle refers to without importing it."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Tensor:
    def __init__(self, key: str, kind: str, count: int, offset: int, shape: Any, strides: Any) -> None:
        self.storage, self.rest = ("storage", Named("torch", kind), key, "cpu", count, None), (offset, shape, strides)


class Writer(pickle._Pickler):  # type: ignore[name-defined]  # the one in Python can be taught names and tensors
    """Pickles as PyTorch does: storages by persistent ids, tensors by a call of `_rebuild_tensor_v2`."""

    def persistent_id(self, obj: Any) -> Any:
        return obj if isinstance(obj, tuple) and obj and obj[0] == "storage" else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Named):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Tensor):
            self.save(Named("torch._utils", "_rebuild_tensor_v2"))
            self.save((obj.storage, *obj.rest, False, None))
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def pickled(value: Any) -> bytes:
    stream = io.BytesIO()
    Writer(stream, 2).dump(value)
    return stream.getvalue()


STATE = {
    "a": Tensor("s0", "FloatStorage", 6, 0, (2, 3), (3, 1)),
    "b": Tensor("s0", "FloatStorage", 6, 1, (2, 2), (1, 3)),
    "c": Tensor("s1", "LongStorage", 1, 0, (), ()),
    "note": "not a tensor",
}
DATA = {"s0": np.arange(6, dtype="<f4"), "s1": np.array([7], "<i8")}


def stream(state: Any, data: dict[str, np.ndarray]) -> bytes:
    head = b"".join(pickled(value) for value in (MAGIC, 1001, {"little_endian": True}, state, list(data)))
    return head + b"".join(struct.pack("<q", part.size) + part.tobytes() for part in data.values())


def zipped(path: Path, state: Any, data: dict[str, np.ndarray]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", pickled(state))
        for key, part in data.items():
            archive.writestr(f"net/data/{key}", part.tobytes())


@pytest.mark.parametrize("form", ["stream", "zip"])
def test_tensors_are_views_of_storages(tmp_path: Path, form: str) -> None:
    path = tmp_path / "net.pth"
    if form == "zip":
        zipped(path, STATE, DATA)
    else:
        path.write_bytes(stream(STATE, DATA))
    found = read_tensors(path)
    assert sorted(found) == ["a", "b", "c"]
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and found["b"].tolist() == [[1, 4], [2, 5]]
    assert found["c"].shape == () and found["c"] == 7 and found["a"].dtype == np.float32


def test_a_pickle_cannot_call_anything_else(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(stream({"a": Named("os", "system")}, {}))
    with pytest.raises(VisionError, match=r"it wants os\.system"):
        read_tensors(path)


def test_damaged_files_are_sentences(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    whole = stream(STATE, DATA)
    for cut in (0, 5, 40, len(whole) - 12):
        path.write_bytes(whole[:cut])
        with pytest.raises(VisionError, match=r"net\.pth is no PyTorch checkpoint of tensors, or it is truncated"):
            read_tensors(path)
    path.write_bytes(stream({"a": Tensor("s0", "FloatStorage", 6, 3, (2, 2), (2, 1))}, {"s0": DATA["s0"]}))
    with pytest.raises(VisionError, match="a tensor reaches beyond its storage"):
        read_tensors(path)


def random_tensors(seed: int) -> dict[str, np.ndarray]:
    """Tensors of EfficientNet-Lite0's shapes with outputs that neither vanish nor grow."""
    random = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}

    def conv(weight: str, norm: str, out: int, into: int, kernel: int) -> None:
        found[f"{weight}.weight"] = random.normal(0, (into * kernel * kernel) ** -0.5, (out, into, kernel, kernel))
        for part, low, high in (("weight", 0.5, 1.5), ("bias", -0.5, 0.5), ("running_mean", -0.1, 0.1)):
            found[f"{norm}.{part}"] = random.uniform(low, high, out)
        found[f"{norm}.running_var"] = random.uniform(0.5, 2, out)

    conv("_conv_stem", "_bn0", 32, 3, 3)
    index = 0
    for blocks, kernel, _, expansion, channels, made in efficientnet.STAGES:
        for number in range(blocks):
            into = made if number else channels
            place, wide = f"_blocks.{index}", into * expansion
            if expansion != 1:
                conv(f"{place}._expand_conv", f"{place}._bn0", wide, into, 1)
            conv(f"{place}._depthwise_conv", f"{place}._bn1", wide, 1, kernel)
            conv(f"{place}._project_conv", f"{place}._bn2", made, wide, 1)
            index += 1
    conv("_conv_head", "_bn1", 1280, 320, 1)
    found["_fc.weight"], found["_fc.bias"] = random.normal(0, 0.03, (10, 1280)), random.normal(0, 1, 10)
    return found


def plain(tensors: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """The net in NumPy's float64, normalisation by itself, straight from its description."""

    def conv(x: np.ndarray, weight: str, norm: str, stride: int, relu: bool) -> np.ndarray:
        kernel = tensors[f"{weight}.weight"]
        size, taps = x.shape[1], kernel.shape[2]
        after = -(-size // stride)
        pad = max((after - 1) * stride + taps - size, 0)
        wide = np.pad(x, ((0, 0), (pad // 2, pad - pad // 2), (pad // 2, pad - pad // 2)))
        windows = np.lib.stride_tricks.sliding_window_view(wide, (taps, taps), (1, 2))[:, ::stride, ::stride]
        depthwise = kernel.shape[1] == 1 and len(x) == len(kernel)
        y = np.einsum("chwij,cij->chw", windows, kernel[:, 0]) if depthwise else (
            np.tensordot(kernel, windows, ([1, 2, 3], [0, 3, 4]))
        )  # fmt: skip
        part = {name: tensors[f"{norm}.{name}"][:, None, None] for name in ("weight", "bias", "running_mean")}
        variance = tensors[f"{norm}.running_var"][:, None, None]
        y = (y - part["running_mean"]) / np.sqrt(variance + efficientnet.EPSILON) * part["weight"] + part["bias"]
        return np.clip(y, 0, 6) if relu else y

    x = conv(image, "_conv_stem", "_bn0", 2, True)
    index = 0
    for blocks, _, stride, expansion, channels, made in efficientnet.STAGES:
        for number in range(blocks):
            place, step = f"_blocks.{index}", 1 if number else stride
            y = conv(x, f"{place}._expand_conv", f"{place}._bn0", 1, True) if expansion != 1 else x
            y = conv(y, f"{place}._depthwise_conv", f"{place}._bn1", step, True)
            y = conv(y, f"{place}._project_conv", f"{place}._bn2", 1, False)
            x = y + x if step == 1 and (number or channels == made) else y
            index += 1
    x = conv(x, "_conv_head", "_bn1", 1, True).mean((1, 2))
    return tensors["_fc.weight"] @ x + tensors["_fc.bias"]


def test_the_net_is_that_of_its_description() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print("seed", seed)
    tensors = random_tensors(seed)
    proto = ir.to_proto(efficientnet.build(tensors))
    onnx.checker.check_model(proto, full_check=True)
    image = np.random.default_rng(seed).normal(0, 1, (3, efficientnet.SIZE, efficientnet.SIZE)).astype(np.float32)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": image[None]})
    expected = plain(tensors, image.astype(np.float64))
    assert np.abs(logits[0] - expected).max() < 1e-3 * np.abs(expected).max()


def test_a_checkpoint_of_another_net_is_a_sentence() -> None:
    tensors = random_tensors(0)
    del tensors["_blocks.3._bn1.bias"]
    with pytest.raises(VisionError, match=r"has no tensor _blocks\.3\._bn1\.bias, which EfficientNet-Lite0 needs"):
        efficientnet.build(tensors)
