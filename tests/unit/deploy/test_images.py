"""The Dockerfiles and compose files: what their own tools say, and what ties them together."""

import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deployed import ROOT

from ostinato_server.config import ServerConfig

DOCKERFILES = {"server": "server/Dockerfile", "trainer": "models/Dockerfile"}
HADOLINT = Path(sys.executable).with_name("hadolint")
COMPOSE = Path(sys.executable).with_name("docker-compose")


@cache
def compose(*files: str, profiles: tuple[str, ...] = ()) -> dict[str, Any]:
    """The merged configuration as compose sees it."""
    chosen = [word for file in files for word in ("-f", file)] + [w for name in profiles for w in ("--profile", name)]
    command = [str(COMPOSE), *chosen, "config"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    merged: dict[str, Any] = yaml.safe_load(done.stdout)
    return merged


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Instruction and argument of every line, continued lines joined."""
    text = (ROOT / dockerfile).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(head, " ".join(rest.split())) for head, _, rest in (line.strip().partition(" ") for line in lines)]


def final_stage(dockerfile: str) -> dict[str, str]:
    found = instructions(dockerfile)
    last = max(index for index, (head, _) in enumerate(found) if head == "FROM")
    return dict(found[last:])


@pytest.mark.parametrize("dockerfile", DOCKERFILES.values())
def test_images_disable_telemetry_of_every_program_in_them(dockerfile: str) -> None:
    assert "ORT_DISABLE_TELEMETRY=1" in final_stage(dockerfile)["ENV"].split()


@pytest.mark.parametrize("dockerfile", DOCKERFILES.values())
def test_hadolint_has_nothing_to_say(dockerfile: str) -> None:
    done = subprocess.run([HADOLINT, ROOT / dockerfile], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("dockerfile", DOCKERFILES.values())
def test_images_build_in_two_stages_and_run_as_an_ordinary_user(dockerfile: str) -> None:
    assert [argument for head, argument in instructions(dockerfile) if head == "FROM"] == [
        "docker.io/library/python:3.11-slim-bookworm AS builder",
        "docker.io/library/python:3.11-slim-bookworm",
    ]
    assert final_stage(dockerfile)["USER"] == "10001:10001"


def test_server_image_starts_the_server_and_checks_its_health() -> None:
    server = final_stage(DOCKERFILES["server"])

    assert json.loads(server["ENTRYPOINT"]) == ["ostinato", "serve", "--host", "0.0.0.0"]
    assert server["EXPOSE"] == "50051 9464"
    assert "ostinato_client.health" in server["HEALTHCHECK"]


def test_compose_runs_the_server_with_its_monitoring_and_leaves_the_trainer_to_its_profile() -> None:
    services = compose("docker-compose.yml", profiles=("train",))["services"]

    assert {name: service.get("profiles") for name, service in services.items()} == {
        "server": None,
        "prometheus": None,
        "grafana": None,
        "trainer": ["train"],
    }


def test_compose_checks_health_as_the_image_does() -> None:
    server = compose("docker-compose.yml")["services"]["server"]

    assert json.dumps(server["healthcheck"]["test"][1:]) in final_stage(DOCKERFILES["server"])["HEALTHCHECK"]


@pytest.mark.parametrize("service", ["server", "prometheus", "grafana", "trainer"])
def test_containers_have_no_privileges_and_bounded_memory(service: str) -> None:
    found = compose("docker-compose.yml", profiles=("train",))["services"][service]

    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["mem_limit"]


@pytest.mark.parametrize("service", ["server", "prometheus", "trainer"])
def test_containers_write_to_their_volumes_and_to_tmp_only(service: str) -> None:
    found = compose("docker-compose.yml", profiles=("train",))["services"][service]

    assert found["read_only"] is True
    assert found["tmpfs"] == ["/tmp"]


@pytest.mark.parametrize("files", [("docker-compose.yml",), ("docker-compose.yml", "docker-compose.gpu.yml")])
def test_compose_says_that_its_server_listens_without_tls_on_purpose(files: tuple[str, ...]) -> None:
    assert "--insecure-bind" in compose(*files)["services"]["server"]["command"]


def test_tls_override_encrypts_authenticates_and_checks_health_over_tls() -> None:
    server = compose("docker-compose.yml", "docker-compose.tls.yml")["services"]["server"]

    flags = dict(flag.split("=") for flag in server["command"])
    assert "--insecure-bind" not in flags
    assert flags["--auth-tokens"] == "/tls/tokens"
    config = ServerConfig(
        repository=Path(),
        tls_certificate=Path(flags["--tls-cert"]),
        tls_key=Path(flags["--tls-key"]),
        tls_client_ca=Path(flags["--tls-client-ca"]),
    )
    assert config.tls_client_ca == Path(server["environment"]["OSTINATO_TLS_CA"])
    assert server["read_only"] is True


def test_browser_override_runs_envoy_with_the_deployed_configuration_and_no_privileges() -> None:
    services = compose("docker-compose.yml", "docker-compose.browser.yml")["services"]
    envoy = services["envoy"]

    assert (envoy["read_only"], envoy["user"], envoy["cap_drop"]) == (True, "10001:10001", ["ALL"])
    assert envoy["security_opt"] == ["no-new-privileges:true"]
    assert envoy["mem_limit"]
    sources = [each.split(":")[0] if isinstance(each, str) else each["source"] for each in envoy["volumes"]]
    assert sorted(Path(source).relative_to(ROOT).as_posix() for source in sources) == [
        "deploy/envoy/envoy.yaml",
        "proto/ostinato/descriptors.binpb",
    ]
    (port,) = envoy["ports"]
    assert (port if isinstance(port, str) else f"{port['host_ip']}:").startswith("127.0.0.1:")


@pytest.mark.parametrize("service", ["server", "prometheus", "grafana"])
def test_ports_are_published_on_loopback_unless_told_otherwise(service: str) -> None:
    ports = compose("docker-compose.yml")["services"][service]["ports"]

    assert ports
    for port in ports:
        assert (port if isinstance(port, str) else f"{port['host_ip']}:").startswith("127.0.0.1:")


def test_server_has_longer_to_stop_than_its_own_grace_period() -> None:
    stop = compose("docker-compose.yml")["services"]["server"]["stop_grace_period"]

    assert int(stop.removesuffix("s")) > ServerConfig(repository=Path()).grace_seconds


def test_gpu_override_reserves_a_device_and_asks_for_cuda() -> None:
    merged = compose("docker-compose.yml", "docker-compose.gpu.yml", profiles=("train",))["services"]

    for service in ("server", "trainer"):
        (device,) = merged[service]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        assert "--device cuda" in " ".join(merged[service]["command"])
    assert "torch" in merged["server"]["build"]["args"]["EXTRAS"]


def test_tracing_override_sends_traces_to_the_backend_that_it_starts() -> None:
    merged = compose("docker-compose.yml", "docker-compose.tracing.yml")["services"]
    server, jaeger = merged["server"], merged["jaeger"]
    config = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/traces.yml").read_text(encoding="utf-8"))

    assert "--traces=otlp" in server["command"]
    assert "--insecure-bind" in server["command"]
    assert "tracing" in server["build"]["args"]["EXTRAS"].split(",")
    assert server["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4317"
    assert config["datasources"][0]["url"] == "http://jaeger:16686"
    for port in jaeger["ports"]:
        assert (port if isinstance(port, str) else f"{port['host_ip']}:").startswith("127.0.0.1:")


def test_images_carry_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    services = compose("docker-compose.yml", profiles=("train",))["services"]

    for name, dockerfile in DOCKERFILES.items():
        assert services[name]["image"] == f"ostinato/{name}:{version}"
        assert f'image.version="{version}"' in final_stage(dockerfile)["LABEL"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES.values())
def test_build_context_holds_everything_that_is_copied(dockerfile: str) -> None:
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for head, argument in instructions(dockerfile)
        if head == "COPY" and not argument.startswith("--from")
        for source in re.split(r"\s+", argument)[:-1]
    }

    for source in copied:
        assert any(path == source or path.startswith(f"{source}/") for path in admitted), source
