"""The containers that ``docker compose up`` starts: what they may, what they answer, and what a kill changes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from tests.deployed import rules
from tests.stack.conftest import START_SECONDS, target
from tests.stack.engine import Stack
from tests.streams import read_all, text, under_way

from ostinato_client import AsyncClient, Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STREAMS, CHARACTERS = 24, 3000
CALL_SECONDS = 120.0

REFUSED = "Read-only file system"


def ostinato(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    """A command of the client's, its answer as JSON lines."""
    command = [sys.executable, "-m", "ostinato_client", *arguments, "--json", "--target", target(stack)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CALL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def prometheus(stack: Stack, path: str, **parameters: str) -> Any:
    url = f"http://127.0.0.1:{stack.ports['OSTINATO_PROMETHEUS_PORT']}/api/v1/{path}?{urlencode(parameters)}"
    with urlopen(url, timeout=CALL_SECONDS) as response:
        return json.load(response)["data"]


def until(probe: Callable[[], Any]) -> Any:
    """What the probe gives as soon as that is something."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            if found := probe():
                return found
        except (URLError, ConnectionError) as error:
            last: object = error
        else:
            last = found
        assert time.monotonic() < end, last
        time.sleep(0.5)


def started(stack: Stack, service: str) -> None:
    if service not in stack.services:
        pytest.skip(f"{service} is not among the services of STACK")


def test_server_runs_as_an_ordinary_user_without_capabilities_or_new_privileges(stack: Stack) -> None:
    lines = stack.within("server", "cat", "/proc/1/status").stdout.splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["Name"] == "ostinato"
    assert set(status["Uid"].split()) == {"10001"}
    assert set(status["Gid"].split()) == {"10001"}
    assert {
        name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    } == dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("path", ["/x", "/models/x", "/opt/ostinato/x", "/etc/x"])
def test_server_cannot_write_to_its_root(stack: Stack, path: str) -> None:
    done = stack.within("server", "touch", path, check=False)
    assert done.returncode != 0
    assert REFUSED in done.stderr


def test_server_writes_to_a_tmpfs_and_has_bounded_memory(stack: Stack) -> None:
    stack.within("server", "touch", "/tmp/x")
    mounts = [line.split()[1:4] for line in stack.within("server", "cat", "/proc/mounts").stdout.splitlines()]
    assert [kind for place, kind, _ in mounts if place == "/tmp"] == ["tmpfs"]
    (root,) = [options for place, _, options in mounts if place == "/"]
    assert "ro" in root.split(",")
    host = stack.inspect("server")["HostConfig"]
    assert (host["Memory"], host["ReadonlyRootfs"], host["Privileged"]) == (2 * 2**30, True, False)


def test_health_check_of_the_image_passes(stack: Stack) -> None:
    stack.within("server", "python", "-m", "ostinato_client.health", "127.0.0.1:50051")


def test_client_generates_classifies_and_translates_through_the_published_port(stack: Stack) -> None:
    *pieces, whole = ostinato(stack, "generate", "ROMEO:", "--max-chars", "200", "--seed", "1")
    assert "".join(piece["text"] for piece in pieces) == whole["text"]
    assert len(whole["text"]) == 200
    good, bad = ostinato(stack, "sentiment", "A warm, funny film.", "A dull and lifeless mess.")
    assert (good["sentiment"], bad["sentiment"]) == ("Positive", "Negative")
    (translation,) = ostinato(stack, "translate", "I love you.", "--attention")
    assert translation["text"] == "Je t'aime."
    rows = translation["attention"]
    assert (len(rows), {len(row) for row in rows}) == (
        len(translation["target_tokens"]),
        {len(translation["source_tokens"])},
    )
    assert all(sum(row) == pytest.approx(1, abs=1e-3) for row in rows)


def test_prometheus_scrapes_both_targets_and_evaluates_every_rule(stack: Stack) -> None:
    started(stack, "prometheus")
    until(lambda: {each["health"] for each in prometheus(stack, "targets")["activeTargets"]} == {"up"})
    assert {each["labels"]["job"] for each in prometheus(stack, "targets")["activeTargets"]} == {
        "ostinato",
        "prometheus",
    }

    def evaluated() -> list[dict[str, Any]] | None:
        found = [rule for group in prometheus(stack, "rules")["groups"] for rule in group["rules"]]
        return found if {rule["health"] for rule in found} == {"ok"} else None

    assert sorted(rule["name"] for rule in until(evaluated)) == sorted(
        rule.get("record") or rule["alert"] for rule in rules()
    )
    Client(target(stack)).classify("a fine film")
    counted = 'ostinato_requests_total{task="sentiment",outcome="ok"} > 0'
    assert until(lambda: prometheus(stack, "query", query=counted)["result"])


def test_grafana_has_its_source_and_the_dashboard(stack: Stack) -> None:
    started(stack, "grafana")
    grafana = f"http://127.0.0.1:{stack.ports['OSTINATO_GRAFANA_PORT']}"

    def dashboards() -> Any:
        with urlopen(f"{grafana}/api/search?type=dash-db", timeout=CALL_SECONDS) as response:
            return json.load(response)

    assert [each["title"] for each in until(dashboards)] == ["Ostinato"]


def test_envoy_answers_a_page_in_json(stack: Stack) -> None:
    started(stack, "envoy")
    url = f"http://127.0.0.1:{stack.ports['OSTINATO_BROWSER_PORT']}/ostinato.v1.SentimentService/Classify"
    body = json.dumps({"model": "sentiment", "text": "a fine film"}).encode()

    def classified() -> Any:
        try:
            with urlopen(Request(url, body, {"content-type": "application/json"}), timeout=CALL_SECONDS) as response:
                return json.load(response)
        except HTTPError as error:
            if error.code != 503:  # Envoy has not seen yet that the server is healthy
                raise
            return None

    assert until(classified)["score"]["sentiment"] == "SENTIMENT_POSITIVE"


@dataclass(frozen=True)
class Disturbed:
    """Streams that something happened to.

    Attributes:
        texts: What they said.
        references: What the same requests say when nothing happens.
        met: How many ran when it began.
        broken: How many had not ended when it was over.
    """

    texts: list[str]
    references: list[str]
    met: int
    broken: int


async def under_streams(stack: Stack, disturb: Callable[[], object], *, resume: bool) -> Disturbed:
    """Disturbs the server once every stream has brought something, starts it again, and reads all to their ends."""
    async with AsyncClient(target(stack), timeout=CALL_SECONDS) as client:
        asked = {"max_chars": CHARACTERS, "resume": resume}
        streams = await asyncio.wait_for(under_way(client, "ROMEO:", STREAMS, **asked), CALL_SECONDS)
        met = sum(not stream.done() for stream in streams)
        await asyncio.to_thread(disturb)
        broken = sum(not stream.done() for stream in streams)
        await asyncio.to_thread(stack.project, "start", "server")
        texts = await asyncio.gather(*streams)
        await client.wait_until_ready(timeout=START_SECONDS)
        references = await read_all(client, "ROMEO:", STREAMS, **asked)
    return Disturbed([*map(text, texts)], [*map(text, references)], met, broken)


async def test_container_killed_under_streams_and_started_again_changes_no_character(stack: Stack) -> None:
    began = stack.state("server")["StartedAt"]
    container = stack.container("server")

    streams = await under_streams(stack, lambda: stack.engine("kill", "--signal", "KILL", container), resume=True)

    assert streams.broken > STREAMS / 2
    assert stack.state("server")["StartedAt"] != began
    assert streams.texts == streams.references
    assert {len(text) for text in streams.texts} == {CHARACTERS}


async def test_stopping_container_finishes_its_streams_and_exits_0(stack: Stack) -> None:
    container = stack.container("server")
    codes: list[int] = []

    def stop() -> None:
        stack.project("stop", "server")
        (found,) = json.loads(stack.engine("inspect", container).stdout)
        codes.append(found["State"]["ExitCode"])

    streams = await under_streams(stack, stop, resume=False)

    assert streams.met > STREAMS / 2
    assert codes == [0]
    assert streams.texts == streams.references


def test_trainer_leaves_a_model_in_its_volume(stack: Stack) -> None:
    started(stack, "trainer")
    trained = stack.project("run", "-T", "--rm", "trainer")
    found = stack.project("run", "-T", "--rm", "--entrypoint", "find", "trainer", "runs/char-lm")
    assert "nats_per_char" in trained.stdout + trained.stderr
    assert {"runs/char-lm/config.json", "runs/char-lm/weights.safetensors"} <= set(found.stdout.split())
