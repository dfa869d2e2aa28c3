"""``ostinato bench`` as a process against the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.conftest import Command


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("generate", ["--max-chars", "20", "--concurrency", "1,4"]),
        ("sentiment", ["--batch", "3", "--concurrency", "2"]),
        ("translate", ["--rate", "20"]),
    ],
)
def test_every_load_finishes_requests_and_writes_its_figures(
    ostinato: Command, tmp_path: Path, task: str, flags: list[str]
) -> None:
    path = tmp_path / "out.json"
    done = ostinato("bench", task, "--duration", "0.5", "--json", str(path), *flags)
    assert done.returncode == 0, done.stderr
    assert "requests/s" in done.stdout
    report = json.loads(path.read_text())
    assert len(report["results"]) == (2 if task == "generate" else 1)
    for result in report["results"]:
        assert result["done"] > 0
        assert (result["rejected"], result["failed"]) == (0, 0)
        assert 0 < result["time_to_first_token_seconds"]["p50"] <= result["end_to_end_seconds"]["p99"]


def test_an_unknown_model_is_one_line_and_exit_code_1(ostinato: Command) -> None:
    done = ostinato("bench", "generate", "--model", "nobody", "--duration", "0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody" in done.stderr
    assert done.stderr.count("\n") == 1
