"""How a channel is set up: retries by gRPC's own service config, keepalive, reconnection, deadlines."""

from __future__ import annotations

import ipaddress
import json
import math
from numbers import Real
from typing import Literal, TypeAlias, get_args
from urllib.parse import unquote

from ostinato_client.errors import FieldViolation, InvalidRequest

DEFAULT_TIMEOUT_SECONDS = 60.0
DEFAULT_RETRIES = 3
MAX_RETRIES = 4
"""gRPC caps a call at five attempts (gRFC A6)."""

DEFAULT_KEEPALIVE_SECONDS = 60.0
"""Above the interval that a server allows by default (``--min-ping-interval``)."""

MAX_TIMEOUT_SECONDS = 1e9
"""Longer times are none: gRPC's clock overflows from 7e9 on, and the call would end at once."""

CONVERSATIONS = (
    ("ostinato.v1.GenerationService", "GenerateSession"),
    ("ostinato.v1.SentimentService", "ClassifyStream"),
    ("ostinato.v1.SentimentService", "ClassifyIncremental"),
)
"""Calls with streams both ways, which gRPC itself retries: it alone still has what was sent."""

CLIENT_ID_KEY = "ostinato-client-id"
MAX_CLIENT_ID_CHARACTERS = 128

AUTHORIZATION_KEY = "authorization"
MAX_TOKEN_CHARACTERS = 4096

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})

BalanceName: TypeAlias = Literal["pick_first", "round_robin"]
"""How calls are spread over the addresses of a target, by gRPC's own names."""

Metadata: TypeAlias = tuple[tuple[str, str], ...]
ChannelOptions = list[tuple[str, str | int]]


def service_config(retries: int, balance: BalanceName = "pick_first") -> str:
    """The service config that lets gRPC retry calls with streams both ways.

    gRPC retries such a call if it ended UNAVAILABLE before its first message, with exponential backoff and jitter; a
    token bucket shared by the channel stops retries while most calls fail. All other calls are retried by
    :class:`~ostinato_client.retries.Retries`.

    Args:
        retries: Attempts after the first.
        balance: How calls are spread over the addresses of the target.
    """
    config: dict[str, object] = {"loadBalancingConfig": [{balance: {}}]}
    if retries:
        config["methodConfig"] = [
            {
                "name": [{"service": service, "method": method} for service, method in CONVERSATIONS],
                "retryPolicy": {
                    "maxAttempts": retries + 1,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
        config["retryThrottling"] = {"maxTokens": 10, "tokenRatio": 0.1}
    return json.dumps(config, separators=(",", ":"))


def channel_options(
    target: str, *, retries: int, keepalive_seconds: float | None, balance: BalanceName = "pick_first"
) -> ChannelOptions:
    """The options of a channel to a target.

    Raises:
        ValueError: ``retries`` or ``keepalive_seconds`` is out of its range, or ``balance`` is unknown.
    """
    if balance not in get_args(BalanceName):
        raise ValueError(f"balance must be pick_first or round_robin (got {balance!r})")
    if not 0 <= retries <= MAX_RETRIES:
        raise ValueError(f"retries must be from 0 to {MAX_RETRIES} (got {retries})")
    options: ChannelOptions = [
        ("grpc.service_config", service_config(retries, balance)),
        ("grpc.enable_retries", int(retries > 0)),
        # A server that restarts is found again in a fraction of a second, not after gRPC's 20.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        *proxy_options(target),
    ]
    if keepalive_seconds is not None:
        if not keepalive_seconds > 0:
            raise ValueError(f"keepalive_seconds must be above 0 (got {keepalive_seconds})")
        options += [
            ("grpc.keepalive_time_ms", max(1, round(keepalive_seconds * 1000))),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
        ]
    return options


def proxy_options(target: str) -> ChannelOptions:
    """The option that keeps a channel to this machine from a proxy; none for other targets.

    gRPC connects through the proxy that ``grpc_proxy``, ``https_proxy`` or ``http_proxy`` names, loopback included; it
    heeds ``no_grpc_proxy`` and ``no_proxy``.
    """
    return [("grpc.enable_http_proxy", 0)] if is_this_machine(target) else []


def is_this_machine(target: str) -> bool:
    """Whether every address of a gRPC target is on loopback, or is a Unix socket."""
    scheme, colon, rest = target.partition(":")
    scheme = scheme.lower()
    if colon and scheme in ("unix", "unix-abstract", "vsock"):
        return True
    if colon and scheme in ("dns", "ipv4", "ipv6"):
        if rest.startswith("//"):  # an authority, which for dns is the name server
            rest = rest[2:].partition("/")[2]
        target = rest.removeprefix("/")
    return all(is_loopback(host_of(address)) for address in unquote(target).split(","))


def host_of(address: str) -> str:
    """The host of ``host``, ``host:port``, ``[v6]``, ``[v6]:port`` or a bare IPv6 address."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address if address.count(":") > 1 else address.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine over loopback."""
    name = host.lower().removesuffix(".")
    if name in LOOPBACK_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


def call_metadata(client_id: str | None, token: str | None = None) -> Metadata:
    """What goes with every call.

    Args:
        client_id: Who calls; nothing is said when None.
        token: Proves who calls (RFC 6750, section 2.1); nothing is proved when None.

    Raises:
        ValueError: A value is empty, too long or has characters that metadata cannot hold. A token is not repeated.
    """
    metadata: list[tuple[str, str]] = []
    if client_id is not None:
        if not (0 < len(client_id) <= MAX_CLIENT_ID_CHARACTERS and client_id.isascii() and client_id.isprintable()):
            raise ValueError(
                f"client_id must have 1 to {MAX_CLIENT_ID_CHARACTERS} printable ASCII characters (got {client_id!r})"
            )
        metadata.append((CLIENT_ID_KEY, client_id))
    if token is not None:
        plain = token.isascii() and token.isprintable() and " " not in token
        if not (0 < len(token) <= MAX_TOKEN_CHARACTERS and plain):
            raise ValueError(
                f"token must have 1 to {MAX_TOKEN_CHARACTERS} printable ASCII characters and no space "
                f"(got {len(token)} characters)"
            )
        metadata.append((AUTHORIZATION_KEY, f"Bearer {token}"))
    return tuple(metadata)


def refuse_open_token(token: str | None, *, encrypted: bool, allowed: bool) -> None:
    """Sees to it that a token goes over TLS.

    Args:
        token: The token, if there is one.
        encrypted: Whether the channel speaks TLS.
        allowed: Whether the caller wants it sent all the same.

    Raises:
        ValueError: The token would cross the network as plain text.
    """
    if token is not None and not (encrypted or allowed):
        raise ValueError(
            "a token is sent over TLS only; give credentials, or allow it to go in plain text with insecure_token"
        )


def check_timeout(timeout: float) -> None:
    """Checks the timeout that a client is made with.

    Raises:
        ValueError: It is not a number above 0.
    """
    try:
        deadline(timeout, timeout)
    except InvalidRequest as error:
        raise ValueError(error.message) from None


def deadline(timeout: float | None, default: float) -> float | None:
    """Seconds to allow a call, in gRPC's terms, where None means no deadline.

    Args:
        timeout: The call's own; None takes the client's. Infinity and more than ``MAX_TIMEOUT_SECONDS`` mean none.
        default: The client's.

    Raises:
        InvalidRequest: The time is not a number above 0.
    """
    seconds = default if timeout is None else timeout
    if not isinstance(seconds, Real) or not float(seconds) > 0:
        raise _invalid_timeout(f"must be above 0 seconds (got {seconds!r})")
    return None if seconds >= MAX_TIMEOUT_SECONDS else float(seconds)


def wait_limit(timeout: float) -> float:
    """Seconds to wait for a server; infinity for no limit.

    Raises:
        InvalidRequest: The time is not a number, or below 0.
    """
    if not isinstance(timeout, Real) or not float(timeout) >= 0:
        raise _invalid_timeout(f"must not be below 0 seconds (got {timeout!r})")
    return math.inf if timeout >= MAX_TIMEOUT_SECONDS else float(timeout)


def _invalid_timeout(description: str) -> InvalidRequest:
    return InvalidRequest(f"timeout {description}", violations=(FieldViolation("timeout", description),))
