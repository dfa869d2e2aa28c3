"""Options that the commands share, and the connection that they describe."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
import grpc

from ostinato_client.channels import DEFAULT_TIMEOUT_SECONDS
from ostinato_client.cli.failures import describe
from ostinato_client.client import Client
from ostinato_client.errors import OstinatoError
from ostinato_client.tls import tls_credentials

TOKEN_VARIABLE = "OSTINATO_TOKEN"  # noqa: S105 (the name of a variable)
"""Holds the token itself; there is no flag for it, since every user of a machine sees command lines."""

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


class Text(click.ParamType[str]):
    """A text for the server, which takes UTF-8 whatever the encoding of the locale is."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text.

        Raises:
            click.BadParameter: Its bytes are not UTF-8.
        """
        try:
            value.encode()
        except UnicodeEncodeError:  # Python could not decode it by the locale's encoding
            raw = os.fsencode(value)
            try:
                return raw.decode()
            except UnicodeDecodeError as error:
                self.fail(f"byte {error.start + 1} (0x{raw[error.start]:02x}) is not UTF-8.", param, ctx)
        return value


TEXT = Text()

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach the server.

    Attributes:
        target: Its address.
        timeout: Seconds allowed for a call.
        tls: Whether to use TLS; any of the three files says so too.
        tls_ca: Roots to trust.
        tls_cert: The client's own certificate.
        tls_key: Its key.
        token_file: Holds the token.
        insecure_token: Whether the token may be sent without TLS.
    """

    target: str
    timeout: float
    tls: bool
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    token_file: Path | None
    insecure_token: bool

    def client(self) -> Client:
        """A client that connects so.

        Raises:
            click.UsageError: The options do not go together.
        """
        try:
            return Client(
                self.target,
                timeout=self.timeout,
                credentials=self.credentials(),
                token=self.token(),
                insecure_token=self.insecure_token,
            )
        except ValueError as error:
            raise click.UsageError(f"{str(error)[0].upper()}{str(error)[1:]}.") from error

    def credentials(self) -> grpc.ChannelCredentials | None:
        """TLS as the options describe it; None for plain text.

        Raises:
            ValueError: A certificate comes without its key, or a key without its certificate.
            OSError: A file cannot be read.
        """
        files = (self.tls_ca, self.tls_cert, self.tls_key)
        if not self.tls and files == (None, None, None):
            return None
        return tls_credentials(ca=self.tls_ca, certificate=self.tls_cert, key=self.tls_key)

    def token(self) -> str | None:
        """What proves who calls: what the file holds, or else the variable.

        Raises:
            ValueError: The file is not UTF-8.
            OSError: The file cannot be read.
        """
        if self.token_file is not None:
            try:
                return self.token_file.read_text(encoding="utf-8").strip()
            except UnicodeDecodeError as error:
                raise ValueError(f"token file {self.token_file} is not UTF-8, at byte {error.start + 1}") from error
        return os.environ.get(TOKEN_VARIABLE) or None


def connection_options(command: Callable[..., R]) -> Callable[..., R]:
    """Adds what describes a connection; the command gets ``connect``, which opens a client."""

    @described_connection
    @functools.wraps(command)
    def with_client(*args: Any, connection: Connection, **options: Any) -> R:
        return command(*args, connect=functools.partial(open_client, connection), **options)

    return with_client


def described_connection(command: Callable[..., R]) -> Callable[..., R]:
    """Adds what describes a connection; the command gets ``connection``, and opens what it needs itself."""

    @target_option
    @click.option(
        "--timeout",
        type=FiniteRange(min=0, min_open=True),
        default=DEFAULT_TIMEOUT_SECONDS,
        show_default=True,
        help="Seconds allowed for the whole call.",
    )
    @click.option(
        "--tls", is_flag=True, envvar="OSTINATO_TLS", show_envvar=True, help="Use TLS; the three files below imply it."
    )
    @_file_option("--tls-ca", "OSTINATO_TLS_CA", "Trust the certificates in this PEM file.")
    @_file_option("--tls-cert", "OSTINATO_TLS_CERT", "Show this certificate (PEM) to the server.")
    @_file_option("--tls-key", "OSTINATO_TLS_KEY", "Private key (PEM) of that certificate.")
    @_file_option(
        "--token-file", "OSTINATO_TOKEN_FILE", f"Prove who calls with the token in this file.  [or {TOKEN_VARIABLE}]"
    )
    @click.option(
        "--insecure-token",
        is_flag=True,
        envvar="OSTINATO_INSECURE_TOKEN",
        show_envvar=True,
        help="Send the token without TLS too.",
    )
    @functools.wraps(command)
    def with_connection(*args: Any, **options: Any) -> R:
        connection = Connection(**{field.name: options.pop(field.name) for field in fields(Connection)})
        return command(*args, connection=connection, **options)

    return with_connection


def _file_option(flag: str, variable: str, text: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """A flag that names a file, which a variable may name too."""
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option(flag, type=kind, envvar=variable, show_envvar=True, metavar="FILE", help=text)


@contextmanager
def open_client(connection: Connection) -> Iterator[Client]:
    """A client; what fails inside is told with the server's address.

    Raises:
        click.ClickException: A call failed.
    """
    try:
        with connection.client() as client:
            yield client
    except OstinatoError as error:
        raise click.ClickException(describe(error, connection.target)) from error
