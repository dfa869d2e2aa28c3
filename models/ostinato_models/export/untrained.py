"""Sources with random weights and tiny vocabularies: a bundle in a second, to test whatever serves it."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from ostinato_bundle.manifest import Task
from ostinato_models.export.source import AnyConfig, Source, make_source
from ostinato_models.networks import (
    CharLanguageModel,
    CharLanguageModelConfig,
    SentimentClassifier,
    SentimentClassifierConfig,
    Seq2Seq,
    Seq2SeqConfig,
)
from ostinato_models.networks.attention import AttentionName
from ostinato_models.networks.cells import CellName
from ostinato_models.networks.sentiment_classifier import Pooling
from ostinato_models.tokenization import (
    build_character_tokenizer,
    train_byte_pair_tokenizer,
    train_english_tokenizer,
)

ALPHABET = "\n !',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SENTENCES = (
    "the film is a quiet joy , and never dull .",
    "this is not a good film , it is a long , dull mess .",
    "the cat sees the dog . le chat voit le chien .",
    "where is the red house ? où est la maison rouge ?",
)
CONTRAST = 6.0
"""Output weights are larger than a fresh network's, so that some tokens are clearly likelier than others."""


def untrained_generator(
    *,
    cell: CellName = "lstm",
    hidden_size: int = 32,
    num_layers: int = 2,
    alphabet: str = ALPHABET,
    seed: int = 1,
) -> Source:
    """A character language model that has learnt nothing."""
    tokenizer = build_character_tokenizer(alphabet)
    config = CharLanguageModelConfig(
        vocabulary_size=tokenizer.get_vocab_size(),
        cell=cell,
        embedding_size=16,
        hidden_size=hidden_size,
        num_layers=num_layers,
    )
    torch.manual_seed(seed)
    network = CharLanguageModel(config)
    network.output.weight.data *= CONTRAST
    return _source("char-lm", config, network, tokenizer, seed)


def untrained_classifier(
    *,
    cell: CellName = "lstm",
    size: int = 24,
    num_layers: int = 1,
    bidirectional: bool = True,
    pooling: Pooling = "max",
    seed: int = 1,
) -> Source:
    """A sentiment classifier that has learnt nothing; `size` is that of embeddings and hidden states."""
    tokenizer = train_english_tokenizer(SENTENCES, 120)
    config = SentimentClassifierConfig(
        vocabulary_size=tokenizer.get_vocab_size(),
        cell=cell,
        embedding_size=size,
        hidden_size=size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        pooling=pooling,
    )
    torch.manual_seed(seed)
    network = SentimentClassifier(config)
    network.embedding.weight.data *= CONTRAST
    network.output.weight.data *= CONTRAST
    return _source("sentiment", config, network, tokenizer, seed)


def untrained_translator(
    *, attention: AttentionName | None = "general", size: int = 16, num_layers: int = 1, seed: int = 1
) -> Source:
    """An encoder-decoder that has learnt nothing; `size` is that of embeddings and encoder, half the decoder's."""
    tokenizer = train_byte_pair_tokenizer(SENTENCES, 300)
    config = Seq2SeqConfig(
        vocabulary_size=tokenizer.get_vocab_size(),
        embedding_size=size,
        encoder_size=size,
        decoder_size=2 * size,
        num_layers=num_layers,
        attention=attention,
    )
    torch.manual_seed(seed)
    network = Seq2Seq(config)
    network.embedding.weight.data *= CONTRAST
    return _source("translation", config, network, tokenizer, seed)


def untrained(task: Task, seed: int = 1) -> Source:
    """The tiny network of a task."""
    match task:
        case "generation":
            return untrained_generator(seed=seed)
        case "sentiment":
            return untrained_classifier(seed=seed)
        case "translation":
            return untrained_translator(seed=seed)


def _source(task: str, config: AnyConfig, network: nn.Module, tokenizer: Tokenizer, seed: int) -> Source:
    record: dict[str, Any] = {
        "task": task,
        "preset": "untrained",
        "model": config.to_dict(),
        "training": {},
        "data": {"name": "nothing", "files": {}, "examples": {}},
        "command": "none: the weights are random",
        "seed": seed,
        "device": "cpu",
        "libraries": {"torch": str(torch.__version__)},
        "curve": [],
        "best": {},
        "results": {},
        "seconds": 0.0,
    }
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return make_source(config, weights, tokenizer.to_str(), record)
