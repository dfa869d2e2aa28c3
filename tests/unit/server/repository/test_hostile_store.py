"""Remote repositories whose store does harm, or goes away in the middle."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.hollow import FILES, write
from tests.unit.server.repository.side import Side, copies
from tests.web_store import StoreHandler, WebStore

from ostinato_bundle import MAX_MANIFEST_BYTES, BundleError, discover, open_bundle
from ostinato_server.errors import NoRepository
from ostinato_server.repository.remote import FETCH_SECONDS
from ostinato_server.repository.remote_files import MAX_LISTING_BYTES

WAIT_SECONDS = 30


def test_wrong_hash_is_refused_and_the_copy_stays(side: Side, bundles: Path, tmp_path: Path) -> None:
    path = side.bring()
    shutil.rmtree(bundles / "m" / "1")
    write(bundles / "m" / "1", description="better")
    (bundles / "m" / "1" / "step.onnx").write_bytes(b"grapH")
    with pytest.raises(BundleError, match=r"^m/1/step\.onnx: has another sha256 than the manifest says$"):
        side.bring()
    assert open_bundle(path).manifest.description == "d"
    assert copies(tmp_path) == ["m/1"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/m/1/step.onnx", r"^m/1/step\.onnx: has more than 5 bytes"),
        ("/m/1/manifest.json", f"has more than {MAX_MANIFEST_BYTES} bytes"),
    ],
)
def test_endless_file_is_read_no_further_than_it_may_go(
    side: Side, store: WebStore, tmp_path: Path, path: str, words: str
) -> None:
    store.special[path] = StoreHandler.send_for_ever
    with pytest.raises(BundleError, match=words):
        side.bring()
    assert copies(tmp_path) == []


@pytest.mark.parametrize("path", ["/", "/m/", "/index.json"])
def test_endless_listing_is_no_repository(side: Side, store: WebStore, path: str) -> None:
    store.special[path] = StoreHandler.send_for_ever
    with pytest.raises(NoRepository, match=f"has more than {MAX_LISTING_BYTES} bytes"):
        side.repository.scan()


@pytest.mark.parametrize("index", ["[1]", '{"m": 1}', "{", '{"m": "xxx', "[" * 100_000, "null", "\x00"])
def test_index_that_is_none_is_no_repository(side: Side, bundles: Path, index: str) -> None:
    (bundles / "index.json").write_text(index)
    with pytest.raises(NoRepository, match=r"index\.json must be an object of lists"):
        side.repository.scan()


@pytest.mark.parametrize("name", ["..", ".", "", "../m", "/m", "m/../../n", "M", ".fetching", "a" * 65, "m\n", "m\x00"])
def test_names_that_lead_elsewhere_are_passed_over(side: Side, bundles: Path, name: str) -> None:
    versions = ["..", "0", "-1", "1/..", "\u0661", 1e300, None, "1\n"]
    (bundles / "index.json").write_text(json.dumps({name: [1], "n": versions}))
    assert side.repository.scan().keys == set()


def test_links_that_lead_elsewhere_are_passed_over(side: Side, store: WebStore) -> None:
    links = ["../", "..", "/etc/", "http://127.0.0.1:1/m/", "%2e%2e/", "..%2f..%2fm/", "?C=M", "//host/m", "./m/"]
    page = "".join(f'<a href="{link}">m</a>' for link in links).encode()
    store.special["/"] = lambda handler: handler.send_all(page)
    assert list(side.repository.scan().bundles) == ["m"]
    assert [line for line in store.asked if line.startswith("GET")] == ["GET /index.json", "GET /", "GET /m/"]


def test_manifest_that_names_a_path_outside_is_refused_before_anything_is_fetched(
    side: Side, store: WebStore, bundles: Path, tmp_path: Path
) -> None:
    path = bundles / "m" / "1" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"]["../../../outside"] = manifest["files"]["step.onnx"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"^m/1/manifest\.json: files"):
        side.bring()
    assert store.files == []
    assert copies(tmp_path) == []


def test_file_that_breaks_off_is_fetched_again_the_next_time(side: Side, store: WebStore, tmp_path: Path) -> None:
    store.special["/m/1/step.onnx"] = StoreHandler.send_half
    with pytest.raises(BundleError, match=r"^m/1/step\.onnx: cannot be fetched: "):
        side.bring()
    assert copies(tmp_path) == []
    store.special.clear()
    side.bring()
    assert copies(tmp_path) == ["m/1"]


def test_file_that_vanishes_in_mid_copy_leaves_nothing(side: Side, store: WebStore, tmp_path: Path) -> None:
    store.special["/m/1/tokenizer.json"] = lambda handler: handler.send_error(404)
    with pytest.raises(BundleError, match=r"^m/1/tokenizer\.json: cannot be fetched: .*is not there$"):
        side.bring()
    assert copies(tmp_path) == []


def test_bundle_that_trickles_is_given_up(side: Side, store: WebStore, tmp_path: Path) -> None:
    def late(handler: StoreHandler) -> None:
        side.now += FETCH_SECONDS + 1
        handler.send_all(FILES["step.onnx"])

    store.special["/m/1/step.onnx"] = late
    with pytest.raises(BundleError, match="it took longer than 3600 s"):
        side.bring()
    assert copies(tmp_path) == []


def test_store_that_goes_away_leaves_the_copy(side: Side, store: WebStore, tmp_path: Path) -> None:
    path = side.bring()
    store.failing = {"/m/1/manifest.json"}
    with pytest.raises(BundleError, match=r"^m/1: cannot be fetched: m/1/manifest\.json cannot be read: 503"):
        side.bring()
    for failing, place in (("/", "it"), ("/m/", "m/"), ("/index.json", r"index\.json")):
        store.failing = {failing}
        with pytest.raises(NoRepository, match=f": {place} cannot be read: 503"):
            side.repository.scan()
    assert open_bundle(path).manifest.name == "m"
    assert copies(tmp_path) == ["m/1"]


def test_server_that_stops_gives_up_what_is_being_fetched(side: Side, store: WebStore, tmp_path: Path) -> None:
    def stop(handler: StoreHandler) -> None:
        side.repository.close()
        handler.send_all(FILES["step.onnx"])

    store.special["/m/1/step.onnx"] = stop
    with pytest.raises(BundleError, match="the server stops"):
        side.bring()
    assert copies(tmp_path) == []


class Gate:
    """Holds a file back until it is opened."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, handler: StoreHandler) -> None:
        self.reached.set()
        assert self.open.wait(WAIT_SECONDS)
        handler.send_all(self._content)


def started(action: Callable[[], object], errors: list[Exception]) -> threading.Thread:
    """A thread that does something and keeps what it raised."""

    def run() -> None:
        try:
            action()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_copy_is_not_there_before_it_is_whole(side: Side, store: WebStore, tmp_path: Path) -> None:
    gate = store.special["/m/1/tokenizer.json"] = Gate(FILES["tokenizer.json"])
    errors: list[Exception] = []
    fetching = started(side.bring, errors)
    assert gate.reached.wait(WAIT_SECONDS)
    (cache,) = (tmp_path / "cache").iterdir()
    assert list(discover(cache)) == []
    gate.open.set()
    fetching.join(WAIT_SECONDS)
    assert (errors, copies(tmp_path)) == ([], ["m/1"])


def test_servers_with_one_cache_fetch_one_after_another_and_once(side: Side, store: WebStore, tmp_path: Path) -> None:
    gate = store.special["/m/1/step.onnx"] = Gate(FILES["step.onnx"])
    errors: list[Exception] = []
    first = started(side.bring, errors)
    assert gate.reached.wait(WAIT_SECONDS)
    second = started(Side(store.url, tmp_path / "cache").bring, errors)
    third = Side(store.url, tmp_path / "cache")
    third.repository.close()
    with pytest.raises(BundleError, match="the server stops"):
        third.bring()
    gate.open.set()
    first.join(WAIT_SECONDS)
    second.join(WAIT_SECONDS)
    assert errors == []
    assert store.files.count("/m/1/step.onnx") == 1
