"""The sentences say what the numbers say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from ostinato_models.lab.stability.findings import say_limits, say_shares, say_spikes, stable_limit
from ostinato_models.lab.stability.settings import PRESETS
from ostinato_models.lab.stability.trainings import Outcome, Training
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, ArchitectureName

SETTINGS = replace(PRESETS["quick"], lengths=(8, 32), learning_rates=(0.01, 0.1), repeats=1)
LETTERS: Mapping[str, Outcome] = {"l": "learned", "s": "stalled", "u": "unstable"}


def trainings(outcomes: Mapping[ArchitectureName, str]) -> list[Training]:
    """One training a letter: at 8 steps the low and the high learning rate, then at 32 steps."""
    places = [(length, rate) for length in SETTINGS.lengths for rate in SETTINGS.learning_rates]
    return [
        Training(name, length, rate, 0, LETTERS[letter], 1.0, 0.0, 2.0)
        for name, letters in outcomes.items()
        for (length, rate), letter in zip(places, letters, strict=True)
    ]


MIXED = trainings({"rnn": "uuuu", "lstm": "llsu", "gru": "llll", "bilstm": "lluu"})


def test_shares_are_told_the_largest_first() -> None:
    sentence = say_shares(MIXED)
    assert "4 trainings of each architecture" in sentence
    assert "unstable is 100 % (RNN), 50 % (BiLSTM), 25 % (LSTM), 0 % (GRU), and the share that learns " in sentence
    assert sentence.endswith("100 % (GRU), 50 % (LSTM), 50 % (BiLSTM), 0 % (RNN).")


def test_limits_are_told_at_both_ends() -> None:
    assert say_limits(SETTINGS, MIXED) == (
        "The highest learning rate up to which no training is unstable is none (RNN), at least 0.1 (LSTM), at least "
        "0.1 (GRU), at least 0.1 (BiLSTM) at 8 steps, and none (RNN), 0.01 (LSTM), at least 0.1 (GRU), none (BiLSTM) "
        "at 32 steps."
    )


def test_a_stable_rate_above_an_unstable_one_does_not_count() -> None:
    found = trainings(dict.fromkeys(ARCHITECTURES, "ulll"))
    assert stable_limit(SETTINGS, found, "gru", 8) is None
    assert stable_limit(SETTINGS, found, "gru", 32) == 0.1


def test_spikes_are_told_apart_and_the_highest_is_named() -> None:
    found = [replace(each, spike=50.0 if each.outcome == "unstable" else each.spike) for each in MIXED]
    found[7] = replace(found[7], spike=2.0e9)
    sentence = say_spikes(SETTINGS, found)
    assert "is 50 where it went unstable and 2 where it stayed stable; the highest factor, 2.0·10⁹," in sentence
    assert "is that of a training of the LSTM at 32 steps and learning rate 0.1 that went unstable." in sentence


def test_spikes_that_were_not_measured_are_left_out() -> None:
    found = [replace(each, spike=math.inf if each.outcome == "unstable" else 2.0) for each in MIXED]
    assert "is 2 where it stayed stable; the highest factor, 2, is" in say_spikes(SETTINGS, found)
    assert say_spikes(SETTINGS, [replace(each, spike=math.inf) for each in MIXED]).startswith("No training lasted")
