"""The sentences say what the numbers say."""

from __future__ import annotations

import math

from ostinato_models.lab.architectures.costs import MIB, Cost
from ostinato_models.lab.architectures.findings import say_memory, say_ranges, say_speed
from ostinato_models.lab.architectures.ranges import Range, Trial
from ostinato_models.lab.architectures.settings import PRESETS
from ostinato_models.lab.synthetic.architectures import ArchitectureName
from ostinato_models.lab.synthetic.tasks import TaskName

SETTINGS = PRESETS["full"]


def found(name: ArchitectureName, task: TaskName, *needed: float) -> Range:
    return Range(name, task, tuple((Trial(10 * 2**place, 0.01, (updates,)),) for place, updates in enumerate(needed)))


def cost(name: ArchitectureName, length: int, speed: float, mebibytes: float) -> Cost:
    return Cost(name, length, 8, 2**18, speed, int(mebibytes * MIB))


COSTS = (
    cost("rnn", 64, 900.0, 900.0),
    cost("rnn", 128, 3000.0, 2.0),
    cost("lstm", 128, 12000.0, 5.0),
    cost("gru", 128, 2000.0, 4.0),
)


def test_ranges_are_told_the_furthest_first_with_where_they_end() -> None:
    sentence = say_ranges(
        SETTINGS,
        [
            found("rnn", "adding", math.inf),
            found("lstm", "adding", 5.0, math.inf),
            found("gru", "adding", 5.0, 6.0, 7.0),
            found("gru", "copy", 5.0, 6.0, math.inf),
        ],
    )
    assert (
        "the adding problem up to a length of 40 (GRU, the longest tried), 10 (LSTM, not 20), "
        "none at all (RNN, not even 10), and the copy task up to a delay of 20 (GRU, not 40)." in sentence
    )
    assert "about 2,000 parameters and at most 1,000 updates" in sentence


def test_speeds_are_those_of_the_longest_sequences() -> None:
    sentence = say_speed(SETTINGS, COSTS)
    assert "on sequences of 128 steps" in sentence
    assert "12,000 (LSTM), 3,000 (RNN), 2,000 (GRU); the fastest, the LSTM, is 6.0 times as fast as the" in sentence
    assert sentence.endswith("slowest, the GRU.")


def test_memory_is_told_the_least_first() -> None:
    sentence = say_memory(SETTINGS, COSTS)
    assert "2.0 MiB (RNN), 4.0 MiB (GRU), 5.0 MiB (LSTM), the most being 2.5 times the least" in sentence
    assert "at most 4.0 MiB in each" in sentence
