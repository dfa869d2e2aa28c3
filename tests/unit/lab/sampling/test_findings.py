"""The sentences say what the numbers say, and the opposite for opposite numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ostinato_models.lab.sampling.balance import balance
from ostinato_models.lab.sampling.findings import findings, percent, say_balance, say_greedy, say_temperature
from ostinato_models.lab.sampling.measures import Measures
from ostinato_models.lab.sampling.settings import PRESETS
from ostinato_models.lab.sampling.sweeps import Sampled
from ostinato_models.lab.sampling.writing import Sampler

SETTINGS = replace(PRESETS["quick"], temperatures=(0.0, 0.5, 1.0), top_ks=(1, 5, 0), top_ps=(0.5, 0.9, 1.0))
REAL = Measures(perplexity=4.5, real_words=0.94, distinct=(0.3, 0.85, 0.99), repetition=0.002, words=100)


def point(perplexity: float, real_words: float, pairs: float, repetition: float = 0.0) -> Measures:
    return Measures(perplexity, real_words, (0.1, pairs, 0.9), repetition, 100)


def sampled(**changes: Measures) -> Sampled:
    """Greedy goes in circles; at equal correctness top-p keeps most variety, top-k least."""
    named = {
        "greedy": point(2.0, 1.0, 0.01, 0.8),
        "cool": point(2.5, 0.96, 0.6),
        "own": point(4.0, 0.8, 0.9),
        "k1": point(2.0, 1.0, 0.01, 0.8),
        "k5": point(3.0, 0.95, 0.5),
        "p5": point(2.2, 0.99, 0.3, 0.05),
        "p9": point(3.2, 0.95, 0.82),
    }
    named.update(changes)
    samplers: Mapping[str, Sampler] = {
        "greedy": Sampler(temperature=0.0),
        "cool": Sampler(temperature=0.5),
        "own": Sampler(),
        "k1": Sampler(top_k=1),
        "k5": Sampler(top_k=5),
        "p5": Sampler(top_p=0.5),
        "p9": Sampler(top_p=0.9),
    }
    return Sampled({}, {samplers[name]: measures for name, measures in named.items()}, REAL, 65)


def test_temperature_is_told_with_its_ends_and_the_model_beside_real_text() -> None:
    sentence = say_temperature(SETTINGS, sampled())
    assert "From temperature 0 to 1 the perplexity of what is written goes from 2.00 to 4.00 per character" in sentence
    assert "the share of real words from 100 % to 80 %" in sentence
    assert "perplexity is 4.00 (real text: 4.50) and only 80 % of the words are real (real text: 94.0 %)" in sentence
    assert "and 96.0 % of the words" in say_temperature(SETTINGS, sampled(own=point(4.0, 0.96, 0.9)))


def test_circles_are_told_with_the_strictest_value_of_each_control_that_ends_them() -> None:
    sentence = say_greedy(SETTINGS, sampled())
    assert "Greedy decoding goes in circles: 80 % of its four-word sequences" in sentence
    assert "below 10 % are temperature 0.5 (0 %), top-k 5 (0 %) and top-p 0.5 (5.0 %)" in sentence

    sentence = say_greedy(SETTINGS, sampled(greedy=point(2.0, 1.0, 0.7, 0.01)))
    assert "Greedy decoding does not go in circles: 1.0 % of its four-word sequences" in sentence
    assert "strictest" not in sentence


def test_controls_are_compared_where_as_many_words_are_real() -> None:
    sentence = say_balance(SETTINGS, sampled())
    assert "as many words are real as in real text (94.0 %)" in sentence
    assert "64 % with temperature between 0.5 and 1" in sentence
    assert "53 % with top-k between 5 and all" in sentence
    assert "83 % with top-p between 0.9 and 1" in sentence
    assert "(real text: 85 %); top-p keeps most." in sentence
    assert "temperature keeps most" in say_balance(SETTINGS, sampled(cool=point(2.5, 0.96, 0.86)))


def test_a_control_that_never_gets_there_is_named() -> None:
    garbled = {name: point(3.0, 0.5, 0.5) for name in ("k1", "k5", "p5", "p9")}
    sentence = say_balance(SETTINGS, sampled(**garbled))
    assert "keeps most" not in sentence
    assert sentence.endswith("no value tried of top-k and top-p gets there.")
    hopeless = sampled(**garbled, greedy=point(2.0, 0.4, 0.1), cool=point(2.0, 0.4, 0.1))
    assert say_balance(SETTINGS, hopeless).endswith("no value tried of temperature, top-k and top-p gets there.")


def test_there_are_three() -> None:
    assert len(set(findings(SETTINGS, sampled()))) == 3


def test_a_crossing_is_interpolated_and_knows_its_nearer_end() -> None:
    points = sampled().sweep("temperature", SETTINGS)
    found = balance(points, 0.92)
    assert found is not None
    assert (found.stricter.label, found.looser.label, found.nearer.label) == ("0.5", "1", "0.5")
    assert found.variety == pytest.approx(0.6 + 0.25 * 0.3)
    later = balance(points, 0.81)
    assert later is not None
    assert later.nearer.label == "1"
    assert balance(points, 0.5) is None


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0 %"), (0.004, "0.4 %"), (0.5, "50 %"), (0.944, "94.4 %"), (1.0, "100 %")]
)
def test_shares_are_told_as_per_cent(share: float, text: str) -> None:
    assert percent(share) == text
