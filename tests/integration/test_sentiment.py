from collections.abc import Iterator
from functools import partial

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.harness import CALL_SECONDS, RunningServer, together, violation

from ostinato.v1 import sentiment_pb2 as pb

TEXTS = [
    "a warm and funny film .",
    "not good at all",
    "dull",
    "the story is long , the actors are tired , and nothing in it is worth the time it takes",
]


def classify(server: RunningServer, text: str, *, include_trace: bool = False) -> pb.SentimentScore:
    request = pb.ClassifyRequest(model="sentiment", text=text, include_trace=include_trace)
    return server.sentiment.Classify(request, timeout=CALL_SECONDS).score


def stream(server: RunningServer, requests: list[pb.ClassifyStreamRequest]) -> Iterator[pb.ClassifyStreamResponse]:
    return server.sentiment.ClassifyStream(iter(requests), timeout=CALL_SECONDS)


def test_probabilities_sum_to_one_and_the_class_is_the_likelier_one(server: RunningServer) -> None:
    for text in TEXTS:
        score = classify(server, text)
        assert score.positive_probability + score.negative_probability == pytest.approx(1, abs=1e-6)
        positive = score.positive_probability >= score.negative_probability
        assert score.sentiment == (pb.SENTIMENT_POSITIVE if positive else pb.SENTIMENT_NEGATIVE)
        assert (score.model, score.version) == ("sentiment", 1)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(TEXTS) | st.text("abc .", min_size=1).filter(str.strip), min_size=2, max_size=40))
def test_text_scores_the_same_alone_in_a_batch_and_among_others(any_artifact: RunningServer, texts: list[str]) -> None:
    batch = pb.ClassifyBatchRequest(model="sentiment", texts=texts)
    scores = list(any_artifact.sentiment.ClassifyBatch(batch, timeout=CALL_SECONDS).scores)
    assert scores == [classify(any_artifact, text) for text in texts]
    assert scores == together([partial(classify, any_artifact, text) for text in texts])


def test_stream_answers_in_the_order_of_the_requests(server: RunningServer) -> None:
    requests = [pb.ClassifyStreamRequest(model="sentiment", text=TEXTS[0], request_id="0")]
    requests += [pb.ClassifyStreamRequest(text=TEXTS[n % 4], request_id=str(n)) for n in range(1, 200)]
    responses = list(stream(server, requests))
    assert [(response.request_id, response.sequence_number) for response in responses] == [
        (str(n), n) for n in range(200)
    ]
    expected = [classify(server, text) for text in TEXTS]
    assert [response.score for response in responses] == [expected[n % 4] for n in range(200)]


def test_bad_text_ends_the_stream_after_the_answers_before_it(server: RunningServer) -> None:
    requests = [pb.ClassifyStreamRequest(model="sentiment", text=text) for text in ("good", "bad", "", "never read")]
    responses = stream(server, requests)
    assert [next(responses).sequence_number, next(responses).sequence_number] == [0, 1]
    with pytest.raises(grpc.RpcError) as caught:
        next(responses)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value) == ("text", "must not be empty")


def test_stream_to_an_unknown_model_is_not_found(server: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        next(stream(server, [pb.ClassifyStreamRequest(model="nobody", text="x")]))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_trace_ends_with_the_score_of_the_whole_text(server: RunningServer) -> None:
    plain = classify(server, TEXTS[1])
    assert not plain.trace
    traced = classify(server, TEXTS[1], include_trace=True)
    assert len(traced.trace) == traced.token_count
    assert traced.trace[-1].positive_probability == plain.positive_probability
    assert {point.positive_probability for point in traced.trace} != {plain.positive_probability}


@pytest.mark.parametrize(
    ("texts", "field", "words"),
    [
        ([], "texts", "1 to"),
        (["fine"] * 5000, "texts", "not 5000"),
        (["fine", ""], "texts[1]", "must not be empty"),
        (["fine", "fine", "x" * 1_000_000], "texts[2]", "at most"),
    ],
    ids=["none", "too many", "empty", "too long"],
)
def test_bad_batch_is_refused_whole_naming_the_text(
    server: RunningServer, texts: list[str], field: str, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.sentiment.ClassifyBatch(pb.ClassifyBatchRequest(model="sentiment", texts=texts), timeout=CALL_SECONDS)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    named, description = violation(caught.value)
    assert named == field
    assert words in description


def test_traces_are_for_small_batches(server: RunningServer) -> None:
    request = pb.ClassifyBatchRequest(model="sentiment", texts=["fine"] * 16, include_trace=True)
    assert all(score.trace for score in server.sentiment.ClassifyBatch(request, timeout=CALL_SECONDS).scores)
    request.texts.append("fine")
    with pytest.raises(grpc.RpcError) as caught:
        server.sentiment.ClassifyBatch(request, timeout=CALL_SECONDS)
    assert violation(caught.value) == ("include_trace", "needs a batch of at most 16 texts, not 17")
