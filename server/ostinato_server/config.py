"""The server's configuration, checked when it is made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ostinato_server.errors import StartupError
from ostinato_server.repository.remote_url import RemoteUrl
from ostinato_server.repository.versions import read_policies

MOST_DEFAULT_THREADS = 2
"""Two were measured to serve more characters than one; more were not tried."""


def default_threads() -> int:
    """As many threads as this process has cores, up to `MOST_DEFAULT_THREADS`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_DEFAULT_THREADS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """What ``ostinato serve`` can be told.

    Attributes:
        repository: Folder or address of the model bundles.
        cache_dir: Folder for copies of bundles that are elsewhere; the user's cache folder when None.
        host: Address that the gRPC and metrics ports listen on.
        port: gRPC port; 0 lets the kernel choose.
        metrics_port: Port of ``/metrics``; 0 lets the kernel choose.
        device: ``auto``, ``cpu`` or ``cuda``.
        runtime: ``auto``, ``onnx``, ``onnx-int8`` or ``torchscript``.
        max_concurrency: Streams that one model advances together.
        max_queue: Requests that may wait for a slot, per model, before new ones are refused.
        threads: Threads that share the rows of a step (TorchScript: its operations); 2 by default where there are as
            many cores.
        max_new_tokens: The most tokens that a stream may generate; the limit that a bundle declares holds too.
        window: Tokens a reader may lag behind before its stream is parked.
        max_deadline_seconds: The longest a request may take; a longer deadline, or none, is cut to it.
        grace_seconds: How long running streams may go on after SIGTERM.
        stall_seconds: How long an engine may be busy with one piece of work before its requests end.
        tls_certificate: PEM file with the certificate of the gRPC port; plain text when None.
        tls_key: PEM file with its key.
        tls_client_ca: PEM file with the roots of the certificates that clients must show; none is asked for when None.
        insecure_bind: Whether to listen beyond loopback without TLS and say nothing.
        auth_tokens: File of the tokens that calls must bring; anybody may call when None.
        reflection: Whether to tell the contract to tools that ask.
        max_message_bytes: The largest message that is taken.
        max_streams_per_connection: Calls that one connection may have under way; further ones wait in the client.
        max_requests_per_caller: Calls that one caller may have under way; further ones are refused.
        max_sessions: Sessions that may be open; further ones are refused.
        session_idle_seconds: How long a session waits for its client before it ends.
        max_connection_age_seconds: When a connection takes no new calls and ends with its last one; never when 0.
        min_ping_interval_seconds: A connection without data that pings more often than this is closed.
        traces: ``none``, or ``otlp`` to send traces where OpenTelemetry's environment variables say.
        log_text: Whether the log holds the texts of requests.
        versions: Which versions of a model are served, as ``repository.versions.read_policies`` reads them.
        model_control: ``none``: models are loaded at start only; ``poll``: the repository is looked at now and then;
            ``explicit``: models are loaded and unloaded on request.
        poll_seconds: Time between two looks at the repository.
    """

    repository: Path | RemoteUrl
    cache_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 50051
    metrics_port: int = 9464
    device: str = "auto"
    runtime: str = "auto"
    max_concurrency: int = 64
    max_queue: int = 1024
    threads: int = field(default_factory=default_threads)
    max_new_tokens: int = 1_000_000
    window: int = 512
    max_deadline_seconds: float = 300.0
    grace_seconds: float = 30.0
    stall_seconds: float = 30.0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    insecure_bind: bool = False
    auth_tokens: Path | None = None
    reflection: bool = False
    max_message_bytes: int = 4 * 1024 * 1024
    max_streams_per_connection: int = 1024
    max_requests_per_caller: int = 512
    max_sessions: int = 1024
    session_idle_seconds: float = 300.0
    max_connection_age_seconds: float = 3600.0
    min_ping_interval_seconds: float = 10.0
    traces: str = "none"
    log_text: bool = False
    versions: tuple[str, ...] = ()
    model_control: str = "none"
    poll_seconds: float = 15.0

    def __post_init__(self) -> None:
        """Checks every value.

        Raises:
            StartupError: A value is out of its range, or goes with another one that is missing.
        """
        for name, least, most in (
            ("port", 0, 65535),
            ("metrics_port", 0, 65535),
            ("max_concurrency", 1, 4096),
            ("max_queue", 0, 1_000_000),
            ("threads", 1, 1024),
            ("max_new_tokens", 1, 2**32 - 1),
            ("window", 1, 1_000_000),
            ("max_deadline_seconds", 0.001, 86_400),
            ("grace_seconds", 0, 3600),
            ("stall_seconds", 0.1, 86_400),
            ("max_message_bytes", 1024, 2**31 - 1),
            ("max_streams_per_connection", 1, 2**31 - 1),
            ("max_requests_per_caller", 1, 1_000_000),
            ("max_sessions", 1, 1_000_000),
            ("session_idle_seconds", 0.001, 86_400),
            ("max_connection_age_seconds", 0, 1_000_000),
            ("min_ping_interval_seconds", 0, 86_400),
            ("poll_seconds", 0.1, 86_400),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise StartupError(f"{name} must be between {least} and {most}, not {value}")
        if self.port == self.metrics_port != 0:
            raise StartupError(f"port and metrics_port must differ, and both are {self.port}")
        for name, known in (
            ("device", ("auto", "cpu", "cuda")),
            ("runtime", ("auto", "onnx", "onnx-int8", "torchscript")),
            ("traces", ("none", "otlp")),
            ("model_control", ("none", "poll", "explicit")),
        ):
            if getattr(self, name) not in known:
                raise StartupError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise StartupError("TLS needs both a certificate and its key")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise StartupError("clients can be asked for certificates only over TLS; give a certificate and its key")
        read_policies(self.versions)
