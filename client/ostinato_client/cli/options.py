"""Options that the commands share, and the connection that they describe."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
import grpc

from ostinato_client.channels import DEFAULT_TIMEOUT_SECONDS
from ostinato_client.cli.failures import describe
from ostinato_client.client import Client
from ostinato_client.errors import OstinatoError

P = ParamSpec("P")
R = TypeVar("R")


class FiniteRange(click.FloatRange):
    """A range of numbers that NaN is not in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number.

        Raises:
            click.BadParameter: It is not finite or not in the range.
        """
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


target_option = click.option(
    "--target",
    default="localhost:50051",
    show_default=True,
    envvar="OSTINATO_TARGET",
    show_envvar=True,
    metavar="HOST:PORT",
    help="The server.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")

version_option = click.option(
    "--model-version", "version", type=click.IntRange(min=1), help="Version of the model.  [default: the newest]"
)

priority_option = click.option(
    "--priority",
    type=click.Choice(["high", "normal", "low"]),
    help="Whose turn it is while the server is full.  [default: normal]",
)


def connection_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds ``--target``, ``--timeout`` and ``--tls-ca``; the command gets ``connect``, which opens a client."""

    @target_option
    @click.option(
        "--timeout",
        type=FiniteRange(min=0, min_open=True),
        default=DEFAULT_TIMEOUT_SECONDS,
        show_default=True,
        help="Seconds allowed for the whole call.",
    )
    @click.option(
        "--tls-ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar="OSTINATO_TLS_CA",
        show_envvar=True,
        help="Use TLS and trust the certificates in this PEM file.",
    )
    @functools.wraps(command)
    def with_connection(*args: Any, target: str, timeout: float, tls_ca: Path | None, **rest: Any) -> R:
        return command(*args, connect=functools.partial(open_client, target, timeout, tls_ca), **rest)

    return with_connection


@contextmanager
def open_client(target: str, timeout: float, tls_ca: Path | None) -> Iterator[Client]:
    """A client; what fails inside is told with the server's address.

    Raises:
        click.ClickException: A call failed.
    """
    credentials = grpc.ssl_channel_credentials(tls_ca.read_bytes()) if tls_ca else None
    try:
        with Client(target, timeout=timeout, credentials=credentials) as client:
            yield client
    except OstinatoError as error:
        raise click.ClickException(describe(error, target)) from error
