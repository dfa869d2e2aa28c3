from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.bundles import build_tiny_repository, build_tiny_version
from tests.integration.harness import Generated, RunningServer, generate, serving, together
from tests.integration.versions import STREAMS, References, ask, put


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session", params=["onnx-int8", "onnx", "torchscript"])
def any_artifact(request: pytest.FixtureRequest, repository: Path) -> Iterator[RunningServer]:
    with serving(repository, runtime=request.param) as server:
        yield server


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[RunningServer]:
    with serving(repository) as running:
        yield running


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to 3 of a model, each with weights of its own."""
    folder = tmp_path_factory.mktemp("store")
    for version in (1, 2, 3):
        build_tiny_version(folder, "generation", version)
    return folder


@pytest.fixture(scope="session")
def references(store: Path) -> References:
    """What each version writes when nothing comes or goes."""
    texts: References = {}
    with serving(store, versions=("all",)) as server:
        for version in (1, 2):
            calls: list[Callable[[], Generated]] = [
                lambda version=version, seed=seed: generate(server, ask(seed, version))  # type: ignore[misc]
                for seed in range(STREAMS)
            ]
            texts |= {(version, seed): result.text for seed, result in enumerate(together(calls))}
    assert len(set(texts.values())) == 2 * STREAMS
    return texts


@pytest.fixture
def first_version(store: Path, tmp_path: Path) -> Path:
    """A repository with version 1."""
    put(store, tmp_path, 1)
    return tmp_path
