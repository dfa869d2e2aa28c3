"""What word-sense found, said in sentences whose words follow from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato_models.lab.word_sense.contexts import SIDES, Side, examples
from ostinato_models.lab.word_sense.encoders import EncoderName
from ostinato_models.lab.word_sense.measurements import OFFSETS, Measured
from ostinato_models.lab.word_sense.probes import Separation

CHANCE = 0.5
CLEAR = 0.75
"""Accuracy from which an encoder is said to tell the senses apart: half of the way from chance to certainty."""


def findings(measured: Measured) -> tuple[str, str, str]:
    """Three sentences: decided on the right, decided on the left, when the one-way encoder learns it."""
    return (_say_right(measured), _say_left(measured), _say_moment(measured))


def mean_and_range(values: Sequence[float]) -> str:
    """A share as per cent, with the lowest and highest draw."""
    low, high = 100 * min(values), 100 * max(values)
    mean = f"{100 * float(np.mean(values)):.0f} %"
    return mean if round(low) == round(high) else f"{mean} ({low:.0f} to {high:.0f})"


def accuracies(found: Sequence[Separation]) -> list[float]:
    """The probe's accuracy in every repeat."""
    return [each.accuracy for each in found]


def _say_right(measured: Measured) -> str:
    one, both = (measured.select(name, "right") for name in ("left-to-right", "bidirectional"))
    pairs = len(examples("right")) // 2
    same = (
        f'the left-to-right encoder\'s states at "bank" are the same to the bit in all {pairs} minimal pairs, so that '
        "nothing read from them can be right more often than by chance"
        if all(each.identical == 1.0 for each in one)
        else 'the left-to-right encoder\'s states at "bank" differ within pairs, which they must not'
    )
    verdict = "separates the senses" if np.mean(accuracies(both)) >= CLEAR else "hardly separates the senses"
    return (
        f"Where a word after it decides, {same} (the probe: {mean_and_range(accuracies(one))}), while the "
        f"bidirectional encoder {verdict}: the probe is right in {mean_and_range(accuracies(both))} of the sentences, "
        "though it has never seen their deciding words, and orders "
        f"{mean_and_range([each.pairs for each in both])} of the pairs."
    )


def _say_left(measured: Measured) -> str:
    one, both = (accuracies(measured.select(name, "left")) for name in ("left-to-right", "bidirectional"))
    if min(np.mean(one), np.mean(both)) >= CLEAR:
        verdict = "both tell the sense, so what fails above is the direction and not the encoder"
    elif np.mean(one) >= CLEAR:
        verdict = "the left-to-right encoder tells the sense here, so what fails above is the direction"
    else:
        verdict = "the left-to-right encoder hardly tells the sense here either, so its failure above is not explained"
    return (
        f"Where a word before it decides, the probe is right in {mean_and_range(one)} of the sentences with the "
        f"left-to-right encoder and in {mean_and_range(both)} with the bidirectional one: {verdict}."
    )


def _say_moment(measured: Measured) -> str:
    def mean(name: EncoderName, offset: int) -> float:
        return float(np.mean(accuracies(measured.select(name, "right", offset))))

    before = [offset for offset in OFFSETS if offset < 0]
    earlier = max(mean("left-to-right", offset) for offset in before)
    moment = mean("left-to-right", 0)
    first = before[0]
    learned = "knows the sense once it has read the deciding word" if moment >= CLEAR else "hardly learns it even then"
    return (
        f"The left-to-right encoder {learned}: it has at most {100 * earlier:.0f} % at the {len(before)} words before "
        f"that word and {100 * moment:.0f} % at it, where the bidirectional one has "
        f"{100 * mean('bidirectional', first):.0f} % already {-first} words before it."
    )


def summary_rows(measured: Measured) -> list[tuple[EncoderName, Side, float, float, float, float]]:
    """Means over the repeats at the word: encoder, side, probe, pairs, neighbours, identical pairs."""
    rows: list[tuple[EncoderName, Side, float, float, float, float]] = []
    names: tuple[EncoderName, EncoderName] = ("left-to-right", "bidirectional")
    for side in SIDES:
        for name in names:
            found = measured.select(name, side)
            means = [
                float(np.mean(values))
                for values in zip(*((f.accuracy, f.pairs, f.neighbours, f.identical) for f in found), strict=True)
            ]
            rows.append((name, side, means[0], means[1], means[2], means[3]))
    return rows
