"""What is asked of the engine, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato_server.runtime.base import FloatArray


class Priority(IntEnum):
    """Classes of requests; a lower number goes first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides a request's turn.

    Attributes:
        priority: Its class.
        client: Whose it is; clients share the slots evenly when there are too few.
    """

    priority: Priority = Priority.NORMAL
    client: str = ""


@dataclass(frozen=True, slots=True)
class SamplingParameters:
    """How the next token is drawn.

    Attributes:
        temperature: Divides the logits; 0 is greedy.
        top_k: Keeps the k most probable tokens; 0 keeps all.
        top_p: Keeps the smallest set of most probable tokens with at least this mass, in (0, 1].
        seed: Key of the random numbers, below 2**64.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0


class Milestones(NamedTuple):
    """How far a request came and when, in seconds on the engine's clock; 0 for where it never came.

    Attributes:
        arrived: It was handed to the engine.
        admitted: It got a slot, or its run began.
        first_token: It had its first token; classifications never do.
        done: The engine was done with it; 0 when that was before its end.
    """

    arrived: float
    admitted: float = 0.0
    first_token: float = 0.0
    done: float = 0.0


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where a stream left off, for another one to go on from.

    Attributes:
        state: The state of its row, an array per tensor without the batch axis; none at all for zeros.
        pending: Tokens that the text has and the state has not read yet.
    """

    state: tuple[FloatArray, ...]
    pending: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A prompt to continue.

    Attributes:
        prompt: Token ids; at least one, or one that is pending.
        after: What the prompt follows on; the start of a text when None.
        keeps_state: Whether another stream goes on where this one ends.
        resumed: Token ids sent before the stream broke, at most ``max_tokens``, in which they count.
        sampling: How the next token is drawn.
        max_tokens: The most tokens to generate; 0 only reads the prompt, for who keeps the state.
        stop: Texts that end the stream, each not empty.
        top_alternatives: How many of the most probable tokens to give with each token.
        deadline: When it must be done, on the engine's clock.
        standing: What decides its turn.
    """

    prompt: tuple[int, ...]
    after: Continuation | None = None
    keeps_state: bool = False
    resumed: tuple[int, ...] = ()
    sampling: SamplingParameters
    max_tokens: int
    stop: tuple[str, ...] = ()
    top_alternatives: int = 0
    deadline: float
    standing: Standing = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationRequest:
    """A sentence to translate.

    Attributes:
        source: Token ids, at least one.
        beam_size: Hypotheses kept at each step; 1 is greedy.
        length_penalty: Exponent of the length normalisation (Wu et al. 2016, equation 14).
        max_tokens: The most target tokens, at least one.
        include_attention: Whether every token carries its attention row.
        deadline: When it must be done, on the engine's clock.
        standing: What decides its turn.
    """

    source: tuple[int, ...]
    beam_size: int
    length_penalty: float
    max_tokens: int
    include_attention: bool
    deadline: float
    standing: Standing = Standing()


class Alternative(NamedTuple):
    """A token that might have been generated, and its log-probability in nats."""

    token_id: int
    logprob: float


class GeneratedToken(NamedTuple):
    """A token of a stream.

    Attributes:
        token_id: Its id in the vocabulary.
        text: What it adds to the text.
        logprob: Log-probability under the model in nats.
        alternatives: The most probable tokens at its position.
        attention: Weight of every source token, shape (source,); none where there is no source.
    """

    token_id: int
    text: str
    logprob: float
    alternatives: tuple[Alternative, ...] = ()
    attention: NDArray[np.float32] | None = None


class FinishReason(Enum):
    """Why a stream ended."""

    LENGTH = "length"
    STOP = "stop"
    END_OF_SEQUENCE = "end_of_sequence"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a stream ended.

    Attributes:
        reason: Why.
        generated_tokens: Tokens generated, those of a stop text included.
        score: Sum of their log-probabilities in nats, the end of the sequence included.
        queue_seconds: From arrival to a slot.
        first_token_seconds: From arrival to the first token.
        total_seconds: From arrival to the end.
        withheld: Text that was generated and not sent: a stop text, and what its last token adds to it.
        withheld_tokens: The tokens that were generated and of which nothing was sent.
        continuation: Where another stream may go on, if that was asked for.
    """

    reason: FinishReason
    generated_tokens: int
    score: float
    queue_seconds: float
    first_token_seconds: float
    total_seconds: float
    withheld: str = ""
    withheld_tokens: tuple[int, ...] = ()
    continuation: Continuation | None = None
