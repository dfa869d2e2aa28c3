"""NVIDIA's perf_analyzer, a program of others, measures the server unmodified.

``PERF_ANALYZER`` is its command where it is not on the path: the wheel's program needs glibc 2.38, and runs on an older
system through a newer one's loader (docs/api.md).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, generate, serving

from ostinato.inference import grpc_service_pb2 as pb

REQUESTS = 40


@cache
def perf_analyzer() -> tuple[str, ...]:
    beside = Path(sys.executable).with_name("perf_analyzer")
    found = os.environ.get("PERF_ANALYZER") or shutil.which("perf_analyzer") or (str(beside) if beside.exists() else "")
    if not found:
        pytest.skip("needs perf_analyzer (PyPI perf-analyzer, glibc 2.38): PERF_ANALYZER names its command")
    command = tuple(shlex.split(found))
    tried = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=CALL_SECONDS, check=False)
    if "Perf Analyzer" not in tried.stdout + tried.stderr:  # it exits with 1 and says so on either
        pytest.skip(f"{found} does not run here: {(tried.stderr or tried.stdout).strip()[:200]}")
    return command


def measure(server: RunningServer, model: str, folder: Path, data: dict[str, Any], *flags: str) -> str:
    """What perf_analyzer says after `REQUESTS` requests, four at a time."""
    file = folder / "data.json"
    content = {name: {"content": [value], "shape": [1]} for name, value in data.items()}
    file.write_text(json.dumps({"data": [content]}), encoding="utf-8")
    command = [*perf_analyzer(), "-m", model, "-u", server.address, "-i", "grpc", f"--input-data={file}"]
    load = ["--concurrency-range=4", f"--request-count={REQUESTS}", *flags]
    done = subprocess.run([*command, *load], capture_output=True, text=True, timeout=CALL_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answered(server: RunningServer, model: str) -> int:
    request = pb.ModelStatisticsRequest(name=model)
    (stats,) = server.inference.ModelStatistics(request, timeout=CALL_SECONDS).model_stats
    return stats.inference_stats.success.count


@pytest.mark.parametrize(
    ("model", "text"), [("sentiment", "a fine film"), ("translation-en-fr", "the cat sees the dog")]
)
def test_perf_analyzer_measures_texts(repository: Path, tmp_path: Path, model: str, text: str) -> None:
    with serving(repository) as server:
        said = measure(server, model, tmp_path, {"text": text})
        assert answered(server, model) >= REQUESTS
    assert f"Request count: {REQUESTS}" in said
    assert "Server: " in said


@pytest.mark.parametrize("threads", [16, 1])
def test_perf_analyzer_measures_a_decoupled_stream_of_the_native_text(
    server: RunningServer, tmp_path: Path, threads: int
) -> None:
    """With one thread, all requests in flight are in one stream, and their pieces mix."""
    request = continued(60)
    exported = tmp_path / "profile.json"
    data = {"prompt": request.prompt, "max_tokens": 60, "seed": 1}
    flags = ("--streaming", "--async", f"--max-threads={threads}", f"--profile-export-file={exported}")
    said = measure(server, "char-lm", tmp_path, data, *flags)
    assert "Detected decoupled model" in said
    (experiment,) = json.loads(exported.read_text(encoding="utf-8"))["experiments"]
    texts = {
        "".join(each.get("text", "") for each in request["response_outputs"]) for request in experiment["requests"]
    }
    assert texts == {generate(server, request).text}
    assert len(experiment["requests"]) == REQUESTS
    spans = sorted((each["response_timestamps"][0], each["response_timestamps"][-1]) for each in experiment["requests"])
    assert any(later[0] < earlier[1] for earlier, later in pairwise(spans)), "one began before another had ended"
