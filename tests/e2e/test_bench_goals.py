"""``make bench-goals`` and ``make bench-gpu``: every line, and what is told where they cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from ostinato_bench import goals
from ostinato_bench.goal_lines import lines
from ostinato_bench.goals import SETTINGS, Plan, Setting, measure, missing, report


def test_machine_without_cuda_is_told_so(repository: Path) -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = (sys.executable, "-m", "ostinato_bench.goals", "--device", "cuda", "--repository", str(repository))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=hidden, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: this needs a CUDA device, and a CUDA build of torch or onnxruntime-gpu")


@pytest.mark.parametrize("setting", [Setting("onnx-int8"), Setting("onnx", 2), Setting("torchscript")])
def test_every_line_is_measured(repository: Path, setting: Setting) -> None:
    plan = Plan(repository=repository, seconds=0.3, slots=4, crowd=8, characters=20)
    measured = measure(plan, setting)
    assert sorted(measured.bare) == [1, 4]
    assert [line.what for line in lines(measured) if line.reached is None] == [
        "bare step, 1 rows, alone / in a run",
        "bare step, 4 rows, alone / in a run",
        "generation, 4 streams",
        "its first character, p50",
        "sentiment, 4 calls in flight",
        "resident on the host",
    ]
    figures, (table,) = report(plan, {setting: measured})
    (told,) = json.loads(json.dumps(figures))["found"]
    assert (told["runtime"], told["threads"]) == (setting.runtime, setting.threads)
    assert told["streams"]["done"] > 0
    console = Console(width=200, record=True, quiet=True)
    console.print(table)
    assert table.row_count == len(lines(measured)) == 13


def test_repository_without_the_files_is_told_so(tmp_path: Path, repository: Path) -> None:
    assert missing(Plan(repository=repository)) == ""
    done = CliRunner().invoke(goals.main, ["--repository", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path} has no char-lm, sentiment, translation-en-fr" in done.output
    shipped = Path(__file__).parents[2] / "models" / "pretrained"
    for device in SETTINGS:
        assert missing(Plan(repository=shipped, device=device)).endswith(": make bundles")
