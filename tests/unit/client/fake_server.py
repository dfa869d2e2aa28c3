"""A small in-process server whose answers a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_status import rpc_status

from ostinato.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    sentiment_pb2,
    sentiment_pb2_grpc,
    translation_pb2,
    translation_pb2_grpc,
)

Handler = Callable[[Any, grpc.ServicerContext], Any]

TIMINGS = generation_pb2.StreamTimings(queue_seconds=0.25, time_to_first_token_seconds=0.5, total_seconds=2.0)


def status_with(code: grpc.StatusCode, message: str, *details: Message) -> status_pb2.Status:
    packed = []
    for detail in details:
        holder = any_pb2.Any()
        holder.Pack(detail)
        packed.append(holder)
    return status_pb2.Status(code=code.value[0], message=message, details=packed)


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, message: str, *details: Message) -> NoReturn:
    context.abort_with_status(rpc_status.to_status(status_with(code, message, *details)))
    raise AssertionError("abort_with_status raises")


def bad_request(field: str, description: str) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
    return error_details_pb2.BadRequest(field_violations=[violation])


def retry_after(milliseconds: int) -> error_details_pb2.RetryInfo:
    return error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=milliseconds * 1_000_000))


def generated(text: str, position: int, tokens: int = 1) -> generation_pb2.GenerateResponse:
    """A chunk; the id of each token is its position."""
    return generation_pb2.GenerateResponse(
        chunk=generation_pb2.GeneratedChunk(
            text=text, position=position, token_count=tokens, token_ids=range(position, position + tokens)
        )
    )


def generation_end(request: generation_pb2.GenerateRequest, count: int) -> generation_pb2.GenerateResponse:
    return generation_pb2.GenerateResponse(
        summary=generation_pb2.GenerationSummary(
            finish_reason=generation_pb2.FINISH_REASON_LENGTH,
            model=request.model,
            version=3,
            seed=request.sampling.seed,
            prompt_tokens=len(request.prompt),
            generated_tokens=count,
            timings=TIMINGS,
        )
    )


def echo(request: generation_pb2.GenerateRequest, _: grpc.ServicerContext) -> Iterator[generation_pb2.GenerateResponse]:
    """Generates the prompt again, a character a message, and as often as the limit asks for."""
    count = request.stopping.max_tokens or len(request.prompt)
    for position in range(count):
        yield generated(request.prompt[position % len(request.prompt)], position)
    yield generation_end(request, count)


def score(text: str, *, trace: bool = False) -> sentiment_pb2.SentimentScore:
    positive = 0.75 if "good" in text else 0.25
    return sentiment_pb2.SentimentScore(
        sentiment=sentiment_pb2.SENTIMENT_POSITIVE if positive > 0.5 else sentiment_pb2.SENTIMENT_NEGATIVE,
        positive_probability=positive,
        negative_probability=1 - positive,
        token_count=len(text.split()),
        trace=[sentiment_pb2.SentimentTracePoint(token=word, positive_probability=0.5) for word in text.split()]
        if trace
        else [],
        model="sentiment",
        version=2,
    )


def score_stream(
    requests: Iterator[sentiment_pb2.ClassifyStreamRequest], context: grpc.ServicerContext
) -> Iterator[sentiment_pb2.ClassifyStreamResponse]:
    for number, request in enumerate(requests):
        if not request.text:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "bad text", bad_request("text", "must not be empty"))
        yield sentiment_pb2.ClassifyStreamResponse(
            request_id=request.request_id,
            sequence_number=number,
            score=score(request.text, trace=request.include_trace),
        )


def shout(
    request: translation_pb2.TranslateRequest, _: grpc.ServicerContext
) -> Iterator[translation_pb2.TranslateResponse]:
    """Translates into capitals, each word attending half to its own source word and evenly to the rest.

    A line is a sentence, and a line break what separates two.
    """
    lines = request.text.split("\n")
    for number in range(request.resumption.sentence, len(lines)):
        start = sum(len(line) + 1 for line in lines[:number])
        position = request.resumption.position if number == request.resumption.sentence else 0
        yield from shout_sentence(request, lines[number], number, start, position)
    words = request.text.split()
    yield translation_pb2.TranslateResponse(
        summary=translation_pb2.TranslationSummary(
            finish_reason=generation_pb2.FINISH_REASON_END_OF_SEQUENCE,
            text=request.text.upper(),
            score=-0.5 * len(words),
            model=request.model,
            version=4,
            source_tokens=len(words),
            target_tokens=len(words),
            timings=TIMINGS,
        )
    )


def shout_sentence(
    request: translation_pb2.TranslateRequest, text: str, number: int, start: int, position: int = 0
) -> Iterator[translation_pb2.TranslateResponse]:
    words = text.split()
    source = translation_pb2.SourceSentence(
        tokens=words, unknown_tokens=1, sentence=number, start=start, end=start + len(text), version=4
    )
    yield translation_pb2.TranslateResponse(source=source)
    for index, word in list(enumerate(words))[position:]:
        rest = 0.5 / max(1, len(words) - 1)
        row = [0.5 if column == index else rest for column in range(len(words))]
        separator = " " if index else "\n" if number else ""
        token = translation_pb2.TargetToken(
            token=word.upper(),
            text=separator + word.upper(),
            logprob=-0.5,
            attention=row if request.include_attention else [],
        )
        yield translation_pb2.TranslateResponse(chunk=translation_pb2.TargetChunk(tokens=[token], sentence=number))
    end = translation_pb2.SentenceSummary(
        sentence=number,
        finish_reason=generation_pb2.FINISH_REASON_END_OF_SEQUENCE,
        text=text.upper(),
        score=-0.5 * len(words),
    )
    yield translation_pb2.TranslateResponse(sentence=end)


def char_lm() -> models_pb2.Model:
    return models_pb2.Model(
        name="char-lm",
        version=3,
        task=models_pb2.TASK_GENERATION,
        description="A character language model.",
        license="Apache-2.0",
        limits=models_pb2.ModelLimits(max_text_characters=1000, max_input_tokens=1000, max_new_tokens=5000),
        tokenizer=models_pb2.TokenizerInfo(kind="character", vocabulary_size=65, unknown_token="?"),
        graphs=[
            models_pb2.GraphSignature(
                name="step",
                inputs=[models_pb2.TensorSignature(name="token", data_type="int64", shape=[-1])],
                outputs=[models_pb2.TensorSignature(name="state_0", data_type="float32", shape=[-1, 512])],
            )
        ],
        evaluations=[
            models_pb2.EvaluationResult(measure="nats_per_char", value=1.5, data_set="play", runtime="onnx-int8")
        ],
        runtime="onnx-int8",
        device="cpu",
        architecture={"hidden_size": "512"},
    )


def get_model(request: models_pb2.GetModelRequest, context: grpc.ServicerContext) -> models_pb2.GetModelResponse:
    if request.model != "char-lm":
        refuse(context, grpc.StatusCode.NOT_FOUND, f"no model {request.model}")
    return models_pb2.GetModelResponse(model=char_lm())


def list_repository(_: Any, __: grpc.ServicerContext) -> models_pb2.ListRepositoryResponse:
    return models_pb2.ListRepositoryResponse(
        entries=[
            models_pb2.RepositoryEntry(model="char-lm", version=3, state=models_pb2.MODEL_STATE_LOADED),
            models_pb2.RepositoryEntry(
                model="char-lm", version=4, state=models_pb2.MODEL_STATE_REFUSED, reason="step.onnx: is no graph"
            ),
        ]
    )


def load_model(request: models_pb2.LoadModelRequest, context: grpc.ServicerContext) -> models_pb2.LoadModelResponse:
    if request.version == 4:
        refuse(
            context, grpc.StatusCode.FAILED_PRECONDITION, "model char-lm version 4 is refused: step.onnx: is no graph"
        )
    return models_pb2.LoadModelResponse(models=[char_lm()])


def end_at_a_turn(requests: Iterator[Any], _: Any) -> Iterator[Any]:
    """Ends without an answer, and not before a turn was read: else grpc.aio may lose the status (grpc/grpc#36066)."""
    any(request.HasField("turn") for request in requests)
    return iter(())


class FakeHealth(HealthServicer):
    """Health whose `watch` a test may replace."""

    def __init__(self) -> None:
        super().__init__(experimental_non_blocking=False)
        self.watch: Handler = super().Watch

    def Watch(self, request: Any, context: Any, send_response_callback: Any = None) -> Any:  # noqa: N802
        return self.watch(request, context)


class FakeServer(
    generation_pb2_grpc.GenerationServiceServicer,
    sentiment_pb2_grpc.SentimentServiceServicer,
    translation_pb2_grpc.TranslationServiceServicer,
    models_pb2_grpc.ModelServiceServicer,
):
    """Serves on a free port; replace a handler to choose another answer.

    Attributes:
        target: Where it listens.
        requests: Every request message that came, in order.
        attempts: How many calls came.
    """

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.attempts = 0
        self.generate: Handler = echo
        self.generate_session: Handler = end_at_a_turn
        self.classify_incremental: Handler = lambda _, __: iter(())
        self.classify: Handler = lambda request, _: sentiment_pb2.ClassifyResponse(
            score=score(request.text, trace=request.include_trace)
        )
        self.classify_batch: Handler = lambda request, _: sentiment_pb2.ClassifyBatchResponse(
            scores=[score(text) for text in request.texts]
        )
        self.classify_stream: Handler = score_stream
        self.translate: Handler = shout
        self.list_models: Handler = lambda _, __: models_pb2.ListModelsResponse(models=[char_lm()])
        self.get_model: Handler = get_model
        self.list_repository: Handler = list_repository
        self.load_model: Handler = load_model
        self.unload_model: Handler = lambda _, __: models_pb2.UnloadModelResponse()
        self.health = FakeHealth()
        self._server = grpc.server(ThreadPoolExecutor(16))
        generation_pb2_grpc.add_GenerationServiceServicer_to_server(self, self._server)
        sentiment_pb2_grpc.add_SentimentServiceServicer_to_server(self, self._server)
        translation_pb2_grpc.add_TranslationServiceServicer_to_server(self, self._server)
        models_pb2_grpc.add_ModelServiceServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def set_serving(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        self.health.set("", status)

    def stop(self) -> None:
        self._server.stop(None).wait()

    def Generate(self, request: Any, context: Any) -> Any:  # noqa: N802 - the contract's name
        return self._note(request).generate(request, context)

    def GenerateSession(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        return self._note(None).generate_session(request_iterator, context)

    def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._note(request).classify(request, context)

    def ClassifyBatch(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._note(request).classify_batch(request, context)

    def ClassifyStream(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        return self._note(None).classify_stream(request_iterator, context)

    def ClassifyIncremental(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802
        return self._note(None).classify_incremental(request_iterator, context)

    def Translate(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._note(request).translate(request, context)

    def ListModels(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._note(request).list_models(request, context)

    def GetModel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._note(request).get_model(request, context)

    def ListRepository(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._note(request).list_repository(request, context)

    def LoadModel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._note(request).load_model(request, context)

    def UnloadModel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self._note(request).unload_model(request, context)

    def _note(self, request: Any) -> FakeServer:
        self.attempts += 1
        self.requests.append(request)
        return self
