"""The transfer set: what it begins with, and that it holds only what it is made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.data.examples import SoftlyLabelledText
from ostinato_models.distillation.transfer import CONJUNCTIONS, TransferSettings, documents, transfer_texts

WORDS = st.sampled_from(["good", "bad", "film", "never", "dull", "a", "the"])
PHRASES = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=12)


@given(PHRASES, st.integers(0, 2**32))
def test_it_begins_with_the_phrases_and_holds_no_text_twice(phrases: list[str], seed: int) -> None:
    texts = transfer_texts(phrases, [], [], TransferSettings(joined=20, altered=20, mixed=0), seed)

    assert texts[: len(set(phrases))] == list(dict.fromkeys(phrases))
    assert len(set(texts)) == len(texts)
    known = {word for phrase in [*phrases, *CONJUNCTIONS] for word in phrase.split()}
    assert {word for text in texts for word in text.split()} <= known


@given(PHRASES, st.integers(0, 2**32))
def test_the_seed_decides_it(phrases: list[str], seed: int) -> None:
    settings = TransferSettings(joined=5, altered=5, mixed=5)
    everyday = ["it rains", "he left"]
    first, second = (transfer_texts(phrases, ["odd"], everyday, settings, seed) for _ in range(2))
    assert first == second


def test_words_come_in_frames_when_asked() -> None:
    nothing = TransferSettings(joined=0, altered=0, mixed=0)
    texts = transfer_texts(["good"], ["lugubrious", "zesty"], [], nothing, 0)
    assert texts[0] == "good"
    assert ["lugubrious" in texts[1], "zesty" in texts[2]] == [True, True]
    assert transfer_texts(["good"], ["zesty"], [], TransferSettings(joined=0, altered=0, mixed=0, frames=False), 0) == [
        "good"
    ]


def test_phrases_too_short_to_join_are_left_as_they_are() -> None:
    assert transfer_texts(["good", "bad"], [], [], TransferSettings(joined=9, altered=9, mixed=0), 0) == ["good", "bad"]


def test_everyday_sentences_are_drawn_without_repetition() -> None:
    settings = TransferSettings(joined=0, altered=0, mixed=0, everyday=2)
    texts = transfer_texts(["good"], [], ["it rains", "it rains", "he left", "we ate"], settings, 0)
    assert len(texts) == len(set(texts)) == 3
    assert set(texts[1:]) < {"it rains", "he left", "we ate"}


def test_a_document_has_the_mean_of_what_its_parts_say() -> None:
    rows = [SoftlyLabelledText(f"part {name} praises", 3.0) for name in "abc"]
    rows += [SoftlyLabelledText(f"part {name} blames", -2.0) for name in "abc"]
    made = documents([*rows, SoftlyLabelledText("says nothing much", 0.1)], 40, 0)
    assert len(made) == 40
    for row in made:
        praising, blaming = row.text.count("praises"), row.text.count("blames")
        assert 3 <= praising + blaming <= 30
        assert "nothing" not in row.text
        assert abs(row.log_odds - (3.0 * praising - 2.0 * blaming) / (praising + blaming)) < 1e-9


def test_texts_of_one_class_make_no_documents() -> None:
    assert documents([SoftlyLabelledText("all of them praise", 3.0)], 5, 0) == []


def test_mixed_texts_are_made_of_all_kinds() -> None:
    settings = TransferSettings(joined=0, altered=0, mixed=300, everyday=0, frames=False)
    texts = transfer_texts(["a dull mess indeed"], [], ["It rains."], settings, 0)[1:]
    assert sum("a dull mess indeed" in text for text in texts) > 50
    assert sum("It rains." in text for text in texts) > 50
    assert sum(text.replace("a dull mess indeed", "").replace("It rains.", "").count(" ") > 6 for text in texts) > 50
