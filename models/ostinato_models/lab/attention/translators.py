"""The two encoder-decoders: trained alike on the same pairs, one of them without attention."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tokenizers import Tokenizer

from ostinato_models.lab.attention.settings import AttentionSettings
from ostinato_models.networks import Seq2Seq, Seq2SeqConfig
from ostinato_models.presets import Preset
from ostinato_models.training.building import build_task
from ostinato_models.training.checkpoints import Progress, load_weights
from ostinato_models.training.configuration import TrainingConfig
from ostinato_models.training.reporting import Reporter
from ostinato_models.training.trainer import Trainer
from ostinato_models.training.translation_task import TranslationTask


@dataclass(frozen=True, slots=True)
class Translator:
    """A trained network.

    Attributes:
        task: translates and holds the network.
        network: the network, in evaluation mode.
        tokenizer: of both languages.
        parameters: how many numbers were trained.
        valid_losses: nats per target token of held-out sentences after every epoch.
    """

    task: TranslationTask
    network: Seq2Seq
    tokenizer: Tokenizer
    parameters: int
    valid_losses: tuple[float, ...]


class _Watched(Reporter):
    """Tells how far a training is, and nothing else to anybody."""

    def __init__(self, directory: Path, epochs: int, watch: Callable[[float], None]) -> None:
        super().__init__(directory, io.StringIO(), epochs=epochs, first_step=0)
        self._watch = watch
        self._of = epochs
        self._size = 1

    def begin_epoch(self, epoch: int, batches: int, done: int) -> None:
        super().begin_epoch(epoch, batches, done)
        self._size = batches

    def step(self, progress: Progress, loss: float, terms: int, norm: float, rate: float) -> None:
        super().step(progress, loss, terms, norm, rate)
        self._watch((progress.epoch + progress.batch / self._size) / self._of)


def train_translator(
    settings: AttentionSettings,
    data_dir: Path,
    *,
    attention: bool,
    tokenizer: Tokenizer | None,
    watch: Callable[[float], None],
) -> Translator:
    """Train one of the two.

    Args:
        settings: sizes and the training's length.
        data_dir: the folder of the data sets.
        attention: whether the decoder may look at the encoder's outputs.
        tokenizer: the other's; learnt from the training pairs when None.
        watch: told the share of the work that is done.

    Raises:
        DataError: the data set cannot be read.
    """
    preset = Preset(
        task="translation",
        name="quick",
        dataset=settings.dataset,
        model=Seq2SeqConfig(
            vocabulary_size=settings.vocabulary_size,
            embedding_size=settings.embedding_size,
            encoder_size=settings.encoder_size,
            decoder_size=settings.decoder_size,
            attention="general" if attention else None,
            dropout=settings.dropout,
        ),
        training=TrainingConfig(
            epochs=settings.epochs,
            seed=settings.seed,
            batch_size=128,
            tokens_per_batch=settings.tokens_per_batch,
            learning_rate=settings.learning_rate,
            label_smoothing=0.1,
            precision=settings.precision,
        ),
    )
    device = torch.device("cpu")
    built = build_task(preset, data_dir, device, tokenizer)
    assert isinstance(built.task, TranslationTask)  # noqa: S101 (for the type checker)
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        trainer = Trainer(built.task, preset.training, directory, device)
        with _Watched(directory / "tensorboard", settings.epochs, watch) as reporter:
            progress = trainer.run(reporter)
        load_weights(directory / "weights.safetensors", built.task.model)
    network = built.task.model.eval()
    return Translator(
        built.task,
        network,
        built.tokenizer,
        sum(parameter.numel() for parameter in network.parameters()),
        tuple(float(row["valid_loss"]) for row in progress.curve),
    )
