"""Files over http, resumed where an earlier attempt stopped.

What is there already is asked for no more (`Range`); a server that sends all the same begins anew. The sum that is
checked afterwards finds a file that has changed on the server in between.
"""

from __future__ import annotations

import http.client
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openrpp.weights.errors import WeightsError

Progress = Callable[[int, int | None], None]
"""Called with (bytes that are there, bytes in all or None)."""

ATTEMPTS = 4
"""Connections in a row that bring nothing before we give up."""
TIMEOUT = 30.0
"""Seconds that a server may be silent."""
PAUSE = 0.25
"""Seconds before the next attempt, doubled after each one that brought nothing."""
_CHUNK = 1 << 18
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


class _Interrupted(Exception):
    """An attempt ended early; the text says why."""


def download(url: str, part: Path, size: int | None, progress: Progress, token: str = "") -> None:
    """Complete the file `part` from an address; `size` is its length where that is known.

    Raises WeightsError where the server cannot be reached, refuses, or has a file of another length; what has come by
    then stays in `part` for the next time.
    """
    idle = 0
    while True:
        before = _length(part)
        try:
            _attempt(url, part, size, progress, token)
            return
        except _Interrupted as stop:
            # An attempt that brought something costs nothing: a long file over a bad line still arrives.
            idle = 0 if _length(part) > before else idle + 1
            if idle >= ATTEMPTS:
                kept = f"; {_length(part):,} bytes are kept for the next time" if _length(part) else ""
                raise WeightsError(f"{_shown(url)} cannot be reached: {stop}{kept}") from None
        time.sleep(PAUSE * 2**idle)


def _attempt(url: str, part: Path, size: int | None, progress: Progress, token: str) -> None:
    have = _length(part)
    if size is not None and have >= size:
        if have == size:
            return
        part.unlink()  # of another file
        have = 0
    try:
        with _open(url, have, token) as reply:
            resumed = reply.status == http.client.PARTIAL_CONTENT
            total = _total(reply, have if resumed else 0)
            if size is not None and total is not None and total != size:
                raise WeightsError(f"{_shown(url)} has {total:,} bytes, not {size:,}; the catalogue means another file")
            _store(reply, part, have if resumed else 0, total, progress)
    except urllib.error.HTTPError as error:
        with error:
            _refused(url, error, part)
    except (OSError, http.client.HTTPException) as error:
        _check_disk(error)
        if url.startswith("file:"):
            raise WeightsError(f"{url}: {_reason(error)}") from None
        raise _Interrupted(_reason(error)) from None


def _open(url: str, have: int, token: str) -> Any:
    """The server's reply. Raises HTTPError, OSError."""
    headers = {"User-Agent": "openrpp", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")  # not for whom the server sends us on to
    bundle = next((path for name in _CERTIFICATES if (path := os.environ.get(name))), None)
    context = ssl.create_default_context(cafile=bundle) if url.startswith("https") else None
    return urllib.request.urlopen(request, timeout=TIMEOUT, context=context)


def _total(reply: Any, start: int) -> int | None:
    """Length of the whole file, as far as the reply says."""
    length = reply.headers.get("Content-Length")
    return start + int(length) if length and length.isdecimal() else None


def _store(reply: Any, part: Path, start: int, total: int | None, progress: Progress) -> None:
    have = start
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        while chunk := reply.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            progress(have, total)
    if total is not None and have < total:
        raise _Interrupted(f"the connection ended after {have:,} of {total:,} bytes")


def _refused(url: str, error: urllib.error.HTTPError, part: Path) -> None:
    """Raises _Interrupted for what may pass, WeightsError for what does not."""
    if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and _length(part):
        part.unlink()  # as long as the server's file or longer, yet not what we look for
        raise _Interrupted("the part that was kept belongs to another file")
    why = f"{error.code} {error.reason}".strip()
    if error.code in _PASSING:
        raise _Interrupted(f"the server answers {why}")
    hint = "; it wants a token, in HF_TOKEN for Hugging Face" if error.code in (401, 403) else ""
    raise WeightsError(f"{_shown(url)} cannot be fetched: the server answers {why}{hint}")


def _check_disk(error: Exception) -> None:
    """Pass on what is no fault of the line: a full or read-only disk."""
    if isinstance(error, OSError) and error.filename is not None:
        raise error
    import errno

    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        raise error


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return text or type(error).__name__


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _shown(url: str) -> str:
    """An address without what may be secret in it: user and query."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
