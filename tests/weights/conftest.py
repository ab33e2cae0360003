"""A server of one file that can drop connections, and a catalogue that names it."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from openrpp.weights import fetch

DATA = bytes(range(256)) * 4096  # 1 MiB


@dataclass
class Web:
    """What the server does next, and what it was asked."""

    url: str = ""
    body: bytes = DATA
    status: int = 200
    ranges: bool = True
    drop_after: list[int] = field(default_factory=list[int])
    """Bytes that the next replies send before the connection ends; a reply beyond the list is whole."""
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(path, Range header) of each request."""
    tokens: list[str] = field(default_factory=list[str])


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.asked.append((self.path, wanted))
            state.tokens.append(self.headers.get("Authorization", ""))
            if state.status != 200:
                self.send_error(state.status)
                return
            start = int(found[1]) if state.ranges and (found := re.fullmatch(r"bytes=(\d+)-", wanted)) else 0
            if start >= len(state.body):
                self.send_error(416)
                return
            rest = state.body[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: state.drop_after.pop(0)] if state.drop_after else rest)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(fetch, "PAUSE", 0.001)
    state.url = f"http://127.0.0.1:{server.server_port}/folder/model.onnx"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of the test's own for weights, cache and catalogue."""
    monkeypatch.setenv("RPP_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("RPP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RPP_MODELS", str(tmp_path / "models.toml"))
    for name in ("RPP_OFFLINE", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write_catalogue(home: Path, source: str, data: bytes = DATA, name: str = "mine", more: str = "") -> Path:
    """A catalogue with one entry for `data`, where the user's own is looked for."""
    path = home / "models.toml"
    checksum = hashlib.sha256(data).hexdigest()
    path.write_text(f'[{name}]\nbytes = {len(data)}\nsha256 = "{checksum}"\nsource = {source}\n{more}')
    return path
