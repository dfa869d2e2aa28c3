"""From a preset to a task: read the data, make the tokenizer, build the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from ostinato_models.data.corpora import find_data_set
from ostinato_models.data.examples import CharacterCorpus, SentencePair, SentimentCorpus, TranslationCorpus
from ostinato_models.data.variants import CAPITALS_SHARE, capitals
from ostinato_models.distillation.soft_labels import read_soft_labels
from ostinato_models.errors import ConfigurationError
from ostinato_models.networks import (
    CharLanguageModel,
    CharLanguageModelConfig,
    SentimentClassifier,
    SentimentClassifierConfig,
    Seq2Seq,
    Seq2SeqConfig,
)
from ostinato_models.presets import AnyModelConfig, Preset
from ostinato_models.tokenization import (
    build_character_tokenizer,
    train_byte_pair_tokenizer,
    train_english_tokenizer,
)
from ostinato_models.training.char_lm_task import CharLanguageModelTask
from ostinato_models.training.sentiment_task import SentimentTask
from ostinato_models.training.task import Task
from ostinato_models.training.translation_task import TranslationTask


@dataclass(frozen=True, slots=True)
class BuiltTask:
    """A task, and what must be kept beside its weights."""

    task: Task[Any]
    tokenizer: Tokenizer
    model_config: AnyModelConfig
    dataset: str
    files: dict[str, str]  # file name -> sha256
    examples: dict[str, int]  # split -> number of characters, texts or pairs


def build_task(
    preset: Preset,
    folder: Path,
    device: torch.device,
    tokenizer: Tokenizer | None = None,
    soft_labels: Path | None = None,
) -> BuiltTask:
    """Make the task that `preset` describes.

    Args:
        preset: what to build.
        folder: the data folder.
        device: where the network lives.
        tokenizer: an earlier run's; learnt from the training data when None.
        soft_labels: a teacher's judgements, to learn from in place of the labels (sentiment).

    Raises:
        DataError: the data set or the soft labels cannot be read.
        ConfigurationError: the data set is unknown or belongs to another task.
    """
    if soft_labels is not None and preset.task != "sentiment":
        raise ConfigurationError("soft_labels", str(soft_labels), f"left out for {preset.task}")
    corpus = find_data_set(preset.dataset).load(folder)
    model, training = preset.model, preset.training
    torch.manual_seed(training.seed)
    match model, corpus:
        case CharLanguageModelConfig(), CharacterCorpus():
            tokenizer = tokenizer or build_character_tokenizer(corpus.train)
            config = replace(model, vocabulary_size=tokenizer.get_vocab_size())
            network = CharLanguageModel(config).to(device)
            return BuiltTask(
                CharLanguageModelTask(network, tokenizer, corpus.train, corpus.valid, training, device),
                tokenizer,
                config,
                corpus.name,
                corpus.files,
                {"train": len(corpus.train), "valid": len(corpus.valid)},
            )
        case SentimentClassifierConfig(), SentimentCorpus():
            labelled, files = (None, corpus.files)
            if soft_labels is not None:
                labelled, sha256 = read_soft_labels(soft_labels)
                files = {**corpus.files, soft_labels.name: sha256}
            texts = [row[0] for row in labelled or corpus.train]
            tokenizer = tokenizer or train_english_tokenizer(texts, model.vocabulary_size)
            classifier_config = replace(model, vocabulary_size=tokenizer.get_vocab_size())
            classifier = SentimentClassifier(classifier_config).to(device)
            return BuiltTask(
                SentimentTask(classifier, tokenizer, corpus, training, device, labelled),
                tokenizer,
                classifier_config,
                corpus.name,
                files,
                {**_sizes(corpus), "train": len(texts)},
            )
        case Seq2SeqConfig(), TranslationCorpus():
            tokenizer = tokenizer or train_byte_pair_tokenizer(
                _translation_texts(corpus.train, training.typed_share), model.vocabulary_size
            )
            seq2seq_config = replace(model, vocabulary_size=tokenizer.get_vocab_size())
            seq2seq = Seq2Seq(seq2seq_config).to(device)
            return BuiltTask(
                TranslationTask(seq2seq, tokenizer, corpus, training, device),
                tokenizer,
                seq2seq_config,
                corpus.name,
                corpus.files,
                _sizes(corpus),
            )
    raise ConfigurationError("dataset", preset.dataset, f"a data set for {preset.task}")


def _translation_texts(pairs: Sequence[SentencePair], typed_share: float) -> Iterator[str]:
    """What the tokenizer learns from: both sides, and as many sources in capitals as typed texts have."""
    every = round(1 / (typed_share * CAPITALS_SHARE)) if typed_share else 0
    for index, pair in enumerate(pairs):
        yield from pair
        if every and index % every == 0:
            yield capitals(pair.source)


def _sizes(corpus: SentimentCorpus | TranslationCorpus) -> dict[str, int]:
    return {"train": len(corpus.train), "valid": len(corpus.valid), "test": len(corpus.test)}
