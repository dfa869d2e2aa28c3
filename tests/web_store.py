"""A web server over a folder, on loopback, that does to chosen paths what a test says."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import SSLContext
from threading import Thread
from typing import cast

Handler = Callable[["StoreHandler"], None]


class WebStore(ThreadingHTTPServer):
    """Serves a folder, with pages that list it.

    Attributes:
        asked: Every request, ``GET /m/1/manifest.json`` for instance.
        special: What to do instead of sending the file of a path.
        failing: Paths that are answered with 503, however they are asked for.
        password: What callers must bring by basic authentication (``user:password``), if anything.
    """

    daemon_threads = True

    def __init__(self, folder: Path, context: SSLContext | None) -> None:
        self.asked: list[str] = []
        self.special: dict[str, Handler] = {}
        self.failing: set[str] = set()
        self.password: str | None = None
        super().__init__(("127.0.0.1", 0), partial(StoreHandler, directory=str(folder)))
        self._scheme = "http"
        if context is not None:
            self._scheme = "https"
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_port}"

    @property
    def files(self) -> list[str]:
        """Files of bundles that were read, manifests aside."""
        read = [line.removeprefix("GET ") for line in self.asked if line.startswith("GET ")]
        return [path for path in read if path.count("/") == 3 and not path.endswith(("/", "manifest.json"))]


class StoreHandler(SimpleHTTPRequestHandler):
    """Answers one request."""

    @property
    def store(self) -> WebStore:
        return cast("WebStore", self.server)

    def do_GET(self) -> None:
        self._serve(super().do_GET)

    def do_HEAD(self) -> None:
        self._serve(super().do_HEAD)

    def send_all(self, content: bytes) -> None:
        """An answer."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_for_ever(self) -> None:
        """An answer of no stated length that ends when the client has gone."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(b" " * 65536)

    def send_half(self) -> None:
        """An answer that breaks off in its middle."""
        content = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is logged."""

    def _serve(self, usual: Callable[[], None]) -> None:
        self.store.asked.append(f"{self.command} {self.path}")
        wanted = self.store.password
        if wanted is not None:
            header = "Basic " + base64.b64encode(wanted.encode()).decode()
            if self.headers.get("Authorization") != header:
                self.send_error(401)
                return
        if self.path in self.store.failing:
            self.send_error(503)
            return
        special = self.store.special.get(self.path)
        if special is not None and self.command == "GET":
            special(self)
        else:
            usual()


@contextmanager
def web_store(folder: Path, context: SSLContext | None = None) -> Iterator[WebStore]:
    """A server that runs in a scope, with TLS where a context is given."""
    with WebStore(folder, context) as store:
        thread = Thread(target=partial(store.serve_forever, poll_interval=0.01))
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()
