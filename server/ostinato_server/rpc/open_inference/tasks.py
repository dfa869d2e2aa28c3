"""The three tasks with tensors: each request becomes one of the native contract's, each answer tensors.

The native services do the rest, so that limits, deadlines, turns, admission and counts are theirs.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, cast

import numpy as np

from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2
from ostinato_bundle.sentences import split_sentences
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.model import DecodeModel, LoadedModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.generation import GenerationService
from ostinato_server.rpc.open_inference.arguments import Arguments
from ostinato_server.rpc.open_inference.signatures import SIGNATURES
from ostinato_server.rpc.open_inference.tensors import Tensor, numbers, texts
from ostinato_server.rpc.sentiment import SentimentService
from ostinato_server.rpc.translation import TranslationService, sentences_at_once

MAX_TRANSLATIONS = 16
"""Texts of one request; each is a stream of its own inside."""

_REASONS = {
    generation_pb2.FINISH_REASON_LENGTH: "length",
    generation_pb2.FINISH_REASON_STOP: "stop",
    generation_pb2.FINISH_REASON_END_OF_SEQUENCE: "end_of_sequence",
}

_NEGATIVE, _POSITIVE = SIGNATURES["sentiment"].classes["probabilities"]
_LABELS = {sentiment_pb2.SENTIMENT_NEGATIVE: _NEGATIVE, sentiment_pb2.SENTIMENT_POSITIVE: _POSITIVE}

_PRIORITIES = (
    generation_pb2.PRIORITY_UNSPECIFIED,
    generation_pb2.PRIORITY_HIGH,
    generation_pb2.PRIORITY_NORMAL,
    generation_pb2.PRIORITY_LOW,
)
"""The native class of each of Triton's levels of priority, of which 0 is the default."""

_DETAILS = frozenset({"tokens", "logprobs"})
_ALIGNMENT = frozenset({"target_tokens", "source_tokens", "attention"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with, or a piece of it.

    Attributes:
        tensors: The outputs.
        final: Whether nothing follows.
        seed: The seed of a generated text, known at its end.
    """

    tensors: list[Tensor]
    final: bool = True
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Tasks:
    """Answers requests of any task.

    Attributes:
        generation: Continues prompts.
        sentiment: Scores texts.
        translation: Translates texts.
    """

    generation: GenerationService
    sentiment: SentimentService
    translation: TranslationService

    async def stream(self, model: LoadedModel, arguments: Arguments, context: Any) -> AsyncGenerator[Answer, None]:
        """Answers a request piece by piece, the last piece being final.

        Raises:
            ServerError: What the native service raises, its fields named as tensors.
        """
        if model.manifest.task != "generation":
            yield await self.whole(model, arguments, context)
            return
        with _named_as_tensors():
            request = _generate_request(model, arguments)
            details = arguments.wanted & _DETAILS
            async with _closing(self.generation.Generate(request, context)) as responses:
                async for response in responses:
                    if response.WhichOneof("payload") == "chunk":
                        token_ids = [token.token_id for token in response.chunk.tokens]
                        logprobs = [token.logprob for token in response.chunk.tokens]
                        yield Answer(_generated(response.chunk.text, token_ids, logprobs, details), final=False)
                    else:
                        yield Answer(_ending(response.summary), seed=response.summary.seed)

    async def whole(self, model: LoadedModel, arguments: Arguments, context: Any) -> Answer:
        """Answers a request at once.

        Raises:
            ServerError: What the native service raises, its fields named as tensors.
        """
        with _named_as_tensors():
            match model.manifest.task:
                case "generation":
                    return await self._generate(model, arguments, context)
                case "sentiment":
                    return await self._classify(model, arguments, context)
                case "translation":
                    return await self._translate(cast("DecodeModel", model), arguments, context)

    async def _generate(self, model: LoadedModel, arguments: Arguments, context: Any) -> Answer:
        text = StringIO(newline="")
        token_ids, logprobs = array("q"), array("f")  # messages would take a hundred bytes for each token
        summary = generation_pb2.GenerationSummary()
        async with _closing(self.generation.Generate(_generate_request(model, arguments), context)) as responses:
            async for response in responses:
                if response.WhichOneof("payload") == "chunk":
                    text.write(response.chunk.text)
                    token_ids.extend(token.token_id for token in response.chunk.tokens)
                    logprobs.extend(token.logprob for token in response.chunk.tokens)
                else:
                    summary = response.summary
        generated = _generated(text.getvalue(), token_ids, logprobs, arguments.wanted & _DETAILS)
        return Answer([*generated, *_ending(summary)], seed=summary.seed)

    async def _classify(self, model: LoadedModel, arguments: Arguments, context: Any) -> Answer:
        request = sentiment_pb2.ClassifyBatchRequest(model=model.name, version=model.version, texts=arguments.texts)
        scores = (await self.sentiment.ClassifyBatch(request, context)).scores
        return Answer(
            [
                numbers(
                    "probabilities", "FP32", [[each.negative_probability, each.positive_probability] for each in scores]
                ),
                texts("label", [_LABELS[each.sentiment] for each in scores]),
            ]
        )

    async def _translate(self, model: DecodeModel, arguments: Arguments, context: Any) -> Answer:
        count = len(arguments.texts)
        aligned = bool(arguments.options.get("attention")) or bool(arguments.wanted & _ALIGNMENT)
        if not 1 <= count <= MAX_TRANSLATIONS:
            raise InvalidArgument("text", f"must be 1 to {MAX_TRANSLATIONS} texts, not {count}")
        if aligned and count > 1:
            raise InvalidArgument("text", f"must be one text where attention is asked for, not {count}")
        options = {name: value for name, value in arguments.options.items() if name != "attention"}
        beam_size = min(int(options.get("beam_size", 1)), model.limits.max_beam_size)  # a wider one is refused below
        fields.admissible("text", _slots(arguments.texts, beam_size, model), model.client.admission)
        requests = [
            translation_pb2.TranslateRequest(
                model=model.name,
                version=model.version,
                text=text,
                include_attention=aligned,
                priority=_PRIORITIES[arguments.priority],
                **options,
            )
            for text in arguments.texts
        ]
        try:
            async with asyncio.TaskGroup() as group:
                running = [
                    group.create_task(self._text(request, f"text[{index}]", context))
                    for index, request in enumerate(requests)
                ]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the others were cancelled because of it
        translated = [task.result() for task in running]
        tensors = [texts("translation", [each.text for each in translated])]
        if aligned:
            tensors += translated[0].alignment()
        return Answer(tensors)

    async def _text(self, request: translation_pb2.TranslateRequest, field: str, context: Any) -> _TranslatedText:
        translated = _TranslatedText()
        try:
            async with _closing(self.translation.Translate(request, context)) as responses:
                async for response in responses:
                    match response.WhichOneof("payload"):
                        case "source":
                            translated.sources.append(response.source.tokens)
                            translated.targets.append([])
                        case "chunk":
                            translated.targets[-1].extend(response.chunk.tokens)
                        case "summary":
                            translated.text = response.summary.text
        except InvalidArgument as error:
            raise InvalidArgument(field if error.field == "text" else error.field, error.description) from error
        return translated


@dataclass(slots=True)
class _TranslatedText:
    """A translated text: the whole, and the tokens of each sentence."""

    text: str = ""
    sources: list[Sequence[str]] = field(default_factory=list)
    targets: list[list[translation_pb2.TargetToken]] = field(default_factory=list)

    def alignment(self) -> list[Tensor]:
        """Target tokens (T), source tokens (S) and the weights between them (T, S), 0 between different sentences."""
        source = [token for sentence in self.sources for token in sentence]
        target = [token for sentence in self.targets for token in sentence]
        weights = np.zeros((len(target), len(source)), np.float32)
        row = column = 0
        for source_tokens, target_tokens in zip(self.sources, self.targets, strict=True):
            for token in target_tokens:
                weights[row, column : column + len(token.attention)] = token.attention
                row += 1
            column += len(source_tokens)
        return [
            texts("target_tokens", [token.token for token in target]),
            texts("source_tokens", source),
            Tensor("attention", "FP32", weights),
        ]


def _slots(given: Sequence[str], beam_size: int, model: DecodeModel) -> int:
    """Slots that texts hold together."""
    at_once = sentences_at_once(beam_size, model.client.admission)
    most = model.limits.max_text_characters  # a longer text is refused
    return beam_size * sum(min(at_once, max(1, len(split_sentences(text[:most])))) for text in given)


def _generate_request(model: LoadedModel, arguments: Arguments) -> generation_pb2.GenerateRequest:
    def given(*names: str) -> dict[str, Any]:
        return {name: arguments.options[name] for name in names if name in arguments.options}

    return generation_pb2.GenerateRequest(
        model=model.name,
        version=model.version,
        prompt=arguments.texts[0],
        sampling=generation_pb2.SamplingParameters(**given("temperature", "top_k", "top_p", "seed")),
        stopping=generation_pb2.StoppingParameters(**given("max_tokens", "stop")),
        include_logprobs=bool(arguments.wanted & _DETAILS),
        priority=_PRIORITIES[arguments.priority],
    )


def _generated(text: str, token_ids: Sequence[int], logprobs: Sequence[float], details: frozenset[str]) -> list[Tensor]:
    tensors = [texts("text", [text])]
    if details:
        tensors += [numbers("tokens", "INT64", token_ids), numbers("logprobs", "FP32", logprobs)]
    return tensors


def _ending(summary: generation_pb2.GenerationSummary) -> list[Tensor]:
    return [
        texts("finish_reason", [_REASONS[summary.finish_reason]]),
        numbers("generated_tokens", "INT32", [summary.generated_tokens]),
    ]


def _closing(responses: Any) -> aclosing[AsyncGenerator[Any, None]]:
    """Ends a native call with the scope, whatever ends that: the slot must be given back at once."""
    return aclosing(cast("AsyncGenerator[Any, None]", responses))


@contextmanager
def _named_as_tensors() -> Iterator[None]:
    """Renames the fields of errors: ``sampling.temperature`` to ``temperature``, ``texts[3]`` to ``text[3]``."""
    try:
        yield
    except InvalidArgument as error:
        name = error.field.rpartition(".")[2]
        raise InvalidArgument(f"text{name[5:]}" if name.startswith("texts") else name, error.description) from error
