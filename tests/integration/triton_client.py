"""Talks to a server with NVIDIA's own client; prints each step that went well.  usage: triton_client.py ADDRESS"""

import queue
import sys

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException


def text_input(name: str, texts: list[str]) -> triton.InferInput:
    given = triton.InferInput(name, [len(texts)], "BYTES")
    given.set_data_from_numpy(np.array([text.encode() for text in texts], object))
    return given


def check_health(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("sentiment", "1")
    assert not client.is_model_ready("nobody")


def check_metadata(client: triton.InferenceServerClient) -> None:
    assert client.get_server_metadata().name == "ostinato"
    assert [each.name for each in client.get_model_metadata("sentiment").outputs] == ["probabilities", "label"]
    config = client.get_model_config("char-lm").config
    assert config.model_transaction_policy.decoupled
    assert [(each.name, each.optional, list(each.dims)) for each in config.input][:2] == [
        ("prompt", False, [1]),
        ("max_tokens", True, [1]),
    ]
    assert [each.name for each in client.get_model_repository_index().models] == [
        "char-lm", "sentiment", "translation-en-fr",
    ]  # fmt: skip
    assert client.get_inference_statistics("sentiment").model_stats[0].version == "1"


def whole_text(client: triton.InferenceServerClient) -> triton.InferResult:
    prompt = [text_input("prompt", ["ROMEO:"])]
    return client.infer("char-lm", prompt, parameters={"max_tokens": 30, "seed": 5}, request_id="one")


def check_generation(client: triton.InferenceServerClient) -> None:
    result = whole_text(client)
    assert result.as_numpy("generated_tokens").tolist() == [30]
    assert result.get_response().id == "one"
    assert result.as_numpy("text").shape == (1,)


def check_sentiment(client: triton.InferenceServerClient) -> None:
    result = client.infer("sentiment", [text_input("text", ["good", "bad", "dull"])])
    probabilities = result.as_numpy("probabilities")
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (3, 2))
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert result.as_numpy("label").tolist() == [(b"negative", b"positive")[int(row.argmax())] for row in probabilities]


def check_classification(client: triton.InferenceServerClient) -> None:
    text = text_input("text", ["good", "bad", "dull"])
    outputs = [triton.InferRequestedOutput("probabilities", class_count=2), triton.InferRequestedOutput("label")]
    result = client.infer("sentiment", [text], outputs=outputs)
    ranked = result.as_numpy("probabilities")
    assert (ranked.dtype, ranked.shape) == (object, (3, 2))
    best = [row[0].decode().split(":") for row in ranked]
    assert [label.encode() for _, _, label in best] == result.as_numpy("label").tolist()
    probabilities = client.infer("sentiment", [text]).as_numpy("probabilities")
    for (value, index, _), row in zip(best, probabilities, strict=True):
        assert int(index) == row.argmax()
        assert abs(float(value) - row.max()) < 1e-6


def check_schedule(client: triton.InferenceServerClient) -> None:
    text = [text_input("text", ["good"])]
    plain = client.infer("sentiment", text).as_numpy("probabilities")
    hurried = client.infer("sentiment", text, priority=1, timeout=30_000_000).as_numpy("probabilities")
    assert (plain == hurried).all()
    prompt = [text_input("prompt", ["ROMEO:"])]
    with pytest.raises(InferenceServerException, match="DEADLINE_EXCEEDED"):
        client.infer("char-lm", prompt, parameters={"max_tokens": 1_000_000}, priority=3, timeout=100_000)


def check_column(client: triton.InferenceServerClient) -> None:
    """Texts in shape [N, 1], as for a model with a batch dimension."""
    given = triton.InferInput("text", [2, 1], "BYTES")
    given.set_data_from_numpy(np.array([[b"good"], [b"bad"]], object))
    result = client.infer("sentiment", [given])
    assert result.as_numpy("probabilities").shape == (2, 2)
    assert result.as_numpy("label").shape == (2, 1)
    row = client.infer("sentiment", [text_input("text", ["good", "bad"])])
    assert (result.as_numpy("probabilities") == row.as_numpy("probabilities")).all()


def check_translation(client: triton.InferenceServerClient) -> None:
    outputs = [triton.InferRequestedOutput(name) for name in ("translation", "attention", "source_tokens")]
    result = client.infer("translation-en-fr", [text_input("text", ["the cat sees the dog"])], outputs=outputs)
    attention = result.as_numpy("attention")
    assert attention.shape[1] == len(result.as_numpy("source_tokens"))
    assert np.allclose(attention.sum(axis=1), 1, atol=1e-5)


def check_stream(client: triton.InferenceServerClient) -> None:
    arrived: queue.Queue[tuple[triton.InferResult | None, InferenceServerException | None]] = queue.Queue()
    client.start_stream(callback=lambda result, error: arrived.put((result, error)))
    prompt = [text_input("prompt", ["ROMEO:"])]
    client.async_stream_infer(
        "char-lm", prompt, parameters={"max_tokens": 30, "seed": 5}, enable_empty_final_response=True
    )
    pieces: list[str] = []
    while True:
        result, error = arrived.get(timeout=30)
        assert error is None, error
        assert result is not None
        if result.get_response().parameters["triton_final_response"].bool_param:
            break
        pieces.append(result.as_numpy("text")[0].decode())
    assert "".join(pieces).encode() == whole_text(client).as_numpy("text")[0]
    assert result.as_numpy("finish_reason").tolist() == [b"length"]
    client.async_stream_infer("char-lm", prompt, parameters={"max_tokens": 0})
    result, error = arrived.get(timeout=30)
    assert result is None
    assert "max_tokens" in str(error)
    client.stop_stream()


def check_side_by_side(client: triton.InferenceServerClient) -> None:
    """A text, requests on either side of it that fail or are short, all in one stream and told apart by their names."""
    arrived: queue.Queue[tuple[triton.InferResult | None, InferenceServerException | None]] = queue.Queue()
    client.start_stream(callback=lambda result, error: arrived.put((result, error)))
    prompt = [text_input("prompt", ["ROMEO:"])]
    for seed in range(8):
        settings = {"max_tokens": 100, "seed": seed}
        client.async_stream_infer(
            "char-lm", prompt, parameters=settings, request_id=str(seed), enable_empty_final_response=True
        )
    client.async_stream_infer("sentiment", [text_input("text", [""])], request_id="empty")
    pieces: dict[str, list[str]] = {str(seed): [] for seed in range(8)}
    errors: list[str] = []
    ended: set[str] = set()
    while len(ended) < 8 or not errors:
        result, error = arrived.get(timeout=30)
        if error is not None:
            errors.append(str(error))
            continue
        assert result is not None
        response = result.get_response()
        assert response.id not in ended
        if response.parameters["triton_final_response"].bool_param:
            ended.add(response.id)
        else:
            pieces[response.id].append(result.as_numpy("text")[0].decode())
    assert errors == ["text[0]: must not be empty"], errors
    for seed in range(8):
        whole = client.infer("char-lm", prompt, parameters={"max_tokens": 100, "seed": seed})
        assert "".join(pieces[str(seed)]).encode() == whole.as_numpy("text")[0]
    client.stop_stream()


def check_cancelled_stream(client: triton.InferenceServerClient) -> None:
    arrived: queue.Queue[tuple[triton.InferResult | None, InferenceServerException | None]] = queue.Queue()
    client.start_stream(callback=lambda result, error: arrived.put((result, error)))
    for number in range(4):
        client.async_stream_infer(
            "char-lm",
            [text_input("prompt", ["ROMEO:"])],
            parameters={"max_tokens": 10_000, "seed": number},
            request_id=str(number),
        )
    begun: set[str] = set()
    while len(begun) < 4:
        result, error = arrived.get(timeout=30)
        assert result is not None, error
        begun.add(result.get_response().id)
    client.stop_stream(cancel_requests=True)
    check_stream(client)


def main() -> None:
    client = triton.InferenceServerClient(sys.argv[1])
    checks = (
        check_health,
        check_metadata,
        check_generation,
        check_sentiment,
        check_classification,
        check_schedule,
        check_column,
        check_translation,
        check_stream,
        check_side_by_side,
        check_cancelled_stream,
    )
    for check in checks:
        check(client)
        sys.stdout.write(f"{check.__name__}\n")
    client.close()


if __name__ == "__main__":
    main()
