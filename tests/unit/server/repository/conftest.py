from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hollow import write
from tests.unit.server.repository.side import Side
from tests.web_store import WebStore, web_store


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """A repository with a version of a model."""
    write(tmp_path / "remote" / "m" / "1")
    return tmp_path / "remote"


@pytest.fixture
def store(bundles: Path) -> Iterator[WebStore]:
    with web_store(bundles) as running:
        yield running


@pytest.fixture
def side(store: WebStore, tmp_path: Path) -> Side:
    return Side(store.url, tmp_path / "cache")
