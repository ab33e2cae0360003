"""Tensors out of PyTorch checkpoints without PyTorch, and without running what is pickled in them.

A checkpoint is a pickle of a dictionary whose tensors point at storages. Files before PyTorch 1.6 are one stream: three
pickles that say what follows, the dictionary, the keys of the storages, then each storage as its number of elements
(64 bits) and its elements. Later ones are zip archives with `data.pkl` and one member per storage.
Only the few names that tensors need are resolved; any other is refused, since a pickle could call it.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from openrpp.vision.errors import VisionError

MAGIC: Final = 0x1950A86A20F9469CFC6C
"""First pickle of a file in the older form."""
_STORAGES: Final[Mapping[str, str]] = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "<i1", "ByteStorage": "<u1", "BoolStorage": "?",
}  # fmt: skip


@dataclass(frozen=True)
class _Storage:
    """A reference to elements that are read later."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a state dictionary by name. Raises VisionError for what is none, OSError."""
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        with path.open("rb") as file:
            return _read_stream(file)
    except (
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        struct.error,
        zipfile.BadZipFile,
    ) as e:
        raise VisionError(f"{path} is no PyTorch checkpoint of tensors, or it is truncated: {e}") from None


class _Unpickler(pickle.Unpickler):
    """Resolves what tensors are made of, and nothing else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return cast("Any", OrderedDict)
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuilt
        if module_name == "torch" and global_name in _STORAGES:
            return np.dtype(_STORAGES[global_name])
        raise pickle.UnpicklingError(f"it wants {module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, _, count, *_ = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"it refers to a {kind}")
        return _Storage(str(key), cast("np.dtype[Any]", dtype), int(count))


def _rebuilt(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _read_stream(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    magic, _, system, state = (_Unpickler(file).load() for _ in range(4))
    if magic != MAGIC or not system.get("little_endian", False):
        raise pickle.UnpicklingError("it does not begin as one")
    tensors = _tensors(state)
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    data: dict[str, NDArray[Any]] = {}
    for key in _Unpickler(file).load():
        storage = storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        data[key] = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype, count)
    return {name: _array(tensor, data) for name, tensor in tensors.items()}


def _read_zip(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        pickled = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        with archive.open(pickled) as file:
            tensors = _tensors(_Unpickler(file).load())
        folder = pickled.removesuffix("data.pkl")
        data = {
            storage.key: np.frombuffer(archive.read(f"{folder}data/{storage.key}"), storage.dtype, storage.count)
            for storage in {tensor.storage.key: tensor.storage for tensor in tensors.values()}.values()
        }
    return {name: _array(tensor, data) for name, tensor in tensors.items()}


def _tensors(state: Any) -> dict[str, _Tensor]:
    if not isinstance(state, dict):
        raise pickle.UnpicklingError("it holds no dictionary")
    return {name: value for name, value in cast("dict[str, Any]", state).items() if isinstance(value, _Tensor)}


def _array(tensor: _Tensor, data: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    flat = data[tensor.storage.key]
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if min((tensor.offset, *tensor.strides)) < 0 or (0 not in tensor.shape and last >= flat.size):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    strides = [step * flat.itemsize for step in tensor.strides]
    return np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides).copy()
