"""Commands on terminals and streams as people have them: without colours, narrow, of another encoding, closed, full."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.e2e.conftest import OSTINATO, ServerProcess
from tests.terminals import in_terminal

SENTIMENT = ("sentiment", "a fine film")
HEAT_MAP = ("translate", "I love you.", "--attention")
COMMANDS = [("models",), ("models", "char-lm"), SENTIMENT, HEAT_MAP, ("generate", "x", "--max-chars", "9"), ("--help",)]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def plain(environment: dict[str, str]) -> dict[str, str]:
    """The variables of a colour terminal, and buffers as users have them."""
    dropped = ("PYTHONUNBUFFERED", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
    kept = {name: value for name, value in environment.items() if name not in dropped}
    return {**kept, "TERM": "xterm-256color"}


def redirected(
    redirection: str, *arguments: str, environment: dict[str, str], stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs a command as a shell does that is given a redirection."""
    return subprocess.run(
        ("sh", "-c", f'"$@" {redirection}', "sh", *OSTINATO, *arguments),
        capture_output=True,
        input=stdin,
        timeout=60,
        env=environment,
        check=False,
    )


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_terminal_that_wants_no_colour_gets_no_escape_sequence(
    plain: dict[str, str], command: tuple[str, ...], variable: dict[str, str]
) -> None:
    code, text = in_terminal((*OSTINATO, *command), {**plain, **variable})
    assert code == 0, text
    assert "\x1b" not in text


def test_colours_are_on_where_the_terminal_has_them_and_where_they_are_forced(plain: dict[str, str]) -> None:
    assert COLOUR.search(in_terminal((*OSTINATO, *SENTIMENT), plain)[1])
    assert not COLOUR.search(in_terminal((*OSTINATO, *SENTIMENT), {**plain, "NO_COLOR": "1"})[1])
    forced = redirected("", *SENTIMENT, environment={**plain, "FORCE_COLOR": "1"})
    assert COLOUR.search(forced.stdout.decode())
    assert not COLOUR.search(redirected("", *SENTIMENT, environment=plain).stdout.decode())


def test_a_heat_map_without_colour_shows_weights_by_shades(plain: dict[str, str]) -> None:
    _, text = in_terminal((*OSTINATO, *HEAT_MAP), {**plain, "NO_COLOR": "1"})
    assert re.search(r"[·░▒▓█][\d ]\d", text)


@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
@pytest.mark.parametrize("columns", [30, 40, 60, 80, 120])
def test_the_list_of_models_keeps_names_and_figures_whole(plain: dict[str, str], columns: int, term: str) -> None:
    code, text = in_terminal((*OSTINATO, "models"), {**plain, "NO_COLOR": "1", "TERM": term}, columns=columns)
    assert code == 0, text
    listed = text.split()
    assert {"char-lm", "sentiment", "translation-en-fr"} <= set(listed)
    assert max(map(len, text.splitlines())) <= columns


def test_a_description_in_a_pipe_is_on_one_line(plain: dict[str, str]) -> None:
    done = redirected("", "models", "char-lm", environment={**plain, "COLUMNS": "40"})
    (step,) = [line for line in done.stdout.decode().splitlines() if line.startswith("graph step ")]
    assert "→" in step


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize(
    "command", [("models", "char-lm"), HEAT_MAP, ("sentiment", "schön ✓ 日本"), ("sentiment", "✓", "--trace")]
)
def test_output_is_in_the_encoding_of_the_stream(
    plain: dict[str, str], command: tuple[str, ...], encoding: str
) -> None:
    done = redirected("", *command, environment={**plain, "PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, b"")
    done.stdout.decode(encoding)
    if "schön ✓ 日本" in command:
        text = {"utf-8": "schön ✓ 日本", "ascii": "sch?n ? ??"}.get(encoding, "schön ? ??")
        assert done.stdout.decode(encoding).rstrip().endswith(text)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_json_loses_nothing_in_any_encoding(plain: dict[str, str], encoding: str) -> None:
    text = "schön ✓ 日本"
    done = redirected("", "sentiment", text, "--json", environment={**plain, "PYTHONIOENCODING": encoding})
    assert json.loads(done.stdout)["text"] == text


def test_an_argument_is_read_as_utf_8_in_the_c_locale(plain: dict[str, str]) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = redirected("", "sentiment", "schön", "--json", environment={**plain, **locale})
    assert json.loads(done.stdout)["text"] == "schön"


def test_an_argument_that_is_not_utf_8_is_wrong_usage(plain: dict[str, str]) -> None:
    done = redirected("", "sentiment", os.fsdecode(b"sch\xf6n"), environment=plain)
    assert done.returncode == 2
    assert b"byte 4 (0xf6) is not UTF-8" in done.stderr


def test_standard_input_that_is_not_utf_8_is_named_by_line_and_byte(plain: dict[str, str]) -> None:
    done = redirected("", "sentiment", "-", environment=plain, stdin=b"good\nsch\xf6n\n")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("error: standard input, line 2: byte 4 (0xf6) is not UTF-8; ")


def test_a_byte_order_mark_is_not_part_of_the_first_text(plain: dict[str, str]) -> None:
    done = redirected("", "sentiment", "-", "--json", environment=plain, stdin=b"\xef\xbb\xbfgood\r\nbad")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["good", "bad"]


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", "<&- >&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", [("--help",), ("models",), ("sentiment", "-"), HEAT_MAP], ids=" ".join)
def test_a_closed_stream_is_like_the_null_device(
    plain: dict[str, str], command: tuple[str, ...], redirection: str
) -> None:
    done = redirected(redirection, *command, environment=plain, stdin=b"good\n")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("redirection", [">/dev/full", ">/dev/full 2>&1"])
@pytest.mark.parametrize("command", [*COMMANDS, ("--version",), ("models", "--json")], ids=" ".join)
def test_output_to_a_full_disk_exits_1(plain: dict[str, str], command: tuple[str, ...], redirection: str) -> None:
    done = redirected(redirection, *command, environment=plain)
    assert (done.returncode, done.stdout) == (1, b"")
    if redirection == ">/dev/full":
        assert done.stderr == b"error: standard output cannot be written: No space left on device\n"


def test_unbuffered_output_to_a_full_disk_exits_1(plain: dict[str, str]) -> None:
    done = redirected(">/dev/full", "models", environment={**plain, "PYTHONUNBUFFERED": "1"})
    assert (done.returncode, done.stderr) == (1, b"error: No space left on device\n")


def test_an_error_on_a_full_disk_keeps_its_exit_code(plain: dict[str, str]) -> None:
    assert redirected("2>/dev/full", "nonsense", environment=plain).returncode == 2
    assert redirected("2>/dev/full", "models", "nobody", environment=plain).returncode == 1


@pytest.mark.parametrize("command", [*COMMANDS, ("--version",)], ids=" ".join)
def test_a_pipe_without_a_reader_is_silent(plain: dict[str, str], command: tuple[str, ...]) -> None:
    done = redirected("| :", *command, environment=plain)
    assert done.stderr == b""


def test_a_server_without_standard_error_serves(repository: Path) -> None:
    command = (*OSTINATO, "serve", "--repository", str(repository), "--port", "0", "--metrics-port", "0", "--json")
    with subprocess.Popen(
        ("sh", "-c", 'exec "$@" <&- 2>&-', "sh", *command), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        server = ServerProcess(process, json.loads(process.stdout.readline())["address"], "")
        done = redirected("", "models", "--target", server.target, environment=dict(os.environ))
        process.terminate()
        assert process.wait(60) == 0
    assert b"char-lm" in done.stdout


def test_the_log_is_json_in_any_encoding(plain: dict[str, str], tmp_path: Path) -> None:
    script = "import logging; from ostinato_server.logs import configure; configure('json', 'info');"
    script += "logging.info('schön ✓ 😀')"
    done = subprocess.run(
        (OSTINATO[0], "-c", script),
        env={**plain, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stderr)["message"] == "schön ✓ 😀"
