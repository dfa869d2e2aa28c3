from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.conversation import Conversation, until
from tests.integration.harness import (
    CALL_SECONDS,
    RunningServer,
    generate,
    retry_seconds,
    serving,
    together,
    violation,
)

from ostinato.v1 import generation_pb2 as pb
from ostinato.v1 import models_pb2

FED = st.text("The cat\n.", min_size=1, max_size=60)


def written(server: RunningServer, prompt: str, *, seed: int = 1, most: int = 20) -> str:
    """What one request writes after a prompt."""
    request = pb.GenerateRequest(
        model="char-lm",
        prompt=prompt,
        sampling=pb.SamplingParameters(seed=seed),
        stopping=pb.StoppingParameters(max_tokens=most),
    )
    return generate(server, request).text


def sessions_open(server: RunningServer) -> float:
    return server.scrape()["ostinato_sessions_open", ()]


def running(server: RunningServer) -> float:
    return server.scrape()["ostinato_requests_running", (("model", "char-lm"),)]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(FED, st.integers(0, 2**64 - 1), st.integers(0, 40)), min_size=1, max_size=4))
def test_turn_writes_what_one_request_with_the_whole_conversation_writes(
    server: RunningServer, turns: list[tuple[str, int, int]]
) -> None:
    assert server.models.GetModel(model_request(), timeout=CALL_SECONDS).model.runtime == "onnx-int8"
    conversation = Conversation(server)
    so_far = ""
    for text, seed, most in turns:
        answer = conversation.turn(text, seed=seed, most=most)
        so_far += text
        if most:
            assert answer.text == written(server, so_far, seed=seed, most=most)
        assert answer.summary.generated_tokens == most
        so_far += answer.text
    conversation.close()


def test_turns_of_many_sessions_side_by_side_are_those_of_each_alone(server: RunningServer) -> None:
    def talk(seed: int) -> list[str]:
        conversation = Conversation(server)
        texts = [conversation.turn(text, seed=seed, most=60).text for text in ("The cat", " and ", "the dog")]
        conversation.close()
        return texts

    alone = [talk(seed) for seed in range(8)]
    assert together([lambda seed=seed: talk(seed) for seed in range(8)]) == alone  # type: ignore[misc]
    assert len({tuple(texts) for texts in alone}) == 8


def test_turn_tells_only_its_own_text_and_counts_from_nought(server: RunningServer) -> None:
    conversation = Conversation(server, include_logprobs=True, top_alternatives=2)
    conversation.turn("The cat", seed=4)
    second = conversation.turn(" sat", seed=5, most=7)
    summary = second.summary
    assert (summary.prompt_tokens, summary.generated_tokens, summary.seed) == (4, 7, 5)
    assert second.chunks[0].origin == pb.StreamOrigin(version=1, seed=5)
    assert [len(token.alternatives) for chunk in second.chunks for token in chunk.tokens] == [2] * 7
    conversation.close()


def test_withheld_stop_text_belongs_to_the_conversation(server: RunningServer) -> None:
    whole = written(server, "The cat", most=40)
    stop = whole[10:13]
    conversation = Conversation(server)
    first = conversation.turn("The cat", most=40, stop=(stop,))
    assert first.text + first.summary.withheld_text == whole[: whole.index(stop) + 3]
    second = conversation.turn(" and", seed=9)
    told = "The cat" + first.text + first.summary.withheld_text + " and"
    assert second.text == written(server, told, seed=9)
    conversation.close()


def test_turns_sent_ahead_are_answered_in_turn_and_closing_ends_the_session_after_them(server: RunningServer) -> None:
    conversation = Conversation(server)
    for text in ("The cat", "", ""):
        conversation.begin(text)
    answers = [conversation.answer().text for _ in range(3)]
    conversation.close()
    assert answers[0] == written(server, "The cat")
    assert answers[2] == written(server, "The cat" + answers[0] + answers[1])
    assert conversation.call.code() is grpc.StatusCode.OK


def test_conversation_may_grow_beyond_what_one_prompt_may_hold(server: RunningServer) -> None:
    limit = server.models.GetModel(model_request(), timeout=CALL_SECONDS).model.limits.max_input_tokens
    conversation = Conversation(server)
    for _ in range(2):
        assert conversation.turn("a" * limit, most=0).summary.prompt_tokens == limit
    assert conversation.turn("b", most=5).summary.generated_tokens == 5
    conversation.close()


def test_cancelled_turn_frees_its_slot_and_its_session(repository: Path) -> None:
    with serving(repository, max_concurrency=1, max_queue=0) as server:
        conversation = Conversation(server)
        conversation.begin("The cat", most=2000)
        conversation.read()
        with pytest.raises(grpc.RpcError) as full:
            written(server, "The")
        assert full.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        conversation.call.cancel()
        until(lambda: running(server) == 0 and sessions_open(server) == 0)
        assert written(server, "The")


def test_waiting_session_holds_no_slot(repository: Path) -> None:
    with serving(repository, max_concurrency=1, max_queue=0) as server:
        conversation = Conversation(server)
        first = conversation.turn("The cat")
        until(lambda: (running(server), sessions_open(server)) == (0, 1))
        meanwhile = written(server, "A dog")
        second = conversation.turn(" and")
        conversation.close()
        assert second.text == written(server, "The cat" + first.text + " and")
        assert meanwhile == written(server, "A dog")
        until(lambda: sessions_open(server) == 0)


def test_session_that_waits_too_long_ends_and_says_so(repository: Path) -> None:
    with serving(repository, session_idle_seconds=0.05) as server:
        conversation = Conversation(server)
        conversation.turn("The cat")
        error = conversation.failure()
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.details() == "the session expired: nothing came from the client for 0.05 s"
        until(lambda: sessions_open(server) == 0)


def test_sessions_over_the_limit_are_refused_until_one_has_ended(repository: Path) -> None:
    with serving(repository, max_sessions=1) as server:
        first = Conversation(server)
        first.turn("The cat")
        error = Conversation(server).failure()
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == "the server has 1 sessions open, its limit; retry when one has ended"
        assert retry_seconds(error) > 0
        first.close()
        until(lambda: sessions_open(server) == 0)
        second = Conversation(server)
        assert second.turn("The cat").text
        second.close()


def test_sessions_count_among_the_calls_of_their_caller(repository: Path) -> None:
    with serving(repository, max_requests_per_caller=1) as server:
        first = Conversation(server)
        first.turn("The cat")
        assert Conversation(server).failure().code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        first.close()


def test_stopping_server_answers_the_turn_that_runs_and_ends_sessions_that_wait(repository: Path) -> None:
    with serving(repository, grace_seconds=CALL_SECONDS) as server:
        waiting, busy = Conversation(server), Conversation(server)
        waiting.turn("The cat")
        busy.begin("The cat", most=2000)
        first = busy.read()
        finish = server.begin_stop()
        assert waiting.failure().code() is grpc.StatusCode.UNAVAILABLE
        assert first.chunk.token_count + busy_rest(busy) == 2000
        assert busy.failure().code() is grpc.StatusCode.UNAVAILABLE
        finish()


def busy_rest(conversation: Conversation) -> int:
    """Tokens that come until a turn's summary."""
    tokens = 0
    while not (response := conversation.read()).HasField("summary"):
        tokens += response.chunk.token_count
    return tokens


START = pb.GenerateSessionRequest(start=pb.SessionStart(model="char-lm"))


def turn(**fields: object) -> pb.GenerateSessionRequest:
    return pb.GenerateSessionRequest(turn=pb.SessionTurn(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("messages", "field", "words"),
    [
        ([turn(text="a")], "start", "must be in the first message"),
        ([pb.GenerateSessionRequest()], "start", "must be in the first message"),
        ([START, START], "turn", "must be in every message but the first"),
        ([START, pb.GenerateSessionRequest()], "turn", "must be in every message but the first"),
        ([pb.GenerateSessionRequest(start=pb.SessionStart())], "start.model", "must"),
        (
            [pb.GenerateSessionRequest(start=pb.SessionStart(model="char-lm", top_alternatives=10_000))],
            "start.top_alternatives",
            "must be between",
        ),
        ([START, turn(text="x" * 1_000_000)], "turn.text", "must have at most"),
        (
            [START, turn(text="a", sampling=pb.SamplingParameters(temperature=-1))],
            "turn.sampling.temperature",
            "must be between 0 and 100, not -1",
        ),
        (
            [START, turn(text="a", stopping=pb.StoppingParameters(max_tokens=2**32 - 1))],
            "turn.stopping.max_tokens",
            "must be between 0 and",
        ),
    ],
)
def test_bad_message_ends_the_session_naming_the_field(
    server: RunningServer, messages: list[pb.GenerateSessionRequest], field: str, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        list(server.generation.GenerateSession(iter(messages), timeout=CALL_SECONDS))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    named, description = violation(caught.value)
    assert named == field
    assert words in description


def test_bad_turn_comes_after_the_answers_before_it(server: RunningServer) -> None:
    conversation = Conversation(server)
    assert conversation.turn("The cat").text
    conversation.begin("a", stop=("",))
    assert violation(conversation.failure())[0] == "turn.stopping.stop[0] length"


def test_session_with_an_unknown_model_is_not_found(server: RunningServer) -> None:
    start = pb.GenerateSessionRequest(start=pb.SessionStart(model="nobody"))
    with pytest.raises(grpc.RpcError) as caught:
        list(server.generation.GenerateSession(iter([start]), timeout=CALL_SECONDS))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_session_that_says_nothing_ends_well(server: RunningServer) -> None:
    assert list(server.generation.GenerateSession(iter([]), timeout=CALL_SECONDS)) == []


def model_request() -> models_pb2.GetModelRequest:
    return models_pb2.GetModelRequest(model="char-lm")
