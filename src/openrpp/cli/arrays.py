"""Arrays in files: .npy in and out, with bf16 as float32 in the file and as bit patterns on the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from openrpp.cli.errors import InputError


def to_bf16(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Bit patterns of the nearest bf16 values, ties to even; NaN stays NaN."""
    single = np.asarray(values, np.float32)
    bits = single.view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) >> np.uint64(16)
    return np.where(np.isnan(single), bits >> np.uint64(16) | np.uint64(0x40), rounded).astype(np.uint16)


def from_bf16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """float32 values of bf16 bit patterns, exact."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def read_array(file: str, dtype: str) -> NDArray[Any]:
    """The array of a .npy file as it goes to the card, converted to `dtype` unless that is empty.

    Raises InputError for what is no array of numbers, OSError for a file that cannot be read.
    """
    try:
        with Path(file).open("rb") as stream:
            loaded: Any = np.load(stream, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{file}: not an array of numbers in NumPy's .npy format: {_first_line(error)}") from None
    if not isinstance(loaded, np.ndarray):
        raise InputError(f"{file}: an archive of several arrays; give a .npy file with one")
    array = cast("NDArray[Any]", loaded)
    if not array.size:
        raise InputError(f"{file}: the array of shape {array.shape} is empty")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{file}: dtype {array.dtype} cannot live on the card; use a fixed-size number type")
    if dtype == "bf16":
        converted: NDArray[Any] = to_bf16(array)
    else:
        converted = array.astype(dtype or array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(converted).reshape(array.shape)


def write_array(file: str, array: NDArray[Any], dtype: str) -> None:
    """Save an array as .npy; bf16 bit patterns as the float32 values that they stand for. Raises OSError."""
    with Path(file).open("wb") as stream:
        np.save(stream, from_bf16(array) if dtype == "bf16" else array, allow_pickle=False)


def check_writable(file: str) -> None:
    """Refuse an output that cannot be written before anything runs. Raises InputError."""
    path = Path(file)
    if not path.parent.is_dir():
        raise InputError(f"{file}: folder {path.parent} does not exist")
    if path.is_dir():
        raise InputError(f"{file}: is a folder")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
