"""What ``ostinato serve`` writes to standard error."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.e2e.conftest import start_server, stop_server

from ostinato_client import Client, InvalidRequest, Unauthenticated

TOKEN, WRONG, PROMPT = "a-secret-token", "a-wrong-token", "a prompt of mine"


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.touch(mode=0o600)
    path.write_text(f"{hashlib.sha256(TOKEN.encode()).hexdigest()} infer alice\n")
    return path


def talk(target: str) -> None:
    """Calls that end well and calls that do not, with a token that is right and one that is not."""
    with Client(target, token=TOKEN, insecure_token=True) as client:
        assert client.generate(PROMPT, max_chars=5, seed=1).summary.generated_tokens == 5
        with pytest.raises(InvalidRequest):
            client.generate(PROMPT, temperature=-1.0).text()
    with Client(target, token=WRONG, insecure_token=True) as client, pytest.raises(Unauthenticated):
        client.generate(PROMPT).text()


def log_of(repository: Path, log: Path, *flags: str) -> str:
    server = start_server(repository, log, *flags)
    talk(server.target)
    assert stop_server(server) == 0
    return log.read_text()


def test_every_line_is_an_object_and_none_holds_a_token_or_a_prompt(
    repository: Path, tmp_path: Path, tokens: Path
) -> None:
    text = log_of(repository, tmp_path / "log", "--auth-tokens", str(tokens), "--log-level", "debug")
    lines = [json.loads(line) for line in text.splitlines()]
    calls = [line for line in lines if line["logger"] == "ostinato_server.requests"]
    assert [(line["message"], line.get("caller")) for line in calls] == [
        ("Generate OK", "alice"),
        ("Generate INVALID_ARGUMENT", "alice"),
        ("Generate UNAUTHENTICATED", None),
    ]
    for secret in (TOKEN, WRONG, PROMPT, hashlib.sha256(TOKEN.encode()).hexdigest()):
        assert secret not in text


def test_prompts_are_there_when_asked_for_and_tokens_never(repository: Path, tmp_path: Path, tokens: Path) -> None:
    text = log_of(repository, tmp_path / "log", "--auth-tokens", str(tokens), "--log-text", "--log-format", "text")
    assert f"wording=['{PROMPT}']" in text
    assert TOKEN not in text
    assert WRONG not in text


def test_warnings_alone_leave_no_line_for_a_call(repository: Path, tmp_path: Path, tokens: Path) -> None:
    assert log_of(repository, tmp_path / "log", "--auth-tokens", str(tokens), "--log-level", "warning") == ""
