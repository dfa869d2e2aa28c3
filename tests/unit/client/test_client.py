"""The sync client against a server whose answers are known."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from tests.unit.client.fake_server import FakeServer, bad_request, echo, generated, refuse, retry_after

from ostinato.v1 import generation_pb2, sentiment_pb2
from ostinato_client import (
    Cancelled,
    Client,
    ConnectionFailed,
    DeadlineExceeded,
    FinishReason,
    InvalidRequest,
    ModelNotFound,
    ModelState,
    Overloaded,
    Refused,
    RepositoryEntry,
    Sentiment,
    ServerError,
    Task,
    Unavailable,
)


def test_generate_streams_chunks_in_order_then_the_summary(client: Client) -> None:
    stream = client.generate("ROMEO:", max_chars=8, seed=7)
    chunks = list(stream)
    assert [chunk.text for chunk in chunks] == list("ROMEO:RO")
    assert [chunk.position for chunk in chunks] == list(range(8))
    summary = stream.summary
    assert summary.text == "ROMEO:RO"
    assert summary.finish_reason is FinishReason.LENGTH
    assert (summary.model, summary.version, summary.seed) == ("char-lm", 3, 7)
    assert (summary.prompt_tokens, summary.generated_tokens) == (6, 8)
    assert summary.timings.time_to_first_token_seconds == 0.5


def test_text_collects_the_whole_stream_even_when_some_was_read(client: Client) -> None:
    stream = client.generate("abc")
    assert next(stream).text == "a"
    assert stream.text() == "abc"


def test_absent_arguments_stay_absent_and_given_ones_arrive(client: Client, fake: FakeServer) -> None:
    client.generate("a").text()
    client.generate("a", temperature=0.0, top_k=0, top_p=1.0, stop=["x", "y"], logprobs=True, version=2).text()
    bare, full = fake.requests
    assert not any(bare.sampling.HasField(name) for name in ("temperature", "top_k", "top_p", "seed"))
    assert not bare.stopping.HasField("max_tokens")
    assert full.sampling.HasField("temperature")
    assert (full.sampling.temperature, full.sampling.top_p) == (0.0, 1.0)
    assert list(full.stopping.stop) == ["x", "y"]
    assert (full.include_logprobs, full.version) == (True, 2)


def test_leaving_the_with_block_cancels_the_call_on_the_server(client: Client, fake: FakeServer) -> None:
    ended = threading.Event()

    def endless(request: Any, context: grpc.ServicerContext) -> Iterator[generation_pb2.GenerateResponse]:
        context.add_callback(ended.set)
        position = 0
        while not ended.is_set():
            yield generated("x", position)
            position += 1

    fake.generate = endless
    with client.generate("a") as stream:
        assert next(stream).text == "x"
    assert ended.wait(10)
    with pytest.raises(Cancelled):
        next(stream)
    with pytest.raises(Cancelled):
        _ = stream.summary


def test_cancelling_an_ended_stream_keeps_its_summary(client: Client) -> None:
    with client.generate("ab") as stream:
        assert stream.text() == "ab"
    stream.cancel()
    assert stream.summary.generated_tokens == 2


def test_a_stream_without_a_summary_is_the_servers_fault(client: Client, fake: FakeServer) -> None:
    fake.generate = lambda *_: iter([generated("x", 0)])
    stream = client.generate("a")
    assert [chunk.text for chunk in stream] == ["x"]
    with pytest.raises(ServerError, match="ended without a summary"):
        _ = stream.summary


def test_invalid_argument_names_the_field_and_the_limit(client: Client, fake: FakeServer) -> None:
    detail = bad_request("sampling.temperature", "must be from 0 to 100 (got 101)")
    fake.generate = lambda _, context: refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "refused", detail)
    with pytest.raises(InvalidRequest, match="refused") as caught:
        client.generate("a", temperature=101).text()
    (violation,) = caught.value.violations
    assert violation.field == "sampling.temperature"
    assert violation.description == "must be from 0 to 100 (got 101)"


def test_a_queue_that_stays_full_until_the_deadline_says_when_to_come_back(client: Client, fake: FakeServer) -> None:
    fake.classify = lambda _, context: refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "queue", retry_after(250))
    with pytest.raises(Overloaded) as caught:
        client.classify("good", timeout=0.2)
    assert caught.value.retry_after_seconds == 0.25
    assert fake.attempts == 1, "the deadline comes before the time to come back"


def test_unavailable_before_the_first_message_is_retried(client: Client, fake: FakeServer) -> None:
    def third_time(request: Any, context: grpc.ServicerContext) -> Iterator[generation_pb2.GenerateResponse]:
        if fake.attempts < 3:
            refuse(context, grpc.StatusCode.UNAVAILABLE, "draining", retry_after(1))
        return echo(request, context)

    fake.generate = third_time
    assert client.generate("abc").text() == "abc"
    assert fake.attempts == 3


def test_a_stream_that_did_not_tell_its_origin_is_never_repeated(client: Client, fake: FakeServer) -> None:
    def breaks(request: Any, context: grpc.ServicerContext) -> Iterator[generation_pb2.GenerateResponse]:
        yield generated("x", 0)
        refuse(context, grpc.StatusCode.UNAVAILABLE, "draining", retry_after(1))

    fake.generate = breaks
    stream = client.generate("abc")
    assert next(stream).text == "x"
    with pytest.raises(Unavailable) as caught:
        next(stream)
    assert not isinstance(caught.value, ConnectionFailed)
    assert fake.attempts == 1


def test_no_retries_when_told_so(fake: FakeServer) -> None:
    fake.classify = lambda _, context: refuse(context, grpc.StatusCode.UNAVAILABLE, "draining", retry_after(1))
    with Client(fake.target, retries=0) as client, pytest.raises(Unavailable, match="draining"):
        client.classify("good")
    assert fake.attempts == 1


def test_nobody_there_is_a_failed_connection(fake: FakeServer) -> None:
    fake.stop()
    with Client(fake.target, timeout=10) as client, pytest.raises(ConnectionFailed):
        client.models()


def test_the_deadline_reaches_the_server_and_ends_the_call(client: Client, fake: FakeServer) -> None:
    left: list[float] = []

    def waits(_: Any, context: grpc.ServicerContext) -> Any:
        left.append(context.time_remaining())
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait(10)
        return sentiment_pb2.ClassifyResponse()

    fake.classify = waits
    with pytest.raises(DeadlineExceeded):
        client.classify("good", timeout=1.0)
    assert 0 < left[0] < 2, "the client's default is 10"


def test_a_call_without_a_deadline_is_said_so(client: Client, fake: FakeServer) -> None:
    left: list[float | None] = []

    def answers(_: Any, context: grpc.ServicerContext) -> Any:
        left.append(context.time_remaining())
        return sentiment_pb2.ClassifyResponse()

    fake.classify = answers
    client.classify("good", timeout=math.inf)
    client.classify("good")
    assert left[0] is None or left[0] > 1e6
    assert left[1] is not None
    assert 5 < left[1] < 11


def test_classify_gives_both_probabilities_and_the_trace(client: Client) -> None:
    score = client.classify("a good film", trace=True)
    assert score.text == "a good film"
    assert score.sentiment is Sentiment.POSITIVE
    assert (score.positive_probability, score.negative_probability) == (0.75, 0.25)
    assert [point.token for point in score.trace] == ["a", "good", "film"]
    assert client.classify("bad").sentiment is Sentiment.NEGATIVE


def test_classify_batch_keeps_the_order(client: Client) -> None:
    scores = client.classify_batch(["good", "bad", "good"])
    assert [score.positive_probability for score in scores] == [0.75, 0.25, 0.75]
    assert [score.text for score in scores] == ["good", "bad", "good"]


def test_classify_batch_refuses_one_text_in_place_of_several(client: Client, fake: FakeServer) -> None:
    with pytest.raises(InvalidRequest, match="texts: must be a list"):
        client.classify_batch("good")
    assert fake.attempts == 0


def test_classify_batch_with_a_score_missing_is_the_servers_fault(client: Client, fake: FakeServer) -> None:
    fake.classify_batch = lambda *_: sentiment_pb2.ClassifyBatchResponse()
    with pytest.raises(ServerError, match="0 scores came back for 1 texts"):
        client.classify_batch(["good"])


def test_classify_stream_answers_in_order_from_any_iterable(client: Client) -> None:
    texts = (f"text {number} {'good' if number % 2 else 'bad'}" for number in range(50))
    scores = list(client.classify_stream(texts))
    assert [score.text.split()[1] for score in scores] == [str(number) for number in range(50)]
    assert {score.sentiment for score in scores[1::2]} == {Sentiment.POSITIVE}


def test_classify_stream_gives_the_scores_before_a_bad_text(client: Client) -> None:
    scores = client.classify_stream(["good", "bad", "", "good"])
    assert next(scores).text == "good"
    assert next(scores).text == "bad"
    with pytest.raises(InvalidRequest) as caught:
        next(scores)
    assert str(caught.value.violations[0]) == "text: must not be empty"


def test_classify_stream_raises_what_its_texts_raise(client: Client) -> None:
    def texts() -> Iterator[str]:
        yield "good"
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(client.classify_stream(texts()))


def test_translate_gives_tokens_then_the_whole_with_its_attention(client: Client) -> None:
    stream = client.translate("one two three", beam_size=2)
    tokens = list(stream)
    assert "".join(token.text for token in tokens) == "ONE TWO THREE"
    assert stream.source_tokens == ("one", "two", "three")
    translation = stream.result()
    assert translation.text == "ONE TWO THREE"
    assert translation.target_tokens == ("ONE", "TWO", "THREE")
    assert translation.attention is not None
    np.testing.assert_array_equal(translation.attention, np.full((3, 3), 0.25) + 0.25 * np.eye(3))
    assert not translation.attention.flags.writeable
    assert (translation.score, translation.version, translation.unknown_tokens) == (-1.5, 4, 1)


def test_translate_of_several_sentences_tells_them_apart(client: Client) -> None:
    stream = client.translate("one two\nthree")
    assert [(token.sentence, token.text) for token in stream] == [(0, "ONE"), (0, " TWO"), (1, "\nTHREE")]
    translation = stream.result()
    assert translation.text == "ONE TWO\nTHREE"
    assert [(each.source, each.text) for each in translation.sentences] == [("one two", "ONE TWO"), ("three", "THREE")]
    assert [(each.start, each.end) for each in translation.sentences] == [(0, 7), (8, 13)]
    assert [each.source_tokens for each in translation.sentences] == [("one", "two"), ("three",)]
    assert translation.source_tokens == ("one", "two", "three")
    assert (translation.score, translation.unknown_tokens, translation.finish_reason) == (-1.5, 2, "end_of_sequence")
    assert [each.attention.tolist() for each in translation.sentences if each.attention is not None] == [
        [[0.5, 0.5], [0.5, 0.5]],
        [[0.5]],
    ]
    assert translation.attention is not None
    assert translation.attention.tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 0.5]]


def test_translate_without_attention_has_none(client: Client) -> None:
    assert client.translate("one two", attention=False).result().attention is None


def test_models_are_described_in_full(client: Client) -> None:
    (model,) = client.models()
    assert model == client.model("char-lm")
    assert (model.name, model.task, model.limits.max_new_tokens) == ("char-lm", Task.GENERATION, 5000)
    assert model.tokenizer.unknown_token == "?"
    assert model.graphs[0].outputs[0].shape == (-1, 512)
    assert model.evaluations[0].value == 1.5
    assert model.architecture == {"hidden_size": "512"}


def test_an_unknown_model_is_not_found(client: Client) -> None:
    with pytest.raises(ModelNotFound, match="no model nobody"):
        client.model("nobody")


def test_models_are_loaded_and_unloaded(client: Client, fake: FakeServer) -> None:
    assert client.load_model("char-lm") == [client.model("char-lm")]
    assert client.unload_model("char-lm", version=3) == []
    load, _, unload = fake.requests
    assert (load.model, load.HasField("version")) == ("char-lm", False)
    assert (unload.model, unload.version) == ("char-lm", 3)


def test_refused_model_says_why(client: Client) -> None:
    with pytest.raises(Refused, match=r"version 4 is refused: step\.onnx: is no graph"):
        client.load_model("char-lm", version=4)
    assert client.repository() == [
        RepositoryEntry("char-lm", 3, ModelState.LOADED, ""),
        RepositoryEntry("char-lm", 4, ModelState.REFUSED, "step.onnx: is no graph"),
    ]


def test_wait_until_ready_returns_at_the_servers_word(client: Client, fake: FakeServer) -> None:
    fake.set_serving(False)
    assert not client.is_ready()
    turn = threading.Timer(0.05, fake.set_serving, [True])
    turn.start()
    client.wait_until_ready(timeout=10)
    turn.join()
    assert client.is_ready()


def test_wait_until_ready_gives_up_in_time(client: Client, fake: FakeServer) -> None:
    fake.set_serving(False)
    with pytest.raises(DeadlineExceeded, match=r"not ready within 0\.1 s"):
        client.wait_until_ready(timeout=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timeout": 0}, "timeout must be above 0"),
        ({"timeout": math.nan}, "timeout must be above 0"),
        ({"retries": 5}, "retries must be from 0 to 4"),
        ({"keepalive_seconds": 0}, "keepalive_seconds must be above 0"),
    ],
)
def test_nonsense_settings_are_refused_when_the_client_is_made(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Client("localhost:1", **arguments)


def test_priority_and_client_id_arrive(fake: FakeServer) -> None:
    seen: list[tuple[str, str | bytes]] = []

    def handler(request: generation_pb2.GenerateRequest, context: grpc.ServicerContext) -> Iterator[Any]:
        seen.extend((key, value) for key, value in context.invocation_metadata() if key == "ostinato-client-id")
        yield from echo(request, context)

    fake.generate = handler
    with Client(fake.target, client_id="tenant-7") as named:
        named.generate("a", priority="low").text()
    assert seen == [("ostinato-client-id", "tenant-7")]
    assert fake.requests[-1].priority == generation_pb2.PRIORITY_LOW


@pytest.mark.parametrize("client_id", ["", "x" * 129, "naïve", "line\nbreak"])
def test_client_id_that_metadata_cannot_hold_is_refused(client_id: str) -> None:
    with pytest.raises(ValueError, match="client_id"):
        Client(client_id=client_id)


def test_unknown_priority_is_refused_before_anything_is_sent(client: Client, fake: FakeServer) -> None:
    with pytest.raises(InvalidRequest, match="priority: must be high, normal or low"):
        client.generate("a", priority="urgent")  # type: ignore[arg-type]
    assert not fake.requests
