"""The client's commands as processes against the real server: flags, JSON fields, exit codes."""

from __future__ import annotations

import json
import math
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import OSTINATO, Command
from tests.tools import prepared


def json_lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_generate_prints_the_text_and_the_same_seed_prints_it_again(ostinato: Command) -> None:
    arguments = ("generate", "ROMEO:", "--max-chars", "40", "--temperature", "0.8", "--seed", "1")
    first, second = ostinato(*arguments), ostinato(*arguments)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert len(first.stdout) == 41, "forty characters and the line's end"


def test_generate_json_ends_with_the_summary_of_what_it_streamed(ostinato: Command) -> None:
    *chunks, end = json_lines(ostinato("generate", "ROMEO:", "--max-chars", "50", "--seed", "7", "--json"))
    assert all(chunk.keys() == {"text"} for chunk in chunks)
    assert "".join(chunk["text"] for chunk in chunks) == end["text"]
    assert (end["finish_reason"], end["generated_tokens"], end["seed"]) == ("length", 50, 7)
    assert (end["model"], end["prompt_tokens"]) == ("char-lm", 6)
    assert 0 < end["timings"]["time_to_first_token_seconds"] <= end["timings"]["total_seconds"]


def test_generate_logprobs_has_one_entry_a_token(ostinato: Command) -> None:
    *chunks, _ = json_lines(ostinato("generate", "R", "--max-chars", "9", "--seed", "7", "--logprobs", "--json"))
    tokens = [token for chunk in chunks for token in chunk["tokens"]]
    assert len(tokens) == 9
    assert all(token["logprob"] <= 0 for token in tokens)


def test_generate_stops_before_a_stop_text(ostinato: Command) -> None:
    (*_, whole) = json_lines(ostinato("generate", "ROMEO:", "--max-chars", "30", "--seed", "3", "--json"))
    stop = whole["text"][10:12]
    (*_, cut) = json_lines(ostinato("generate", "ROMEO:", "--max-chars", "30", "--seed", "3", "--stop", stop, "--json"))
    assert cut["finish_reason"] == "stop"
    assert cut["text"] == whole["text"][: whole["text"].index(stop)]


def test_piped_text_is_that_of_the_command_line(ostinato: Command) -> None:
    (given,) = json_lines(ostinato("translate", "the cat sees the dog", "--json"))
    (piped,) = json_lines(ostinato("translate", "-", "--json", stdin="the cat sees the dog\n"))
    assert piped["text"] == given["text"]
    settings = ("--max-chars", "40", "--seed", "1", "--json")
    *_, whole = json_lines(ostinato("generate", "ROMEO:\nAy", *settings))
    *_, read = json_lines(ostinato("generate", "-", *settings, stdin="ROMEO:\r\nAy\r\n"))
    assert read["text"] == whole["text"]


def test_generate_starts_a_text_from_nothing(ostinato: Command) -> None:
    settings = ("--max-chars", "40", "--seed", "1", "--json")
    *_, started = json_lines(ostinato("generate", "", *settings))
    *_, after_line_break = json_lines(ostinato("generate", "\n", *settings))
    assert started["text"] == after_line_break["text"]
    assert (started["generated_tokens"], started["prompt_tokens"]) == (40, 1)


def test_sentiment_json_keeps_the_order_of_standard_input(ostinato: Command) -> None:
    texts = [f"a film number {number}" for number in range(40)]
    lines = json_lines(ostinato("sentiment", "-", "--json", stdin="\n".join(texts) + "\n\n"))
    assert [line["text"] for line in lines] == texts
    for line in lines:
        assert math.isclose(line["positive_probability"] + line["negative_probability"], 1, abs_tol=1e-6)
        larger = line["positive_probability"] > line["negative_probability"]
        assert line["sentiment"] == ("Positive" if larger else "Negative")


def test_sentiment_answers_a_line_before_the_next_is_written(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        (*OSTINATO, "sentiment", "-", "--json"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in ("good", "bad"):
            process.stdin.write(text + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.parametrize("beam", ["1", "3"])
def test_translate_json_has_attention_rows_that_sum_to_1(ostinato: Command, beam: str) -> None:
    (record,) = json_lines(ostinato("translate", "I love you.", "--beam-size", beam, "--json"))
    assert len(record["attention"]) == len(record["target_tokens"]) == record["target_token_count"]
    for row in record["attention"]:
        assert len(row) == len(record["source_tokens"])
        assert math.isclose(sum(row), 1, abs_tol=1e-5)


def test_translate_prints_tokens_then_the_map_and_draws_it(ostinato: Command, tmp_path: Path) -> None:
    picture = tmp_path / "attention.png"
    done = ostinato("translate", "I love you.", "--attention", "--attention-plot", str(picture))
    (record,) = json_lines(ostinato("translate", "I love you.", "--json"))
    assert done.returncode == 0, done.stderr
    text, _, map_lines = done.stdout.partition("\n\n")
    assert text == record["text"]
    assert len(map_lines.splitlines()) == 1 + len(record["target_tokens"])
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_models_are_listed_by_their_shipped_names(ostinato: Command) -> None:
    records = json_lines(ostinato("models", "--json"))
    assert [(record["name"], record["task"]) for record in records] == [
        ("char-lm", "generation"),
        ("sentiment", "sentiment"),
        ("translation-en-fr", "translation"),
    ]
    assert json_lines(ostinato("models", "char-lm", "--json"))[0] == records[0]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["generate", "x" * 100_000], "error: prompt: "),
        (["generate", "x", "--model", "nobody"], "error: "),
        (["generate", "x", "--model", "sentiment"], "error: "),
        (["generate", "x", "--max-chars", "4000000000"], "error: max_tokens: "),
        (["sentiment", ""], "error: text: "),
        (["translate", ""], "error: text: "),
        (["translate", "x", "--beam-size", "1000"], "error: beam_size: "),
        (["models", "nobody"], "error: "),
    ],
)
def test_what_the_server_refuses_is_one_line_and_exit_code_1(
    ostinato: Command, arguments: list[str], line: str
) -> None:
    done = ostinato(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_wrong_usage_exits_2(ostinato: Command) -> None:
    assert ostinato("generate", "x", "--temperature", "-1").returncode == 2
    assert ostinato("translate").returncode == 2
    assert ostinato("nonsense").returncode == 2


def test_a_reader_that_leaves_is_met_in_silence(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        (*OSTINATO, "generate", "x", "--max-chars", "5000", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 1


def test_ctrl_c_is_quiet_and_exits_130(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        # A test run in the background ignores SIGINT, and children would inherit that.
        prepared(
            "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)", (*OSTINATO, "sentiment", "-", "--json")
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("good\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        # Its standard input stays open: a thread of it is reading there when it ends.
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""
