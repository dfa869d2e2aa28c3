"""Files of a remote repository: listed by name, read up to a bound. All of fsspec is here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any, BinaryIO
from urllib.parse import unquote

from ostinato_bundle import MODEL_NAME
from ostinato_server.errors import StartupError
from ostinato_server.repository.remote_url import EXTRAS, RemoteUrl, without_credentials

INDEX = "index.json"
MAX_LISTING_BYTES = 1 << 20
MAX_ENTRIES = 10_000
BLOCK_BYTES = 1 << 20
CONNECT_SECONDS = 10
READ_SECONDS = 30
"""How long a remote side may say nothing."""

S3_TRIES = 2
"""Of each request to S3."""

_GONE = (404, 410)
"""What a web server answers where there is nothing."""

MAX_CHARACTERS = 200
"""The longest words of a library that are repeated."""


class Unreachable(Exception):
    """A file or folder cannot be had, now at least."""


class NotThere(Unreachable):
    """There is no such file or folder."""


class TooLong(Exception):
    """A file is longer than it may be."""


class RemoteFiles:
    """Names below an address, and what is in the files.

    Args:
        url: The address.

    Raises:
        StartupError: The library that the scheme needs is not installed.
    """

    def __init__(self, url: RemoteUrl) -> None:
        self._url = url
        self._web = url.scheme in ("http", "https")
        self._files = _open_store(url)

    def versions(self) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Names of the folders, and of what is in each, as the remote side tells them: nothing of it is to be trusted.

        A web server says it in ``index.json`` ({model: [version, …]}), or else in pages that link to what there is.
        Folders that cannot be models are not listed.

        Returns:
            The names in each folder, and why a folder could not be listed.

        Raises:
            Unreachable: The folders, or none of them, can be listed.
        """
        if self._web:
            try:
                return _read_index(self.read(INDEX, MAX_LISTING_BYTES)), {}
            except NotThere:
                pass
            except TooLong as error:
                raise Unreachable(f"{INDEX}: {error}") from None
        found: dict[str, list[str]] = {}
        failed: dict[str, Unreachable] = {}
        for name in filter(MODEL_NAME.fullmatch, self._list("")):
            try:
                found[name] = self._list(name)
            except NotThere:  # a file, or gone since
                continue
            except Unreachable as error:
                failed[name] = error
        if failed and not found:
            raise next(iter(failed.values()))
        return found, {name: f"cannot be listed ({error})" for name, error in failed.items()}

    def read(self, path: str, most_bytes: int) -> bytes:
        """A file's content.

        Raises:
            Unreachable: It cannot be had.
            TooLong: It has more bytes than that.
        """
        return b"".join(self.blocks(path, most_bytes))

    def blocks(self, path: str, most_bytes: int) -> Iterator[bytes]:
        """A file's content, block after block.

        Raises:
            Unreachable: It cannot be had.
            TooLong: It has more bytes than that; they were not read.
        """
        left = most_bytes
        with self._told(path), self._open(path) as file:
            while block := file.read(min(BLOCK_BYTES, left + 1)):
                left -= len(block)
                if left < 0:
                    raise TooLong(f"has more than {most_bytes} bytes")
                yield block

    def facts(self, path: str) -> Mapping[str, str]:
        """What tells, without reading it, whether a file has changed; nothing where the remote side does not say.

        Raises:
            Unreachable: It cannot be asked.
        """
        with self._told(path):
            known = self._files.info(self._full(path))
        names = ("size", "mtime", "created", "ETag", "etag", "LastModified", "md5Hash", "generation")
        return {name: str(known[name]) for name in names if name in known}

    def _list(self, path: str) -> list[str]:
        if self._web:
            try:
                page = self.read(f"{path}/", MAX_LISTING_BYTES) if path else self.read("", MAX_LISTING_BYTES)
            except TooLong as error:
                raise Unreachable(f"{path}/: the page {error}") from None
            return _links(page)
        with self._told(path):
            listed = self._files.ls(self._full(path), detail=False, refresh=True)
        if len(listed) > MAX_ENTRIES:
            raise Unreachable(f"{path}/: has {len(listed)} entries; at most {MAX_ENTRIES} are looked at")
        return [str(entry).rstrip("/").rpartition("/")[2] for entry in listed]

    def _open(self, path: str) -> BinaryIO:
        # A web server need not know ranges of bytes, so its files are read from their beginning on, as they come.
        options = {"block_size": 0} if self._web else {}
        file: BinaryIO = self._files.open(self._full(path), "rb", **options)
        return file

    def _full(self, path: str) -> str:
        return f"{self._url.full}/{path}" if path or self._web else self._url.full

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Whatever a library throws says that a file cannot be had; what it repeats has no credentials in it."""
        try:
            yield
        except (TooLong, GeneratorExit):
            raise
        except FileNotFoundError as error:
            cause = error.__cause__
            # fsspec says so of whatever a web server did not answer well; a store in trouble is not an empty one.
            if self._web and cause is not None and getattr(cause, "status", None) not in _GONE:
                raise Unreachable(f"{path or 'it'} cannot be read: {_words(cause)}") from None
            raise NotThere(f"{path or 'it'} is not there") from None
        except NotADirectoryError:
            raise NotThere(f"{path} is no folder") from None
        except Exception as error:
            raise Unreachable(f"{path or 'it'} cannot be read: {_words(error)}") from None


def _words(error: BaseException) -> str:
    """What a library says of an error, in one line."""
    text = without_credentials(" ".join(str(error).split()))[:MAX_CHARACTERS]
    return f"{text} ({type(error).__name__})" if text else type(error).__name__


def _open_store(url: RemoteUrl) -> Any:
    extra = EXTRAS.get(url.scheme, "remote")
    try:
        import fsspec

        options = _OPTIONS[url.scheme](url) if url.scheme in _OPTIONS else {}
        store = fsspec.filesystem(url.scheme, use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        missing = error.name or "a library"
        raise StartupError(f"repository {url}: {missing} is not installed; pip install 'ostinato[{extra}]'") from None
    if url.scheme == "s3":
        store.retries = 1  # s3fs would try five times, and its client as often each time: minutes of silence
    return store


def _web_options(url: RemoteUrl) -> dict[str, Any]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
    # The environment names proxies (http_proxy, https_proxy, no_proxy); none of them is for this machine.
    return {"client_kwargs": {"timeout": timeout, "trust_env": not url.on_this_machine}}


def _s3_options(_: RemoteUrl) -> dict[str, Any]:
    # botocore reads the proxies of the environment by itself.
    # A second try, since S3 asks for one when it is busy; both together may take as long as one elsewhere.
    return {
        "config_kwargs": {
            "connect_timeout": CONNECT_SECONDS / S3_TRIES,
            "read_timeout": READ_SECONDS / S3_TRIES,
            "retries": {"total_max_attempts": S3_TRIES},
        }
    }


def _gcs_options(_: RemoteUrl) -> dict[str, Any]:
    return {"requests_timeout": READ_SECONDS, "session_kwargs": {"trust_env": True}}


_OPTIONS: Mapping[str, Callable[[RemoteUrl], dict[str, Any]]] = {
    "http": _web_options,
    "https": _web_options,
    "s3": _s3_options,
    "gs": _gcs_options,
}


def _read_index(content: bytes) -> dict[str, list[str]]:
    try:
        index = json.loads(content)
        return {str(name): [str(version) for version in versions] for name, versions in index.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Unreachable(f"{INDEX} must be an object of lists: {{model: [version, …]}}") from None


class _Links(HTMLParser):
    """Collects where a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if tag == "a" and name == "href" and value:
                self.names.append(unquote(value.removeprefix("./").rstrip("/")))


def _links(page: bytes) -> list[str]:
    """What a page links to beside itself: plain names, since links elsewhere have slashes or colons in them."""
    parser = _Links()
    parser.feed(page.decode(errors="replace"))
    return [name for name in parser.names if re.fullmatch(r"[^/:?#.][^/:?#]*", name)]
