"""Where the server listens: the port, its encryption, and what a connection may do."""

from __future__ import annotations

import errno
import ipaddress
import logging
import math
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import grpc

from ostinato_server.config import ServerConfig
from ostinato_server.errors import StartupError

if TYPE_CHECKING:
    from ostinato_server.rpc.tls import Certificate, ServerCertificates

logger = logging.getLogger(__name__)

MAX_UNREAD_CALLS = 100_000
"""Calls that may wait to be looked at; by default gRPC itself cancels at random, without a word, from 1,000 on."""

ChannelOptions = tuple[tuple[str, int], ...]


def channel_options(config: ServerConfig) -> ChannelOptions:
    """What gRPC holds every connection to."""
    age = round(config.max_connection_age_seconds * 1000)
    return (
        ("grpc.so_reuseport", 0),  # a second server on the same port must fail, not share it
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_concurrent_streams", config.max_streams_per_connection),
        ("grpc.server.max_pending_requests", MAX_UNREAD_CALLS),
        ("grpc.server.max_pending_requests_hard_limit", MAX_UNREAD_CALLS),
        # By default gRPC itself cancels calls that were not looked at for 30 s; here their own deadlines end them.
        ("grpc.server_max_unrequested_time_in_server", math.ceil(config.max_deadline_seconds)),
        ("grpc.http2.min_ping_interval_without_data_ms", round(config.min_ping_interval_seconds * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        # After its age a connection takes no new calls and ends with its last one: gRPC's default grace is infinite.
        # Requests have their deadlines, sessions their idle limit; a session's state is on this connection alone.
        *((("grpc.max_connection_age_ms", age),) if age else ()),
    )


def tls(config: ServerConfig, observe: Callable[[Sequence[Certificate]], None]) -> ServerCertificates | None:
    """The certificates of the gRPC port; none for plain text.

    Raises:
        StartupError: A file of them is refused.
    """
    if config.tls_certificate is None or config.tls_key is None:
        return None
    from ostinato_server.rpc.tls import ServerCertificates, TlsFiles  # imports a library that plain text does without

    return ServerCertificates(TlsFiles(config.tls_certificate, config.tls_key, config.tls_client_ca), observe)


def listen(server: grpc.aio.Server, config: ServerConfig, credentials: grpc.ServerCredentials | None) -> int:
    """Opens the gRPC port; gives its number.

    Raises:
        StartupError: The address cannot be bound.
    """
    wanted = f"{url_host(config.host)}:{config.port}"
    if warning := exposure(config):
        logger.warning("%s", warning)
    try:
        port = server.add_secure_port(wanted, credentials) if credentials else server.add_insecure_port(wanted)
    except RuntimeError:
        port = 0
    if not port:
        check_address(config.host, config.port, "--port")  # gRPC does not return the reason
        raise StartupError(f"cannot listen on {wanted}; another process may have taken the port for a moment")
    return port


def check_address(host: str, port: int, flag: str) -> None:
    """Binds an address and releases it, so that a server that cannot listen fails before it loads its models.

    The ports themselves open when the models are loaded: until then connections are refused.

    Args:
        host: An address or a name; every address of the name is tried.
        port: The port.
        flag: The flag that sets the port.

    Raises:
        StartupError: The address cannot be bound.
    """
    where = f"cannot listen on {url_host(host)}:{port}"
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that no name can have
        reason = error.strerror if isinstance(error, OSError) else "malformed name"
        raise StartupError(
            f"cannot listen on host {host!r}: {reason}; --host must be an address of this machine, or a name of it"
        ) from error
    failures = [failure for family, kind, _, _, address in found if (failure := _bind_failure(family, kind, address))]
    elsewhere = [failure for failure in failures if failure.errno not in _ABSENT]
    if elsewhere or len(failures) == len(found):
        failure = (elsewhere or failures)[0]
        raise StartupError(f"{where}: {failure.strerror}; {_remedy(failure, flag)}") from failure


_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""A name may have an IPv6 address that this machine does not have: it is then served on the others."""


def _bind_failure(family: socket.AddressFamily, kind: socket.SocketKind, address: tuple[object, ...]) -> OSError | None:
    try:
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC does
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _remedy(failure: OSError, flag: str) -> str:
    if failure.errno == errno.EADDRINUSE:
        return f"choose another {flag}, or 0 for one that is free"
    if failure.errno == errno.EACCES:
        return f"choose a {flag} from 1024 on"
    return "--host must be an address of this machine"


def exposure(config: ServerConfig) -> str | None:
    """What to warn of: plain text that other machines can reach, unless that is meant."""
    if config.tls_certificate is not None or config.insecure_bind or is_loopback(config.host):
        return None
    tokens = " and every token" if config.auth_tokens is not None else ""
    return (
        f"INSECURE: listening on {config.host} without TLS: whoever is on the network can read every request{tokens}; "
        "give --tls-cert and --tls-key, or --insecure-bind if something before the server encrypts"
    )


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from its own machine only; a name other than ``localhost`` may be anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url_host(host: str) -> str:
    """An address as it stands before a port."""
    return f"[{host}]" if ":" in host else host
