"""The built-in data: the same for a seed, true by construction, correct French."""

from __future__ import annotations

from ostinato_models.data.examples import NEGATIVE, POSITIVE
from ostinato_models.data.pydoc_topics import load_pydoc_topics
from ostinato_models.data.sentiment_grammar import BLAME, PRAISE, generate_sentiment
from ostinato_models.data.translation_grammar import generate_translation


def judged(text: str) -> int:
    """The class of a generated opinion, read off its last clause."""
    last = text.split(" but ")[-1]
    praises = any(word in last.split() for word in PRAISE)
    assert praises != any(word in last.split() for word in BLAME)
    return POSITIVE if praises != (" is not " in last) else NEGATIVE


def test_every_opinion_has_the_class_of_its_last_clause() -> None:
    corpus = generate_sentiment()

    for row in corpus.train + corpus.valid + corpus.test:
        assert judged(row.text) == row.label


def test_opinions_are_different_balanced_and_split() -> None:
    corpus = generate_sentiment()
    texts = [row.text for row in corpus.train + corpus.valid + corpus.test]

    assert len(set(texts)) == len(texts) == 2400
    assert (len(corpus.train), len(corpus.valid), len(corpus.test)) == (2000, 200, 200)
    assert 0.45 < sum(row.label for row in corpus.train) / len(corpus.train) < 0.55


def test_the_seed_decides_every_sentence() -> None:
    assert generate_sentiment(seed=3, count=60) == generate_sentiment(seed=3, count=60)
    assert generate_sentiment(seed=3, count=60) != generate_sentiment(seed=4, count=60)
    assert generate_translation(seed=3, count=60) == generate_translation(seed=3, count=60)
    assert generate_translation(seed=3, count=60) != generate_translation(seed=4, count=60)


def test_french_agrees_elides_and_puts_negation_around_the_verb() -> None:
    corpus = generate_translation()
    pairs = {pair.source: pair.target for pair in corpus.train}
    expected = {
        "I love the black cats.": "J'aime les chats noirs.",
        "I love the black house.": "J'aime la maison noire.",
        "They do not love the big schools.": "Ils n'aiment pas les grandes \u00e9coles.",
        "He looks for the perfect friend.": "Il cherche l'ami parfait.",
        "I do not find the big school.": "Je ne trouve pas la grande \u00e9cole.",
    }

    assert {source: pairs.get(source) for source in expected} == expected


def test_pythons_help_topics_are_a_text_of_useful_size() -> None:
    corpus = load_pydoc_topics()

    assert len(corpus.train) == 180_000
    assert len(corpus.valid) == 20_000
    assert "statement" in corpus.train
