"""The constructed sentences are what the experiment says that they are."""

from __future__ import annotations

from itertools import chain

import pytest

from ostinato_models.lab.word_sense.contexts import DECIDING, FRAMES, SENSES, SIDES, WORD, Side, examples


@pytest.mark.parametrize("side", SIDES)
def test_minimal_pairs_differ_in_the_deciding_word_alone(side: Side) -> None:
    found = examples(side)
    assert len(found) == 2 * len(DECIDING) * len(FRAMES[side])
    for river, money in zip(found[0::2], found[1::2], strict=True):
        assert (river.sense, money.sense) == SENSES
        assert (river.cue, river.frame) == (money.cue, money.frame)
        assert river.words[river.position] == money.words[money.position] == WORD
        differing = [place for place, pair in enumerate(zip(river.words, money.words, strict=True)) if len({*pair}) > 1]
        assert differing == [river.decided] == [money.decided]
        assert (river.decided < river.position) is (side == "left")


@pytest.mark.parametrize("side", SIDES)
def test_no_sentence_comes_twice_and_each_has_the_word_once(side: Side) -> None:
    found = [example.words for example in examples(side)]
    assert len(set(found)) == len(found)
    assert all(words.count(WORD) == 1 for words in found)


def test_a_deciding_word_belongs_to_one_pair_and_to_no_frame() -> None:
    words = list(chain.from_iterable(DECIDING))
    assert len(set(words)) == len(words)
    shared = {word for frames in FRAMES.values() for frame in frames for word in frame.split()}
    assert not shared & set(words)


def test_four_words_stand_before_the_deciding_one_and_a_full_stop_after_it() -> None:
    for example in examples("right"):
        assert example.decided >= 4
        assert example.words[example.decided + 1 :] == (".",)
