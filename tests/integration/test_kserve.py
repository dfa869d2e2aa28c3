import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tests.integration.harness import CALL_SECONDS, RunningServer, generate, serving, violation

from ostinato.inference import grpc_service_pb2 as pb
from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2

TRITON_CLIENT = Path(__file__).parent / "triton_client.py"

PROMPT = "ROMEO:"
SETTINGS: dict[str, Any] = {"max_tokens": 24, "seed": 7, "temperature": 0.8, "top_k": 20}


def request(
    model: str, name: str, texts: list[str], *, outputs: tuple[str, ...] = (), raw: bool = False, **parameters: object
) -> pb.ModelInferRequest:
    made = pb.ModelInferRequest(model_name=model, id="42")
    given = made.inputs.add(name=name, datatype="BYTES", shape=[len(texts)])
    if raw:
        made.raw_input_contents.append(b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts))
    else:
        given.contents.bytes_contents.extend(text.encode() for text in texts)
    for output in outputs:
        made.outputs.add(name=output)
    for key, value in parameters.items():
        kind = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}[type(value)]
        setattr(made.parameters[key], kind, value)
    return made


def infer(server: RunningServer, asked: pb.ModelInferRequest) -> pb.ModelInferResponse:
    return server.inference.ModelInfer(asked, timeout=CALL_SECONDS)


def output(response: pb.ModelInferResponse, name: str) -> pb.ModelInferResponse.InferOutputTensor:
    (found,) = [each for each in response.outputs if each.name == name]
    return found


def texts_of(response: pb.ModelInferResponse, name: str) -> list[str]:
    return [each.decode() for each in output(response, name).contents.bytes_contents]


def native_text(server: RunningServer) -> str:
    return generate(
        server,
        generation_pb2.GenerateRequest(
            model="char-lm",
            prompt=PROMPT,
            sampling=generation_pb2.SamplingParameters(seed=7, temperature=0.8, top_k=20),
            stopping=generation_pb2.StoppingParameters(max_tokens=24),
        ),
    ).text


def refused(server: RunningServer, asked: pb.ModelInferRequest) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        infer(server, asked)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    return violation(caught.value)


def test_server_and_models_are_live_and_ready(server: RunningServer) -> None:
    assert server.inference.ServerLive(pb.ServerLiveRequest(), timeout=CALL_SECONDS).live
    assert server.inference.ServerReady(pb.ServerReadyRequest(), timeout=CALL_SECONDS).ready
    ready = [
        server.inference.ModelReady(pb.ModelReadyRequest(name=name, version=version), timeout=CALL_SECONDS).ready
        for name, version in (("char-lm", ""), ("char-lm", "1"), ("char-lm", "2"), ("nobody", ""))
    ]
    assert ready == [True, True, False, False]
    assert server.health("inference.GRPCInferenceService") == 1


def test_metadata_and_configuration_tell_the_same_tensors(server: RunningServer) -> None:
    for name, decoupled in (("char-lm", True), ("sentiment", False), ("translation-en-fr", False)):
        metadata = server.inference.ModelMetadata(pb.ModelMetadataRequest(name=name), timeout=CALL_SECONDS)
        config = server.inference.ModelConfig(pb.ModelConfigRequest(name=name), timeout=CALL_SECONDS).config
        assert (metadata.name, list(metadata.versions), metadata.platform) == (name, ["1"], config.platform)
        assert [(each.name, list(each.shape)) for each in metadata.inputs] == [
            (each.name, list(each.dims)) for each in config.input
        ]
        assert [(each.name, list(each.shape)) for each in metadata.outputs] == [
            (each.name, list(each.dims)) for each in config.output
        ]
        assert [each.optional for each in config.input] == [False] + [True] * (len(config.input) - 1)
        assert (config.backend, config.max_batch_size) == ("ostinato", 0)
        assert config.model_transaction_policy.decoupled is decoupled


def test_whole_text_is_the_native_stream_of_the_same_seed(server: RunningServer) -> None:
    response = infer(server, request("char-lm", "prompt", [PROMPT], **SETTINGS))
    assert texts_of(response, "text") == [native_text(server)]
    assert texts_of(response, "finish_reason") == ["length"]
    assert list(output(response, "generated_tokens").contents.int_contents) == [24]
    assert [each.name for each in response.outputs] == ["text", "finish_reason", "generated_tokens"]
    assert (response.model_name, response.model_version, response.id) == ("char-lm", "1", "42")
    assert response.parameters["seed"].uint64_param == 7


def test_options_are_the_same_as_inputs_and_as_parameters(server: RunningServer) -> None:
    asked = request("char-lm", "prompt", [PROMPT], top_k=20)
    for name, datatype, field, value in (
        ("max_tokens", "INT32", "int_contents", 24),
        ("seed", "UINT64", "uint64_contents", 7),
        ("temperature", "FP32", "fp32_contents", 0.8),
    ):
        contents = pb.InferTensorContents(**{field: [value]})  # type: ignore[arg-type]
        asked.inputs.add(name=name, datatype=datatype, shape=[1], contents=contents)
    assert texts_of(infer(server, asked), "text") == [native_text(server)]


def test_only_the_outputs_asked_for_are_given(server: RunningServer) -> None:
    response = infer(server, request("char-lm", "prompt", [PROMPT], outputs=("tokens", "logprobs"), **SETTINGS))
    assert [(each.name, each.datatype, list(each.shape)) for each in response.outputs] == [
        ("tokens", "INT64", [24]),
        ("logprobs", "FP32", [24]),
    ]
    assert all(value <= 0 for value in output(response, "logprobs").contents.fp32_contents)


def test_raw_request_has_a_raw_answer_of_the_same_values(server: RunningServer) -> None:
    texts = ["good", "not good at all"]
    raw = infer(server, request("sentiment", "text", texts, raw=True))
    typed = infer(server, request("sentiment", "text", texts))
    assert not any(each.HasField("contents") for each in raw.outputs)
    probabilities = np.frombuffer(raw.raw_output_contents[0], "<f4")
    assert probabilities.tolist() == list(output(typed, "probabilities").contents.fp32_contents)


def test_sentiment_gives_the_native_probabilities(server: RunningServer) -> None:
    texts = ["good", "not good at all", "dull"]
    response = infer(server, request("sentiment", "text", texts))
    scores = server.sentiment.ClassifyBatch(
        sentiment_pb2.ClassifyBatchRequest(model="sentiment", texts=texts), timeout=CALL_SECONDS
    ).scores
    assert list(output(response, "probabilities").shape) == [3, 2]
    assert list(output(response, "probabilities").contents.fp32_contents) == [
        value for score in scores for value in (score.negative_probability, score.positive_probability)
    ]
    positive = [score.sentiment == sentiment_pb2.SENTIMENT_POSITIVE for score in scores]
    assert texts_of(response, "label") == ["positive" if each else "negative" for each in positive]


def native_translation(server: RunningServer, text: str) -> tuple[list[translation_pb2.TargetToken], str]:
    asked = translation_pb2.TranslateRequest(
        model="translation-en-fr", text=text, max_tokens=10, include_attention=True
    )
    _, *chunks, last = server.translation.Translate(asked, timeout=CALL_SECONDS)
    return [token for each in chunks for token in each.chunk.tokens], last.summary.text


def test_sentences_are_translated_in_their_order(server: RunningServer) -> None:
    texts = ["the cat sees the dog", "a dog", "cat"]
    response = infer(server, request("translation-en-fr", "text", texts, max_tokens=10))
    assert texts_of(response, "translation") == [native_translation(server, text)[1] for text in texts]
    assert [each.name for each in response.outputs] == ["translation"]


def test_attention_has_a_row_for_each_target_token(server: RunningServer) -> None:
    text = "the cat sees the dog"
    response = infer(server, request("translation-en-fr", "text", [text], max_tokens=10, attention=True))
    tokens, translation = native_translation(server, text)
    source = texts_of(response, "source_tokens")
    assert texts_of(response, "translation") == [translation]
    assert texts_of(response, "target_tokens") == [token.token for token in tokens]
    assert list(output(response, "attention").shape) == [len(tokens), len(source)]
    weights = list(output(response, "attention").contents.fp32_contents)
    assert weights == [weight for token in tokens for weight in token.attention]


def test_attention_of_several_sentences_lies_in_blocks_along_the_diagonal(server: RunningServer) -> None:
    text = "The cat. A dog!\n"
    response = infer(server, request("translation-en-fr", "text", [text, text], max_tokens=10))
    _, translation = native_translation(server, text)
    assert texts_of(response, "translation") == [translation] * 2

    response = infer(server, request("translation-en-fr", "text", [text], max_tokens=10, attention=True))
    tokens, _ = native_translation(server, text)
    assert texts_of(response, "translation") == [translation]
    assert texts_of(response, "target_tokens") == [token.token for token in tokens]
    columns = len(texts_of(response, "source_tokens"))
    shape = list(output(response, "attention").shape)
    assert shape == [len(tokens), columns]
    weights = np.array(output(response, "attention").contents.fp32_contents).reshape(shape)
    alone = [native_translation(server, sentence)[0] for sentence in ("The cat.", "A dog!")]
    expected = np.zeros(shape)
    row = column = 0
    for sentence in alone:
        for token in sentence:
            expected[row, column : column + len(token.attention)] = token.attention
            row += 1
        column += len(sentence[0].attention)
    assert (weights == expected).all()


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        (request("char-lm", "text", ["x"]), "text", "is no input of this model; it takes prompt, max_tokens"),
        (request("char-lm", "prompt", ["x", "y"]), "prompt", "must have shape [1] or [1, 1], not [2]"),
        (request("char-lm", "prompt", ["x"], outputs=("label",)), "label", "is no output of this model; it gives text"),
        (
            request("char-lm", "prompt", ["x"], deadline=5),
            "deadline",
            "is no parameter of this model; it takes max_tokens",
        ),
        (
            request("sentiment", "text", ["x"], seed=5),
            "seed",
            "is no parameter of this model; it takes priority, timeout",
        ),
        (request("char-lm", "prompt", ["x"], sequence_id=5), "sequence_id", "is no parameter of this model"),
        (request("char-lm", "prompt", ["x"], priority=4), "priority", "between 0 and 3, not 4"),
        (request("sentiment", "text", ["x"], priority=-1), "priority", "between 0 and 3, not -1"),
        (request("char-lm", "prompt", ["x"], priority="high"), "priority", "a whole number, not string_param"),
        (request("char-lm", "prompt", ["x"], timeout=-5), "timeout", "between 0 and 18446744073709551615, not -5"),
        (request("char-lm", "prompt", ["x"], timeout=0.5), "timeout", "a whole number, not double_param"),
        (request("char-lm", "prompt", ["x"], max_tokens=-1), "max_tokens", "between 0 and 4294967295, not -1"),
        (request("char-lm", "prompt", ["x"], max_tokens=0), "max_tokens", "between 1 and"),
        (request("char-lm", "prompt", ["x"], max_tokens="9"), "max_tokens", "a whole number, not string_param"),
        (request("char-lm", "prompt", ["x"], temperature=1e300), "temperature", "between 0 and 100, not inf"),
        (request("char-lm", "prompt", ["x"], stop=""), "stop[0] length", "between 1 and 256, not 0"),
        (request("sentiment", "text", ["fine", " "]), "text[1]", "more than white space"),
        (request("sentiment", "text", ["fine"] * 4000), "text", "not 4000"),
        (request("translation-en-fr", "text", ["a"] * 17), "text", "1 to 16 texts, not 17"),
        (request("translation-en-fr", "text", ["a dog", ""]), "text[1]", "must not be empty"),
        (request("translation-en-fr", "text", ["a", "b"], attention=True), "text", "one text where attention"),
    ],
)
def test_bad_request_is_refused_naming_tensor_and_limit(
    server: RunningServer, asked: pb.ModelInferRequest, field: str, words: str
) -> None:
    named, description = refused(server, asked)
    assert named == field
    assert words in description


def test_wrong_datatype_and_bytes_that_are_no_text_are_refused(server: RunningServer) -> None:
    asked = pb.ModelInferRequest(model_name="sentiment")
    asked.inputs.add(name="text", datatype="INT32", shape=[1]).contents.int_contents.append(1)
    assert refused(server, asked) == ("text", "must be BYTES, not INT32")
    asked.inputs[0].datatype = "BYTES"
    asked.inputs[0].contents.Clear()
    asked.inputs[0].contents.bytes_contents.append(b"\xff")
    assert refused(server, asked) == ("text[0]", "must be UTF-8")


def test_unknown_model_is_not_found(server: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        infer(server, request("nobody", "text", ["x"]))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def stream(server: RunningServer, *asked: pb.ModelInferRequest) -> Iterator[pb.ModelStreamInferResponse]:
    return server.inference.ModelStreamInfer(iter(asked), timeout=CALL_SECONDS)


def test_streamed_pieces_make_the_whole_text_and_the_last_one_says_so(server: RunningServer) -> None:
    *pieces, last = list(stream(server, request("char-lm", "prompt", [PROMPT], **SETTINGS)))
    finals = [each.infer_response.parameters["triton_final_response"].bool_param for each in (*pieces, last)]
    assert finals == [False] * len(pieces) + [True]
    assert "".join(texts_of(each.infer_response, "text")[0] for each in pieces) == native_text(server)
    assert texts_of(last.infer_response, "finish_reason") == ["length"]
    assert {each.infer_response.id for each in (*pieces, last)} == {"42"}


def test_statistics_and_metrics_count_what_was_asked(repository: Path) -> None:
    with serving(repository) as fresh:
        infer(fresh, request("sentiment", "text", ["fine", "dull"]))
        refused(fresh, request("sentiment", "words", ["fine"]))
        refused(fresh, request("sentiment", "text", [""]))
        told = fresh.inference.ModelStatistics(pb.ModelStatisticsRequest(name="sentiment"), timeout=CALL_SECONDS)
        (sentiment,) = told.model_stats
        stats = sentiment.inference_stats
        assert (sentiment.inference_count, stats.success.count, stats.fail.count) == (1, 1, 2)
        assert stats.queue.count == 2
        assert stats.success.ns > 0
        assert sum(each.batch_size * each.compute_infer.count for each in sentiment.batch_stats) == 2
        assert sentiment.execution_count == sum(each.compute_infer.count for each in sentiment.batch_stats)
        runs = [(each.compute_input, each.compute_infer, each.compute_output) for each in sentiment.batch_stats]
        runs.append((stats.compute_input, stats.compute_infer, stats.compute_output))
        for before, run, after in runs:  # perf_analyzer insists that they are as many
            assert before.count == run.count == after.count > 0
        samples = fresh.scrape()
        everything = fresh.inference.ModelStatistics(pb.ModelStatisticsRequest(), timeout=CALL_SECONDS)
        assert [each.name for each in everything.model_stats] == ["char-lm", "sentiment", "translation-en-fr"]
    labels = (("model", "sentiment"), ("outcome", "invalid"), ("task", "sentiment"))
    assert samples["ostinato_requests_total", labels] == 2


def test_repository_lists_its_models_and_refuses_to_change(server: RunningServer) -> None:
    index = server.inference.RepositoryIndex(pb.RepositoryIndexRequest(), timeout=CALL_SECONDS)
    assert [(each.name, each.version, each.state) for each in index.models] == [
        ("char-lm", "1", "READY"),
        ("sentiment", "1", "READY"),
        ("translation-en-fr", "1", "READY"),
    ]
    with pytest.raises(grpc.RpcError) as caught:
        server.inference.RepositoryModelLoad(
            pb.RepositoryModelLoadRequest(model_name="sentiment"), timeout=CALL_SECONDS
        )
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(grpc.RpcError) as caught:
        server.inference.RepositoryModelUnload(
            pb.RepositoryModelUnloadRequest(model_name="sentiment"), timeout=CALL_SECONDS
        )
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_server_that_drains_is_live_but_not_ready(repository: Path) -> None:
    with serving(repository, grace_seconds=CALL_SECONDS) as draining:
        long = iter(
            draining.inference.ModelStreamInfer(
                iter([request("char-lm", "prompt", [PROMPT], max_tokens=500)]), timeout=CALL_SECONDS
            )
        )
        next(long)
        wait = draining.begin_stop()
        while draining.inference.ServerReady(pb.ServerReadyRequest(), timeout=CALL_SECONDS).ready:
            pass
        assert draining.inference.ServerLive(pb.ServerLiveRequest(), timeout=CALL_SECONDS).live
        with pytest.raises(grpc.RpcError) as caught:
            infer(draining, request("sentiment", "text", ["fine"]))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        long.cancel()  # type: ignore[attr-defined]
        wait()


def test_tritonclient_works_unmodified(server: RunningServer) -> None:
    """In a process of its own: its stubs and ours would register the same names."""
    done = subprocess.run(
        [sys.executable, TRITON_CLIENT, server.address],
        capture_output=True,
        text=True,
        timeout=CALL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"check_{each}"
        for each in (
            "health",
            "metadata",
            "generation",
            "sentiment",
            "classification",
            "schedule",
            "column",
            "translation",
            "stream",
            "side_by_side",
            "cancelled_stream",
        )
    ]
