"""A stream that broke goes on with the very tokens it would have had."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.harness import CALL_SECONDS, RunningServer, generate, violation

from ostinato.v1 import generation_pb2 as pb


def ask(**changes: object) -> pb.GenerateRequest:
    request = pb.GenerateRequest(
        model="char-lm",
        version=1,
        prompt="The cat",
        sampling=pb.SamplingParameters(seed=7),
        stopping=pb.StoppingParameters(max_tokens=40),
        include_logprobs=True,
    )
    request.MergeFrom(pb.GenerateRequest(**changes))  # type: ignore[arg-type]
    return request


def resumed(request: pb.GenerateRequest, received: list[pb.TokenDetail]) -> pb.GenerateRequest:
    again = pb.GenerateRequest()
    again.CopyFrom(request)
    again.resumption.token_ids.extend(token.token_id for token in received)
    return again


def rest(server: RunningServer, request: pb.GenerateRequest) -> tuple[list[pb.TokenDetail], pb.GenerationSummary]:
    """What comes after the tokens received: the tokens, which must follow on them, and the summary."""
    *chunks, last = server.generation.Generate(request, timeout=CALL_SECONDS)
    position = len(request.resumption.token_ids)
    details: list[pb.TokenDetail] = []
    for response in chunks:
        assert response.chunk.position == position
        position += response.chunk.token_count
        details += response.chunk.tokens
    return details, last.summary


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    prompt=st.text("abcde THE.\n", min_size=1, max_size=40),
    seed=st.integers(0, 2**64 - 1),
    temperature=st.sampled_from([0.0, 0.7, 1.0]),
    stop=st.sampled_from([(), ("e",), ("th", "\n\n")]),
    share=st.floats(0, 1),
)
def test_cut_anywhere_it_ends_as_if_never_cut(
    any_artifact: RunningServer, prompt: str, seed: int, temperature: float, stop: tuple[str, ...], share: float
) -> None:
    request = ask(
        sampling=pb.SamplingParameters(seed=seed, temperature=temperature),
        stopping=pb.StoppingParameters(stop=stop),
    )
    request.prompt = prompt
    whole = generate(any_artifact, request)
    tokens = [token for chunk in whole.chunks for token in chunk.tokens]
    received = round(share * len(tokens))

    details, summary = rest(any_artifact, resumed(request, tokens[:received]))

    assert details == tokens[received:]
    assert summary.finish_reason == whole.summary.finish_reason
    assert summary.generated_tokens == whole.summary.generated_tokens
    assert summary.prompt_tokens == whole.summary.prompt_tokens


def test_the_first_chunk_tells_what_fixes_the_text(server: RunningServer) -> None:
    request = pb.GenerateRequest(model="char-lm", prompt="A", stopping=pb.StoppingParameters(max_tokens=30))
    whole = generate(server, request)
    origins = [chunk.origin for chunk in whole.chunks if chunk.HasField("origin")]
    assert origins == [pb.StreamOrigin(version=1, seed=whole.summary.seed)]
    assert whole.chunks[0].HasField("origin")

    request.version, request.sampling.seed = origins[0].version, origins[0].seed
    assert generate(server, request).text == whole.text


def test_a_stream_that_had_all_its_tokens_gets_its_summary(server: RunningServer) -> None:
    request = ask()
    whole = generate(server, request)
    tokens = [token for chunk in whole.chunks for token in chunk.tokens]
    details, summary = rest(server, resumed(request, tokens))
    assert details == []
    assert (summary.finish_reason, summary.generated_tokens) == (pb.FINISH_REASON_LENGTH, 40)


@pytest.mark.parametrize(
    ("token_ids", "without", "field", "says"),
    [
        ([1] * 41, None, "resumption.token_ids", "at most max_tokens = 40 tokens, not 41"),
        ([1, 2, 4_000_000_000], None, "resumption.token_ids[2]", "is 4000000000, not in its vocabulary of 63 tokens"),
        ([1, 0], None, "resumption.token_ids[1]", "is 0, the unknown token"),
        ([1, 2, 3], "version", "version", "must be given"),
        ([1, 2, 3], "seed", "sampling.seed", "must be given"),
    ],
)
def test_what_cannot_be_taken_up_is_refused(
    server: RunningServer, token_ids: list[int], without: str | None, field: str, says: str
) -> None:
    request = ask(resumption=pb.Resumption(token_ids=token_ids))
    if without == "version":
        request.ClearField("version")
    elif without == "seed":
        request.sampling.ClearField("seed")
    with pytest.raises(grpc.RpcError) as refused:
        generate(server, request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    named, description = violation(refused.value)
    assert named == field
    assert says in description
