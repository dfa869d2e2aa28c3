from collections.abc import Iterator

import pytest

from ostinato_models.export.execution import one_thread


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield
