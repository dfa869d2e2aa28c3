"""``make bench-gpu``: refused where there is no CUDA, and its whole way on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from ostinato_bench import gpu
from ostinato_bench.gpu import RUNTIMES, Plan, measure, missing, report
from ostinato_bench.gpu_lines import lines


def test_machine_without_cuda_is_told_so(repository: Path) -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = (sys.executable, "-m", "ostinato_bench.gpu", "--repository", str(repository))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=hidden, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: bench-gpu needs a CUDA device, and a CUDA build of torch or onnxruntime-gpu")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_line_is_measured(repository: Path, runtime: str) -> None:
    plan = Plan(repository=repository, device="cpu", seconds=0.3, slots=4, crowd=8, characters=20)
    measured = measure(plan, runtime)
    assert sorted(measured.bare) == [1, 4]
    assert [line.what for line in lines(measured) if line.reached is None] == [
        "bare step, 1 rows, alone / in a run",
        "bare step, 4 rows, alone / in a run",
        "generation, 4 streams",
        "its first character, p50",
        "sentiment, 4 calls in flight",
        "resident on the host",
    ]
    figures, (table,) = report(plan, {runtime: measured})
    assert json.loads(json.dumps(figures))["runtimes"][runtime]["streams"]["done"] > 0
    console = Console(width=200, record=True, quiet=True)
    console.print(table)
    assert table.row_count == len(lines(measured)) == 12


def test_repository_without_the_files_of_a_gpu_is_told_so(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert missing(repository) == ""
    monkeypatch.setattr(gpu, "cuda_runtimes", lambda: frozenset(RUNTIMES))
    done = CliRunner().invoke(gpu.main, ["--repository", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path} has no char-lm, sentiment, translation-en-fr" in done.output
    shipped = Path(__file__).parents[2] / "models" / "pretrained"
    assert missing(shipped).endswith("files of char-lm, sentiment, translation-en-fr: make bundles")
