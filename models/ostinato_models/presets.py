"""The two trainings of every task: `quick` shows that it works, `full` makes a shipped model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from ostinato_models import names
from ostinato_models.errors import ConfigurationError
from ostinato_models.networks import (
    CharLanguageModelConfig,
    SentimentClassifierConfig,
    Seq2SeqConfig,
)
from ostinato_models.training.configuration import TrainingConfig

TaskName: TypeAlias = names.TaskName
PresetName: TypeAlias = names.PresetName
TASKS = names.TASKS
AnyModelConfig: TypeAlias = CharLanguageModelConfig | SentimentClassifierConfig | Seq2SeqConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A training, ready to run.

    Attributes:
        task: which task.
        name: ``quick`` or ``full``.
        dataset: name of the data set.
        model: sizes; its `vocabulary_size` is the largest that the tokenizer may become (for
            characters it follows from the text), replaced by what it becomes.
        training: how to train.
    """

    task: TaskName
    name: PresetName
    dataset: str
    model: AnyModelConfig
    training: TrainingConfig


def preset(task: TaskName, name: PresetName, dataset: str | None = None) -> Preset:
    """The preset called `name` of `task`.

    Args:
        task: which task.
        name: ``quick`` or ``full``.
        dataset: another data set than the preset's own; Multi30k has settings of its own.

    Raises:
        ConfigurationError: there is none.
    """
    found = {"quick": _quick, "full": _full}.get(name)
    if found is None:
        raise ConfigurationError("preset", name, "quick or full")
    if task not in TASKS:
        raise ConfigurationError("task", task, ", ".join(TASKS))
    if task == "translation" and name == "full" and dataset is not None and dataset.startswith("multi30k"):
        return _captions(dataset)
    chosen = found(task)
    return chosen if dataset is None else replace(chosen, dataset=dataset)


def _quick(task: TaskName) -> Preset:
    """Seconds on one core, on text that needs no download."""
    if task == "char-lm":
        return Preset(
            task=task,
            name="quick",
            dataset="pydoc-topics",
            model=CharLanguageModelConfig(vocabulary_size=1, embedding_size=32, hidden_size=64, num_layers=1),
            training=TrainingConfig(epochs=1, batch_size=16, bptt_steps=32, learning_rate=1e-2, warmup_steps=10),
        )
    if task == "sentiment":
        return Preset(
            task=task,
            name="quick",
            dataset="generated-sentiment",
            model=SentimentClassifierConfig(vocabulary_size=400, embedding_size=32, hidden_size=32, dropout=0.1),
            training=TrainingConfig(epochs=4, learning_rate=1e-2, warmup_steps=10),
        )
    return Preset(
        task=task,
        name="quick",
        dataset="generated-translation",
        model=Seq2SeqConfig(vocabulary_size=500, embedding_size=48, encoder_size=48, decoder_size=96),
        training=TrainingConfig(epochs=3, batch_size=24, learning_rate=1e-2, warmup_steps=20),
    )


def _full(task: TaskName) -> Preset:
    """Real data; about an hour on one core for char-lm and translation, a few for sentiment."""
    if task == "char-lm":
        return Preset(
            task=task,
            name="full",
            dataset="tinyshakespeare",
            # 3.4 million parameters for one million characters: dropout does the rest.
            model=CharLanguageModelConfig(
                vocabulary_size=1, embedding_size=128, hidden_size=512, num_layers=2, dropout=0.2
            ),
            training=TrainingConfig(
                epochs=7,
                batch_size=32,  # small, since an epoch is only a million characters: more updates
                bptt_steps=96,
                learning_rate=2e-3,
                warmup_steps=100,
                clip_norm=1.0,
                weight_decay=0.01,
                unknown_rate=0.002,
                checkpoint_every_steps=300,
            ),
        )
    if task == "sentiment":
        return Preset(
            task=task,
            name="full",
            dataset="sst2",
            model=SentimentClassifierConfig(
                vocabulary_size=14000,  # the transfer set has the teacher's words too, and everyday ones
                embedding_size=200,
                hidden_size=200,
                pooling="max",
                dropout=0.4,  # three quarters of the parameters are rare words' embeddings
            ),
            training=TrainingConfig(
                epochs=5,
                batch_size=64,
                max_tokens=512,  # the transfer set has texts of several sentences
                learning_rate=1.5e-3,
                average_decay=0.999,
                warmup_steps=200,
                weight_decay=0.01,
                label_smoothing=0.05,  # the labels are thresholded votes, not certainties
                distillation_temperature=2.0,
                typed_share=0.35,
                unknown_rate=0.05,  # word dropout: also what makes <unk> neutral
            ),
        )
    return Preset(
        task=task,
        name="full",
        dataset="tatoeba-en-fr",
        model=Seq2SeqConfig(
            vocabulary_size=6000,  # joint, so that names are copied; half the time goes into its softmax
            embedding_size=256,
            encoder_size=256,
            decoder_size=512,
            dropout=0.3,
        ),
        training=TrainingConfig(
            epochs=20,
            batch_size=256,
            tokens_per_batch=1000,  # small, as for char-lm: 1,500 updates in an epoch
            max_tokens=96,  # two sentences typed in capitals
            learning_rate=2e-3,
            average_decay=0.999,
            warmup_steps=400,
            clip_norm=1.0,
            label_smoothing=0.1,
            typed_share=0.5,
            checkpoint_every_steps=500,
        ),
    )


def _captions(dataset: str) -> Preset:
    """Multi30k: 29,000 long sentences about few things, so more dropout and more epochs; under an hour on one core."""
    return Preset(
        task="translation",
        name="full",
        dataset=dataset,
        model=Seq2SeqConfig(
            vocabulary_size=5000,
            embedding_size=256,
            encoder_size=256,
            decoder_size=512,
            dropout=0.4,
        ),
        training=TrainingConfig(
            epochs=12,
            batch_size=256,
            tokens_per_batch=1200,
            max_tokens=64,
            learning_rate=1.8e-3,
            average_decay=0.998,
            warmup_steps=400,
            clip_norm=1.0,
            label_smoothing=0.1,
            checkpoint_every_steps=500,
        ),
    )
