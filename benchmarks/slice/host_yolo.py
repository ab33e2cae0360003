"""YOLOv8n on the native engine and in onnxruntime: host time of a picture of 640 x 640, one thread each, in turn.

The file is that of the package `nudenet` (its licence allows no copy elsewhere), or what YOLOV8N names.
"""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.slice.board import Found, HostRow, Skipped
from openrpp.graph import Session
from openrpp.runtime.card import Card

ROUNDS, SIZE = 5, 640


def measure() -> Found:
    """Pictures per second of both."""
    path = model_file()
    if importlib.util.find_spec("onnxruntime") is None:
        raise Skipped("there is no onnxruntime to compare with: pip install onnxruntime")
    import onnxruntime as peer  # pyright: ignore

    runtime: Any = peer
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    theirs = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    ours = Session(path, Card("ae7100", "native", workers=1, keep_timeline=False))
    name = ours.get_inputs()[0].name
    feed = {name: np.random.default_rng(1).random((1, 3, SIZE, SIZE), np.float32)}
    own, other = [], []
    for turn in range(ROUNDS + 1):
        times: list[float] = []
        for session in (ours, theirs):
            begun = time.perf_counter()
            session.run(None, feed)
            times.append(time.perf_counter() - begun)
        if turn:  # the first one compiles
            own.append(times[0])
            other.append(times[1])
    row = HostRow(
        f"YOLOv8n {SIZE} x {SIZE}, bf16", 1, "pictures", own, other, f"onnxruntime {runtime.__version__}, f32"
    )
    hosts = [
        {"node": node.name, "op": node.op, "share": node.share} for node in ours.host_nodes({name: feed[name].shape})
    ]
    return Found({"host_yolov8n": row.ratio} if row.ratio else {}, host=[row], details={"yolov8n_host_nodes": hosts})


def model_file() -> Path:
    """YOLOv8n as ONNX. Raises Skipped."""
    if named := os.environ.get("YOLOV8N"):
        return Path(named)
    package = importlib.util.find_spec("nudenet")
    places = list(package.submodule_search_locations or ()) if package else []
    found = next((path for place in places if (path := Path(place) / "320n.onnx").is_file()), None)
    if found is None:
        raise Skipped("there is no YOLOv8n: pip install --no-deps nudenet, or set YOLOV8N to an ONNX file")
    return found
