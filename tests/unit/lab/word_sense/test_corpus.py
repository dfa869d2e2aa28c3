"""The encoders read sentences that keep to a theme, and none of the constructed ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.word_sense.contexts import SIDES, WORD, examples
from ostinato_models.lab.word_sense.corpus import BOUNDARY, UNKNOWN, encode, load_corpus, split_words
from ostinato_models.lab.word_sense.settings import PRESETS
from ostinato_models.lab.word_sense.themes import NOUNS, VERBS, generate

SETTINGS = replace(PRESETS["quick"], generated=4000)
CORPUS = load_corpus(SETTINGS, Path())


def test_a_sentence_has_nouns_and_verbs_of_one_theme_alone() -> None:
    own = {theme: {word for part in (*NOUNS[theme], *VERBS[theme]) for word in part.split()[:1]} for theme in NOUNS}
    for text in generate(500, 5):
        themes = {theme for theme, words in own.items() if words & set(text.split())}
        assert len(themes) == 1 or (not themes and WORD in text)
        if WORD in text:
            assert themes <= {"river", "money"}


def test_the_seed_decides_the_sentences() -> None:
    assert generate(50, 1) == generate(50, 1) != generate(50, 2)
    assert load_corpus(SETTINGS, Path()) == CORPUS


def test_every_word_of_the_test_is_known_and_no_sentence_of_it_is_learned() -> None:
    constructed = [example.words for side in SIDES for example in examples(side)]
    assert {word for words in constructed for word in words} <= set(CORPUS.vocabulary)
    tests = {encode(words, CORPUS.vocabulary) for words in constructed}
    assert tests.isdisjoint((*CORPUS.sentences, *CORPUS.held_out))


def test_a_constructed_sentence_that_the_grammar_makes_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    constructed = " ".join(examples("right")[0].words)
    texts = [constructed, *(f"we saw the boat {number} ." for number in range(1, 60))]
    monkeypatch.setattr("ostinato_models.lab.word_sense.corpus.generate", lambda count, seed: texts[:count])
    found = load_corpus(replace(SETTINGS, generated=60), Path())
    assert len(found.sentences) + len(found.held_out) == 59
    assert (len(found.held_out), found.occurrences) == (2, 0)


def test_rare_words_are_unknown_and_sentences_are_bounded() -> None:
    assert encode(["the", "zygote"], CORPUS.vocabulary) == (BOUNDARY, CORPUS.vocabulary["the"], UNKNOWN, BOUNDARY)
    assert len(load_corpus(replace(SETTINGS, vocabulary_size=20), Path()).vocabulary) == 17


def test_texts_are_split_into_words_and_marks() -> None:
    assert split_words("It's £5, isn't it?") == ["it's", "5", ",", "isn't", "it", "?"]


def test_a_data_set_that_has_no_english_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="corpus = 'pydoc-topics': must be a translation data set"):
        load_corpus(replace(SETTINGS, corpus="pydoc-topics"), Path())
