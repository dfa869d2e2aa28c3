from pathlib import Path

import grpc
import pytest
from tests.integration.conversation import Dialogue, until
from tests.integration.harness import CALL_SECONDS, RunningServer, serving, violation

from ostinato.v1 import sentiment_pb2 as pb

Request = pb.ClassifyIncrementalRequest
Typing = Dialogue[Request, pb.ClassifyIncrementalResponse]


def score_of(server: RunningServer, text: str) -> pb.SentimentScore:
    return server.sentiment.Classify(pb.ClassifyRequest(model="sentiment", text=text), timeout=CALL_SECONDS).score


def test_each_score_is_that_of_the_text_so_far(server: RunningServer) -> None:
    typing: Typing = Dialogue(server.sentiment.ClassifyIncremental)
    changes = [
        (0, "not", "not"),
        (0, " good", "not good"),
        (8, "", ""),
        (0, "  ", "  "),
        (1, "a film", " a film"),
    ]
    for number, (deleted, appended, text) in enumerate(changes, 1):
        model = "sentiment" if number == 1 else ""
        typing.send(Request(model=model, deleted_characters=deleted, appended_text=appended))
        response = typing.read()
        assert response.change_count == number
        assert response.HasField("score") == bool(text.strip())
        if text.strip():
            assert response.score == score_of(server, text)
    typing.close()


def test_changes_that_come_faster_than_scores_share_them_and_the_last_one_has_its_own(server: RunningServer) -> None:
    text = "a warm and funny film , not dull at all"
    pieces = iter([Request(model="sentiment"), *(Request(appended_text=character) for character in text)])
    responses = list(server.sentiment.ClassifyIncremental(pieces, timeout=CALL_SECONDS))
    counts = [response.change_count for response in responses]
    assert counts == sorted(set(counts))
    assert counts[-1] == len(text) + 1
    assert responses[-1].score == score_of(server, text)
    for response in responses:
        if response.HasField("score"):
            assert response.score == score_of(server, text[: response.change_count - 1])


@pytest.mark.parametrize(
    ("requests", "field", "words"),
    [
        ([Request(appended_text="good")], "model", "must"),
        ([Request(model="sentiment", deleted_characters=1)], "deleted_characters", "must be at most 0"),
        ([Request(model="sentiment", appended_text="a" * 1_000_000)], "appended_text", "not 1000000"),
        ([Request(model="sentiment", appended_text="a " * 9000)], "appended_text", "tokens"),
        ([Request(model="sentiment"), Request(model="sentiment")], "model", "first message only"),
        ([Request(model="sentiment"), Request(version=1)], "model", "first message only"),
    ],
)
def test_bad_change_ends_the_stream_naming_the_field(
    server: RunningServer, requests: list[pb.ClassifyIncrementalRequest], field: str, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        list(server.sentiment.ClassifyIncremental(iter(requests), timeout=CALL_SECONDS))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    named, description = violation(caught.value)
    assert named == field
    assert words in description


def test_score_of_what_came_before_a_bad_change_is_still_given(server: RunningServer) -> None:
    typing: Typing = Dialogue(server.sentiment.ClassifyIncremental)
    typing.send(Request(model="sentiment", appended_text="good"))
    assert typing.read().score == score_of(server, "good")
    typing.send(Request(deleted_characters=5))
    assert violation(typing.failure())[0] == "deleted_characters"


def test_typing_that_stops_ends_the_session_and_says_so(repository: Path) -> None:
    with serving(repository, session_idle_seconds=0.05) as server:
        typing: Typing = Dialogue(server.sentiment.ClassifyIncremental)
        typing.send(Request(model="sentiment", appended_text="good"))
        typing.read()
        assert typing.failure().code() is grpc.StatusCode.DEADLINE_EXCEEDED
        until(lambda: server.scrape()["ostinato_sessions_open", ()] == 0)


def test_text_that_is_being_typed_is_a_session(repository: Path) -> None:
    with serving(repository, max_sessions=1) as server:
        typing: Typing = Dialogue(server.sentiment.ClassifyIncremental)
        typing.send(Request(model="sentiment", appended_text="good"))
        typing.read()
        refused: Typing = Dialogue(server.sentiment.ClassifyIncremental)
        assert refused.failure().code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        typing.close()
