"""The line that the log has for every call, and the name that the call has in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, fold, serving

from ostinato.inference import grpc_service_pb2 as inference_pb2
from ostinato.v1 import generation_pb2, models_pb2, sentiment_pb2, translation_pb2
from ostinato_server.logs import FIELDS

Lines = Callable[[int], list[Mapping[str, Any]]]

PROMPT = "The cat"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    """The lines of the calls since the test began, oldest first; there must be so many."""

    def read(count: int) -> list[Mapping[str, Any]]:
        found = [getattr(each, FIELDS) for each in caplog.records if each.name == "ostinato_server.requests"]
        assert len(found) == count
        return found

    with caplog.at_level(logging.INFO, "ostinato_server.requests"):
        yield read


def request(model: str, tensor: str, text: str) -> inference_pb2.ModelInferRequest:
    made = inference_pb2.ModelInferRequest(model_name=model)
    made.inputs.add(name=tensor, datatype="BYTES", shape=[1]).contents.bytes_contents.append(text.encode())
    return made


def times(line: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A line without its times, which must be there and follow on one another."""
    found = [line[f"{name}_seconds"] for name in names]
    assert found == sorted(found)
    assert all(seconds >= 0 for seconds in found)
    return {name: value for name, value in line.items() if not name.endswith("_seconds") and name != "request_id"}


def test_a_stream_is_one_line_with_its_counts_and_times(server: RunningServer, lines: Lines) -> None:
    fold(server.generation.Generate(continued(20), timeout=CALL_SECONDS))
    (line,) = lines(1)
    assert times(line, "queue", "first_token", "total") == {
        "method": "/ostinato.v1.GenerationService/Generate",
        "code": "OK",
        "peer": "ipv4:127.0.0.1",
        "model": "char-lm",
        "version": 1,
        "task": "generation",
        "texts": 1,
        "input_tokens": 7,
        "output_tokens": 20,
    }


def test_every_task_has_its_counts(server: RunningServer, lines: Lines) -> None:
    request = translation_pb2.TranslateRequest(model="translation-en-fr", text="a cat", max_tokens=5)
    *_, last = server.translation.Translate(request, timeout=CALL_SECONDS)
    batch = sentiment_pb2.ClassifyBatchRequest(model="sentiment", texts=["good", "not good"])
    scores = server.sentiment.ClassifyBatch(batch, timeout=CALL_SECONDS).scores
    stream = [sentiment_pb2.ClassifyStreamRequest(model="sentiment", text=text) for text in ("good", "bad", "good")]
    list(server.sentiment.ClassifyStream(iter(stream), timeout=CALL_SECONDS))
    server.models.ListModels(models_pb2.ListModelsRequest(), timeout=CALL_SECONDS)
    translated, scored, streamed, listed = lines(4)
    assert (translated["task"], translated["input_tokens"]) == ("translation", last.summary.source_tokens)
    assert translated.get("output_tokens", 0) == last.summary.target_tokens
    times(scored, "queue", "total")
    assert (scored["texts"], scored["input_tokens"]) == (2, sum(score.token_count for score in scores))
    assert (streamed["task"], streamed["texts"]) == ("sentiment", 3)
    assert times(listed, "total") == {
        "method": "/ostinato.v1.ModelService/ListModels",
        "code": "OK",
        "peer": "ipv4:127.0.0.1",
    }


def test_a_stream_of_requests_is_one_line_that_counts_them_and_names_all_their_models(
    server: RunningServer, lines: Lines
) -> None:
    scored = [request("sentiment", "text", "good"), request("sentiment", "text", ""), request("nobody", "text", "good")]
    generated = request("char-lm", "prompt", PROMPT)
    generated.parameters["max_tokens"].int64_param = 20
    for requests in ([generated, *scored], [generated, generated]):
        list(server.inference.ModelStreamInfer(iter(requests), timeout=CALL_SECONDS))
    mixed, alike = lines(2)
    assert times(mixed, "total") == {
        "method": "/inference.GRPCInferenceService/ModelStreamInfer",
        "code": "OK",
        "peer": "ipv4:127.0.0.1",
        "models": ["char-lm/1", "sentiment/1"],
        "requests": 4,
        "failed": 2,
        "texts": 2,
        "input_tokens": 8,
        "output_tokens": 20,
    }
    assert (alike["model"], alike["version"], alike["task"]) == ("char-lm", 1, "generation")
    assert (alike["requests"], alike["output_tokens"]) == (2, 40)
    assert not alike.keys() & {"models", "failed"}


def test_a_refused_call_is_a_line_with_its_reason(server: RunningServer, lines: Lines) -> None:
    for count, (request, code, reason) in enumerate(
        (
            (continued(0), "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
            (generation_pb2.GenerateRequest(model="nobody", prompt=PROMPT), "NOT_FOUND", "MODEL_NOT_FOUND"),
        ),
        1,
    ):
        with pytest.raises(grpc.RpcError):
            fold(server.generation.Generate(request, timeout=CALL_SECONDS))
        line = lines(count)[-1]
        assert (line["code"], line["reason"]) == (code, reason)


def test_a_cancelled_stream_is_a_line_with_what_it_came_to(repository: Path, lines: Lines) -> None:
    with serving(repository, window=4) as server:
        streaming = server.generation.Generate(continued(10_000), timeout=CALL_SECONDS)
        next(streaming)
        streaming.cancel()
    (line,) = lines(1)
    assert (line["code"], line["model"], line["input_tokens"]) == ("CANCELLED", "char-lm", 7)
    assert 0 < line["output_tokens"] < 10_000
    times(line, "queue", "first_token", "total")


def test_a_call_is_called_what_its_client_calls_it(server: RunningServer, lines: Lines) -> None:
    named = (("x-request-id", "order-66"),)
    good = server.generation.Generate(continued(5), timeout=CALL_SECONDS, metadata=named)
    fold(good)
    bad = server.generation.Generate(continued(0), timeout=CALL_SECONDS, metadata=named)
    with pytest.raises(grpc.RpcError):
        fold(bad)
    assert [line["request_id"] for line in lines(2)] == ["order-66"] * 2
    for call in (good, bad):
        assert dict(call.trailing_metadata())["x-request-id"] == "order-66"


def test_a_call_without_a_name_gets_one(server: RunningServer, lines: Lines) -> None:
    _, call = server.sentiment.Classify.with_call(
        sentiment_pb2.ClassifyRequest(model="sentiment", text="good"), timeout=CALL_SECONDS
    )
    (line,) = lines(1)
    assert dict(call.trailing_metadata())["x-request-id"] == line["request_id"]
    assert len(line["request_id"]) == 16


def test_texts_are_in_the_log_only_when_asked_for(
    repository: Path, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    def call(server: RunningServer) -> None:
        fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS))
        batch = sentiment_pb2.ClassifyBatchRequest(model="sentiment", texts=["good", "bad"])
        server.sentiment.ClassifyBatch(batch, timeout=CALL_SECONDS)
        many = [sentiment_pb2.ClassifyStreamRequest(model="sentiment", text=f"text {index}") for index in range(70)]
        list(server.sentiment.ClassifyStream(iter(many), timeout=CALL_SECONDS))

    with serving(repository) as server:
        call(server)
    assert all("wording" not in line for line in lines(3))
    assert PROMPT not in str([each.__dict__ for each in caplog.records])
    caplog.clear()
    with serving(repository, log_text=True) as server:
        call(server)
    assert [line["wording"] for line in lines(3)] == [
        [PROMPT],
        ["good", "bad"],
        [f"text {index}" for index in range(64)],  # a stream has no end, a line must have one
    ]
