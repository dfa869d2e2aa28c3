"""How a channel is set up: retries by gRPC's own service config, keepalive, reconnection, deadlines."""

from __future__ import annotations

import json
import math
from typing import Literal, TypeAlias, get_args

DEFAULT_TIMEOUT_SECONDS = 60.0
DEFAULT_RETRIES = 3
MAX_RETRIES = 4
"""gRPC caps a call at five attempts (gRFC A6)."""

SERVICES = (
    "ostinato.v1.GenerationService",
    "ostinato.v1.SentimentService",
    "ostinato.v1.TranslationService",
    "ostinato.v1.ModelService",
    "grpc.health.v1.Health",
)

CLIENT_ID_KEY = "ostinato-client-id"
MAX_CLIENT_ID_CHARACTERS = 128

AUTHORIZATION_KEY = "authorization"
MAX_TOKEN_CHARACTERS = 4096

BalanceName: TypeAlias = Literal["pick_first", "round_robin"]
"""How calls are spread over the addresses of a target, by gRPC's own names."""

Metadata: TypeAlias = tuple[tuple[str, str], ...]
ChannelOptions = list[tuple[str, str | int]]


def service_config(retries: int, balance: BalanceName = "pick_first") -> str:
    """The service config that lets gRPC retry what never reached a model.

    gRPC itself retries a call that ended UNAVAILABLE before its first message, with exponential backoff and jitter; a
    token bucket shared by the channel stops retries while most calls fail. Once a stream has brought a message it is
    never repeated.

    Args:
        retries: Attempts after the first.
        balance: How calls are spread over the addresses of the target.
    """
    config: dict[str, object] = {"loadBalancingConfig": [{balance: {}}]}
    if retries:
        config["methodConfig"] = [
            {
                "name": [{"service": service} for service in SERVICES],
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
    *, retries: int, keepalive_seconds: float | None, balance: BalanceName = "pick_first"
) -> ChannelOptions:
    """The channel's options.

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


def deadline(timeout: float | None, default: float) -> float | None:
    """Seconds to allow a call, in gRPC's terms, where None means for ever.

    Args:
        timeout: The call's own; None takes the client's, infinity means none.
        default: The client's.

    Raises:
        ValueError: The time is not above 0.
    """
    seconds = default if timeout is None else timeout
    if not seconds > 0:
        raise ValueError(f"timeout must be above 0 seconds (got {seconds})")
    return None if math.isinf(seconds) else seconds
