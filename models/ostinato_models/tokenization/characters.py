"""The character tokenizer: one id per character (Unicode code point)."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from ostinato_models.tokenization.vocabulary import UNKNOWN


def build_character_tokenizer(text: str) -> Tokenizer:
    r"""Build a tokenizer whose vocabulary is the characters of `text`.

    Id 0 is ``<unk>``, to which every other character maps; the characters follow in code point
    order. Decoding what was encoded gives the same text, white space included.

        >>> tokenizer = build_character_tokenizer("ab\n")
        >>> tokenizer.encode("b\na?").ids
        [3, 1, 2, 0]
    """
    vocabulary = {UNKNOWN: 0}
    for character in sorted(set(text)):
        vocabulary[character] = len(vocabulary)
    return character_tokenizer(vocabulary, UNKNOWN)


def character_tokenizer(vocabulary: Mapping[str, int], unknown: str | None) -> Tokenizer:
    """Make a tokenizer of characters and their ids.

    Args:
        vocabulary: id of every character and reserved token.
        unknown: the token to which every other character maps; without one, a text that has such a character
            cannot be encoded.
    """
    # The library wants some name here; one that the vocabulary lacks makes an unknown character an error.
    tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token=unknown or UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer
