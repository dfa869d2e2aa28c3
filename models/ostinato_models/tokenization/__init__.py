"""Tokenizers in Hugging Face's JSON format: characters, byte pairs, English words."""

from ostinato_models.tokenization.characters import build_character_tokenizer, character_tokenizer
from ostinato_models.tokenization.subwords import (
    train_byte_pair_tokenizer,
    train_english_tokenizer,
)
from ostinato_models.tokenization.vocabulary import (
    BEGIN_ID,
    END_ID,
    PAD_ID,
    UNKNOWN_ID,
)

__all__ = [
    "BEGIN_ID",
    "END_ID",
    "PAD_ID",
    "UNKNOWN_ID",
    "build_character_tokenizer",
    "character_tokenizer",
    "train_byte_pair_tokenizer",
    "train_english_tokenizer",
]
