"""A request that no idle server could admit is an invalid argument with the limit; a retry would never help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from tests.integration.harness import CALL_SECONDS, RunningServer, serving, violation
from tests.integration.test_kserve import request as infer_request

from ostinato.v1 import models_pb2, translation_pb2
from ostinato.v1 import sentiment_pb2 as pb

LONG = "good film " * 10
LIMIT = "over the server's limit of 8 (--max-concurrency plus --max-queue); split the request"


@pytest.fixture(scope="module")
def small(repository: Path) -> Iterator[RunningServer]:
    with serving(repository, max_concurrency=8, max_queue=0) as server:
        yield server


REQUESTS: dict[str, tuple[Callable[[RunningServer], object], tuple[str, str]]] = {
    "batch": (
        lambda server: server.sentiment.ClassifyBatch(
            pb.ClassifyBatchRequest(model="sentiment", texts=["fine"] * 9), timeout=CALL_SECONDS
        ),
        ("texts", "needs 9 slots"),
    ),
    "trace": (
        lambda server: server.sentiment.Classify(
            pb.ClassifyRequest(model="sentiment", text=LONG, include_trace=True), timeout=CALL_SECONDS
        ),
        ("include_trace", "needs 20 slots"),
    ),
    "trace of a batch": (
        lambda server: server.sentiment.ClassifyBatch(
            pb.ClassifyBatchRequest(model="sentiment", texts=["fine", LONG], include_trace=True), timeout=CALL_SECONDS
        ),
        ("include_trace", "needs 20 slots"),
    ),
    "trace in a stream": (
        lambda server: list(
            server.sentiment.ClassifyStream(
                iter([pb.ClassifyStreamRequest(model="sentiment", text=LONG, include_trace=True)]), timeout=CALL_SECONDS
            )
        ),
        ("include_trace", "needs 20 slots"),
    ),
    "batch of tensors": (
        lambda server: server.inference.ModelInfer(
            infer_request("sentiment", "text", ["fine"] * 9), timeout=CALL_SECONDS
        ),
        ("text", "needs 9 slots"),
    ),
    "searches of tensors": (
        lambda server: server.inference.ModelInfer(
            infer_request("translation-en-fr", "text", ["a cat"] * 3, beam_size=4), timeout=CALL_SECONDS
        ),
        ("text", "needs 12 slots"),
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_request_over_the_whole_limit_is_invalid_and_gets_no_retry_hint(small: RunningServer, name: str) -> None:
    ask, (field, need) = REQUESTS[name]
    with pytest.raises(grpc.RpcError) as caught:
        ask(small)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value) == (field, f"{need} at once, {LIMIT}")


def test_search_wider_than_the_model_allows_names_the_width(small: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        small.inference.ModelInfer(
            infer_request("translation-en-fr", "text", ["a cat"], beam_size=1000), timeout=CALL_SECONDS
        )
    assert violation(caught.value)[0] == "beam_size"


def test_widest_search_is_admitted_however_few_slots_are_configured(repository: Path) -> None:
    with serving(repository, max_concurrency=1, max_queue=0) as server:
        widest = server.models.ListModels(models_pb2.ListModelsRequest()).models[2].limits.max_beam_size
        request = translation_pb2.TranslateRequest(model="translation-en-fr", text="a cat", beam_size=widest)
        *_, last = server.translation.Translate(request, timeout=CALL_SECONDS)
    assert last.HasField("summary")
