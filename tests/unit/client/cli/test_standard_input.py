"""``-`` in place of a text: standard input, whole or line by line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.unit.client.fake_server import FakeServer

from ostinato_client.cli.main import run

Captured = pytest.CaptureFixture[str]
Feed = Callable[[bytes], None]


@pytest.fixture(autouse=True)
def target(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_TARGET", fake.target)


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    """Gives standard input a content."""
    with ExitStack() as open_files:

        def put(content: bytes) -> None:
            (tmp_path / "stdin").write_bytes(content)
            monkeypatch.setattr(sys, "stdin", open_files.enter_context((tmp_path / "stdin").open()))

        yield put


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("ROMEO:", "ROMEO:"),
        ("ROMEO:\n", "ROMEO:"),
        ("ROMEO:\n\n", "ROMEO:\n"),
        ("ROMEO:\r\nAy.\r\n", "ROMEO:\nAy."),
        ("\ufeffété\n", "été"),
        ("  a \n", "  a "),
        ("-", "-"),
        ("", ""),
        ("\n", ""),
    ],
)
@pytest.mark.parametrize(("command", "field"), [("generate", "prompt"), ("translate", "text")])
def test_dash_is_standard_input_without_one_line_break_at_its_end(
    fake: FakeServer, feed: Feed, capsys: Captured, command: str, field: str, content: str, text: str
) -> None:
    feed(content.encode())
    assert run([command, "-", "--json"]) == 0
    (request,) = fake.requests
    assert getattr(request, field) == text
    capsys.readouterr()


@pytest.mark.parametrize("command", ["generate", "translate", "sentiment"])
def test_bytes_that_are_not_utf_8_are_named_by_line_and_byte(
    fake: FakeServer, feed: Feed, capsys: Captured, command: str
) -> None:
    feed(b"good\nsch\xf6n\n")
    assert run([command, "-"]) == 1
    assert capsys.readouterr().err == (
        "error: standard input, line 2: byte 4 (0xf6) is not UTF-8; "
        "convert the input to UTF-8, for instance with iconv\n"
    )
    assert [request for request in fake.requests if request is not None] == []


def test_several_dashes_are_wrong_usage(fake: FakeServer, feed: Feed, capsys: Captured) -> None:
    feed(b"good\n")
    assert run(["sentiment", "-", "bad", "-"]) == 2
    assert "standard input can be read only once: give - once" in capsys.readouterr().err
    assert fake.attempts == 0


def test_more_than_a_server_would_ever_take_is_not_read(
    fake: FakeServer, feed: Feed, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostinato_client.cli.standard_input.MAX_BYTES", 8)
    feed(b"123456789")
    assert run(["generate", "-"]) == 1
    assert capsys.readouterr().err == (
        "error: standard input has more than 8 bytes, the most that is read as one text; give a shorter one\n"
    )
    assert fake.attempts == 0


def test_stop_text_of_a_dash_is_that_text(fake: FakeServer, capsys: Captured) -> None:
    assert run(["generate", "a", "--stop", "-"]) == 0
    assert list(fake.requests[0].stopping.stop) == ["-"]
    capsys.readouterr()


def test_lines_of_standard_input_may_be_dashes(feed: Feed, capsys: Captured) -> None:
    feed(b"-\n--\n")
    assert run(["sentiment", "-", "--json"]) == 0
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == ["-", "--"]
