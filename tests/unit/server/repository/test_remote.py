"""Remote repositories over real stores that behave."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from tests.hollow import FILES, write
from tests.unit.server.repository.side import Side, copies
from tests.web_store import WebStore

from ostinato_bundle import BundleError, open_bundle
from ostinato_server.errors import NoRepository, StartupError
from ostinato_server.repository import remote
from ostinato_server.repository.remote import FETCHING, RETRY_SECONDS


@pytest.fixture(params=["file", "memory", "http"])
def url(request: pytest.FixtureRequest, bundles: Path, store: WebStore) -> Iterator[str]:
    """Stores of every kind, with more in them than bundles."""
    write(bundles / "other-model" / "12", name="other-model", version=12)
    write(bundles / "m" / "2", version=2)
    (bundles / "readme").write_text("what this is")
    (bundles / "m" / "latest").write_text("2")
    memory = fsspec.filesystem("memory")
    if request.param == "memory":
        memory.put(str(bundles), "/models", recursive=True)
    yield {"file": f"file://{bundles}", "http": store.url, "memory": "memory://models"}[request.param]
    if request.param == "memory":
        memory.rm("/models", recursive=True)


def test_copy_is_what_the_store_has(url: str, bundles: Path, tmp_path: Path) -> None:
    side = Side(url, tmp_path / "cache")
    found = side.repository.scan().bundles
    assert {name: sorted(versions) for name, versions in found.items() if versions} == {
        "m": [1, 2],
        "other-model": [12],
    }
    assert not any(path.exists() for versions in found.values() for path in versions.values())
    path = side.bring("other-model", 12)
    assert open_bundle(path).manifest.version == 12
    assert {file.name: file.read_bytes() for file in path.iterdir()} == {
        file.name: file.read_bytes() for file in (bundles / "other-model" / "12").iterdir()
    }
    assert copies(tmp_path) == ["other-model/12"]


def test_bundle_whose_manifest_is_not_there_yet_is_not_complete(url: str, bundles: Path, tmp_path: Path) -> None:
    side = Side(url, tmp_path / "cache")
    words = r"^m/7: cannot be fetched: m/7/manifest\.json is not there; it is written last"
    path = side.bring().parent / "7"
    with pytest.raises(BundleError, match=words):
        side.repository.bring("m", 7, path)


def test_missing_store_is_no_repository(tmp_path: Path, store: WebStore) -> None:
    for url in (f"file://{tmp_path}/nowhere", "memory://nowhere", f"{store.url}/nowhere", "http://127.0.0.1:1/models"):
        with pytest.raises(NoRepository, match=f"the repository cannot be read: {url}: "):
            Side(url, tmp_path / "cache").repository.scan()


def test_index_says_what_there_is_where_a_server_lists_nothing(store: WebStore, side: Side, bundles: Path) -> None:
    (bundles / "index.json").write_text(json.dumps({"m": [1, 7], "k": ["3"]}))
    store.special["/"] = lambda handler: handler.send_error(403)
    found = side.repository.scan().bundles
    assert {name: sorted(versions) for name, versions in found.items()} == {"m": [1, 7], "k": [3]}
    assert open_bundle(side.bring()).manifest.name == "m"


def test_copy_with_the_same_manifest_is_used_again(store: WebStore, side: Side, tmp_path: Path) -> None:
    path = side.bring()
    inodes = {file: file.stat().st_ino for file in path.iterdir()}
    store.asked.clear()
    for again in (side, Side(store.url, tmp_path / "cache")):
        assert again.bring() == path
    assert store.files == []
    assert {file: file.stat().st_ino for file in path.iterdir()} == inodes


def test_bundle_that_was_written_anew_is_fetched_anew(side: Side, bundles: Path) -> None:
    path = side.bring()
    before = side.repository.bring("m", 1, path)
    shutil.rmtree(bundles / "m" / "1")
    write(bundles / "m" / "1", description="better")
    assert side.repository.bring("m", 1, path) != before
    assert open_bundle(path).manifest.description == "better"


def test_copy_that_was_damaged_is_fetched_anew(store: WebStore, side: Side, tmp_path: Path) -> None:
    path = side.bring()
    for again in (side, Side(store.url, tmp_path / "cache")):
        (path / "step.onnx").write_bytes(b"grapH")
        again.bring()
        assert (path / "step.onnx").read_bytes() == FILES["step.onnx"]


def test_what_the_store_does_not_have_any_more_leaves_the_cache(side: Side, bundles: Path, tmp_path: Path) -> None:
    write(bundles / "m" / "2", version=2)
    side.bring()
    side.bring("m", 2)
    shutil.rmtree(bundles / "m" / "1")
    side.repository.scan()
    assert copies(tmp_path) == ["m/2"]


def test_what_a_server_that_was_killed_left_behind_is_removed(side: Side, tmp_path: Path) -> None:
    (cache,) = (tmp_path / "cache").iterdir()
    (cache / FETCHING / "bundle-left" / "new").mkdir(parents=True)
    side.bring()
    assert copies(tmp_path) == ["m/1"]


def test_refused_bundle_is_not_fetched_again_as_it_is_but_after_a_while(
    side: Side, store: WebStore, bundles: Path
) -> None:
    (bundles / "m" / "1" / "step.onnx").write_bytes(b"grapH")
    for _ in range(2):
        with pytest.raises(BundleError, match=r"^m/1/step\.onnx: has another sha256 than the manifest says$"):
            side.bring()
    assert store.files.count("/m/1/step.onnx") == 1
    (bundles / "m" / "1" / "step.onnx").write_bytes(FILES["step.onnx"])
    side.now += RETRY_SECONDS
    side.bring()


def test_refused_bundle_of_which_a_file_seems_another_one_is_fetched_at_once(side: Side, bundles: Path) -> None:
    (bundles / "m" / "1" / "step.onnx").write_bytes(b"gra")
    with pytest.raises(BundleError, match="has 3 bytes, the manifest says 5"):
        side.bring()
    (bundles / "m" / "1" / "step.onnx").write_bytes(FILES["step.onnx"])
    side.bring()


def test_bundle_that_the_disk_has_no_room_for_is_not_fetched(
    side: Side, store: WebStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(remote, "disk_usage", lambda _: usage)
    with pytest.raises(BundleError, match=r"^m/1: has 11 bytes, and the cache's disk has room for 10"):
        side.bring()
    assert store.files == []


def test_cache_that_cannot_be_written_is_told(store: WebStore, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StartupError, match=r"the cache .* cannot be written: "):
        Side(store.url, tmp_path / "cache")


def test_credentials_are_used_and_in_no_word_of_the_server(
    store: WebStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "ostinato_server")
    store.password = "alice:geheim"
    address = store.url.replace("://", "://alice:geheim@")
    Side(address, tmp_path / "cache").bring()
    store.special["/m/1/manifest.json"] = lambda handler: handler.send_error(503)
    errors: list[Exception] = []
    for wrong, kind in ((address, BundleError), (address.replace("geheim", "geheimer"), NoRepository)):
        with pytest.raises(kind) as refused:
            Side(wrong, tmp_path / "cache").bring()
        errors.append(refused.value)
    told = " ".join([*map(str, errors), *(record.getMessage() for record in caplog.records)])
    assert store.url in told
    assert "geheim" not in told
    assert all(error.__cause__ is None and error.__suppress_context__ for error in errors)


def test_words_of_a_library_are_repeated_without_credentials_in_one_short_line(
    store: WebStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def open(self, *_: object, **__: object) -> None:
            raise OSError("no\nhttps://alice:geheim@host/m" + "!" * 1000)

    monkeypatch.setattr(fsspec, "filesystem", lambda *_, **__: Broken())
    with pytest.raises(NoRepository, match=r"index\.json cannot be read: no https://host/m!+ \(OSError\)$") as caught:
        Side(store.url, tmp_path / "cache").repository.scan()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("url", "library", "extra"),
    [
        ("s3://bucket/models", "s3fs", "remote-s3"),
        ("gs://bucket/models", "gcsfs", "remote-gcs"),
        ("https://host/models", "aiohttp", "remote-http"),
        ("file:///srv/models", "fsspec", "remote"),
    ],
)
def test_missing_library_is_named_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(StartupError, match=rf"repository {url}: .*; pip install 'ostinato\[{extra}\]'"):
        Side(url, tmp_path)


def test_store_that_lists_nothing_leaves_the_copies(side: Side, bundles: Path, tmp_path: Path) -> None:
    side.bring()
    shutil.rmtree(bundles / "m")
    assert side.repository.scan().keys == set()
    assert copies(tmp_path) == ["m/1"]


def test_model_that_lists_nothing_leaves_its_copies(side: Side, bundles: Path, tmp_path: Path) -> None:
    write(bundles / "n" / "1", name="n")
    side.bring()
    shutil.rmtree(bundles / "m" / "1")
    assert side.repository.scan().keys == {("n", 1)}
    assert copies(tmp_path) == ["m/1"]


def test_folder_that_cannot_be_listed_hides_no_other_and_leaves_its_copies(
    side: Side, store: WebStore, bundles: Path, tmp_path: Path
) -> None:
    write(bundles / "n" / "1", name="n")
    side.bring()
    store.failing = {"/m/"}
    found = side.repository.scan()
    assert found.keys == {("n", 1)}
    assert found.skipped["m"].startswith("cannot be listed (m/ cannot be read: 503")
    assert copies(tmp_path) == ["m/1"]


@pytest.mark.parametrize("name", ["lost+found", ".Trash-1000", "@eaDir", "Models"])
def test_folder_that_is_not_a_model_is_not_listed(side: Side, store: WebStore, bundles: Path, name: str) -> None:
    (bundles / name).mkdir()
    found = side.repository.scan()
    assert found.keys == {("m", 1)}
    assert [line for line in store.asked if line.startswith("GET")] == ["GET /index.json", "GET /", "GET /m/"]


def test_a_user_without_a_home_is_asked_for_a_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(user: int) -> None:
        raise KeyError(user)

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)

    with pytest.raises(StartupError, match=r"has no home folder.* --cache-dir"):
        remote.default_cache()
