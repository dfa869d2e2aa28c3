"""A real Prometheus scrapes the real server, and finds in it all that the rules and the dashboard ask for."""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.certificates import issue, roots
from tests.collector import collecting
from tests.deployed import PROMETHEUS, dashboard_queries, metric_names, objectives, queries, rules
from tests.tools import required_tool

from ostinato_client import Client, InvalidRequest, tls_credentials

START_SECONDS = 60.0
SCRAPE_SECONDS = 0.5


@dataclass(frozen=True)
class ServerProcess:
    """``ostinato serve`` as a process of its own."""

    process: "subprocess.Popen[str]"
    address: str
    metrics: str
    ca: Path


@pytest.fixture(scope="module")
def served(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with TLS that makes traces, has answered each kind of call, and refused one."""
    folder = tmp_path_factory.mktemp("serve")
    log, ca, files = folder / "log", roots(folder), issue(folder, "server")
    command = [sys.executable, "-m", "ostinato_client", "serve", "--repository", str(repository), "--traces", "otlp"]
    command += ["--tls-cert", str(files.certificate), "--tls-key", str(files.key)]
    with (
        collecting() as collector,
        ended(
            [*command, "--port", "0", "--metrics-port", "0", "--json"],
            log,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{collector.address}",
        ) as process,
    ):
        assert process.stdout is not None
        ready = json.loads(first_line(process.stdout, log))
        with Client(ready["address"], credentials=tls_credentials(ca=ca)) as client:
            assert len("".join(chunk.text for chunk in client.generate("ROMEO:", max_chars=50, seed=1))) == 50
            client.classify("a fine film")
            list(client.translate("we go", max_tokens=5))
            with pytest.raises(InvalidRequest):
                list(client.generate("x" * 100_000, max_chars=5))
        yield ServerProcess(process, ready["address"], ready["metrics"], ca)


@pytest.fixture(scope="module")
def prometheus(served: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Prometheus that scrapes the server with the deployed rules, at a test's pace."""
    program = required_tool("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    job = next(job for job in configuration["scrape_configs"] if job["job_name"] == "ostinato")
    job["static_configs"] = [{"targets": [served.metrics.removeprefix("http://").removesuffix("/metrics")]}]
    configuration["scrape_configs"] = [job]
    pace = f"{int(SCRAPE_SECONDS * 1000)}ms"
    configuration["global"] = {"scrape_interval": pace, "scrape_timeout": pace, "evaluation_interval": pace}
    configuration["rule_files"] = [str(PROMETHEUS / path) for path in configuration["rule_files"]]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    log = folder / "log"
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.size=64MB",
        "--web.listen-address=127.0.0.1:0",
        "--enable-feature=exemplar-storage",
    ]
    with ended(command, log):
        port = until(lambda: re.search(r'"?Listening on"? address=127\.0\.0\.1:(\d+)', log.read_text()), log)
        until(lambda: "ready to receive web requests" in log.read_text(), log)
        yield f"http://127.0.0.1:{port[1]}"


@contextmanager
def ended(command: list[str], log: Path, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """Runs a program, its standard error in ``log``, and ends it with the block."""
    environment = {**os.environ, **variables}
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def first_line(stream: IO[str], log: Path) -> str:
    readable, _, _ = select.select([stream], [], [], START_SECONDS)
    line = stream.readline() if readable else ""
    assert line, log.read_text()
    return line


def until(probe: Callable[[], Any], log: Path | None = None) -> Any:
    """What the probe gives as soon as that is something; fails after `START_SECONDS`."""
    end = time.monotonic() + START_SECONDS
    while not (found := probe()):
        assert time.monotonic() < end, log.read_text() if log else "nothing came"
        time.sleep(0.1)
    return found


def api(prometheus: str, path: str, **parameters: str) -> Any:
    """The data of an answer of Prometheus's HTTP API."""
    with urlopen(f"{prometheus}/api/v1/{path}?{urlencode(parameters)}", timeout=20) as response:
        answer = json.load(response)
    assert answer["status"] == "success"
    return answer["data"]


def ask(prometheus: str, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api(prometheus, "query", query=query)["result"]
    return found


def test_rules_and_dashboard_name_only_what_a_real_scrape_shows(served: ServerProcess) -> None:
    with urlopen(served.metrics, timeout=20) as response:
        families = text_string_to_metric_families(response.read().decode())
    samples = [sample for family in families for sample in family.samples]
    exported = {sample.name for sample in samples}
    edges = {(sample.name, sample.labels["le"]) for sample in samples if "le" in sample.labels}
    asked = {name for query in queries() for name in metric_names(query) if ":" not in name}

    assert len(asked) > 15
    assert asked - exported == set()
    assert {pair for query in queries() for pair in objectives(query)} - edges == set()


def test_target_is_up_and_its_series_are_stored(prometheus: str, served: ServerProcess) -> None:
    (target,) = until(lambda: [each for each in api(prometheus, "targets")["activeTargets"] if each["lastScrape"]])
    until(lambda: ask(prometheus, 'up{job="ostinato"} == 1'))
    (target,) = api(prometheus, "targets")["activeTargets"]

    assert (target["health"], target["lastError"]) == ("up", "")
    assert target["scrapeUrl"] == served.metrics
    (generated,) = ask(prometheus, 'ostinato_generated_tokens_total{model="char-lm"}')
    assert float(generated["value"][1]) == 50
    outcomes = {
        (each["metric"]["task"], each["metric"]["outcome"]) for each in ask(prometheus, "ostinato_requests_total > 0")
    }
    assert outcomes == {("generation", "ok"), ("generation", "invalid"), ("sentiment", "ok"), ("translation", "ok")}


@pytest.mark.parametrize("panel", dashboard_queries())
def test_every_panel_of_the_dashboard_shows_something(prometheus: str, panel: str) -> None:
    query = dashboard_queries()[panel]

    assert until(partial(ask, prometheus, query))


def test_the_traces_behind_a_latency_are_stored(prometheus: str) -> None:
    def exemplars() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api(
            prometheus,
            "query_exemplars",
            query='ostinato_time_to_first_token_seconds_bucket{model="char-lm"}',
            start=f"{time.time() - 600:.0f}",
            end=f"{time.time():.0f}",
        )
        return found

    (series,) = until(exemplars)
    (exemplar,) = series["exemplars"]
    assert re.fullmatch("[0-9a-f]{32}", exemplar["labels"]["trace_id"])


def test_every_recording_rule_records_and_no_alert_fires(prometheus: str) -> None:
    recorded = [rule["record"] for rule in rules() if "record" in rule]

    for name in recorded:
        assert until(partial(ask, prometheus, name)), name
    groups = api(prometheus, "rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    assert api(prometheus, "alerts")["alerts"] == []


def test_health_probe_of_the_image_tells_a_serving_server_from_none(served: ServerProcess) -> None:
    def probe(address: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "ostinato_client.health", address]
        environment = {**os.environ, "OSTINATO_TLS_CA": str(served.ca)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=environment)
        return done.returncode, done.stderr

    assert probe(served.address) == (0, "")
    code, said = probe(served.metrics.removeprefix("http://").removesuffix("/metrics"))
    assert code == 1
    assert said
