"""``ostinato serve``: reads the configuration, runs the server until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, NoReturn

import click

from ostinato_bundle import BundleError, default_repository
from ostinato_server import event_loop, garbage, heap
from ostinato_server.app import start
from ostinato_server.config import ServerConfig
from ostinato_server.errors import StartupError
from ostinato_server.logs import configure
from ostinato_server.repository.remote_url import RemoteUrl

logger = logging.getLogger(__name__)

_CANCEL_SECONDS = 1.0
"""Time for threads that fetch or load a model to end; a fetch does, and removes what is incomplete."""

_DEFAULTS = {
    field.name: field.default if field.default_factory is MISSING else field.default_factory()
    for field in fields(ServerConfig)
}


def _option(
    flag: str, name: str, kind: click.ParamType[Any], text: str, metavar: str | None = None
) -> Callable[..., Any]:
    """A flag that sets a field of the configuration, whose default it shows."""
    default = _DEFAULTS[name]
    return click.option(flag, name, type=kind, default=default, show_default=True, help=text, metavar=metavar)


def _file_option(flag: str, name: str, text: str) -> Callable[..., Any]:
    """A flag that names a file; whether the file will do is the server's to say."""
    return click.option(flag, name, type=click.Path(path_type=Path), metavar="FILE", help=text)


def _switch(flag: str, name: str, text: str) -> Callable[..., Any]:
    """A flag that turns on what is off by default."""
    return click.option(flag, name, is_flag=True, help=text)


@click.command()
@click.option(
    "--repository",
    envvar="OSTINATO_REPOSITORY",
    metavar="DIR|URL",
    help="Folder of the model bundles, or where they are: s3://, gs://, https://, file://.  [default: repository/, "
    "else the shipped models]",
)
@click.option(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="OSTINATO_CACHE",
    metavar="DIR",
    help="Folder for copies of the bundles of a URL.  [default: the user's cache folder]",
)
@_option("--host", "host", click.STRING, "Address to listen on.")
@_option("--port", "port", click.IntRange(0, 65535), "gRPC port; 0 lets the kernel choose.")
@_option(
    "--metrics-port", "metrics_port", click.IntRange(0, 65535), "Port of metrics and probes; 0 lets the kernel choose."
)
@_option("--device", "device", click.Choice(["auto", "cpu", "cuda"]), "Where the models run.")
@_option(
    "--runtime",
    "runtime",
    click.Choice(["auto", "onnx", "onnx-int8", "torchscript"]),
    "What runs them; auto takes the fastest that the bundle and the device have.",
)
@_option("--max-concurrency", "max_concurrency", click.IntRange(1, 4096), "Streams that one model advances together.")
@_option("--max-queue", "max_queue", click.IntRange(0, 1_000_000), "Requests that may wait for a slot, per model.")
@_option(
    "--threads",
    "threads",
    click.IntRange(1, 1024),
    "Threads that share the rows of a step; with TorchScript, its operations.",
)
@_option(
    "--max-new-tokens",
    "max_new_tokens",
    click.IntRange(1, 2**32 - 1),
    "The most tokens that a stream may generate; a model's own limit holds too.",
)
@_option(
    "--window",
    "window",
    click.IntRange(1, 1_000_000),
    "Tokens that a reader may lag behind before its stream is parked.",
)
@_option(
    "--max-deadline",
    "max_deadline_seconds",
    click.FloatRange(0.001, 86_400),
    "The longest a request may take.",
    metavar="SECONDS",
)
@_option(
    "--grace",
    "grace_seconds",
    click.FloatRange(0, 3600),
    "How long running requests may go on after SIGTERM.",
    metavar="SECONDS",
)
@_option(
    "--stall-seconds",
    "stall_seconds",
    click.FloatRange(0.1, 86_400),
    "How long an engine may be busy with one piece of work before its model is not ready.",
    metavar="SECONDS",
)
@_file_option("--tls-cert", "tls_certificate", "Speak TLS with this certificate (PEM, with its chain).")
@_file_option("--tls-key", "tls_key", "Private key (PEM) of the certificate.")
@_file_option("--tls-client-ca", "tls_client_ca", "Ask clients for a certificate that one of these (PEM) signed.")
@_file_option("--auth-tokens", "auth_tokens", "Take calls only with a token whose SHA-256 is in this file.")
@_switch("--insecure-bind", "insecure_bind", "Listen beyond loopback without TLS, and give no warning.")
@_switch("--reflection", "reflection", "Tell the contract to tools that ask for it.")
@_option("--max-message-bytes", "max_message_bytes", click.IntRange(1024, 2**31 - 1), "The largest message taken.")
@_option(
    "--max-streams-per-connection",
    "max_streams_per_connection",
    click.IntRange(1, 2**31 - 1),
    "Calls under way on one connection; further ones wait in the client.",
)
@_option(
    "--max-requests-per-caller",
    "max_requests_per_caller",
    click.IntRange(1, 1_000_000),
    "Calls that one caller may have under way; further ones are refused.",
)
@_option("--max-sessions", "max_sessions", click.IntRange(1, 1_000_000), "Sessions that may be open; more are refused.")
@_option(
    "--session-idle-seconds",
    "session_idle_seconds",
    click.FloatRange(0.001, 86_400),
    "How long a session waits for its client before it ends.",
    metavar="SECONDS",
)
@_option(
    "--max-connection-age",
    "max_connection_age_seconds",
    click.FloatRange(0, 1_000_000),
    "When a connection is asked to end once its calls are done; 0 for never.",
    metavar="SECONDS",
)
@_option(
    "--min-ping-interval",
    "min_ping_interval_seconds",
    click.FloatRange(0, 86_400),
    "Connections without data that ping more often are closed.",
    metavar="SECONDS",
)
@_option(
    "--traces",
    "traces",
    click.Choice(["none", "otlp"]),
    "Send traces of calls by OTLP; where to, and of which, say the OTEL_ variables.",
)
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), help="[default: text on a terminal, json anywhere else]"
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least severity that is logged; info has a line for every call.",
)
@_switch("--log-text", "log_text", "Log the texts of requests too.")
@click.option(
    "--versions",
    multiple=True,
    metavar="[NAME=]POLICY",
    help="Versions of a model to serve: latest:N, all, or numbers such as 3,5. NAME= is one model's; repeatable.  "
    "[default: latest:1]",
)
@_option(
    "--model-control",
    "model_control",
    click.Choice(["none", "poll", "explicit"]),
    "When models come and go: at start only, as the repository changes, or on request.",
)
@_option(
    "--poll-seconds",
    "poll_seconds",
    click.FloatRange(0.1, 86_400),
    "Time between two looks at the repository, with --model-control=poll.",
    metavar="SECONDS",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line with the addresses once ready.")
def serve(repository: str | None, as_json: bool, log_format: str | None, log_level: str, **settings: Any) -> None:
    """Serve the models of a repository over gRPC, with metrics beside it."""
    configure(log_format, log_level)
    try:
        config = ServerConfig(repository=read_repository(repository), **settings)
        heap.keep(config.threads)
        event_loop.run(_run(config, as_json))
    except (StartupError, BundleError) as error:
        raise click.ClickException(str(error)) from error


def read_repository(text: str | None) -> Path | RemoteUrl:
    """The folder or address that was given, or the default folder.

    Raises:
        StartupError: The address is not that of a repository, or none was given and there is no default folder.
    """
    if text:
        return RemoteUrl.parse(text) or Path(text)
    found = default_repository()
    if found is None:
        raise StartupError(
            f"no models to serve: {Path.cwd()} holds neither repository/ nor models/pretrained; pass --repository DIR "
            "(or OSTINATO_REPOSITORY): a checkout of Ostinato ships models in models/pretrained, and `ostinato export` "
            "makes bundles of others"
        )
    return found


def _watch_signals(stopping: asyncio.Event) -> None:
    """Sets the event on the first SIGTERM, SIGINT or SIGHUP, and ends the process on the next SIGTERM or SIGINT."""

    def stop(number: signal.Signals) -> None:
        if stopping.is_set() and number != signal.SIGHUP:
            logger.warning("stopping at once on a second signal, %s; running requests are cut off", number.name)
            _leave(128 + number)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores it
            loop.add_signal_handler(number, stop, number)


def _leave(code: int) -> NoReturn:
    """Ends the process without waiting for threads that load models or run them."""
    logging.shutdown()
    os._exit(code)


def _leave_after(seconds: float) -> None:
    """Ends the process if it has not ended by then."""
    timer = threading.Timer(seconds, _leave, (0,))
    timer.daemon = True
    timer.start()


async def _run(config: ServerConfig, as_json: bool) -> None:
    stopping = asyncio.Event()
    _watch_signals(stopping)
    starting = asyncio.create_task(start(config))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        logger.info("stopping before all models were loaded")
        starting.cancel()
        _leave_after(_CANCEL_SECONDS)
        return
    server = await starting
    garbage.settle()
    if as_json:
        try:
            click.echo(json.dumps({"address": server.address, "metrics": server.metrics_url}))
        except OSError as error:
            await server.stop()
            raise StartupError(f"standard output cannot be written: {error.strerror}") from error
    logger.info("serving %s on %s, metrics at %s", config.repository, server.address, server.metrics_url)
    await stopping.wait()
    logger.info("stopping: running requests have %g s", config.grace_seconds)
    await server.stop()
