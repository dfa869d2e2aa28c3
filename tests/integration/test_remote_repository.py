"""A server whose bundles are elsewhere, through their changes and troubles."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest
import trustme
from tests.integration.harness import RunningServer, generate, serving
from tests.integration.versions import References, ask, put, states, streams, texts_of
from tests.web_store import StoreHandler, WebStore, web_store

from ostinato_server.errors import NoRepository, StartupError
from ostinato_server.repository.index import State
from ostinato_server.repository.remote_url import RemoteUrl


@pytest.fixture
def web(first_version: Path) -> Iterator[WebStore]:
    with web_store(first_version) as running:
        yield running


@pytest.fixture
def polling(web: WebStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that looks at the store when the test says so."""
    address = RemoteUrl.parse(web.url)
    cache = tmp_path_factory.mktemp("cache")
    with serving(address, cache_dir=cache, model_control="poll", poll_seconds=86_400.0, window=4) as server:
        yield server


def refresh(server: RunningServer) -> None:
    server.wait(server.lifecycle.refresh())


def served(server: RunningServer) -> int:
    return generate(server, ask(0, tokens=3)).summary.version


def test_new_version_is_served_once_the_store_has_it_and_streams_go_on(
    polling: RunningServer, store: Path, first_version: Path, references: References
) -> None:
    with streams(polling) as finish:
        put(store, first_version, 2)
        refresh(polling)
        assert generate(polling, ask(0)).text == references[2, 0]
        assert [result.text for result in finish()] == texts_of(1, references)


def test_store_that_cannot_be_reached_changes_nothing(
    polling: RunningServer, web: WebStore, store: Path, first_version: Path
) -> None:
    for path in ("/", "/char-lm/", "/char-lm/1/manifest.json"):
        web.failing = {path}
        if path.endswith("/"):
            with pytest.raises(NoRepository):
                refresh(polling)
        else:
            refresh(polling)
        assert served(polling) == 1
    web.failing = set()
    put(store, first_version, 2)
    refresh(polling)
    assert served(polling) == 2


@pytest.mark.parametrize("harm", [StoreHandler.send_half, StoreHandler.send_for_ever])
def test_version_that_cannot_be_had_whole_is_refused_and_the_old_one_goes_on(
    polling: RunningServer, web: WebStore, store: Path, first_version: Path, harm: object
) -> None:
    put(store, first_version, 2)
    web.special["/char-lm/2/step.int8.onnx"] = harm  # type: ignore[assignment]
    refresh(polling)
    assert served(polling) == 1
    assert states(polling) == {1: State.LOADED, 2: State.REFUSED}
    web.special = {}
    polling.wait(polling.lifecycle.load("char-lm"))
    assert served(polling) == 2


def test_version_that_left_the_store_is_unloaded_at_the_second_look(
    polling: RunningServer, store: Path, first_version: Path
) -> None:
    put(store, first_version, 2)
    refresh(polling)
    rmtree(first_version / "char-lm" / "2")
    refresh(polling)
    assert served(polling) == 2
    refresh(polling)
    assert served(polling) == 1


def test_only_what_is_served_is_fetched(web: WebStore, store: Path, first_version: Path, tmp_path: Path) -> None:
    put(store, first_version, 2)
    with serving(RemoteUrl.parse(web.url), cache_dir=tmp_path / "cache") as server:
        assert served(server) == 2
    assert {path.split("/")[2] for path in web.files} == {"2"}


def test_server_whose_store_cannot_be_reached_does_not_start(tmp_path: Path) -> None:
    refused = pytest.raises(StartupError, match=r"the repository cannot be read: http://127\.0\.0\.1:1/models: ")
    with refused, serving(RemoteUrl.parse("http://127.0.0.1:1/models"), cache_dir=tmp_path):
        pass


def test_empty_store_is_named_without_credentials(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with web_store(tmp_path / "empty") as web:
        address = RemoteUrl.parse(web.url.replace("://", "://alice:geheim@"))
        refused = pytest.raises(StartupError, match=rf"^{web.url}: holds no model")
        with refused, serving(address, cache_dir=tmp_path / "cache"):
            pass


def test_store_over_tls_must_show_a_certificate_that_is_trusted(first_version: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    refused = pytest.raises(StartupError, match="CERTIFICATE_VERIFY_FAILED")
    with (
        web_store(first_version, context) as web,
        refused,
        serving(RemoteUrl.parse(web.url), cache_dir=tmp_path / "cache"),
    ):
        pass
