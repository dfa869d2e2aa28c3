"""``ostinato bench`` as a process against the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.conftest import Command, ServerProcess


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
