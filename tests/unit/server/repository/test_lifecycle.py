"""The order of events while models come and go, on models that are nothing but their names."""

from __future__ import annotations

import asyncio
import errno
import shutil
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from ostinato_bundle import BundleError
from ostinato_server import heap
from ostinato_server.errors import ModelNotFound, ModelRefused, ModelTooLarge, NoRepository, StartupError
from ostinato_server.metrics import ModelInfo, ServerMetrics
from ostinato_server.repository.catalog import Catalog
from ostinato_server.repository.index import LocalRepository, State
from ostinato_server.repository.lifecycle import Lifecycle
from ostinato_server.repository.model import LoadedModel
from ostinato_server.repository.shortage import MemoryShortage
from ostinato_server.repository.uses import Uses
from ostinato_server.repository.versions import read_policies

WAIT_SECONDS = 30


class Model:
    """A model whose engine is a note of whether it was closed."""

    def __init__(self, path: Path) -> None:
        self.name, self.version = path.parent.name, int(path.name)
        self.info = ModelInfo(self.name, str(self.version), "generation", "onnx", "cpu")
        self.runtime, self.device, self.load_seconds = "onnx", "cpu", 0.5
        self.uses = Uses()
        self.closed = 0

    def close(self, timeout_seconds: float) -> None:
        self.closed += 1


class Loader:
    """Loads at once, or when the gate opens; refuses what is marked."""

    def __init__(self) -> None:
        self.loaded: list[Model] = []
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()
        self.errors: dict[str, Exception] = {}

    def load(self, path: Path) -> LoadedModel:
        self.began.set()
        assert self.gate.wait(WAIT_SECONDS)
        error = self.errors.get(f"{path.parent.name}/{path.name}")
        if error is not None:
            raise error
        self.loaded.append(Model(path))
        return cast("LoadedModel", self.loaded[-1])


class Rig:
    """A lifecycle over folders that a test makes."""

    def __init__(self, repository: Path, policies: tuple[str, ...] = ()) -> None:
        self.repository = repository
        self.loader = Loader()
        self.catalog = Catalog()
        self.registry = CollectorRegistry()
        self.announced: list[set[str]] = []
        self.lifecycle = Lifecycle(
            LocalRepository(repository),
            read_policies(policies),
            self.loader.load,
            self.catalog,
            ServerMetrics(self.registry),
            self.announce,
        )

    async def announce(self, names: Collection[str]) -> None:
        self.announced.append(set(names))

    def put(self, *bundles: str) -> None:
        for bundle in bundles:
            (self.repository / bundle).mkdir(parents=True)
            (self.repository / bundle / "manifest.json").touch()

    def served(self) -> list[str]:
        return [f"{model.name}/{model.version}" for model in self.catalog.all()]

    def model(self, bundle: str) -> Model:
        return next(each for each in self.loader.loaded if f"{each.name}/{each.version}" == bundle)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.loader.gate.set()
    await rig.lifecycle.close()
    assert [model.closed for model in rig.loader.loaded] == [1] * len(rig.loader.loaded)


async def begun(loader: Loader) -> None:
    assert await asyncio.to_thread(loader.began.wait, WAIT_SECONDS)


async def test_old_version_serves_until_the_new_one_is_loaded(rig: Rig) -> None:
    rig.put("a/1")
    await rig.lifecycle.start(strict=True)
    rig.put("a/2")
    rig.loader.gate.clear()
    rig.loader.began.clear()
    loading = asyncio.create_task(rig.lifecycle.load("a"))
    await begun(rig.loader)
    assert rig.served() == ["a/1"]
    rig.loader.gate.set()
    assert [model.version for model in await loading] == [2]
    assert rig.served() == ["a/2"]


async def test_model_that_somebody_holds_is_closed_when_the_last_lets_go(rig: Rig) -> None:
    rig.put("a/1")
    await rig.lifecycle.start(strict=True)
    old = rig.model("a/1")
    rig.put("a/2")
    with old.uses.held():
        await rig.lifecycle.load("a")
        assert {entry.version: entry.state for entry in await rig.lifecycle.index()} == {
            1: State.DRAINING,
            2: State.LOADED,
        }
        assert old.closed == 0
    await rig.lifecycle.drained()
    assert old.closed == 1


async def test_load_goes_on_when_whoever_asked_has_left(rig: Rig) -> None:
    rig.put("a/1")
    await rig.lifecycle.start(strict=True)
    rig.put("a/2")
    rig.loader.gate.clear()
    rig.loader.began.clear()
    loading = asyncio.create_task(rig.lifecycle.load("a"))
    await begun(rig.loader)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    rig.loader.gate.set()
    with pytest.raises(ModelNotFound):  # changes are made one after another, so that this one ends after the load
        await rig.lifecycle.unload("nobody")
    assert rig.served() == ["a/2"]


async def test_stop_waits_for_a_load_and_leaves_nothing_running(rig: Rig) -> None:
    rig.put("a/1")
    rig.loader.gate.clear()
    loading = asyncio.create_task(rig.lifecycle.load("a"))
    await begun(rig.loader)
    closing = asyncio.create_task(rig.lifecycle.close())
    rig.loader.gate.set()
    await asyncio.gather(loading, closing)
    assert rig.served() == []
    assert rig.model("a/1").closed == 1


async def test_stop_gives_up_what_is_held(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.put("a/1")
    await rig.lifecycle.start(strict=True)
    with rig.model("a/1").uses.held():
        await rig.lifecycle.close()
    assert rig.model("a/1").closed == 1


async def test_memory_is_given_back_when_a_model_that_left_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    rig.put("a/1")
    await rig.lifecycle.start(strict=True)
    there = weakref.ref(rig.loader.loaded.pop())
    gone: list[bool] = []
    monkeypatch.setattr(heap, "give_back", lambda: gone.append(there() is None))
    await rig.lifecycle.unload("a")
    await rig.lifecycle.drained()
    assert gone == [True]
    await rig.lifecycle.close()


async def test_memory_is_not_given_back_by_a_process_that_ends(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[None] = []
    monkeypatch.setattr(heap, "give_back", lambda: given_back.append(None))
    rig.put("a/1", "b/1")
    await rig.lifecycle.start(strict=True)
    await rig.lifecycle.close()
    assert rig.model("a/1").closed == 1
    assert given_back == []


async def test_names_are_announced_after_every_change(rig: Rig) -> None:
    rig.put("a/1", "b/1")
    await rig.lifecycle.start(strict=True)
    await rig.lifecycle.unload("a")
    assert rig.announced == [{"a"}, {"a", "b"}, {"b"}]


@pytest.mark.parametrize(
    ("policy", "refused", "served"),
    [
        ("latest:1", {"a/3"}, ["a/2"]),
        ("latest:2", {"a/3"}, ["a/1", "a/2"]),
        ("latest:2", {"a/3", "a/2"}, ["a/1"]),
        ("all", {"a/2"}, ["a/1", "a/3"]),
        ("1,3", {"a/3"}, ["a/1"]),
        ("latest:1", {"a/1", "a/2", "a/3"}, []),
    ],
)
async def test_refused_version_gives_way_to_the_next_older_one(
    tmp_path: Path, policy: str, refused: set[str], served: list[str]
) -> None:
    rig = Rig(tmp_path, (policy,))
    rig.put("a/1", "a/2", "a/3")
    rig.loader.errors = {bundle: BundleError(tmp_path / bundle, "is broken") for bundle in refused}
    await rig.lifecycle.start(strict=False)
    assert rig.served() == served
    await rig.lifecycle.close()


@pytest.mark.parametrize("policy", ["latest:1", "latest:2", "all", "2"])
async def test_refusal_takes_nothing_away_that_is_served(tmp_path: Path, policy: str) -> None:
    rig = Rig(tmp_path, (policy,))
    rig.put("a/1", "a/2")
    await rig.lifecycle.start(strict=True)
    before = rig.served()
    newest = rig.model("a/2")
    (tmp_path / "a/2/step.onnx").touch()  # written to, so that it is loaded anew
    rig.put("a/3")
    rig.loader.errors = {f"a/{version}": BundleError(tmp_path, "is broken") for version in (2, 3)}
    await rig.lifecycle.refresh()
    assert rig.served() == before
    assert newest.closed == 0
    await rig.lifecycle.close()


async def refreshed(rig: Rig, times: int = 3) -> list[str]:
    """What is served after several looks at the repository."""
    for _ in range(times):
        await rig.lifecycle.refresh()
    return rig.served()


def warnings(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [text for record in caplog.records if words in (text := record.getMessage())]


async def test_repository_that_shows_nothing_unloads_nothing_and_is_logged_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put("a/1", "b/1")
    await rig.lifecycle.start(strict=True)
    aside = rig.repository / ".aside"
    aside.mkdir()
    for name in ("a", "b"):
        (rig.repository / name).rename(aside / name)
    assert await refreshed(rig) == ["a/1", "b/1"]
    assert len(warnings(caplog, "lists no model; what is served stays")) == 1
    for name in ("a", "b"):
        (aside / name).rename(rig.repository / name)
    assert await refreshed(rig) == ["a/1", "b/1"]
    assert len(rig.loader.loaded) == 2


async def test_model_whose_folder_shows_nothing_stays_and_is_logged_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put("a/1", "b/1")
    await rig.lifecycle.start(strict=True)
    shutil.rmtree(rig.repository / "a" / "1")
    assert await refreshed(rig) == ["a/1", "b/1"]
    assert len(warnings(caplog, "a: lists no version; what is served stays")) == 1


async def test_model_that_is_removed_while_others_remain_is_unloaded_at_the_second_look(rig: Rig) -> None:
    rig.put("a/1", "b/1")
    await rig.lifecycle.start(strict=True)
    shutil.rmtree(rig.repository / "a")
    assert await refreshed(rig, 1) == ["a/1", "b/1"]
    assert await refreshed(rig, 1) == ["b/1"]


@pytest.mark.parametrize("entry", ["a", "a/1"])
async def test_model_whose_folder_cannot_be_read_stays_and_is_logged_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, entry: str
) -> None:
    rig.put("a/1", "b/1")
    await rig.lifecycle.start(strict=True)
    monkeypatch.setattr(Path, "stat", refusing(rig.repository / entry, Path.stat))
    monkeypatch.setattr(Path, "is_dir", refusing(rig.repository / entry, Path.is_dir))
    assert await refreshed(rig) == ["a/1", "b/1"]
    assert len(warnings(caplog, f"{entry} cannot be read (Permission denied)")) == 1
    with pytest.raises(NoRepository, match=f"{entry}: cannot be read"):
        await rig.lifecycle.load("a", 1)


def refusing(path: Path, inner: Callable[..., Any]) -> Callable[..., Any]:
    def ask(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return inner(self, *arguments, **options)

    return ask


async def test_what_is_not_a_model_neither_prevents_the_start_nor_stops_polling(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put("a/1", ".Trash-1000/1")
    (rig.repository / "lost+found").mkdir()
    for name in ("stat", "is_dir", "iterdir"):
        monkeypatch.setattr(Path, name, refusing(rig.repository / "lost+found", getattr(Path, name)))
    await rig.lifecycle.start(strict=True)
    rig.put("b/1")
    assert await refreshed(rig) == ["a/1", "b/1"]
    (told,) = warnings(caplog, "skipped")
    assert ".Trash-1000 is hidden; lost+found cannot be read (Permission denied)" in told


async def test_repository_that_cannot_be_read_is_logged_once_while_it_lasts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put("a/1")
    await rig.lifecycle.start(strict=True)
    looks = 0
    enough = asyncio.Event()
    inner = rig.lifecycle.refresh

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 4:
            enough.set()
        await inner()

    monkeypatch.setattr(rig.lifecycle, "refresh", look)
    rig.repository.rename(rig.repository.with_name("aside"))
    polling: asyncio.Task[Any] = asyncio.create_task(rig.lifecycle.poll(0.001))
    await asyncio.wait_for(enough.wait(), WAIT_SECONDS)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling
    assert rig.served() == ["a/1"]
    assert len(warnings(caplog, "is no folder; what is served stays")) == 1


async def test_version_that_is_gone_is_unloaded_though_another_one_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ("all",))
    rig.put("a/1", "a/2")
    await rig.lifecycle.start(strict=True)
    rig.put("a/3")
    rig.loader.errors["a/3"] = BundleError(tmp_path, "is broken")
    shutil.rmtree(tmp_path / "a" / "1")
    assert await refreshed(rig) == ["a/2"]
    await rig.lifecycle.close()


async def test_newest_version_that_is_gone_stays_while_all_others_are_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ("all",))
    rig.put("a/1", "a/2")
    await rig.lifecycle.start(strict=True)
    rig.put("a/3")
    rig.loader.errors["a/3"] = BundleError(tmp_path, "is broken")
    for version in ("1", "2"):
        shutil.rmtree(tmp_path / "a" / version)
    assert await refreshed(rig) == ["a/2"]
    rig.loader.errors.clear()
    (tmp_path / "a/3/step.onnx").touch()
    assert await refreshed(rig, 1) == ["a/3"]
    await rig.lifecycle.close()


async def test_load_that_is_refused_unloads_nothing_even_of_what_is_gone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, ("all",))
    rig.put("a/1", "a/2")
    await rig.lifecycle.start(strict=True)
    rig.put("a/3")
    rig.loader.errors["a/3"] = BundleError(tmp_path, "is broken")
    shutil.rmtree(tmp_path / "a" / "1")
    with pytest.raises(ModelRefused):
        await rig.lifecycle.load("a")
    assert rig.served() == ["a/1", "a/2"]
    await rig.lifecycle.close()


async def test_strict_start_raises_what_the_loader_raised_and_closes_the_rest(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.put("a/1", "b/1")
    error = rig.loader.errors["b/1"] = BundleError(tmp_path, "is broken")
    with pytest.raises(BundleError) as caught:
        await rig.lifecycle.start(strict=True)
    assert caught.value is error
    assert rig.model("a/1").closed == 1


async def test_installation_that_cannot_serve_a_bundle_does_not_start_but_goes_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.put("a/1")
    rig.loader.errors["a/1"] = StartupError("no CUDA here")
    with pytest.raises(StartupError, match="no CUDA here"):
        await rig.lifecycle.start(strict=False)
    with pytest.raises(ModelRefused, match="model a version 1 is refused: no CUDA here"):
        await rig.lifecycle.load("a")


async def test_load_tries_again_what_was_refused(rig: Rig) -> None:
    rig.put("a/1")
    rig.loader.errors["a/1"] = BundleError(rig.repository, "no memory")
    for _ in range(2):
        with pytest.raises(ModelRefused, match="no memory"):
            await rig.lifecycle.load("a")
    assert rig.registry.get_sample_value("ostinato_model_changes_total", {"model": "a", "change": "refused"}) == 2
    await rig.lifecycle.refresh()
    assert rig.registry.get_sample_value("ostinato_model_changes_total", {"model": "a", "change": "refused"}) == 2
    rig.loader.errors.clear()
    await rig.lifecycle.load("a")
    assert rig.served() == ["a/1"]


async def test_a_bundle_that_memory_did_not_suffice_for_is_tried_again_as_it_is_and_told_of_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put("a/1")
    await rig.lifecycle.start(strict=False)
    rig.put("a/2")
    rig.loader.errors["a/2"] = MemoryShortage(rig.repository / "a/2", "there is not enough memory to load it")
    for _ in range(2):
        await rig.lifecycle.refresh()
        assert rig.served() == ["a/1"]
    assert len([record for record in caplog.records if "not enough memory" in record.message]) == 1
    with pytest.raises(ModelTooLarge, match=r"model a version 2 is refused: .*not enough memory"):
        await rig.lifecycle.load("a")
    rig.loader.errors.clear()
    await rig.lifecycle.refresh()
    assert rig.served() == ["a/2"]


async def test_polling_survives_whatever_happens(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    enough = asyncio.Event()

    async def look() -> None:
        nonlocal looked
        looked += 1
        if looked == 3:
            enough.set()
        raise RuntimeError("surprise")

    monkeypatch.setattr(rig.lifecycle, "refresh", look)
    polling: asyncio.Task[Any] = asyncio.create_task(rig.lifecycle.poll(0.001))
    await asyncio.wait_for(enough.wait(), WAIT_SECONDS)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await polling


@pytest.mark.parametrize("policy", ["b=all", "a=7", "7"])
async def test_a_policy_for_what_the_repository_does_not_hold_is_an_error_before_anything_loads(
    tmp_path: Path, policy: str
) -> None:
    rig = Rig(tmp_path, (policy,))
    rig.put("a/1")
    with pytest.raises(StartupError, match=r"--versions: .*; the repository holds "):
        await rig.lifecycle.start(strict=True)
    assert rig.loader.loaded == []


async def test_a_policy_for_what_may_come_later_is_a_warning_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, ("b=all",))
    rig.put("a/1")
    await rig.lifecycle.start(strict=False)
    await rig.lifecycle.refresh()
    assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [
        "--versions: no model is named 'b'; the repository holds a; the policy applies when the repository holds it"
    ]
    rig.put("b/1")
    await rig.lifecycle.refresh()
    assert rig.served() == ["a/1", "b/1"]
    await rig.lifecycle.close()
