"""What sampling found, said in sentences whose words follow from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ostinato_models.lab.sampling.balance import balance
from ostinato_models.lab.sampling.settings import SamplingSettings
from ostinato_models.lab.sampling.sweeps import CONTROLS, Sampled
from ostinato_models.lab.sampling.writing import Sampler

LOOPING = 0.1
"""Share of repeated four-word sequences from which a text is said to go in circles."""


def findings(settings: SamplingSettings, sampled: Sampled) -> tuple[str, str, str]:
    """Three sentences: temperature, greedy decoding, the controls compared."""
    return (say_temperature(settings, sampled), say_greedy(settings, sampled), say_balance(settings, sampled))


def say_temperature(settings: SamplingSettings, sampled: Sampled) -> str:
    """What the temperature changes, and how the model's own distribution compares with real text."""
    points = sampled.sweep("temperature", settings)
    low, high = points[0], points[-1]
    own, real = sampled.measures[Sampler()], sampled.reference
    fewer = "only " if own.real_words < real.real_words else ""
    return (
        f"From temperature {low.label} to {high.label} the perplexity of what is written goes from "
        f"{low.measures.perplexity:.2f} to {high.measures.perplexity:.2f} per character and the share of real words "
        f"from {percent(low.measures.real_words)} to {percent(high.measures.real_words)}; at temperature 1, the "
        f"model's own distribution, perplexity is {own.perplexity:.2f} (real text: {real.perplexity:.2f}) and "
        f"{fewer}{percent(own.real_words)} of the words are real (real text: {percent(real.real_words)})."
    )


def say_greedy(settings: SamplingSettings, sampled: Sampled) -> str:
    """What happens when the most probable character is always taken, and how little ends it."""
    greedy, real = sampled.measures[Sampler(temperature=0.0)], sampled.reference
    verdict = "goes in circles" if greedy.repetition >= LOOPING else "does not go in circles"
    exits = []
    for control in CONTROLS:
        calm = [point for point in sampled.sweep(control, settings) if point.measures.repetition < LOOPING]
        if calm:
            exits.append(f"{control} {calm[0].label} ({percent(calm[0].measures.repetition)})")
    enough = (
        f"; the strictest values tried that keep this below {percent(LOOPING)} are {join(exits)}"
        if exits and greedy.repetition >= LOOPING
        else ""
    )
    return (
        f"Greedy decoding {verdict}: {percent(greedy.repetition)} of its four-word sequences were in the same text "
        f"before (real text: {percent(real.repetition)}) and {percent(greedy.distinct[1])} of its word pairs are "
        f"different ones (real text: {percent(real.distinct[1])}){enough}."
    )


def say_balance(settings: SamplingSettings, sampled: Sampled) -> str:
    """What variety each control leaves at the real text's share of real words."""
    target = sampled.reference.real_words
    found = {control: balance(sampled.sweep(control, settings), target) for control in CONTROLS}
    reached = {control: crossing for control, crossing in found.items() if crossing is not None}
    missed = [control for control in CONTROLS if control not in reached]
    sentence = (
        f"Set so that as many words are real as in real text ({percent(target)}), the controls leave different variety"
    )
    parts = [
        f"{percent(crossing.variety)} with {control} between {crossing.stricter.label} and {crossing.looser.label}"
        for control, crossing in reached.items()
    ]
    if parts:
        sentence += (
            f": the word pairs that differ are {join(parts)} (real text: {percent(sampled.reference.distinct[1])})"
        )
    if len(reached) > 1:
        sentence += f"; {max(reached, key=lambda control: reached[control].variety)} keeps most"
    if missed:
        sentence += f"; no value tried of {join(missed)} gets there"
    return f"{sentence}."


def percent(share: float) -> str:
    """A share as per cent, with a decimal where it is small or nearly all."""
    value = 100 * share
    return f"{value:.1f} %" if 0 < value < 10 or 90 < value < 100 else f"{value:.0f} %"


def join(parts: Sequence[str]) -> str:
    """A list in words: a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
