"""The transfer set: what it begins with, and that it holds only what it is made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.distillation.transfer import CONJUNCTIONS, TransferSettings, transfer_texts

WORDS = st.sampled_from(["good", "bad", "film", "never", "dull", "a", "the"])
PHRASES = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=12)


@given(PHRASES, st.integers(0, 2**32))
def test_it_begins_with_the_phrases_and_holds_no_text_twice(phrases: list[str], seed: int) -> None:
    texts = transfer_texts(phrases, [], TransferSettings(joined=20, altered=20), seed)

    assert texts[: len(set(phrases))] == list(dict.fromkeys(phrases))
    assert len(set(texts)) == len(texts)
    known = {word for phrase in [*phrases, *CONJUNCTIONS] for word in phrase.split()}
    assert {word for text in texts for word in text.split()} <= known


@given(PHRASES, st.integers(0, 2**32))
def test_the_seed_decides_it(phrases: list[str], seed: int) -> None:
    settings = TransferSettings(joined=5, altered=5)
    assert transfer_texts(phrases, ["odd"], settings, seed) == transfer_texts(phrases, ["odd"], settings, seed)


def test_words_come_in_frames_when_asked() -> None:
    nothing = TransferSettings(joined=0, altered=0)
    texts = transfer_texts(["good"], ["lugubrious", "zesty"], nothing, 0)
    assert texts[0] == "good"
    assert ["lugubrious" in texts[1], "zesty" in texts[2]] == [True, True]
    assert transfer_texts(["good"], ["zesty"], TransferSettings(joined=0, altered=0, frames=False), 0) == ["good"]


def test_phrases_too_short_to_join_are_left_as_they_are() -> None:
    assert transfer_texts(["good", "bad"], [], TransferSettings(joined=9, altered=9), 0) == ["good", "bad"]
