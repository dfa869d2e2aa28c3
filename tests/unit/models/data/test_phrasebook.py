"""The phrasebook is in the form of the corpus that it joins."""

from __future__ import annotations

from ostinato_models.data.phrasebook import phrasebook
from ostinato_models.tokenization.normalization import typed_text


def test_every_phrase_is_a_proper_sentence_in_its_normal_form() -> None:
    pairs = phrasebook()
    assert len({pair.source for pair in pairs}) == len(pairs) > 250
    for text in (text for pair in pairs for text in pair):
        assert text == typed_text().normalize_str(text)
        assert text[0].isupper()
        assert text[-1] in ".!?"
