"""The character tokenizer: one id per character (Unicode code point)."""

from __future__ import annotations

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
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer
