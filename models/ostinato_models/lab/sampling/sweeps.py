"""Every sampler measured, and the results of one control in the order of its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ostinato_models.lab.sampling.measures import Measures, measure, split_words
from ostinato_models.lab.sampling.model import LanguageModel
from ostinato_models.lab.sampling.settings import SamplingSettings
from ostinato_models.lab.sampling.writing import Sampler, Written, real_text, samplers, take_passages, write

Control: TypeAlias = Literal["temperature", "top-k", "top-p"]
CONTROLS: tuple[Control, Control, Control] = ("temperature", "top-k", "top-p")


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one control, from the strictest on, with what it gave.

    Attributes:
        label: the value as it is written.
        value: as a number; a top-k of everything is the number of characters there are.
        sampler: with that value.
        measures: of what was written.
    """

    label: str
    value: float
    sampler: Sampler
    measures: Measures


@dataclass(frozen=True, slots=True)
class Sampled:
    """What every sampler wrote.

    Attributes:
        written: by sampler.
        measures: by sampler.
        reference: the real text's.
        choices: characters that can be drawn.
    """

    written: Mapping[Sampler, Written]
    measures: Mapping[Sampler, Measures]
    reference: Measures
    choices: int

    def sweep(self, control: Control, settings: SamplingSettings) -> list[Point]:
        """The points of one control, from the strictest value to the loosest."""
        samplers = {
            "temperature": [Sampler(temperature=value) for value in settings.temperatures],
            "top-k": [Sampler(top_k=value) for value in settings.top_ks],
            "top-p": [Sampler(top_p=value) for value in settings.top_ps],
        }[control]
        points = [Point(*self._value(control, sampler), sampler, self.measures[sampler]) for sampler in samplers]
        return sorted(points, key=lambda point: point.value)

    def _value(self, control: Control, sampler: Sampler) -> tuple[str, float]:
        if control == "top-k":
            return (str(sampler.top_k), sampler.top_k) if sampler.top_k else ("all", self.choices)
        value = sampler.temperature if control == "temperature" else sampler.top_p
        return f"{value:g}", value


def sample_all(model: LanguageModel, settings: SamplingSettings, watch: Callable[[int, int], None]) -> Sampled:
    """Write with every sampler, from the same prompts and with the same random numbers, and measure."""
    vocabulary = frozenset(split_words(model.corpus.train))
    passages = take_passages(model, settings)
    generator = np.random.default_rng(settings.seed)
    uniforms = generator.random((settings.texts, settings.characters), np.float32)
    planned = samplers(settings)
    written: dict[Sampler, Written] = {}
    for sampler in planned:
        written[sampler] = write(model, passages, sampler, uniforms)
        watch(len(written), len(planned))
    return Sampled(
        written,
        {sampler: measure(each, vocabulary) for sampler, each in written.items()},
        measure(real_text(model, passages), vocabulary),
        model.source.vocabulary().choices,
    )
