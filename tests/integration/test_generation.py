import math
from functools import partial
from itertools import islice
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.harness import (
    CALL_SECONDS,
    RunningServer,
    fold,
    generate,
    retry_seconds,
    serving,
    together,
    violation,
)

from ostinato.v1 import generation_pb2 as pb


def ask(
    prompt: str = "The cat",
    *,
    max_tokens: int = 40,
    seed: int = 1,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    stop: tuple[str, ...] = (),
    include_logprobs: bool = False,
    top_alternatives: int = 0,
) -> pb.GenerateRequest:
    return pb.GenerateRequest(
        model="char-lm",
        prompt=prompt,
        sampling=pb.SamplingParameters(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed),
        stopping=pb.StoppingParameters(max_tokens=max_tokens, stop=stop),
        include_logprobs=include_logprobs,
        top_alternatives=top_alternatives,
    )


REQUESTS = st.builds(
    ask,
    prompt=st.text("abcde THE.\n", min_size=1, max_size=60),
    max_tokens=st.integers(1, 80),
    seed=st.integers(0, 2**64 - 1),
    temperature=st.sampled_from([0.0, 0.5, 1.0, 1.7]),
    top_k=st.sampled_from([0, 1, 5]),
    top_p=st.sampled_from([0.3, 0.9, 1.0]),
    include_logprobs=st.just(True),
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=REQUESTS, others=st.lists(REQUESTS, min_size=32, max_size=32))
def test_same_request_gives_the_same_characters_alone_and_among_32_others(
    any_artifact: RunningServer, request: pb.GenerateRequest, others: list[pb.GenerateRequest]
) -> None:
    alone = generate(any_artifact, request)
    among, *_ = together([partial(generate, any_artifact, each) for each in (request, *others)])
    assert among.text == alone.text
    details = [[token.logprob for chunk in each.chunks for token in chunk.tokens] for each in (alone, among)]
    assert details[0] == details[1]


def test_64_streams_of_500_characters_finish_in_order_with_nothing_lost(server: RunningServer) -> None:
    requests = [ask(seed=number, max_tokens=500) for number in range(64)]
    results = together([partial(generate, server, request) for request in requests])
    assert [len(result.text) for result in results] == [500] * 64
    assert [result.summary.seed for result in results] == list(range(64))
    assert len({result.text for result in results}) == 64
    assert generate(server, requests[17]).text == results[17].text


def test_cancelling_a_third_of_64_streams_leaves_the_rest_unharmed(server: RunningServer) -> None:
    expected = {number: generate(server, ask(seed=number, max_tokens=200)).text for number in range(0, 64, 13)}

    def run(number: int) -> str | None:
        call = server.generation.Generate(ask(seed=number, max_tokens=200), timeout=CALL_SECONDS)
        if number % 3 == 1:
            for _ in islice(call, 5):
                pass
            call.cancel()
            return None
        return fold(call).text

    texts = together([partial(run, number) for number in range(64)])
    assert [text is None for text in texts] == [number % 3 == 1 for number in range(64)]
    assert {len(text) for text in texts if text is not None} == {200}
    for number, text in expected.items():
        if number % 3 != 1:
            assert texts[number] == text


def test_other_seed_gives_other_text_and_zero_temperature_ignores_the_seed(server: RunningServer) -> None:
    assert generate(server, ask(seed=1)).text != generate(server, ask(seed=2)).text
    greedy = [generate(server, ask(seed=seed, temperature=0)).text for seed in (1, 2)]
    assert greedy[0] == greedy[1] == generate(server, ask(seed=3, top_k=1)).text


def test_seed_drawn_by_the_server_is_told_and_reproduces_the_text(server: RunningServer) -> None:
    request = ask()
    request.sampling.ClearField("seed")
    first = generate(server, request)
    assert generate(server, ask(seed=first.summary.seed)).text == first.text


def test_long_prompt_gives_the_same_text_on_another_server(repository: Path, server: RunningServer) -> None:
    prompt = "Sphinx of black quartz, judge my vow. " * 40
    expected = generate(server, ask(prompt)).text
    with serving(repository, max_concurrency=1) as narrow:
        assert generate(narrow, ask(prompt)).text == expected


def test_torchscript_gives_the_greedy_text_of_the_fp32_onnx_file(repository: Path) -> None:
    texts = []
    for runtime in ("onnx", "torchscript"):
        with serving(repository, runtime=runtime) as running:
            texts.append(generate(running, ask(temperature=0, max_tokens=60)).text)
    assert texts[0] == texts[1]


def test_logprobs_and_alternatives_come_when_asked_for(server: RunningServer) -> None:
    result = generate(server, ask(include_logprobs=True, top_alternatives=3, max_tokens=20))
    tokens = [token for chunk in result.chunks for token in chunk.tokens]
    assert "".join(token.text for token in tokens) == result.text
    for token in tokens:
        ranked = [other.logprob for other in token.alternatives]
        assert ranked == sorted(ranked, reverse=True)
        assert len(ranked) == 3
        assert token.logprob <= ranked[0] < 0
        assert sum(map(math.exp, ranked)) <= 1 + 1e-5
    assert not any(chunk.tokens for chunk in generate(server, ask()).chunks)


def test_greedy_token_is_its_own_first_alternative(server: RunningServer) -> None:
    result = generate(server, ask(temperature=0, top_alternatives=1, max_tokens=20))
    for token in (token for chunk in result.chunks for token in chunk.tokens):
        assert token.alternatives[0].token_id == token.token_id
        assert token.alternatives[0].logprob == pytest.approx(token.logprob, abs=1e-5)


def test_stream_ends_before_a_stop_text(server: RunningServer) -> None:
    whole = generate(server, ask(max_tokens=60)).text
    stop = whole[20:22]
    result = generate(server, ask(max_tokens=60, stop=(stop,)))
    assert result.text == whole[: whole.index(stop)]
    assert result.summary.finish_reason == pb.FINISH_REASON_STOP


def test_characters_outside_the_vocabulary_are_read_as_unknown_and_counted(server: RunningServer) -> None:
    result = generate(server, ask("The \u2603 cat \U0001f600"))
    assert (result.summary.unknown_tokens, result.summary.prompt_tokens) == (2, 11)
    assert result.text == generate(server, ask("The \u4e2d cat \u00df")).text


def invalid(**changes: object) -> pb.GenerateRequest:
    return ask(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "field", "words"),
    [
        (invalid(prompt="x" * 1_000_000), "prompt", "at most"),
        (invalid(temperature=float("nan")), "sampling.temperature", "between 0 and 100, not nan"),
        (invalid(temperature=-1.0), "sampling.temperature", "between 0 and 100, not -1"),
        (invalid(temperature=float("inf")), "sampling.temperature", "between 0 and 100, not inf"),
        (invalid(top_p=0.0), "sampling.top_p", "above 0 and at most 1, not 0"),
        (invalid(top_p=1.5), "sampling.top_p", "above 0 and at most 1, not 1.5"),
        (invalid(top_p=1.0000001), "sampling.top_p", "above 0 and at most 1, not 1.00000012"),
        (invalid(top_p=float("nan")), "sampling.top_p", "above 0 and at most 1, not nan"),
        (invalid(max_tokens=0), "stopping.max_tokens", "between 1 and"),
        (invalid(max_tokens=2**31), "stopping.max_tokens", "not 2147483648"),
        (invalid(top_alternatives=1000), "top_alternatives", "between 0 and"),
        (invalid(stop=("",)), "stopping.stop[0] length", "between 1 and 256, not 0"),
        (invalid(stop=("x",) * 17), "stopping.stop", "at most 16 texts, not 17"),
        (pb.GenerateRequest(prompt="x"), "model", "must name a model"),
        (pb.GenerateRequest(model="sentiment", prompt="x"), "model", "does sentiment, not generation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_field_is_named_with_its_limit_and_the_stream_beside_it_never_notices(
    server: RunningServer, request_: pb.GenerateRequest, field: str, words: str
) -> None:
    beside = server.generation.Generate(ask(seed=7, max_tokens=50), timeout=CALL_SECONDS)
    with pytest.raises(grpc.RpcError) as caught:
        next(server.generation.Generate(request_, timeout=CALL_SECONDS))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    named, description = violation(caught.value)
    assert named == field
    assert words in description
    assert fold(beside).text == generate(server, ask(seed=7, max_tokens=50)).text


@pytest.mark.parametrize("version", [None, 9])
def test_unknown_model_or_version_is_not_found(server: RunningServer, version: int | None) -> None:
    name = "no-such" if version is None else "char-lm"
    with pytest.raises(grpc.RpcError) as caught:
        next(server.generation.Generate(pb.GenerateRequest(model=name, version=version, prompt="x")))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert "char-lm" in (caught.value.details() or "")


def test_request_over_the_bound_is_refused_at_once_with_a_retry_hint(repository: Path) -> None:
    with serving(repository, max_concurrency=1, max_queue=1, window=8) as small:
        calls = [small.generation.Generate(ask(seed=n, max_tokens=5000), timeout=CALL_SECONDS) for n in range(2)]
        next(calls[0])
        with pytest.raises(grpc.RpcError) as caught:
            generate(small, ask(max_tokens=1))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_seconds(caught.value) >= 0.05
        with pytest.raises(grpc.RpcError) as unread:  # no work is spent on what cannot be taken in
            generate(small, ask(max_tokens=0))
        assert unread.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        for call in calls:
            call.cancel()


def test_deadline_ends_the_stream_and_frees_its_slot(repository: Path) -> None:
    with serving(repository, max_concurrency=1, max_deadline_seconds=0.2) as small:
        with pytest.raises(grpc.RpcError) as caught:
            fold(small.generation.Generate(ask(max_tokens=10_000), timeout=CALL_SECONDS))
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert generate(small, ask(max_tokens=3)).summary.generated_tokens == 3


def test_cancelled_stream_gives_its_slot_to_the_next(repository: Path) -> None:
    with serving(repository, max_concurrency=1, window=4) as small:
        call = small.generation.Generate(ask(max_tokens=10_000), timeout=CALL_SECONDS)
        next(call)
        call.cancel()
        assert generate(small, ask(max_tokens=3)).summary.generated_tokens == 3


def test_closed_connection_frees_the_slots_of_its_streams(repository: Path) -> None:
    with serving(repository, max_concurrency=1) as small:
        with grpc.insecure_channel(small.address) as other:
            call = type(small.generation)(other).Generate(ask(max_tokens=10_000))
            next(call)
        assert generate(small, ask(max_tokens=3)).summary.generated_tokens == 3


def test_reader_that_lags_behind_gets_every_character_in_the_end(repository: Path) -> None:
    with serving(repository, max_concurrency=1, window=4) as small:
        slow = small.generation.Generate(ask(seed=1, max_tokens=300), timeout=CALL_SECONDS)
        quick = generate(small, ask(seed=2, max_tokens=50))
        assert len(quick.text) == 50
        assert len(fold(slow).text) == 300


@pytest.mark.parametrize(
    ("service", "method", "payload"),
    [
        ("Generation", "Generate", b"\x0a\x07char-lm\x1a\x03\xff\xfe\xfd"),
        ("Generation", "Generate", b"\x0a\xff"),
        ("Sentiment", "Classify", b"\x0a\x09sentiment\x1a\x03\xed\xa0\x80"),
        ("Sentiment", "ClassifyStream", b"\x0a\x09sentiment\x1a\x03\xed\xa0\x80"),
    ],
    ids=["not UTF-8", "cut off", "unary", "stream"],
)
def test_malformed_message_is_an_invalid_argument(
    server: RunningServer, service: str, method: str, payload: bytes
) -> None:
    call: grpc.StreamStreamMultiCallable[bytes, bytes] = server.channel.stream_stream(
        f"/ostinato.v1.{service}Service/{method}"
    )
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter([payload]), timeout=CALL_SECONDS))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value) == ("request", "must be a well-formed message whose strings are UTF-8")


def test_model_name_too_long_to_repeat_is_an_invalid_argument(server: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        next(server.generation.Generate(pb.GenerateRequest(model="x" * 100_000, prompt="x")))
    assert violation(caught.value) == ("model", "must have at most 64 characters, not 100000")
