"""ModelStreamInfer: the requests of one stream run side by side."""

from __future__ import annotations

import queue
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from tests.integration.conversation import until
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, fold, generate, serving

from ostinato.inference import grpc_service_pb2 as pb
from ostinato.v1 import generation_pb2, sentiment_pb2
from ostinato_server.rpc.open_inference.service import STREAM_REQUESTS

PROMPT = "ROMEO:"
SERVING = int(health_pb2.HealthCheckResponse.SERVING)


def generation(name: str, characters: int, seed: int = 1) -> pb.ModelInferRequest:
    made = pb.ModelInferRequest(model_name="char-lm", id=name)
    made.inputs.add(name="prompt", datatype="BYTES", shape=[1]).contents.bytes_contents.append(PROMPT.encode())
    made.parameters["max_tokens"].int64_param = characters
    made.parameters["seed"].int64_param = seed
    return made


def scoring(name: str, text: str = "fine") -> pb.ModelInferRequest:
    made = pb.ModelInferRequest(model_name="sentiment", id=name)
    made.inputs.add(name="text", datatype="BYTES", shape=[1]).contents.bytes_contents.append(text.encode())
    return made


def alone(server: RunningServer, characters: int, seed: int) -> str:
    """The text that a seed has when its request is a call of its own."""
    return generate(
        server,
        generation_pb2.GenerateRequest(
            model="char-lm",
            prompt=PROMPT,
            sampling=generation_pb2.SamplingParameters(seed=seed),
            stopping=generation_pb2.StoppingParameters(max_tokens=characters),
        ),
    ).text


class Conversation:
    """A stream whose requests are sent one by one."""

    def __init__(self, server: RunningServer) -> None:
        self._requests: queue.Queue[pb.ModelInferRequest | None] = queue.Queue()
        self._call: Any = server.inference.ModelStreamInfer(iter(self._requests.get, None), timeout=CALL_SECONDS)

    def ask(self, *requests: pb.ModelInferRequest) -> None:
        for request in requests:
            self._requests.put(request)

    def done(self) -> None:
        """Closes the client's side."""
        self._requests.put(None)

    def cancel(self) -> None:
        self._call.cancel()
        self.done()

    def next(self) -> pb.ModelStreamInferResponse:
        response: pb.ModelStreamInferResponse = next(self._call)
        return response

    def rest(self) -> list[pb.ModelStreamInferResponse]:
        return list(self._call)


@contextmanager
def conversing(server: RunningServer) -> Iterator[Conversation]:
    conversation = Conversation(server)
    try:
        yield conversation
    finally:
        conversation.cancel()


@contextmanager
def without_a_slot(repository: Path, **changes: object) -> Iterator[tuple[RunningServer, Any]]:
    """A server whose generation has one slot, and the call that holds it."""
    with serving(repository, max_concurrency=1, window=20_000, **changes) as server:
        holder = server.generation.Generate(continued(10_000), timeout=CALL_SECONDS)
        next(holder)
        try:
            yield server, holder
        finally:
            holder.cancel()


def now(server: RunningServer, what: str) -> float:
    return server.scrape()[f"ostinato_requests_{what}", (("model", "char-lm"),)]


def is_final(response: pb.ModelStreamInferResponse) -> bool:
    return response.infer_response.parameters["triton_final_response"].bool_param


def name_of(response: pb.ModelStreamInferResponse) -> str:
    return response.infer_response.id


def texts(responses: list[pb.ModelStreamInferResponse]) -> dict[str, str]:
    """The text of every request; nothing may follow its last piece."""
    pieces: defaultdict[str, list[str]] = defaultdict(list)
    ended: set[str] = set()
    for response in responses:
        assert not response.error_message
        name = name_of(response)
        assert name not in ended
        if is_final(response):
            ended.add(name)
            continue
        (text,) = [each for each in response.infer_response.outputs if each.name == "text"]
        pieces[name].append(text.contents.bytes_contents[0].decode())
    assert ended == set(pieces)
    return {name: "".join(parts) for name, parts in pieces.items()}


def test_a_request_that_waits_for_a_slot_is_overtaken_by_the_next(repository: Path) -> None:
    with without_a_slot(repository) as (server, holder), conversing(server) as stream:
        stream.ask(generation("waits", 20), scoring("overtakes"))
        assert name_of(stream.next()) == "overtakes"
        holder.cancel()
        stream.done()
        assert texts(stream.rest()) == {"waits": alone(server, 20, 1)}


def test_a_short_request_is_answered_while_a_long_one_runs(server: RunningServer) -> None:
    with conversing(server) as stream:
        stream.ask(generation("long", 10_000))
        came = [stream.next()]
        assert name_of(came[0]) == "long"
        stream.ask(generation("short", 5, seed=2))
        stream.done()
        came += stream.rest()
    ends = [name_of(each) for each in came if is_final(each)]
    assert ends == ["short", "long"]
    assert texts(came) == {"long": alone(server, 10_000, 1), "short": alone(server, 5, 2)}


def test_texts_of_one_stream_are_those_of_calls_of_their_own(server: RunningServer) -> None:
    requests = [generation(str(seed), 200, seed) for seed in range(16)]
    came = list(server.inference.ModelStreamInfer(iter(requests), timeout=CALL_SECONDS))
    assert texts(came) == {str(seed): alone(server, 200, seed) for seed in range(16)}


def test_an_error_is_told_of_its_own_request_and_the_others_go_on(server: RunningServer) -> None:
    nobodys = pb.ModelInferRequest(model_name="nobody", id="nobody's")
    with conversing(server) as stream:
        stream.ask(generation("long", 10_000))
        came = [stream.next()]
        stream.ask(scoring("empty", ""), nobodys, generation("none", 0))
        errors: dict[str, str] = {}
        while len(errors) < 3:
            response = stream.next()
            if response.error_message:
                assert is_final(response)
                errors[name_of(response)] = response.error_message
            else:
                came.append(response)
        stream.ask(scoring("after"))
        stream.done()
        came += stream.rest()
    assert errors["empty"] == "text[0]: must not be empty"
    assert errors["nobody's"].startswith("no model 'nobody'")
    assert errors["none"].startswith("max_tokens: must be between 1 and")
    assert sum(name_of(each) == "after" for each in came) == 1
    assert texts([each for each in came if name_of(each) != "after"]) == {"long": alone(server, 10_000, 1)}


def test_half_close_lets_finish_what_was_asked(repository: Path) -> None:
    with without_a_slot(repository) as (server, holder), conversing(server) as stream:
        stream.ask(*(generation(str(seed), 20, seed) for seed in range(3)))
        stream.done()
        until(lambda: now(server, "waiting") == 3)
        holder.cancel()
        assert texts(stream.rest()) == {str(seed): alone(server, 20, seed) for seed in range(3)}


def test_cancelling_the_stream_frees_the_slots_of_all_its_requests(repository: Path) -> None:
    places = ("running", "waiting", "parked")
    with serving(repository, max_concurrency=3, window=4) as server:
        with conversing(server) as stream:
            stream.ask(*(generation(str(seed), 10_000, seed) for seed in range(5)))
            seen: set[str] = set()
            while len(seen) < 3:
                seen.add(name_of(stream.next()))
            until(lambda: sum(now(server, what) for what in places) == 5)
            stream.cancel()
            until(lambda: all(now(server, what) == 0 for what in places))
        # The engine lets them go a moment before the event loop counts them.
        labels = (("model", "char-lm"), ("outcome", "cancelled"), ("task", "generation"))
        until(lambda: server.scrape().get(("ostinato_requests_total", labels)) == 5)
        with conversing(server) as again:
            again.ask(*(generation(str(seed), 5, seed) for seed in range(3)))
            again.done()
            assert len(texts(again.rest())) == 3


def test_requests_that_come_as_the_stream_is_cancelled_do_the_server_no_harm(server: RunningServer) -> None:
    """Some of them begin when gRPC has let go of the call already."""
    requests = [generation(str(number), 1) for number in range(STREAM_REQUESTS)]
    for _ in range(200):
        call = server.inference.ModelStreamInfer(iter(requests), timeout=CALL_SECONDS)
        next(call)
        call.cancel()
    assert len(generate(server, continued(5)).text) == 5


def test_requests_of_a_stream_count_as_calls_of_their_caller(repository: Path) -> None:
    with without_a_slot(repository, max_requests_per_caller=3) as (server, holder), conversing(server) as stream:
        # The holder has one place, the stream's first request that of the stream, its second one the last.
        stream.ask(generation("first", 20), generation("second", 20))
        until(lambda: now(server, "waiting") == 2)
        stream.ask(scoring("third"))
        refused = stream.next()
        assert name_of(refused) == "third"
        assert refused.error_message == "the caller has 3 calls under way, its limit; retry when one has ended"
        labels = (("model", "sentiment"), ("outcome", "overloaded"), ("task", "sentiment"))
        assert server.scrape()["ostinato_requests_total", labels] == 1
        with pytest.raises(grpc.RpcError) as caught:
            fold(server.generation.Generate(continued(1), timeout=CALL_SECONDS))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        holder.cancel()
        came: list[pb.ModelStreamInferResponse] = []
        while sum(map(is_final, came)) < 2:
            came.append(stream.next())
        assert set(texts(came)) == {"first", "second"}
        # One place is the idle stream's, and two are free again.
        stream.ask(scoring("fourth"))
        assert name_of(stream.next()) == "fourth"
        assert len(fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS)).text) == 5


def test_no_more_of_a_streams_requests_run_than_may_and_all_are_answered(repository: Path) -> None:
    asked = STREAM_REQUESTS + 6
    with without_a_slot(repository) as (server, holder), conversing(server) as stream:
        stream.ask(*(generation(str(number), 3) for number in range(asked)))
        stream.ask(scoring("last"))
        stream.done()
        until(lambda: now(server, "waiting") == STREAM_REQUESTS)
        holder.cancel()
        came = stream.rest()
    last = [name_of(each) for each in came].index("last")
    # It needs no slot: nothing but the bound keeps it from being answered first.
    assert sum(map(is_final, came[:last])) >= asked - STREAM_REQUESTS + 1
    assert set(texts(came[:last] + came[last + 1 :])) == {*map(str, range(asked))}


def test_a_message_that_cannot_be_read_ends_the_stream_after_the_answers_before_it(repository: Path) -> None:
    with without_a_slot(repository) as (server, holder):
        call = server.channel.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            request_serializer=bytes,
            response_deserializer=pb.ModelStreamInferResponse.FromString,
        )(iter([generation("good", 5).SerializeToString(), b"\xff"]), timeout=CALL_SECONDS)
        until(lambda: now(server, "waiting") == 1)
        holder.cancel()
        came = [next(call)]
        while not is_final(came[-1]):
            came.append(next(call))
        assert len(texts(came)["good"]) == 5
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_stopping_server_answers_what_runs_and_ends_the_stream(repository: Path) -> None:
    with without_a_slot(repository, grace_seconds=CALL_SECONDS) as (server, holder), conversing(server) as stream:
        stream.ask(generation("runs", 20))
        until(lambda: now(server, "waiting") == 1)
        finish = server.begin_stop()
        until(lambda: server.health() != SERVING)
        stream.ask(scoring("late"))
        holder.cancel()
        came = [stream.next()]
        while not is_final(came[-1]):
            came.append(stream.next())
        assert set(texts(came)) == {"runs"}
        with pytest.raises(grpc.RpcError) as caught:
            stream.next()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        finish()


def test_stopping_server_does_not_wait_for_quiet_streams(repository: Path) -> None:
    """Their clients, tritonclient for instance, keep them open between requests."""
    with serving(repository, grace_seconds=CALL_SECONDS) as server, conversing(server) as stream:
        stream.ask(scoring("one"))
        assert name_of(stream.next()) == "one"
        texts_to_score: queue.Queue[Any] = queue.Queue()
        texts_to_score.put(sentiment_pb2.ClassifyStreamRequest(model="sentiment", text="fine"))
        native = server.sentiment.ClassifyStream(iter(texts_to_score.get, None), timeout=CALL_SECONDS)
        next(native)
        began = time.monotonic()
        server.begin_stop()()
        assert time.monotonic() - began < CALL_SECONDS / 2
        for call in (stream.next, lambda: next(native)):
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        texts_to_score.put(None)
