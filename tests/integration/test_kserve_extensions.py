"""Triton's extensions of the Open Inference Protocol, as NVIDIA's client asks for them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tests.integration.conversation import until
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, serving
from tests.integration.test_kserve import (
    PROMPT,
    SETTINGS,
    infer,
    native_text,
    native_translation,
    output,
    refused,
    request,
    stream,
    texts_of,
)

from ostinato.inference import grpc_service_pb2 as pb


def column(asked: pb.ModelInferRequest) -> pb.ModelInferRequest:
    """The same request with its texts in shape [N, 1], as a client of a model with a batch dimension sends them."""
    asked.inputs[0].shape.append(1)
    return asked


@pytest.mark.parametrize("raw", [False, True])
def test_texts_in_a_column_have_their_answers_in_a_column(server: RunningServer, raw: bool) -> None:
    texts = ["good", "not good at all", "dull"]
    row = infer(server, request("sentiment", "text", texts, raw=raw))
    answer = infer(server, column(request("sentiment", "text", texts, raw=raw)))
    assert [(each.name, list(each.shape)) for each in answer.outputs] == [("probabilities", [3, 2]), ("label", [3, 1])]
    assert answer.raw_output_contents == row.raw_output_contents
    assert [each.contents for each in answer.outputs] == [each.contents for each in row.outputs]
    sentences = ["the cat sees the dog", "a dog"]
    translated = infer(server, column(request("translation-en-fr", "text", sentences, max_tokens=10)))
    assert list(output(translated, "translation").shape) == [2, 1]
    assert texts_of(translated, "translation") == [native_translation(server, text)[1] for text in sentences]


def test_prompt_and_options_in_a_column_are_those_of_a_row(server: RunningServer) -> None:
    asked = column(request("char-lm", "prompt", [PROMPT], seed=7, temperature=0.8, top_k=20))
    contents = pb.InferTensorContents(int_contents=[24])
    asked.inputs.add(name="max_tokens", datatype="INT32", shape=[1, 1], contents=contents)
    answer = infer(server, asked)
    assert texts_of(answer, "text") == [native_text(server)]
    assert [list(each.shape) for each in answer.outputs] == [[1, 1]] * 3
    *pieces, last = (each.infer_response for each in stream(server, asked))
    assert "".join(texts_of(each, "text")[0] for each in pieces) == native_text(server)
    assert list(output(last, "finish_reason").shape) == [1, 1]


def classified(texts: list[str], count: int, *, name: str = "probabilities", **options: Any) -> pb.ModelInferRequest:
    asked = request("sentiment", "text", texts, outputs=(name,), **options)
    asked.outputs[0].parameters["classification"].int64_param = count
    return asked


@pytest.mark.parametrize("count", [1, 2])
def test_classification_gives_the_most_probable_classes(server: RunningServer, count: int) -> None:
    texts = ["good", "not good at all", "dull"]
    answer = infer(server, classified(texts, count))
    (given,) = answer.outputs
    assert (given.name, given.datatype, list(given.shape)) == ("probabilities", "BYTES", [3, count])
    plain = output(infer(server, request("sentiment", "text", texts)), "probabilities").contents.fp32_contents
    expected = []
    for values in np.array(plain, np.float32).reshape(3, 2):
        ranked = sorted(enumerate(values.tolist()), key=lambda each: -each[1])[:count]
        expected += [f"{value:f}:{index}:{('negative', 'positive')[index]}" for index, value in ranked]
    assert texts_of(answer, "probabilities") == expected


def test_classification_may_be_raw_and_in_a_stream(server: RunningServer) -> None:
    asked = column(classified(["good", "dull"], 2, raw=True))
    whole = infer(server, asked)
    assert list(whole.outputs[0].shape) == [2, 2]
    assert whole.raw_output_contents[0].count(b":negative") == 2
    (only,) = stream(server, asked)
    assert only.infer_response.raw_output_contents == whole.raw_output_contents


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        (classified(["fine"], 0), "probabilities classification", "must be between 1 and 2, not 0"),
        (classified(["fine"], 3), "probabilities classification", "must be between 1 and 2, not 3"),
        (classified(["fine"], 1, name="label"), "label", "holds no classes to rank; probabilities does"),
    ],
)
def test_classification_that_cannot_be_is_refused(
    server: RunningServer, asked: pb.ModelInferRequest, field: str, words: str
) -> None:
    assert refused(server, asked) == (field, words)


def test_unknown_parameter_of_an_output_is_named(server: RunningServer) -> None:
    asked = request("sentiment", "text", ["fine"], outputs=("probabilities",))
    asked.outputs[0].parameters["shared_memory_region"].string_param = "region"
    field, words = refused(server, asked)
    assert (field, words) == (
        "probabilities shared_memory_region",
        "is no parameter of an output; it takes classification",
    )
    asked = request("char-lm", "prompt", ["x"], outputs=("text",))
    asked.outputs[0].parameters["classification"].int64_param = 1
    assert refused(server, asked) == ("text", "holds no classes to rank; no output of this model does")


@pytest.mark.parametrize("priority", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "asked",
    [
        request("char-lm", "prompt", [PROMPT], **SETTINGS),
        request("sentiment", "text", ["fine"]),
        request("translation-en-fr", "text", ["a dog"]),
    ],
    ids=["generation", "sentiment", "translation"],
)
def test_priority_and_timeout_change_no_answer(
    server: RunningServer, asked: pb.ModelInferRequest, priority: int
) -> None:
    plain = infer(server, asked)
    hurried = pb.ModelInferRequest()
    hurried.CopyFrom(asked)
    hurried.parameters["priority"].uint64_param = priority
    hurried.parameters["timeout"].int64_param = 50_000_000
    assert infer(server, hurried).outputs == plain.outputs
    hurried.parameters["timeout"].int64_param = 0  # none
    assert infer(server, hurried).outputs == plain.outputs


def test_request_of_a_higher_priority_goes_first(repository: Path) -> None:
    """There is one slot, and it is held until all three wait."""
    with serving(repository, max_concurrency=1, window=1_000_000) as small:
        holder = small.generation.Generate(continued(1_000_000), timeout=CALL_SECONDS)
        next(holder)
        ended: list[str] = []

        def note(name: str, _: object) -> None:
            ended.append(name)

        calls = []
        for name, level in (("low", 3), ("default", 0), ("high", 1)):
            asked = request("char-lm", "prompt", [PROMPT], max_tokens=2, priority=level)
            call = small.inference.ModelInfer.future(asked, timeout=CALL_SECONDS)
            call.add_done_callback(partial(note, name))
            calls.append(call)
            until(lambda: waiting(small) == len(calls))
        holder.cancel()
        for call in calls:
            call.result(CALL_SECONDS)
        until(lambda: len(ended) == 3)
    assert ended == ["high", "default", "low"]


def waiting(server: RunningServer) -> float:
    return sum(value for (name, _), value in server.scrape().items() if name == "ostinato_requests_waiting")


def test_timeout_in_microseconds_ends_its_request_and_no_other(server: RunningServer) -> None:
    long = request("char-lm", "prompt", [PROMPT], max_tokens=1_000_000, timeout=200_000)
    with pytest.raises(grpc.RpcError) as caught:
        infer(server, long)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    beside = request("char-lm", "prompt", [PROMPT], **SETTINGS)
    beside.id = "beside"
    answers = list(stream(server, long, beside))
    errors = [each for each in answers if each.error_message]
    assert [each.infer_response.id for each in errors] == ["42"]
    assert "deadline" in errors[0].error_message
    assert "".join(
        text
        for each in answers
        if each.infer_response.id == "beside" and each.infer_response.outputs[0].name == "text"
        for text in texts_of(each.infer_response, "text")
    ) == native_text(server)


def test_timeout_does_not_lengthen_the_deadline_of_the_call(server: RunningServer) -> None:
    long = request("char-lm", "prompt", [PROMPT], max_tokens=1_000_000, timeout=50_000_000)
    with pytest.raises(grpc.RpcError) as caught:
        server.inference.ModelInfer(long, timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
