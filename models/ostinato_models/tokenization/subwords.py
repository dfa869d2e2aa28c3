"""The subword tokenizers: byte-level pairs for translation, word pieces for sentiment."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from ostinato_models.tokenization.vocabulary import (
    BEGIN,
    END,
    PAD,
    UNKNOWN,
    without_added_tokens,
)


def train_byte_pair_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """Learn byte-level byte-pair encoding (Sennrich et al., 2016; Radford et al., 2019).

    Every text can be encoded and decodes to exactly itself; no token is ever unknown. Ids 0 to 3
    are ``<pad>``, ``<unk>``, ``<s>`` and ``</s>``, which no text encodes to.

    Args:
        texts: what to learn from, both languages together for translation.
        vocabulary_size: tokens in all, the 4 reserved and the 256 bytes included.
    """
    tokenizer = Tokenizer(models.BPE())
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


def train_word_piece_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """Learn lower-case word pieces (Wu et al., 2016) for English as people type it.

    SST-2 is tokenized text (``ca n't``, ``-lrb-``); the normalizer brings ordinary text to the
    same form, so that ``can't (really)`` and ``ca n't -lrb- really -rrb-`` give the same ids.
    Ids 0 and 1 are ``<pad>`` and ``<unk>``.

    Args:
        texts: what to learn from.
        vocabulary_size: tokens in all.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex("[\u2018\u2019\u02bc`\u00b4]"), "'"),
            normalizers.Replace(Regex("[\u201c\u201d]|''"), '"'),
            normalizers.Replace("-lrb-", "("),
            normalizers.Replace("-rrb-", ")"),
            normalizers.Replace(Regex(r"n't\b"), " n't"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        Regex(r"n't|'(?:s|re|ve|ll|d|m)\b|\w+|[^\w\s]"), behavior="removed", invert=True
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[PAD, UNKNOWN],
        continuing_subword_prefix="##",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return without_added_tokens(tokenizer)
