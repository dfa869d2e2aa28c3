"""This machine's side of a remote repository, on a clock that only the test moves."""

from __future__ import annotations

from pathlib import Path

from ostinato_bundle import discover
from ostinato_server.repository.remote import FETCHING, RemoteRepository
from ostinato_server.repository.remote_url import RemoteUrl


class Side:
    """A repository and its clock."""

    def __init__(self, url: str, cache: Path) -> None:
        address = RemoteUrl.parse(url)
        assert address is not None
        self.now = 100.0
        self.repository = RemoteRepository(address, cache, lambda: self.now)

    def bring(self, name: str = "m", version: int = 1) -> Path:
        """Looks for a bundle and makes its copy; gives the copy's folder."""
        path = self.repository.scan().bundles[name][version]
        self.repository.bring(name, version, path)
        return path


def copies(tmp_path: Path) -> list[str]:
    """The bundles that the cache holds in their places; nothing half done may be beside them."""
    (cache,) = (tmp_path / "cache").iterdir()
    assert {file.name for file in (cache / FETCHING).iterdir()} <= {"lock"}
    return [f"{path.parent.name}/{path.name}" for path in discover(cache)]
