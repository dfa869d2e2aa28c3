"""Requests out, chunks in: the pure halves of every call."""

from __future__ import annotations

import json
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.v1 import generation_pb2, models_pb2, sentiment_pb2, translation_pb2
from ostinato.v1 import translation_pb2 as pb
from ostinato_client import FinishReason, InvalidRequest, Sentiment, ServerError, calls, requests
from ostinato_client.channels import CONVERSATIONS, channel_options, check_timeout, deadline, service_config, wait_limit
from ostinato_client.generation import GenerationFold, finish_reason_from
from ostinato_client.requests import MAX_UINT32, MAX_UINT64
from ostinato_client.sentiment import SentimentFold, TypingFold, score_from
from ostinato_client.translation import TranslationFold

texts = st.text(st.characters(codec="utf-8"), max_size=8)
weights = st.floats(0, 1, width=32)


@given(st.lists(texts), st.integers(0, MAX_UINT64), st.sampled_from(generation_pb2.FinishReason.values()))
def test_a_generated_text_is_its_chunks_joined(pieces: list[str], seed: int, reason: int) -> None:
    fold = GenerationFold(generation_pb2.GenerateRequest())
    for position, piece in enumerate(pieces):
        message = generation_pb2.GenerateResponse()
        message.chunk.text, message.chunk.position = piece, position
        (chunk,) = fold.feed(message)
        assert (chunk.text, chunk.position) == (piece, position)
    end = generation_pb2.GenerateResponse()
    end.summary.seed, end.summary.finish_reason = seed, reason  # type: ignore[assignment]
    assert fold.feed(end) == ()
    summary = fold.finish()
    assert (summary.text, summary.seed) == ("".join(pieces), seed)
    assert summary.finish_reason is finish_reason_from(reason)


def test_token_details_and_alternatives_come_through() -> None:
    alternative = generation_pb2.TokenAlternative(text="b", token_id=2, logprob=-2.0)
    token = generation_pb2.TokenDetail(text="a", token_id=1, logprob=-1.0, alternatives=[alternative])
    chunk = generation_pb2.GeneratedChunk(text="a", token_count=1, tokens=[token])
    (folded,) = GenerationFold(generation_pb2.GenerateRequest()).feed(generation_pb2.GenerateResponse(chunk=chunk))
    assert folded.tokens[0].logprob == -1.0
    assert folded.tokens[0].alternatives[0].text == "b"


def test_what_a_newer_server_may_send_is_passed_over() -> None:
    assert GenerationFold(generation_pb2.GenerateRequest()).feed(generation_pb2.GenerateResponse()) == ()
    assert TranslationFold(translation_pb2.TranslateRequest()).feed(translation_pb2.TranslateResponse()) == ()
    assert finish_reason_from(99) is FinishReason.UNSPECIFIED
    assert score_from("x", sentiment_pb2.SentimentScore()).sentiment is Sentiment.UNSPECIFIED


@given(st.data(), st.integers(0, 5), st.integers(1, 5), st.integers(1, 3))
def test_attention_rows_stack_whatever_the_chunking(
    data: st.DataObject, target: int, source: int, per_chunk: int
) -> None:
    rows = [data.draw(st.lists(weights, min_size=source, max_size=source)) for _ in range(target)]
    fold = TranslationFold(translation_pb2.TranslateRequest())
    start = translation_pb2.SourceSentence(tokens=[str(column) for column in range(source)])
    assert fold.feed(translation_pb2.TranslateResponse(source=start)) == ()
    tokens = [translation_pb2.TargetToken(token=f"t{index}", attention=row) for index, row in enumerate(rows)]
    for first in range(0, target, per_chunk):
        chunk = translation_pb2.TargetChunk(tokens=tokens[first : first + per_chunk])
        given_out = fold.feed(translation_pb2.TranslateResponse(chunk=chunk))
        assert [token.token for token in given_out] == [token.token for token in chunk.tokens]
    fold.feed(translation_pb2.TranslateResponse(sentence=translation_pb2.SentenceSummary()))
    fold.feed(translation_pb2.TranslateResponse(summary=translation_pb2.TranslationSummary(text="x")))
    translation = fold.finish()
    assert translation.target_tokens == tuple(f"t{index}" for index in range(target))
    assert (translation.attention.tolist() if translation.attention is not None else []) == rows


@pytest.mark.parametrize("second_row", [[], [1.0]])
def test_a_ragged_attention_is_the_servers_fault(second_row: list[float]) -> None:
    fold = TranslationFold(translation_pb2.TranslateRequest())
    fold.feed(translation_pb2.TranslateResponse(source=translation_pb2.SourceSentence(tokens=["a", "b"])))
    rows = [[0.5, 0.5], second_row]
    chunk = translation_pb2.TargetChunk(tokens=[translation_pb2.TargetToken(attention=row) for row in rows])
    fold.feed(translation_pb2.TranslateResponse(chunk=chunk))
    fold.feed(translation_pb2.TranslateResponse(sentence=translation_pb2.SentenceSummary()))
    fold.feed(translation_pb2.TranslateResponse(summary=translation_pb2.TranslationSummary()))
    with pytest.raises(ServerError, match="one weight per source token"):
        fold.finish()


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([pb.TranslateResponse(source=pb.SourceSentence(sentence=1))], "of sentence 1 came where 0 was due"),
        ([pb.TranslateResponse(chunk=pb.TargetChunk())], "of sentence 0 came where -1 was due"),
        (
            [
                pb.TranslateResponse(source=pb.SourceSentence()),
                pb.TranslateResponse(sentence=pb.SentenceSummary(sentence=1)),
            ],
            "of sentence 1 came where 0 was due",
        ),
        ([pb.TranslateResponse(summary=pb.TranslationSummary())], "without a source"),
        ([pb.TranslateResponse(source=pb.SourceSentence())], "without a summary"),
        (
            [pb.TranslateResponse(source=pb.SourceSentence()), pb.TranslateResponse(summary=pb.TranslationSummary())],
            "without the end of sentence 0",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sentence_out_of_turn_or_missing_is_the_servers_fault(messages: list[pb.TranslateResponse], words: str) -> None:
    fold = TranslationFold(pb.TranslateRequest())

    def fold_all() -> None:
        for message in messages:
            fold.feed(message)
        fold.finish()

    with pytest.raises(ServerError, match=words):
        fold_all()


@given(st.lists(texts, max_size=6))
def test_each_score_gets_its_text_back(sentences: list[str]) -> None:
    fold = SentimentFold(model="sentiment", version=None, trace=False)
    sent = [fold.send(text) for text in sentences]
    answers = [sentiment_pb2.ClassifyStreamResponse(request_id=each.request_id) for each in sent]
    assert [score.text for answer in answers for score in fold.feed(answer)] == sentences
    assert fold.finish() == len(sentences)


def test_a_score_out_of_turn_or_missing_is_the_servers_fault() -> None:
    fold = SentimentFold(model="sentiment", version=None, trace=False)
    fold.send("a")
    with pytest.raises(ServerError, match="where text 0 was due"):
        fold.feed(sentiment_pb2.ClassifyStreamResponse(request_id="1"))
    with pytest.raises(ServerError, match="after 0 of 1 scores"):
        fold.finish()


@given(st.integers())
def test_a_version_fits_its_field_or_is_refused_by_name(version: int) -> None:
    if 0 <= version <= MAX_UINT32:
        assert requests.get_model_request("m", version=version).version == version
    else:
        with pytest.raises(InvalidRequest) as caught:
            requests.get_model_request("m", version=version)
        assert caught.value.violations[0].field == "version"


def test_text_that_is_not_unicode_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="at character 1"):
        requests.classify_request("a\udcff", model="sentiment", version=None, trace=False)


def test_every_path_is_in_the_contract() -> None:
    files = (generation_pb2, sentiment_pb2, translation_pb2, models_pb2)
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    contract = {f"/{service.full_name}/{method.name}" for service in services for method in service.methods}
    used = {calls.GENERATE, calls.CLASSIFY, calls.CLASSIFY_BATCH, calls.CLASSIFY_STREAM, calls.TRANSLATE}
    used |= {calls.LIST_MODELS, calls.GET_MODEL, calls.LIST_REPOSITORY, calls.LOAD_MODEL, calls.UNLOAD_MODEL}
    used |= {calls.GENERATE_SESSION, calls.CLASSIFY_INCREMENTAL}
    assert used == contract
    conversations = {
        (service.full_name, method.name)
        for service in services
        for method in service.methods
        if method.client_streaming
    }
    assert conversations == set(CONVERSATIONS)


def test_the_service_config_retries_unavailable_with_a_throttle() -> None:
    config = json.loads(service_config(3))
    (method,) = config["methodConfig"]
    assert method["retryPolicy"]["maxAttempts"] == 4
    assert method["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert config["retryThrottling"] == {"maxTokens": 10, "tokenRatio": 0.1}
    assert json.loads(service_config(0)) == {"loadBalancingConfig": [{"pick_first": {}}]}
    assert json.loads(service_config(0, "round_robin")) == {"loadBalancingConfig": [{"round_robin": {}}]}


def test_keepalive_pings_as_often_as_asked() -> None:
    assert "grpc.keepalive_time_ms" not in dict(channel_options("a:1", retries=0, keepalive_seconds=None))
    assert dict(channel_options("a:1", retries=0, keepalive_seconds=2.5))["grpc.keepalive_time_ms"] == 2500


def test_a_deadline_is_the_calls_own_or_the_clients() -> None:
    assert deadline(None, 60.0) == 60.0
    assert deadline(2.0, 60.0) == 2.0
    assert deadline(math.inf, 60.0) is None


@pytest.mark.parametrize("seconds", [1e9, 7.5e9, 1e10, 1e12, 1e300, math.inf])
def test_a_timeout_longer_than_grpc_can_count_is_none(seconds: float) -> None:
    assert deadline(seconds, 60.0) is None
    assert deadline(None, seconds) is None
    assert wait_limit(seconds) == math.inf


@pytest.mark.parametrize("seconds", [0, -1.0, -math.inf, math.nan, "5", True * 0])
def test_a_timeout_that_is_not_a_number_above_0_is_an_invalid_request(seconds: float) -> None:
    with pytest.raises(InvalidRequest, match="timeout must be above 0 seconds") as caught:
        deadline(seconds, 60.0)
    assert caught.value.violations[0].field == "timeout"
    with pytest.raises(ValueError, match="timeout must be above 0 seconds"):
        check_timeout(seconds)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, None])
def test_a_wait_for_less_than_no_time_is_an_invalid_request(seconds: float) -> None:
    with pytest.raises(InvalidRequest, match="timeout must not be below 0"):
        wait_limit(seconds)


@given(st.lists(st.text("ab", max_size=6), min_size=1), st.data())
def test_changes_of_a_typed_text_make_it_and_scores_find_theirs(typed: list[str], data: st.DataObject) -> None:
    fold = TypingFold(model="sentiment", version=2)
    text, requests_sent = "", []
    for wanted in typed:
        request = fold.send(wanted)
        text = text[: len(text) - request.deleted_characters] + request.appended_text
        assert text == wanted
        requests_sent.append(request)
    assert [(each.model, each.HasField("version")) for each in requests_sent] == [("sentiment", True)] + [
        ("", False) for _ in typed[1:]
    ]
    counts = sorted({*data.draw(st.lists(st.integers(1, len(typed)))), len(typed)})
    for count in counts:
        response = sentiment_pb2.ClassifyIncrementalResponse(change_count=count, score=sentiment_pb2.SentimentScore())
        (score,) = fold.feed(response)
        assert score.text == typed[count - 1]
    assert fold.finish() == len(typed)


def test_scores_of_a_typed_text_that_cannot_be_are_the_servers_fault() -> None:
    fold = TypingFold(model="sentiment", version=None)
    fold.send("good")
    for count in (0, 2):
        with pytest.raises(ServerError, match=f"a score for change {count} came back after that for 0"):
            fold.feed(sentiment_pb2.ClassifyIncrementalResponse(change_count=count))
    with pytest.raises(ServerError, match="before the score for change 1"):
        fold.finish()


def test_long_text_takes_the_memory_of_its_characters() -> None:
    fold = GenerationFold(generation_pb2.GenerateRequest())
    length = 30_000
    tracemalloc.start()
    try:
        for position in range(length):
            message = generation_pb2.GeneratedChunk(text=f"{position % 10}x", position=position, token_count=1)
            fold.feed(generation_pb2.GenerateResponse(chunk=message))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    fold.feed(generation_pb2.GenerateResponse(summary=generation_pb2.GenerationSummary()))
    assert len(fold.finish().text) == 2 * length
    assert held < 16 * length
