"""Every encoder on every sentence: what it knows at the word, and at the words around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato_models.lab.word_sense.contexts import SIDES, Example, Side, examples
from ostinato_models.lab.word_sense.corpus import Corpus, encode
from ostinato_models.lab.word_sense.encoders import ENCODERS, EncoderName, train_encoder
from ostinato_models.lab.word_sense.probes import Floats, Separation, project, separation
from ostinato_models.lab.word_sense.settings import WordSenseSettings

OFFSETS = range(-4, 2)
"""Words from the deciding word, at which the sense is read; the last is the full stop."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One encoder on the sentences decided on one side.

    Attributes:
        encoder: which kind.
        repeat: number of its draw.
        side: where the sense is decided.
        offset: words from the deciding word to the one whose state is read; None where that one is "bank".
        separation: how far that state tells the senses apart.
    """

    encoder: EncoderName
    repeat: int
    side: Side
    offset: int | None
    separation: Separation


@dataclass(frozen=True, slots=True)
class Projection:
    """States at "bank" in the sentences decided on its right, along the two directions of largest spread, (N, 2)."""

    encoder: EncoderName
    points: Floats


@dataclass(frozen=True, slots=True)
class Training:
    """How well an encoder's models predict: perplexities on sentences new to them, one a direction."""

    encoder: EncoderName
    repeat: int
    parameters: int
    perplexities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured."""

    measurements: tuple[Measurement, ...]
    projections: tuple[Projection, ...]
    trainings: tuple[Training, ...]

    def select(self, encoder: EncoderName, side: Side, offset: int | None = None) -> list[Separation]:
        """The separations of one case, one a repeat."""
        wanted = (encoder, side, offset)
        return [each.separation for each in self.measurements if (each.encoder, each.side, each.offset) == wanted]


def measure(corpus: Corpus, settings: WordSenseSettings, watch: Callable[[int, int], None]) -> Measured:
    """Train every encoder and read the sense from its states; `watch` counts epochs."""
    total = settings.repeats * settings.epochs * 3  # one model that reads from the left, two that do both
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        watch(done, total)

    measurements: list[Measurement] = []
    projections: list[Projection] = []
    trainings: list[Training] = []
    for repeat in range(settings.repeats):
        for name in ENCODERS:
            encoder = train_encoder(name, corpus, settings, settings.seed + 100 * repeat, count)
            trainings.append(Training(name, repeat, encoder.parameters, encoder.perplexities))
            for side in SIDES:
                chosen = examples(side)
                states = encoder.states([encode(example.words, corpus.vocabulary) for example in chosen])
                for offset in (None, *OFFSETS) if side == "right" else (None,):
                    found = _at(states, chosen, offset)
                    measurements.append(Measurement(name, repeat, side, offset, separation(found, chosen)))
                    if repeat == 0 and side == "right" and offset is None:
                        projections.append(Projection(name, project(found)))
    return Measured(tuple(measurements), tuple(projections), tuple(trainings))


def _at(states: list[NDArray[np.float32]], chosen: tuple[Example, ...], offset: int | None) -> Floats:
    """The states at "bank" or `offset` words from the deciding word, (N, H)."""
    places = [example.position if offset is None else example.decided + offset for example in chosen]
    return np.stack([each[place + 1] for each, place in zip(states, places, strict=True)])  # a boundary comes first
