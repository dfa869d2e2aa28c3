from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bundles import build_tiny_repository
from tests.integration.harness import RunningServer, serving


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session", params=["onnx-int8", "onnx"])
def either_onnx(request: pytest.FixtureRequest, repository: Path) -> Iterator[RunningServer]:
    with serving(repository, runtime=request.param) as server:
        yield server


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[RunningServer]:
    with serving(repository) as running:
        yield running
