"""What is asked of the server, as bytes: what a run repeats is built once, and of an answer only the count is read.

A workload is plain data, since it crosses to the processes that generate the load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2


class Workload(Protocol):
    """A kind of request."""

    @property
    def task(self) -> str:
        """Its name."""

    @property
    def unit(self) -> str:
        """What its tokens are, in the plural."""

    @property
    def method(self) -> str:
        """The method that is called, with its service."""

    @property
    def streaming(self) -> bool:
        """Whether the answer is a stream."""

    def request(self, number: int) -> bytes:
        """The request of a number, serialised."""

    def tokens(self, message: bytes) -> int:
        """How many tokens a message of the answer brought; 0 for one without output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Streams of characters; the request's number is its seed.

    Attributes:
        prompts: Texts to continue, taken in turn.
        model: Name of the model.
        max_chars: Length of a stream.
        temperature: Divides the logits.
    """

    prompts: tuple[str, ...]
    model: str = "char-lm"
    max_chars: int = 200
    temperature: float = 0.8

    task: ClassVar[str] = "generate"
    unit: ClassVar[str] = "characters"
    method: ClassVar[str] = "/ostinato.v1.GenerationService/Generate"
    streaming: ClassVar[bool] = True

    def request(self, number: int) -> bytes:
        """The request of a number, serialised."""
        return generation_pb2.GenerateRequest(
            model=self.model,
            prompt=self.prompts[number % len(self.prompts)],
            sampling=generation_pb2.SamplingParameters(temperature=self.temperature, seed=number),
            stopping=generation_pb2.StoppingParameters(max_tokens=self.max_chars),
        ).SerializeToString()

    def tokens(self, message: bytes) -> int:
        """Characters in a message."""
        # The chunk of a summary is an empty one.
        return generation_pb2.GenerateResponse.FromString(message).chunk.token_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentiment:
    """Texts to score, taken in turn: one a call, or several in a batch call.

    Attributes:
        texts: The texts.
        model: Name of the model.
        batch: Texts in a request; 1 takes the call for a single text.
    """

    texts: tuple[str, ...]
    model: str = "sentiment"
    batch: int = 1

    task: ClassVar[str] = "sentiment"
    unit: ClassVar[str] = "texts"
    streaming: ClassVar[bool] = False

    @property
    def method(self) -> str:
        """The method that is called, with its service."""
        return f"/ostinato.v1.SentimentService/{'Classify' if self.batch == 1 else 'ClassifyBatch'}"

    def request(self, number: int) -> bytes:
        """The request of a number, serialised."""
        chosen = [self.texts[(number * self.batch + offset) % len(self.texts)] for offset in range(self.batch)]
        if self.batch == 1:
            return sentiment_pb2.ClassifyRequest(model=self.model, text=chosen[0]).SerializeToString()
        return sentiment_pb2.ClassifyBatchRequest(model=self.model, texts=chosen).SerializeToString()

    def tokens(self, message: bytes) -> int:
        """Texts scored: all or none, by the contract."""
        return self.batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """Sentences to translate, taken in turn.

    Attributes:
        sentences: The sentences.
        model: Name of the model.
        beam_size: Hypotheses kept; 1 is greedy search.
        attention: Whether to ask for the attention rows.
    """

    sentences: tuple[str, ...]
    model: str = "translation-en-fr"
    beam_size: int = 1
    attention: bool = True

    task: ClassVar[str] = "translate"
    unit: ClassVar[str] = "target tokens"
    method: ClassVar[str] = "/ostinato.v1.TranslationService/Translate"
    streaming: ClassVar[bool] = True

    def request(self, number: int) -> bytes:
        """The request of a number, serialised."""
        return translation_pb2.TranslateRequest(
            model=self.model,
            text=self.sentences[number % len(self.sentences)],
            beam_size=self.beam_size,
            include_attention=self.attention,
        ).SerializeToString()

    def tokens(self, message: bytes) -> int:
        """Target tokens in a message."""
        return len(translation_pb2.TranslateResponse.FromString(message).chunk.tokens)
