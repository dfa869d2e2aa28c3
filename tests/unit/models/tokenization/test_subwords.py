"""Byte pairs decode to what was encoded, typography aside; English is read alike as typed and as tokenized."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ostinato_models.tokenization import (
    BEGIN_ID,
    END_ID,
    PAD_ID,
    UNKNOWN_ID,
    train_byte_pair_tokenizer,
    train_english_tokenizer,
)
from ostinato_models.tokenization.normalization import typed_text

PAIRS = train_byte_pair_tokenizer(["Où est le chat ?", "Where is the cat?", "the cat is here"] * 20, 300)
PIECES = train_english_tokenizer(
    ["ca n't -lrb- really -rrb- it 's good . \" ``", "does n't can can't it is really good"] * 20, 120
)


@given(st.text())
def test_byte_pairs_bring_any_text_back_in_its_normal_form(text: str) -> None:
    ids = PAIRS.encode(text).ids

    assert PAIRS.decode(ids) == typed_text().normalize_str(text)
    assert not {PAD_ID, UNKNOWN_ID, BEGIN_ID, END_ID} & set(ids)


@pytest.mark.parametrize("text", ["<s>", "</s>", "a <pad> b", "<unk>"])
def test_reserved_tokens_cannot_be_typed(text: str) -> None:
    assert min(PAIRS.encode(text).ids) > END_ID
    assert PAIRS.decode(PAIRS.encode(text).ids) == text


def test_reserved_tokens_have_their_ids() -> None:
    names = ["<pad>", "<unk>", "<s>", "</s>"]

    assert [PAIRS.token_to_id(name) for name in names] == [PAD_ID, UNKNOWN_ID, BEGIN_ID, END_ID]
    assert [PIECES.token_to_id(name) for name in names[:2]] == [PAD_ID, UNKNOWN_ID]


def test_frequent_words_become_single_tokens() -> None:
    assert [PAIRS.decode([identifier]) for identifier in PAIRS.encode("the cat is").ids] == ["the", " cat", " is"]


@pytest.mark.parametrize(
    ("typed", "tokenized"),
    [
        ("Can't (really)", "ca n't -lrb- really -rrb-"),
        ("can\u2019t", "ca n't"),
        ("It's GOOD.", "it 's good ."),
        ("doesn't", "does n't"),
    ],
)
def test_typed_text_gets_the_ids_of_tokenized_text(typed: str, tokenized: str) -> None:
    assert PIECES.encode(typed).ids == PIECES.encode(tokenized).ids


def test_the_json_form_is_the_same_tokenizer() -> None:
    for tokenizer in (PAIRS, PIECES):
        copy = Tokenizer.from_str(tokenizer.to_str())
        assert copy.encode("the cat isn't here").ids == tokenizer.encode("the cat isn't here").ids


def test_the_same_texts_give_the_same_tokenizer() -> None:
    """A repeated training starts with its tokenizer; not every trainer of the library is repeatable."""
    texts = [f"{first} {second} {third}" for first in "abcdefg" for second in "hijklm" for third in "nopqrst"]

    for learn in (train_byte_pair_tokenizer, train_english_tokenizer):
        assert len({learn(texts, 320).to_str() for _ in range(4)}) == 1
