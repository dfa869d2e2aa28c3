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
        text: What it adds to the text; the first token of a sentence also has what separates it from the one before.
        logprob: Natural logarithm of its probability under the model.
        attention: Weight of every token of its source sentence, shape (source,), summing to 1; None unless asked for.
        sentence: Number of the sentence that it belongs to; the first is 0.
    """

    token: str
    text: str
    logprob: float
    attention: FloatArray | None = field(default=None, compare=False)
    sentence: int = 0


@dataclass(frozen=True, slots=True)
class TranslatedSentence:
    """A sentence of a translated text.

    Attributes:
        source: The sentence.
        start: Where it begins in the text, in characters.
        end: Where it ends there: the place of the character after its last.
        text: Its translation, without what separates it from others.
        source_tokens: The sentence as the model reads it.
        target_tokens: Its translation, token by token.
        attention: Shape (target, source), every row summing to 1; None unless asked for, or where the model has none,
            or the translation is empty.
        score: Sum of the log-probabilities of the target tokens, the end of the sequence included.
        finish_reason: Why it ended.
        unknown_tokens: Source tokens that are not in the vocabulary.
    """

    source: str
    start: int
    end: int
    text: str
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    attention: FloatArray | None = field(compare=False)
    score: float
    finish_reason: FinishReason
    unknown_tokens: int


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated text.

    Attributes:
        text: The translation, with the white space and line breaks that separate the sentences of the source.
        sentences: Its sentences, at least one.
        model: Model that served it.
        version: Version of the model.
        timings: Where the time went; of a stream that was resumed, that of its last call.
    """

    text: str
    sentences: tuple[TranslatedSentence, ...]
    model: str
    version: int
    timings: StreamTimings

    @property
    def source_tokens(self) -> tuple[str, ...]:
        """The tokens of all source sentences."""
        return tuple(token for sentence in self.sentences for token in sentence.source_tokens)

    @property
    def target_tokens(self) -> tuple[str, ...]:
        """The tokens of all translated sentences."""
        return tuple(token for sentence in self.sentences for token in sentence.target_tokens)

    @property
    def attention(self) -> FloatArray | None:
        """Shape (target, source), every row summing to 1; 0 between the tokens of different sentences.

        None unless asked for, or where the model has none. It is made anew each time.
        """
        if all(sentence.attention is None for sentence in self.sentences):
            return None
        weights = np.zeros((len(self.target_tokens), len(self.source_tokens)), np.float32)
        row = column = 0
        for sentence in self.sentences:
            rows, columns = len(sentence.target_tokens), len(sentence.source_tokens)
            if sentence.attention is not None:
                weights[row : row + rows, column : column + columns] = sentence.attention
            row, column = row + rows, column + columns
        weights.setflags(write=False)
        return weights

    @property
    def score(self) -> float:
        """Sum of the sentences' scores."""
        return sum(sentence.score for sentence in self.sentences)

    @property
    def finish_reason(self) -> FinishReason:
        """``LENGTH`` if a sentence ended so, else that of the last sentence."""
        reasons = [sentence.finish_reason for sentence in self.sentences]
        return FinishReason.LENGTH if FinishReason.LENGTH in reasons else reasons[-1]

    @property
    def unknown_tokens(self) -> int:
        """Source tokens that are not in the vocabulary."""
        return sum(sentence.unknown_tokens for sentence in self.sentences)
