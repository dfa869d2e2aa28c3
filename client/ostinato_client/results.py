"""What calls give back: frozen values, nothing of protobuf in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class FinishReason(StrEnum):
    """Why a stream ended."""

    LENGTH = "length"
    STOP = "stop"
    END_OF_SEQUENCE = "end_of_sequence"
    UNSPECIFIED = "unspecified"


class Sentiment(StrEnum):
    """The class of a text."""

    NEGATIVE = "Negative"
    POSITIVE = "Positive"
    UNSPECIFIED = "Unspecified"


@dataclass(frozen=True, slots=True)
class StreamTimings:
    """Where the time of a stream went, in seconds since its arrival, on the server's clock."""

    queue_seconds: float
    time_to_first_token_seconds: float
    total_seconds: float


@dataclass(frozen=True, slots=True)
class TokenAlternative:
    """A token that the model might have generated, and the natural logarithm of its probability."""

    text: str
    token_id: int
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenDetail:
    """A generated token.

    Attributes:
        text: Text of the token.
        token_id: Identifier in the model's vocabulary.
        logprob: Natural logarithm of its probability under the model, before temperature, top-k and top-p.
        alternatives: The most probable tokens at this position, most probable first; empty unless asked for.
    """

    text: str
    token_id: int
    logprob: float
    alternatives: tuple[TokenAlternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """More of a generated text: all that has arrived since the last chunk.

    Attributes:
        text: To be appended to what came before.
        position: Position of the chunk's first token in the generated sequence; the first is 0.
        token_count: How many tokens the chunk stands for.
        tokens: One entry per token; empty unless asked for.
    """

    text: str
    position: int
    token_count: int
    tokens: tuple[TokenDetail, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationSummary:
    """How a generated stream ended.

    Attributes:
        text: The whole generated text, without the prompt.
        finish_reason: Why it ended.
        model: Model that served it.
        version: Version that served it.
        seed: Seed that was used; the same request with this seed gives the same text.
        prompt_tokens: Tokens in the prompt.
        generated_tokens: Tokens generated.
        unknown_tokens: Prompt tokens that are not in the vocabulary.
        timings: Where the time went.
        withheld_text: Text that was generated and not sent: the stop text, and what its last token adds after it.
    """

    text: str
    finish_reason: FinishReason
    model: str
    version: int
    seed: int
    prompt_tokens: int
    generated_tokens: int
    unknown_tokens: int
    timings: StreamTimings
    withheld_text: str = ""


@dataclass(frozen=True, slots=True)
class TracePoint:
    """The probability that a text is positive, up to and including one of its tokens."""

    token: str
    positive_probability: float


@dataclass(frozen=True, slots=True)
class SentimentScore:
    """What a model thinks of a text.

    Attributes:
        text: The text.
        sentiment: The more probable class.
        positive_probability: Probability that the text is positive; the two sum to 1.
        negative_probability: Probability that the text is negative.
        token_count: Tokens in the text.
        unknown_tokens: Tokens that are not in the vocabulary.
        trace: The score after each token; empty unless asked for.
        model: Model that scored it.
        version: Version of the model.
    """

    text: str
    sentiment: Sentiment
    positive_probability: float
    negative_probability: float
    token_count: int
    unknown_tokens: int
    trace: tuple[TracePoint, ...]
    model: str
    version: int


@dataclass(frozen=True, slots=True)
class TargetToken:
    """A token of a translation.

    Attributes:
        token: As it stands in the vocabulary.
        text: What it adds to the text; all of them joined are the translation (greedy search).
        logprob: Natural logarithm of its probability under the model.
        attention: Weight of every source token, shape (source,), summing to 1; None unless asked for.
    """

    token: str
    text: str
    logprob: float
    attention: FloatArray | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated sentence.

    Attributes:
        text: The translation.
        source_tokens: The source as the model reads it.
        target_tokens: The translation, token by token.
        attention: Shape (target, source), every row summing to 1; None unless asked for, or where the model has none.
        score: Sum of the log-probabilities of the target tokens, the end of the sequence included.
        finish_reason: Why it ended.
        unknown_tokens: Source tokens that are not in the vocabulary.
        model: Model that served it.
        version: Version of the model.
        timings: Where the time went.
    """

    text: str
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    attention: FloatArray | None = field(compare=False)
    score: float
    finish_reason: FinishReason
    unknown_tokens: int
    model: str
    version: int
    timings: StreamTimings
