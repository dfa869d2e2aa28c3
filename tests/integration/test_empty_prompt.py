"""An empty prompt starts a text: from the model's start token, else from a line break, whichever call it comes by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.bundles import build_tiny_bundle
from tests.integration.conversation import Conversation
from tests.integration.harness import CALL_SECONDS, RunningServer, generate, serving, violation

from ostinato.inference import grpc_service_pb2 as inference_pb
from ostinato.v1 import generation_pb2 as pb
from ostinato_models.export.untrained import ALPHABET, untrained_generator
from ostinato_models.export.writer import Target, write_bundle

START_ID = 20


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Three models: with a line break, the same weights with a start token, and with neither."""
    repository = tmp_path_factory.mktemp("starts")
    build_tiny_bundle(repository, "generation")
    folder = build_tiny_bundle(repository, "generation", name="with-start")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tokenizer"]["start_id"] = START_ID
    (folder / "manifest.json").write_text(json.dumps(manifest))
    bare = untrained_generator(alphabet=ALPHABET.replace("\n", ""))
    write_bundle(bare, Target(repository, "with-neither", 1, ("onnx-int8",)))
    with serving(repository) as server:
        yield server


def ask(prompt: str, model: str = "char-lm", **fields: Any) -> pb.GenerateRequest:
    return pb.GenerateRequest(
        model=model,
        prompt=prompt,
        sampling=pb.SamplingParameters(seed=3),
        stopping=pb.StoppingParameters(max_tokens=30),
        include_logprobs=True,
        **fields,
    )


def ids(server: RunningServer, request: pb.GenerateRequest) -> list[int]:
    return [token.token_id for chunk in generate(server, request).chunks for token in chunk.tokens]


def test_text_starts_from_a_line_break_where_the_model_has_no_start_token(starts: RunningServer) -> None:
    started = generate(starts, ask(""))
    assert started.text == generate(starts, ask("\n")).text
    assert (len(started.text), started.summary.prompt_tokens, started.summary.unknown_tokens) == (30, 1, 0)


def test_text_starts_from_the_start_token_where_the_model_has_one(starts: RunningServer) -> None:
    character = ALPHABET[START_ID - 1]  # the character that the other model has at the start token's place
    assert ids(starts, ask("", "with-start")) == ids(starts, ask(character))
    assert generate(starts, ask("", "with-start")).summary.prompt_tokens == 0


def test_model_with_neither_says_what_to_do(starts: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        generate(starts, ask("", "with-neither"))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    field, description = violation(caught.value)
    assert field == "prompt"
    assert description == (
        "must not be empty: model with-neither has neither a start token nor a line break in its vocabulary to start a "
        "text from; give at least one character"
    )


def test_first_turn_of_a_session_may_be_empty(starts: RunningServer) -> None:
    conversation = Conversation(starts)
    first = conversation.turn("", seed=3, most=30)
    second = conversation.turn(" and", seed=4, most=30)
    conversation.close()
    assert first.text == generate(starts, ask("")).text
    whole = ask("\n" + first.text + " and")
    whole.sampling.seed = 4
    assert second.text == generate(starts, whole).text


def infer_request(prompt: str, model: str = "char-lm") -> inference_pb.ModelInferRequest:
    request = inference_pb.ModelInferRequest(model_name=model)
    given = request.inputs.add(name="prompt", datatype="BYTES", shape=[1])
    given.contents.bytes_contents.append(prompt.encode())
    request.parameters["max_tokens"].int64_param = 30
    request.parameters["seed"].int64_param = 3
    return request


def text_of(response: inference_pb.ModelInferResponse) -> str:
    return response.outputs[0].contents.bytes_contents[0].decode() if response.outputs[0].name == "text" else ""


def test_open_inference_starts_a_text_as_the_native_call_does(starts: RunningServer) -> None:
    native = generate(starts, ask("")).text
    assert text_of(starts.inference.ModelInfer(infer_request(""), timeout=CALL_SECONDS)) == native
    streamed = starts.inference.ModelStreamInfer(iter([infer_request("")]), timeout=CALL_SECONDS)
    assert "".join(text_of(each.infer_response) for each in streamed) == native
    with pytest.raises(grpc.RpcError) as caught:
        starts.inference.ModelInfer(infer_request("", "with-neither"), timeout=CALL_SECONDS)
    assert "neither a start token nor a line break" in violation(caught.value)[1]
