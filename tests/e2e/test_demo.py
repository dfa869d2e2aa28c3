"""``scripts/demo`` from start to end, on tiny models."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parents[2] / "scripts" / "demo"


def run_demo(repository: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    settings = {"BIN": str(Path(sys.executable).parent), "OSTINATO_REPOSITORY": str(repository)}
    environment = {**os.environ, **settings, **variables}
    return subprocess.run([DEMO], capture_output=True, text=True, timeout=120, env=environment, check=False)


def test_the_demo_shows_all_three_tasks_and_stops_the_server(repository: Path) -> None:
    done = run_demo(repository)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("models", "generate", "sentiment", "translate"):
        assert f"$ ostinato {command}" in done.stdout
    for text in ("I love you.", "I love you", "WHERE IS THE STATION?", "Good morning! How are you?"):
        assert f'$ ostinato translate "{text}"' in done.stdout
    assert 'ostinato_generated_tokens_total{model="char-lm"} 300.0' in done.stdout
    for measure in ("time_to_first_token_seconds", "inter_token_latency_seconds"):
        assert f"ostinato_{measure}_sum" in done.stdout
    assert done.stdout.endswith("The server stopped with exit code 0\n")


def test_the_demo_fails_with_the_servers_words(tmp_path: Path) -> None:
    done = run_demo(tmp_path / "nowhere")
    assert done.returncode == 1
    assert "the server did not start" in done.stderr
    assert "nowhere" in done.stderr


def test_the_demo_needs_no_proxy_to_reach_its_own_server(repository: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"), proxy)
        done = run_demo(repository, **proxies, no_proxy="", NO_PROXY="")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("The server stopped with exit code 0\n")
