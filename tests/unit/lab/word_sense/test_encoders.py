"""Encoders know what they have read, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ostinato_models.lab.word_sense.corpus import encode, load_corpus
from ostinato_models.lab.word_sense.encoders import Encoder, EncoderName, perplexity, train_encoder
from ostinato_models.lab.word_sense.settings import PRESETS

TINY = replace(PRESETS["quick"], generated=60, epochs=1, state_size=8, embedding_size=4)
CORPUS = load_corpus(TINY, Path())


def encoder(name: EncoderName, seed: int = 3) -> Encoder:
    return train_encoder(name, CORPUS, TINY, seed, lambda: None)


@pytest.mark.parametrize(("name", "sees_right"), [("left-to-right", False), ("bidirectional", True)])
def test_only_the_two_way_encoder_sees_what_follows(name: EncoderName, sees_right: bool) -> None:
    texts = [f"we walked to the bank with the {end}".split() for end in ("boat", "loan")]
    first, second = (encode(words, CORPUS.vocabulary) for words in texts)
    assert first[:8] == second[:8]
    assert first[8] != second[8]
    one, other = encoder(name).states([first, second])
    assert one.shape == (len(first), TINY.state_size)
    assert np.array_equal(one[:8], other[:8]) is not sees_right
    assert not np.array_equal(one[8:], other[8:])


def test_both_encoders_hold_as_much_and_the_seed_decides_them() -> None:
    ids = [CORPUS.sentences[0]]
    first, again, other = (encoder("bidirectional", seed).states(ids)[0] for seed in (3, 3, 4))
    assert first.shape == encoder("left-to-right").states(ids)[0].shape
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_training_teaches_the_next_word_in_both_directions() -> None:
    settings = replace(TINY, generated=600, epochs=2, state_size=32, embedding_size=16)
    corpus = load_corpus(settings, Path())
    learned = train_encoder("bidirectional", corpus, settings, 0, lambda: None)
    assert len(learned.perplexities) == 2
    assert max(learned.perplexities) < len(corpus.vocabulary) / 5  # a guess among all words has all of them


def test_perplexity_is_that_of_words_and_ends_alone() -> None:
    model = encoder("left-to-right").forward
    with_padding = perplexity(model, CORPUS.held_out)
    lengths = [len(sentence) - 1 for sentence in CORPUS.held_out]
    assert len(set(lengths)) > 1
    nats = [length * np.log(perplexity(model, [each])) for length, each in zip(lengths, CORPUS.held_out, strict=True)]
    assert with_padding == pytest.approx(np.exp(sum(nats) / sum(lengths)), rel=1e-4)
