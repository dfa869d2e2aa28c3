"""Streams of models with each of the five types of tokenizer: their text, and where they are resumed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from tests.five_tokenizers import PROMPT, TOKENIZERS, build_repository, tokenizer
from tests.integration.harness import CALL_SECONDS, Generated, RunningServer, generate, serving, together

from ostinato.inference import grpc_service_pb2 as inference
from ostinato.v1 import generation_pb2 as pb


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(build_repository(tmp_path_factory.mktemp("five"))) as running:
        yield running


def ask(model: str, *, seed: int = 3, most: int = 40, stop: tuple[str, ...] = ()) -> pb.GenerateRequest:
    return pb.GenerateRequest(
        model=model,
        version=1,
        prompt=PROMPT,
        sampling=pb.SamplingParameters(seed=seed),
        stopping=pb.StoppingParameters(max_tokens=most, stop=stop),
        include_logprobs=True,
        top_alternatives=2,
    )


def ids(generated: Generated) -> list[int]:
    return [token.token_id for chunk in generated.chunks for token in chunk.tokens]


@pytest.mark.parametrize("model", TOKENIZERS)
def test_prompt_and_streamed_text_are_what_all_tokens_decode_to(server: RunningServer, model: str) -> None:
    prompt = tokenizer(model).encode(PROMPT, add_special_tokens=False).ids
    for seed in range(8):
        generated = generate(server, ask(model, seed=seed))
        assert tokenizer(model).decode(prompt) + generated.text == tokenizer(model).decode(prompt + ids(generated))
        assert len(ids(generated)) == generated.summary.generated_tokens == 40


@pytest.mark.parametrize("model", TOKENIZERS)
def test_alternative_has_the_text_that_it_would_add(server: RunningServer, model: str) -> None:
    request = ask(model)
    request.sampling.temperature = 0.0
    for token in (token for chunk in generate(server, request).chunks for token in chunk.tokens):
        taken = token.alternatives[0]
        assert taken.token_id == token.token_id
        part_of_a_character = "\ufffd" in taken.text + token.text or not token.text or model == "byte-pairs"
        assert part_of_a_character or taken.text == token.text


@pytest.mark.parametrize("model", TOKENIZERS)
def test_open_inference_gives_the_same_text(server: RunningServer, model: str) -> None:
    tensor = inference.ModelInferRequest.InferInputTensor
    contents = inference.InferTensorContents
    request = inference.ModelInferRequest(
        model_name=model,
        inputs=[
            tensor(name="prompt", datatype="BYTES", shape=[1], contents=contents(bytes_contents=[PROMPT.encode()])),
            tensor(name="max_tokens", datatype="INT32", shape=[1], contents=contents(int_contents=[40])),
            tensor(name="seed", datatype="UINT64", shape=[1], contents=contents(uint64_contents=[3])),
        ],
    )
    response = server.inference.ModelInfer(request, timeout=CALL_SECONDS)
    place = [output.name for output in response.outputs].index("text")
    (text,) = response.outputs[place].contents.bytes_contents or [response.raw_output_contents[place][4:]]
    assert text.decode() == generate(server, ask(model)).text


def cut_after(request: pb.GenerateRequest, whole: Generated, count: int) -> pb.GenerateRequest:
    """The request that resumes a stream of which so many tokens came."""
    again = pb.GenerateRequest()
    again.CopyFrom(request)
    again.resumption.token_ids.extend(sent(whole)[:count])
    return again


def sent(generated: Generated) -> list[int]:
    return [token for chunk in generated.chunks for token in chunk.token_ids]


@pytest.mark.parametrize("stop", [(), ("t", "e "), ("a", "\n", "\ufffd")])
@pytest.mark.parametrize("model", TOKENIZERS)
def test_stream_cut_after_any_token_goes_on_as_if_never_cut(
    server: RunningServer, model: str, stop: tuple[str, ...]
) -> None:
    request = ask(model, most=28, stop=stop)
    whole = generate(server, request)
    assert sent(whole) == ids(whole)
    details = [token for chunk in whole.chunks for token in chunk.tokens]

    def rest(cut: int) -> tuple[list[pb.TokenDetail], pb.GenerationSummary]:
        *chunks, end = server.generation.Generate(cut_after(request, whole, cut), timeout=CALL_SECONDS)
        end.summary.ClearField("timings")
        assert all(response.chunk.text == "".join(each.text for each in response.chunk.tokens) for response in chunks)
        return [each for response in chunks for each in response.chunk.tokens], end.summary

    cuts = range(len(details) + 1)
    whole.summary.ClearField("timings")
    assert together([partial(rest, cut) for cut in cuts]) == [(details[cut:], whole.summary) for cut in cuts]


@pytest.mark.parametrize("model", TOKENIZERS)
def test_turns_of_a_session_go_on_after_the_text_before_them(server: RunningServer, model: str) -> None:
    start = pb.SessionStart(model=model, version=1)
    turns = [("The cat", 7), ("", 9), (" sat on", 8), ("!", 0), ("", 6)]
    conversation: list[int] = []
    answers = talk(server, start, [turn(text, most) for text, most in turns])
    for (text, _), answer in zip(turns, answers, strict=True):
        conversation += tokenizer(model).encode(text, add_special_tokens=False).ids
        before = tokenizer(model).decode(conversation)
        conversation += sent(answer)
        if model in ("byte-pairs", "sentence-pieces") and not text:
            continue  # may begin within a character that was shown as U+FFFD
        assert before + answer.text == tokenizer(model).decode(conversation)


@pytest.mark.parametrize("stop", [(), ("t", "e ")])
@pytest.mark.parametrize("model", TOKENIZERS)
def test_session_cut_anywhere_goes_on_as_if_never_cut(server: RunningServer, model: str, stop: tuple[str, ...]) -> None:
    start = pb.SessionStart(model=model, version=1, include_logprobs=True)
    turns = [turn("The cat", 12, stop), turn(" sat on", 10, stop, seed=5), turn("", 8, stop, seed=6)]
    whole = talk(server, start, turns)
    for broken, answer in enumerate(whole):
        details = [each for chunk in answer.chunks for each in chunk.tokens]
        for cut in range(len(details) + 1):
            again = pb.SessionStart(
                model=model,
                version=1,
                include_logprobs=True,
                past=[
                    pb.PastTurn(text=each.text, token_ids=[*sent(past), *past.summary.withheld_token_ids])
                    for each, past in zip(turns[:broken], whole[:broken], strict=True)
                ],
            )
            resumed = pb.SessionTurn()
            resumed.CopyFrom(turns[broken])
            resumed.resumption.token_ids.extend(sent(answer)[:cut])
            first, *others = talk(server, again, [resumed, *turns[broken + 1 :]])
            assert [each for chunk in first.chunks for each in chunk.tokens] == details[cut:]
            assert told(first) == told(answer)
            assert [(each.text, sent(each), told(each)) for each in others] == [
                (each.text, sent(each), told(each)) for each in whole[broken + 1 :]
            ]


def turn(text: str, most: int, stop: tuple[str, ...] = (), seed: int = 4) -> pb.SessionTurn:
    return pb.SessionTurn(
        text=text,
        sampling=pb.SamplingParameters(seed=seed),
        stopping=pb.StoppingParameters(max_tokens=most, stop=stop),
    )


def talk(server: RunningServer, start: pb.SessionStart, turns: list[pb.SessionTurn]) -> list[Generated]:
    """What a session answers to its turns."""
    requests = [pb.GenerateSessionRequest(start=start), *(pb.GenerateSessionRequest(turn=each) for each in turns)]
    responses = server.generation.GenerateSession(iter(requests), timeout=CALL_SECONDS)
    answers: list[Generated] = []
    chunks: list[pb.GeneratedChunk] = []
    for response in responses:
        if response.WhichOneof("payload") == "chunk":
            chunks.append(response.chunk)
        else:
            answers.append(Generated("".join(chunk.text for chunk in chunks), tuple(chunks), response.summary))
            chunks = []
    assert len(answers) == len(turns)
    return answers


def told(answer: Generated) -> bytes:
    """A summary without its times."""
    summary = pb.GenerationSummary()
    summary.CopyFrom(answer.summary)
    summary.ClearField("timings")
    return summary.SerializeToString(deterministic=True)
