"""The sentences say what the numbers say, and the opposite for opposite numbers."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.lab.sentiment_comparison.made_results import PAIR_COUNT, Wrong, result

from ostinato_models.lab.sentiment_comparison.findings import findings, say_cost, say_negation, say_quality
from ostinato_models.lab.sentiment_comparison.pairs import judge_pairs
from ostinato_models.lab.sentiment_comparison.scores import SentimentComparisonResult

NONE, TEXT, TWO, THREE = frozenset[int](), frozenset({0}), frozenset({0, 5}), frozenset({0, 5, 9})


def turned(made: SentimentComparisonResult) -> SentimentComparisonResult:
    """The same result with every model's negated sentences the wrong way round, but for the GRU's."""
    trials = tuple(
        trial if trial.model == "gru" else replace(trial, negated=tuple(1.0 - chance for chance in trial.negated))
        for trial in made.trials
    )
    return replace(made, trials=trials)


def test_quality_ranks_the_models_and_says_who_beats_the_bag_of_words() -> None:
    sentence = say_quality(
        result(
            {"bag-of-words": (TWO, TWO), "rnn": (THREE, THREE), "lstm": (TEXT, TWO), "bilstm": (TEXT, TEXT)},
            {},
        )
    )
    assert "GRU 100.0 ± 0.0 %, BiLSTM 90.0 ± 0.0 %, LSTM 85.0 ± 63.5 %, bag of words 80.0 ± 0.0 %, RNN 70.0" in sentence
    assert "the GRU leads the BiLSTM by 10.0 ± 0.0 points, and" in sentence
    assert "bag of words lies above zero for the GRU and BiLSTM and below zero for the RNN." in sentence


def test_quality_admits_what_the_seeds_do_not_tell() -> None:
    unsteady, steady = (NONE, TWO), (TEXT, TEXT)
    wrong: Wrong = {"bag-of-words": steady, "rnn": unsteady, "lstm": unsteady, "gru": unsteady, "bilstm": unsteady}
    sentence = say_quality(result(wrong, {}))
    assert "which the seeds do not tell from nothing" in sentence
    assert "no network's difference from the bag of words has an interval without zero" in sentence


def test_cost_is_that_of_the_most_accurate_network() -> None:
    wrong: Wrong = {"rnn": (TEXT, TEXT), "lstm": (TEXT, TEXT), "gru": (TEXT, TEXT)}
    sentence = say_cost(result(wrong, {"bag-of-words": 0.5, "bilstm": 4.0, "rnn": 0.25}))
    assert "the BiLSTM, takes 8 s of processor time to train, 8 times the bag of words' 1 s" in sentence
    assert "served from 4 MB against 0.5 MB" in sentence
    assert "between 0.12 ms (RNN) and 2 ms (BiLSTM) at the median" in sentence


def test_negation_names_who_loses_most_and_who_turns_the_pairs_round() -> None:
    sentence = say_negation(turned(result({"rnn": (TWO, TWO), "lstm": (frozenset({9}), frozenset({9}))}, {})))
    assert "to the 4 with a word of negation the loss of accuracy is largest in the RNN, 50.0 ± 0.0 points" in sentence
    assert "smallest in the LSTM, -16.7 ± 0.0 points, 66.7 ± 0.0 points apart; of our" in sentence
    assert f"both classes right in: GRU {PAIR_COUNT}, bag of words 0" in sentence


def test_negation_admits_what_the_seeds_do_not_tell() -> None:
    sentence = say_negation(result({"rnn": (TWO, NONE)}, {}))
    assert "largest in the RNN, 25.0 ± 317.7 points" in sentence
    assert "apart, which the seeds do not tell from nothing; of our" in sentence


def test_models_part_where_they_disagree_about_a_class() -> None:
    made = result({}, {})
    assert not any(pair.parts for pair in judge_pairs(made))
    assert all(pair.right("rnn") for pair in judge_pairs(made))
    assert all(pair.parts for pair in judge_pairs(turned(made)))
    assert not any(pair.right("rnn") for pair in judge_pairs(turned(made)))


def test_there_are_three_findings() -> None:
    assert len(set(findings(result({}, {})))) == 3
