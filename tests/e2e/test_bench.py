"""``ostinato bench`` as a process against the real server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.conftest import OSTINATO, Command, ServerProcess


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("generate", ["--max-chars", "20", "--concurrency", "1,4", "--processes", "2"]),
        ("sentiment", ["--batch", "3", "--concurrency", "2"]),
        ("translate", ["--rate", "20,40"]),
    ],
)
def test_every_load_finishes_requests_and_writes_its_figures(
    ostinato: Command, tmp_path: Path, task: str, flags: list[str]
) -> None:
    path = tmp_path / "out.json"
    done = ostinato("bench", task, "--duration", "0.5", "--json", str(path), *flags)
    assert done.returncode == 0, done.stderr
    assert "requests/s" in done.stdout
    assert ("closed loop" in done.stdout) == ("--rate" not in flags)
    report = json.loads(path.read_text())
    assert len(report["results"]) == (1 if task == "sentiment" else 2)
    for result in report["results"]:
        assert result["done"] > 0
        assert (result["rejected"], result["failed"]) == (0, 0)
        assert 0 < result["time_to_first_token_seconds"]["p50"] <= result["end_to_end_seconds"]["max"]
        assert result["generator_cpu_share"] > 0


def test_a_plot_is_drawn(ostinato: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    done = ostinato("bench", "generate", "--duration", "0.2", "--concurrency", "1", "--plot", str(path))
    assert done.returncode == 0, done.stderr
    assert "<svg" in path.read_text()


def test_overload_tells_goodput_at_every_load(ostinato: Command) -> None:
    flags = ("--task", "sentiment", "--concurrency", "2", "--factors", "0.1,0.2", "--duration", "0.5")
    done = ostinato("bench", "overload", *flags, "--deadline", "5", "--json", "-")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["settings"]["capacity_requests_per_second"] > 0
    assert [point["factor"] for point in report["points"]] == [0.1, 0.2]
    assert all(point["goodput"] > 0 for point in report["points"])


def test_fairness_compares_quiet_with_disturbed(ostinato: Command) -> None:
    flags = ("--streams", "2", "--phase", "0.2", "--lead", "0.1", "--rounds", "1", "--slow-readers", "2")
    done = ostinato("bench", "fairness", *flags, "--greedy", "4", "--prompt-rate", "20", "--json", "-")
    assert (done.returncode, done.stderr) == (0, "")
    disturbances = json.loads(done.stdout)["disturbances"]
    assert len(disturbances) == 3
    for each in disturbances:
        assert each["inter_token_p99_ratio"] > 0


def test_memory_tells_what_a_waiting_stream_costs(ostinato: Command, server: ServerProcess) -> None:
    flags = ("--streams", "64,128", "--concurrency", "2", "--duration", "0.3", "--max-chars", "20")
    done = ostinato("bench", "memory", "--metrics", server.metrics, *flags, "--json", "-")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [(level["running"], level["waiting"]) for level in report["levels"]] == [(64, 0), (64, 64)]
    assert report["kibibytes_per_stream"] is not None
    assert report["results"][0]["done"] > 0


def test_an_unknown_model_is_one_line_and_exit_code_1(ostinato: Command) -> None:
    done = ostinato("bench", "generate", "--model", "nobody", "--duration", "0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_token_is_not_sent_in_plain_text(ostinato: Command, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    done = ostinato("bench", "generate", "--duration", "0.1", "--token-file", str(token))
    assert done.returncode == 1
    assert "a token is sent over TLS only" in done.stderr


ENVOY = Path(sys.executable).with_name("envoy")


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ("--replicas", "3", "--via", "round-robin", "--event", "kill"),
        ("--replicas", "1", "--via", "pick-first", "--event", "kill"),
        ("--replicas", "2", "--via", "pick-first", "--event", "drain", "--grace", "0.01"),
        ("--replicas", "2", "--via", "round-robin", "--event", "roll", "--grace", "0.01", "--processes", "2"),
        pytest.param(
            ("--replicas", "3", "--via", "envoy", "--event", "kill"),
            marks=pytest.mark.skipif(not ENVOY.exists(), reason="needs Envoy: the dev extra brings it"),
        ),
    ],
    ids=lambda flags: "-".join(flags[1:6:2]),
)
def test_failover_loses_no_stream_and_changes_no_character(
    ostinato: Command, repository: Path, flags: tuple[str, ...]
) -> None:
    load = ("--repository", str(repository), "--streams", "8", "--max-tokens", "1500")
    done = ostinato("bench", "failover", *load, *flags, "--json", "--", "--threads", "1")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["wrong_characters"], report["errors"], report["reasons"]) == (0, 0, {})
    assert (report["streams"], report["characters"]) == (8, 12_000)
    assert report["longest_silence_seconds"] >= 0
    assert report["settings"]["serve_flags"] == ["--threads", "1"]


def test_failover_ends_its_servers_when_it_is_ended(environment: dict[str, str], repository: Path) -> None:
    command = (*OSTINATO, "bench", "failover", "--repository", str(repository), "--max-tokens", "4000")
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        while len(servers := children(process.pid)) < 3:
            assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert not [pid for pid in servers if Path(f"/proc/{pid}").exists()]


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
