"""A tokenizer of each type that language models are published with, and a tiny untrained model for each to serve."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from ostinato_bundle import TokenizerFacts
from ostinato_models.export.source import Source
from ostinato_models.export.untrained import ALPHABET, untrained_generator
from ostinato_models.export.writer import Target, write_bundle
from ostinato_models.networks import CharLanguageModel, CharLanguageModelConfig
from ostinato_models.tokenization import build_character_tokenizer
from ostinato_models.tokenization.vocabulary import without_added_tokens

PROMPT = "The cat sat on the mat, didn't it?"
"""What every tokenizer here can read."""

TEXTS = (
    "The cat sat on the mat, didn't it? Unbelievably, it did not.",
    "A café is a naïve place: the cat's affable, the dogs bark and barked.",
    "where is the red house ? the house is not where it was !",
)
RESERVED = ["<pad>", "<unk>"]
Kind = Literal["character", "word", "subword"]


def words() -> Tokenizer:
    """Whole words, which are joined by spaces."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(TEXTS, trainers.WordLevelTrainer(special_tokens=RESERVED, show_progress=False))
    return tokenizer


def word_pieces() -> Tokenizer:
    """Pieces of lower-case words, ``##`` within a word, as BERT has them; decoding cleans punctuation up."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=True)
    trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=RESERVED, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def sentence_pieces() -> Tokenizer:
    """Byte pairs with a mark for each space and a token for each byte, as SentencePiece makes them for Llama."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(0x100)]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=RESERVED + byte_tokens, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return without_added_tokens(tokenizer)


def unigram_pieces() -> Tokenizer:
    """The other model of SentencePiece, as T5 has it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=80, special_tokens=RESERVED, unk_token="<unk>", show_progress=False, max_piece_length=6
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def suffixed_pieces() -> Tokenizer:
    """Byte pairs with a mark after each word, as the first of them had it; the decoder drops the last space."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=120, special_tokens=RESERVED, end_of_word_suffix="</w>", show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def byte_pairs() -> Tokenizer:
    """Byte-level byte pairs, as GPT-2 has them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=RESERVED,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


TOKENIZERS: Mapping[str, tuple[Kind, Callable[[], Tokenizer]]] = MappingProxyType(
    {
        "characters": ("character", lambda: build_character_tokenizer(ALPHABET)),
        "words": ("word", words),
        "word-pieces": ("subword", word_pieces),
        "sentence-pieces": ("subword", sentence_pieces),
        "byte-pairs": ("subword", byte_pairs),
    }
)
"""The five types that are served in tests, under these names."""

OTHERS: Mapping[str, tuple[Kind, Callable[[], Tokenizer]]] = MappingProxyType(
    {"unigram-pieces": ("subword", unigram_pieces), "suffixed-pieces": ("subword", suffixed_pieces)}
)
"""Variants of them."""


ALL: Mapping[str, tuple[Kind, Callable[[], Tokenizer]]] = MappingProxyType({**TOKENIZERS, **OTHERS})


@cache
def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a name."""
    return ALL[name][1]()


def facts(name: str) -> TokenizerFacts:
    """What a manifest says of it."""
    vocabulary = tokenizer(name).get_vocab(with_added_tokens=True)
    return TokenizerFacts(
        kind=ALL[name][0],
        vocabulary_size=len(vocabulary),
        unknown_id=vocabulary.get("<unk>"),
        padding_id=vocabulary.get("<pad>"),
    )


def build_repository(path: Path) -> Path:
    """Put an untrained language model with each of the five tokenizers into the repository ``path``; returns it."""
    for name in TOKENIZERS:
        write_bundle(_source(name), Target(path, name, 1, ("onnx-int8",)))
    return path


@dataclass(frozen=True, slots=True)
class _Tokenized(Source):
    """A source whose tokenizer is not one of this project's."""

    facts: TokenizerFacts

    def tokenizer_facts(self) -> TokenizerFacts:
        return self.facts


def _source(name: str) -> Source:
    plain = untrained_generator()
    config = CharLanguageModelConfig(
        vocabulary_size=facts(name).vocabulary_size, cell="lstm", embedding_size=16, hidden_size=32, num_layers=1
    )
    torch.manual_seed(2)
    network = CharLanguageModel(config)
    network.output.weight.data *= 3.0
    network.output.bias.data = 1.5 * torch.randn(network.output.bias.shape)  # some tokens are clearly likelier
    weights = {key: value.half().float().numpy() for key, value in network.state_dict().items()}
    record = json.loads(json.dumps(dict(plain.record))) | {"model": config.to_dict()}
    return _Tokenized(plain.task, config, weights, tokenizer(name).to_str(), record, facts(name))
