"""``ostinato serve``: reads the configuration, runs the server until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

import click

from ostinato_bundle import BundleError
from ostinato_server.app import start
from ostinato_server.config import ServerConfig
from ostinato_server.errors import StartupError

_PRETRAINED = Path(__file__).resolve().parents[2] / "models" / "pretrained"
"""Where the shipped bundles are in a checkout."""


@click.command()
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    envvar="OSTINATO_REPOSITORY",
    metavar="DIR",
    help="Folder of the model bundles.  [default: repository/, else the shipped models]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=50051,
    show_default=True,
    help="gRPC port; 0 lets the kernel choose.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=9464,
    show_default=True,
    help="Port of /metrics; 0 lets the kernel choose.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--runtime", type=click.Choice(["auto", "onnx", "onnx-int8", "torchscript"]), default="auto", show_default=True
)
@click.option(
    "--max-concurrency",
    type=click.IntRange(1, 4096),
    default=64,
    show_default=True,
    help="Streams that one model advances together.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(0, 1_000_000),
    default=1024,
    show_default=True,
    help="Requests that may wait for a slot, per model.",
)
@click.option(
    "--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads that one step may use."
)
@click.option(
    "--window",
    type=click.IntRange(1, 1_000_000),
    default=512,
    show_default=True,
    help="Tokens that a reader may lag behind before its stream is parked.",
)
@click.option(
    "--max-deadline",
    type=click.FloatRange(0.001, 86_400),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="The longest a request may take.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0, 3600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long running requests may go on after SIGTERM.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line with the addresses once ready.")
def serve(
    repository: Path | None,
    host: str,
    port: int,
    metrics_port: int,
    device: str,
    runtime: str,
    max_concurrency: int,
    max_queue: int,
    threads: int,
    window: int,
    max_deadline: float,
    grace: float,
    as_json: bool,
) -> None:
    """Serve the models of a repository over gRPC, with metrics beside it."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        config = ServerConfig(
            repository=repository or default_repository(),
            host=host,
            port=port,
            metrics_port=metrics_port,
            device=device,
            runtime=runtime,
            max_concurrency=max_concurrency,
            max_queue=max_queue,
            threads=threads,
            window=window,
            max_deadline_seconds=max_deadline,
            grace_seconds=grace,
        )
        asyncio.run(_run(config, as_json))
    except (StartupError, BundleError) as error:
        raise click.ClickException(str(error)) from error


def default_repository() -> Path:
    """``repository/`` in the current folder if it is there, else the checkout's shipped models."""
    derived = Path("repository")
    return derived if derived.is_dir() or not _PRETRAINED.is_dir() else _PRETRAINED


async def _run(config: ServerConfig, as_json: bool) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server = await start(config)
    if as_json:
        click.echo(json.dumps({"address": server.address, "metrics": server.metrics_url}))
    else:
        click.echo(f"serving {config.repository} on {server.address}, metrics at {server.metrics_url}", err=True)
    await stopping.wait()
    logging.getLogger(__name__).info("stopping: running requests have %g s", config.grace_seconds)
    await server.stop()
