"""Words and their tokens."""

from __future__ import annotations

import numpy as np

from ostinato_models.lab.attention.words import segment, word_attention
from ostinato_models.tokenization import train_byte_pair_tokenizer

TOKENIZER = train_byte_pair_tokenizer(["the cat sees", "the dog"], 270)


def test_words_are_those_of_the_text_with_all_their_tokens() -> None:
    found = segment(TOKENIZER, "The cat sees zebras.")
    assert found.words == ("the", "cat", "sees", "zebras", ".")
    assert found.membership.shape == (5, len(found.ids))
    assert np.array_equal(found.membership.sum(axis=0), np.ones(len(found.ids)))
    assert int(found.membership[3].sum()) > 1  # an unknown word has several tokens


def test_attention_between_words_sums_over_source_tokens_and_averages_over_target_tokens() -> None:
    source, target = segment(TOKENIZER, "zebras"), segment(TOKENIZER, "the zebras")
    weights = np.random.default_rng(1).dirichlet(np.ones(len(source.ids)), len(target.ids)).astype(np.float32)
    words = word_attention(weights, source, target)
    assert words.shape == (2, 1)
    np.testing.assert_allclose(words, 1.0, rtol=1e-6)
