"""The character tokenizer: one id per character, and back again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ostinato_models.tokenization import build_character_tokenizer

ALPHABET = "aé \n\t.\u00a0日"
TOKENIZER = build_character_tokenizer(ALPHABET)


@given(st.text(ALPHABET))
def test_known_text_comes_back_exactly_with_one_id_per_character(text: str) -> None:
    ids = TOKENIZER.encode(text).ids

    assert len(ids) == len(text)
    assert TOKENIZER.decode(ids) == text


def test_ids_follow_code_points_after_unknown() -> None:
    tokenizer = build_character_tokenizer("ba\n")

    assert tokenizer.get_vocab() == {"<unk>": 0, "\n": 1, "a": 2, "b": 3}


@given(st.text())
def test_every_other_character_maps_to_unknown_one_by_one(text: str) -> None:
    ids = TOKENIZER.encode(text).ids

    assert [identifier == 0 for identifier in ids] == [character not in ALPHABET for character in text]


def test_the_name_of_the_unknown_token_is_ordinary_text() -> None:
    tokenizer = build_character_tokenizer("<unk>")

    assert 0 not in tokenizer.encode("<unk>").ids


def test_the_json_form_is_the_same_tokenizer() -> None:
    copy = Tokenizer.from_str(TOKENIZER.to_str())

    assert copy.encode("é\n日?").ids == TOKENIZER.encode("é\n日?").ids
