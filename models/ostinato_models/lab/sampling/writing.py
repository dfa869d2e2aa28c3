"""Texts written by the model as the server would write them, and the real text in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato_models.errors import ConfigurationError
from ostinato_models.export.execution import Array
from ostinato_models.lab.sampling.model import LanguageModel
from ostinato_models.lab.sampling.settings import SamplingSettings

_WORD_END = re.compile(r"\w ")


@dataclass(frozen=True, slots=True)
class Sampler:
    """What a request to the server can ask of the sampler.

    Attributes:
        temperature: divides the log-probabilities; 0 takes the most probable character.
        top_k: how many of the most probable characters may be drawn; 0 for all.
        top_p: the mass of the most probable characters that may be drawn.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class Passages:
    """Stretches of held-out text: what the model continues, and how the text itself goes on.

    Attributes:
        prompts: ids, int64 (R, P); each ends with the space after a word, so that what follows begins with a word.
        continuations: ids, int64 (R, L).
        states: the model's state before the last character of each prompt, by the names of the step's inputs.
    """

    prompts: NDArray[np.int64]
    continuations: NDArray[np.int64]
    states: dict[str, Array]


@dataclass(frozen=True, slots=True)
class Written:
    """Texts, and what the model thinks of them.

    Attributes:
        texts: R of L characters.
        nats: mean negative log-probability of a character under the model's own distribution, whatever the sampler.
    """

    texts: tuple[str, ...]
    nats: float


def samplers(settings: SamplingSettings) -> tuple[Sampler, ...]:
    """Every sampler that `settings` ask for, once."""

    def every() -> Iterator[Sampler]:
        yield from (Sampler(temperature=value) for value in settings.temperatures)
        yield from (Sampler(top_k=value) for value in settings.top_ks)
        yield from (Sampler(top_p=value) for value in settings.top_ps)

    return tuple(dict.fromkeys(every()))


def take_passages(model: LanguageModel, settings: SamplingSettings) -> Passages:
    """Cut evenly spaced passages out of the held-out text, and let the model read the prompts.

    Raises:
        ConfigurationError: there is no room for as many.
    """
    text = model.corpus.valid
    stretch = len(text) // settings.texts
    prompts: list[list[int]] = []
    continuations: list[list[int]] = []
    for number in range(settings.texts):
        start = number * stretch
        found = _WORD_END.search(text, start + settings.prompt_characters - 2, start + stretch - settings.characters)
        if found is None:
            raise ConfigurationError("texts", settings.texts, f"fewer for a held-out text of {len(text)} characters")
        end = found.end()
        prompts.append(model.tokenizer.encode(text[end - settings.prompt_characters : end]).ids)
        continuations.append(model.tokenizer.encode(text[end : end + settings.characters]).ids)
    read = np.array(prompts, np.int64)
    states = _carried(model.prefill({"tokens": read[:, :-1], **model.blank_state(len(read))}))
    return Passages(read, np.array(continuations, np.int64), states)


def write(model: LanguageModel, passages: Passages, sampler: Sampler, uniforms: NDArray[np.float32]) -> Written:
    """Continue every prompt with `sampler`.

    Args:
        model: what writes.
        passages: R prompts.
        sampler: how a character is chosen.
        uniforms: a number in [0, 1) for every character to choose, float32 (R, L).
    """
    rows, length = uniforms.shape
    asked: dict[str, Array] = {
        "temperature": np.full(rows, sampler.temperature, np.float32),
        "top_k": np.full(rows, sampler.top_k, np.int64),
        "top_p": np.full(rows, sampler.top_p, np.float32),
    }
    token, states = passages.prompts[:, -1], passages.states
    chosen = np.empty((rows, length), np.int64)
    logprobs = np.empty((rows, length), np.float64)
    for place in range(length):
        result = model.step({"token": token, "uniform": np.ascontiguousarray(uniforms[:, place]), **asked, **states})
        token, states = result["next_token"], _carried(result)
        chosen[:, place], logprobs[:, place] = token, result["logprob"]
    return Written(_decode(model, chosen), float(-logprobs.mean()))


def real_text(model: LanguageModel, passages: Passages) -> Written:
    """What the held-out text has after the prompts; characters that the model does not know are not scored."""
    inputs = np.concatenate([passages.prompts[:, -1:], passages.continuations[:, :-1]], axis=1)
    known = passages.continuations >= model.first_choice
    targets = np.where(known, passages.continuations, model.first_choice)
    logprobs = model.score({"tokens": inputs, "targets": targets, **passages.states})["logprobs"]
    return Written(_decode(model, passages.continuations), float(-logprobs.astype(np.float64)[known].mean()))


def _carried(result: dict[str, Array]) -> dict[str, Array]:
    """The states that a call gave, under the names that the next one takes."""
    return {name.removeprefix("next_"): value for name, value in result.items() if name.startswith("next_state_")}


def _decode(model: LanguageModel, ids: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(model.tokenizer.decode(row) for row in ids.tolist())
