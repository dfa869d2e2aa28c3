"""The subword tokenizers: byte-level pairs for translation, pieces of words for sentiment."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    trainers,
)

from ostinato_models.tokenization.normalization import review_text, typed_text
from ostinato_models.tokenization.vocabulary import (
    BEGIN,
    END,
    PAD,
    UNKNOWN,
    without_added_tokens,
)


def train_byte_pair_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """Learn byte-level byte-pair encoding (Sennrich et al., 2016; Radford et al., 2019).

    Every text can be encoded and decodes to itself in the form that `typed_text` gives it; no
    token is ever unknown. Ids 0 to 3 are ``<pad>``, ``<unk>``, ``<s>`` and ``</s>``, which no text
    encodes to.

    Args:
        texts: what to learn from, both languages together for translation.
        vocabulary_size: tokens in all, the 4 reserved and the 256 bytes included.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = typed_text()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[PAD, UNKNOWN, BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return without_added_tokens(tokenizer)


def train_english_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """Learn byte-pair encoding of lower-case English words, however the text is written.

    SST-2 is tokenized text (``ca n't``, ``-lrb-``); the normalizer brings ordinary text to the
    same form, so that ``can't (really)`` and ``ca n't -lrb- really -rrb-`` give the same ids.
    Ids 0 and 1 are ``<pad>`` and ``<unk>``; a character never seen in training is unknown.

    A piece that starts a word bears a mark in front, rather than the others a prefix as in word
    pieces: the library numbers prefixed letters in no fixed order, and a training could not be
    repeated.

    Args:
        texts: what to learn from.
        vocabulary_size: tokens in all, at most.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = review_text()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"n't|'(?:s|re|ve|ll|d|m)\b|\w+|[^\w\s]"), behavior="removed", invert=True),
            pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(vocab_size=vocabulary_size, special_tokens=[PAD, UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return without_added_tokens(tokenizer)
