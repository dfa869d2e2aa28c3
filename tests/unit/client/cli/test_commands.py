"""The client's commands against a server whose answers are known."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.unit.client.fake_server import FakeServer, bad_request, refuse, shout

from ostinato.v1 import generation_pb2
from ostinato_client.cli.main import run

Captured = pytest.CaptureFixture[str]


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(autouse=True)
def target(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_TARGET", fake.target)


def test_generate_prints_the_text_and_nothing_else_into_a_pipe(capsys: Captured) -> None:
    assert run(["generate", "ROMEO:", "--max-chars", "8"]) == 0
    assert capsys.readouterr() == ("ROMEO:RO\n", "")


def test_generate_passes_every_flag_on(fake: FakeServer, capsys: Captured) -> None:
    flags = "--temperature 0.5 --top-k 5 --top-p 0.9 --seed 18446744073709551615 --stop a --stop b --model-version 2"
    assert run(["generate", "x", "--model", "m", *flags.split()]) == 0
    (request,) = fake.requests
    assert (request.model, request.version) == ("m", 2)
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_k, sampling.seed) == (0.5, 5, 2**64 - 1)
    assert sampling.top_p == pytest.approx(0.9)
    assert list(request.stopping.stop) == ["a", "b"]


def test_generate_json_streams_texts_then_the_summary(capsys: Captured) -> None:
    assert run(["generate", "été", "--json", "--seed", "5"]) == 0
    *chunks, end = json_lines(capsys.readouterr().out)
    assert chunks == [{"text": "é"}, {"text": "t"}, {"text": "é"}]
    assert end == {
        "finish_reason": "length",
        "text": "été",
        "model": "char-lm",
        "version": 3,
        "seed": 5,
        "prompt_tokens": 3,
        "generated_tokens": 3,
        "unknown_tokens": 0,
        "timings": {"queue_seconds": 0.25, "time_to_first_token_seconds": 0.5, "total_seconds": 2.0},
    }


def test_generate_logprobs_are_printed_and_in_the_json(fake: FakeServer, capsys: Captured) -> None:
    def detailed(request: Any, _: Any) -> Any:
        for text, logprob in (("a", -0.1), ("b", float("-inf"))):
            token = generation_pb2.TokenDetail(text=text, token_id=1, logprob=logprob)
            yield generation_pb2.GenerateResponse(chunk=generation_pb2.GeneratedChunk(text=text, tokens=[token]))
        yield generation_pb2.GenerateResponse(summary=generation_pb2.GenerationSummary())

    fake.generate = detailed
    assert run(["generate", "x", "--logprobs"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "   -0.1000  'a'"
    assert run(["generate", "x", "--logprobs", "--json"]) == 0
    first, second, _ = json_lines(capsys.readouterr().out)
    assert first == {"text": "a", "tokens": [{"text": "a", "token_id": 1, "logprob": -0.1}]}
    assert second["tokens"][0]["logprob"] is None


def test_a_refused_field_is_one_line_and_exit_code_1(fake: FakeServer, capsys: Captured) -> None:
    detail = bad_request("sampling.top_k", "must be at most 64 (got 65)")
    fake.generate = lambda _, context: refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "refused", detail)
    assert run(["generate", "x", "--top-k", "65"]) == 1
    assert capsys.readouterr() == ("", "error: top_k: must be at most 64 (got 65)\n")


def test_an_unknown_model_is_named_with_the_server(fake: FakeServer, capsys: Captured) -> None:
    assert run(["models", "nobody"]) == 1
    assert capsys.readouterr() == ("", f"error: {fake.target}: no model nobody\n")


def test_nobody_there_is_one_line_with_the_address(fake: FakeServer, capsys: Captured) -> None:
    fake.stop()
    assert run(["sentiment", "good"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {fake.target}: cannot connect: ")
    assert err.count("\n") == 1


def test_sentiment_json_has_a_line_per_text_in_order(capsys: Captured) -> None:
    assert run(["sentiment", "good", "bad", "--json"]) == 0
    first, second = json_lines(capsys.readouterr().out)
    assert first["text"] == "good"
    assert (first["positive_probability"], first["negative_probability"]) == (0.75, 0.25)
    assert (first["sentiment"], second["sentiment"]) == ("Positive", "Negative")
    assert "trace" not in first


def test_sentiment_reads_a_text_a_line_and_skips_blank_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    texts = tmp_path / "texts"
    texts.write_bytes("good é\r\n\n bad \nlast".encode())
    with texts.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run(["sentiment", "-", "--json"]) == 0
    assert [line["text"] for line in json_lines(capsys.readouterr().out)] == ["good é", " bad ", "last"]


def test_sentiment_for_people_has_a_bar_and_a_trace(capsys: Captured) -> None:
    assert run(["sentiment", "good film", "--trace"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Positive 0.750  ███████████████░░░░░  good film",
        "    ██████████░░░░░░░░░░ 0.500  good",
        "    ██████████░░░░░░░░░░ 0.500  film",
    ]


def test_sentiment_prints_the_scores_before_a_bad_text(capsys: Captured) -> None:
    assert run(["sentiment", "good", "", "--json"]) == 1
    out, err = capsys.readouterr()
    assert [line["text"] for line in json_lines(out)] == ["good"]
    assert err == "error: text: must not be empty\n"


def test_translate_prints_the_sentence(fake: FakeServer, capsys: Captured) -> None:
    assert run(["translate", "one two"]) == 0
    assert capsys.readouterr() == ("ONE TWO\n", "")
    assert not fake.requests[0].include_attention


def test_translate_json_has_a_row_per_target_token(capsys: Captured) -> None:
    assert run(["translate", "one two three", "--json", "--beam-size", "2"]) == 0
    (record,) = json_lines(capsys.readouterr().out)
    assert record["text"] == "ONE TWO THREE"
    assert record["source_tokens"] == ["one", "two", "three"]
    assert record["target_tokens"] == ["ONE", "TWO", "THREE"]
    assert record["attention"] == [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]
    assert record["score"] == -1.5


def test_translate_attention_can_be_read_without_colour(capsys: Captured) -> None:
    assert run(["translate", "one two", "--attention"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ONE TWO",
        "",
        "      one  two",
        "ONE   ▒50  ▒50",
        "TWO   ▒50  ▒50",
    ]


def test_translate_prints_what_stands_after_the_last_sentence(fake: FakeServer, capsys: Captured) -> None:
    def trailing(request: Any, context: Any) -> Iterator[Any]:
        for message in shout(request, context):
            if message.HasField("summary"):
                message.summary.trailing_text = " :)"
            yield message

    fake.translate = trailing
    assert run(["translate", "one\ntwo"]) == 0
    assert capsys.readouterr().out == "ONE\nTWO :)\n"


def test_translate_shows_the_attention_of_each_sentence(capsys: Captured) -> None:
    assert run(["translate", "one two\nthree", "--attention"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ONE TWO",
        "THREE",
        "",
        "1: one two",
        "      one  two",
        "ONE   ▒50  ▒50",
        "TWO   ▒50  ▒50",
        "",
        "2: three",
        "       three",
        "THREE   ▒50",
    ]


def test_translate_json_tells_the_sentences_apart(capsys: Captured) -> None:
    assert run(["translate", "one two\nthree", "--json"]) == 0
    (record,) = json_lines(capsys.readouterr().out)
    assert record["text"] == "ONE TWO\nTHREE"
    assert record["attention"] == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0.5]]
    assert (record["source_token_count"], record["target_token_count"]) == (3, 3)
    assert record["sentences"][1] == {
        "source": "three",
        "start": 8,
        "end": 13,
        "text": "THREE",
        "source_tokens": ["three"],
        "target_tokens": ["THREE"],
        "attention": [[0.5]],
        "score": -0.5,
        "finish_reason": "end_of_sequence",
        "unknown_tokens": 1,
    }


def test_translate_draws_a_picture_of_each_sentence(tmp_path: Path) -> None:
    picture = tmp_path / "out.svg"
    assert run(["translate", "one two\nthree", "--attention-plot", str(picture)]) == 0
    assert picture.read_text().count("source token") == 2


def test_translate_draws_a_picture(tmp_path: Path, capsys: Captured) -> None:
    picture = tmp_path / "out.png"
    assert run(["translate", "one $two$ 三", "--attention-plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(["translate", "one", "--attention-plot", str(tmp_path / "out.nonsense")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'out.nonsense'}: Format 'nonsense'")


def test_translate_says_which_extra_draws(monkeypatch: pytest.MonkeyPatch, fake: FakeServer, capsys: Captured) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "ostinato_client.cli.plot", raising=False)
    assert run(["translate", "one", "--attention-plot", "out.png"]) == 1
    assert "pip install 'ostinato[plot]'" in capsys.readouterr().err
    assert fake.attempts == 0


def test_models_lists_and_describes(capsys: Captured) -> None:
    assert run(["models"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["model", "version", "task", "runtime", "device", "measured"]
    assert row.split() == ["char-lm", "3", "generation", "onnx-int8", "cpu", "nats_per_char", "1.5"]
    assert run(["models", "char-lm"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["task", "generation"] in lines
    assert any("token[?] → state_0[?, 512]" in line[1] for line in lines)


def test_models_json_is_an_object_a_model(capsys: Captured) -> None:
    assert run(["models", "--json"]) == 0
    (record,) = json_lines(capsys.readouterr().out)
    assert (record["name"], record["task"], record["limits"]["max_new_tokens"]) == ("char-lm", "generation", 5000)
    assert record["graphs"][0]["inputs"] == [{"name": "token", "data_type": "int64", "shape": [-1]}]


def test_models_loads_and_unloads(fake: FakeServer, capsys: Captured) -> None:
    assert run(["models", "--load", "char-lm", "--model-version", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("char-lm  3 ")
    assert run(["models", "--unload", "char-lm"]) == 0
    assert capsys.readouterr().out == "no model is loaded\n"
    assert [(type(request).__name__, request.version) for request in fake.requests] == [
        ("LoadModelRequest", 3),
        ("UnloadModelRequest", 0),
    ]
    assert run(["models", "--load", "char-lm", "--model-version", "4"]) == 1
    assert capsys.readouterr().err.endswith("model char-lm version 4 is refused: step.onnx: is no graph\n")


def test_models_lists_the_repository(capsys: Captured) -> None:
    assert run(["models", "--repository"]) == 0
    heading, loaded, refused = (line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines())
    assert heading == ["model", "version", "state", "reason"]
    assert loaded == ["char-lm", "3", "loaded"]
    assert refused == ["char-lm", "4", "refused", "step.onnx: is no graph"]
    assert run(["models", "--repository", "--json"]) == 0
    assert json_lines(capsys.readouterr().out)[1] == {
        "model": "char-lm",
        "version": 4,
        "state": "refused",
        "reason": "step.onnx: is no graph",
    }


@pytest.mark.parametrize(
    "flags",
    [["--load", "a", "--unload", "b"], ["char-lm", "--repository"], ["--repository", "--model-version", "1"]],
)
def test_models_does_one_thing_at_a_time(fake: FakeServer, capsys: Captured, flags: list[str]) -> None:
    assert run(["models", *flags]) == 2
    assert fake.attempts == 0
