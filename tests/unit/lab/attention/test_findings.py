"""The sentences say what the numbers say, and the opposite for opposite numbers."""

from __future__ import annotations

from ostinato_models.lab.attention.agreement import Agreement
from ostinato_models.lab.attention.findings import say_agreement, say_lengths, say_overall
from ostinato_models.lab.attention.lengths import LengthScore

SCORES = (
    LengthScore("1 to 9", 10, 50.0, 40.0),
    LengthScore("over 9", 20, 45.0, 10.0),
    LengthScore("all", 30, 46.0, 18.0),
)


def test_the_networks_are_compared_on_all_sentences() -> None:
    assert "reaches 46.0 BLEU, 28.0 more than" in say_overall(SCORES)
    worse = (*SCORES[:2], LengthScore("all", 30, 18.0, 46.0))
    assert "reaches 18.0 BLEU, 28.0 fewer than" in say_overall(worse)


def test_a_bottleneck_is_said_only_where_the_fixed_state_loses_more() -> None:
    said = say_lengths(SCORES)
    assert "from 50.0 to 45.0 with attention (-10 %) and from 40.0 to 10.0 without (-75 %)" in said
    assert said.endswith("that is the bottleneck.")
    even = (LengthScore("1 to 9", 10, 50.0, 40.0), LengthScore("over 9", 20, 40.0, 35.0), SCORES[2])
    assert say_lengths(even).endswith("shows no bottleneck at these lengths.")


def test_agreement_is_told_beside_what_needs_no_attention() -> None:
    said = say_agreement(Agreement(1234, 0.7, 0.4, 0.1))
    assert "yet it looks most at the lexical aligner's word for 70 % of 1,234 target words" in said
    assert "right for 40 %, a blind guess for 10 %" in said
    assert "yet" not in say_agreement(Agreement(10, 0.3, 0.4, 0.1))
