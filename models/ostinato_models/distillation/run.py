"""Teach the teacher, then let it label the transfer set."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import torch
from rich.progress import track
from tokenizers import Tokenizer

from ostinato_models.data.batches import pad
from ostinato_models.data.examples import SentimentCorpus, SoftlyLabelledText
from ostinato_models.distillation.soft_labels import append_soft_labels, read_soft_labels, write_soft_labels
from ostinato_models.distillation.teacher import NAME, Teacher
from ostinato_models.distillation.transfer import TransferSettings, documents, known_opinions, transfer_texts
from ostinato_models.terminal import console, moves_cursor
from ostinato_models.training.checkpoints import load_weights
from ostinato_models.training.configuration import TrainingConfig
from ostinato_models.training.reporting import Reporter
from ostinato_models.training.sentiment_task import SentimentTask
from ostinato_models.training.trainer import AUTOCAST, Trainer

SOFT_LABELS = "soft_labels.tsv"
LABELLED = "labelled.tsv"
"""What the teacher has labelled so far; an interrupted run goes on from it."""

CHUNK = 8192
"""Texts labelled before they are written; the last bits of a label depend on the texts of its chunk."""

ROWS = 64

FINE_TUNING = TrainingConfig(
    epochs=1,
    batch_size=32,
    tokens_per_batch=1024,
    max_tokens=80,
    learning_rate=3e-5,
    final_learning_rate_ratio=0.02,
    warmup_steps=150,
    weight_decay=0.01,
    checkpoint_every_steps=500,
)


def distill(
    teacher: Teacher,
    tokenizer: Tokenizer,
    corpus: SentimentCorpus,
    everyday: Sequence[str],
    directory: Path,
    *,
    fine_tuning: TrainingConfig,
    transfer: TransferSettings,
    device: torch.device,
    command: Sequence[str],
    stream: TextIO,
) -> dict[str, Any]:
    """Fine-tune `teacher` on the corpus and write its soft labels.

    Args:
        teacher: with a fresh head.
        tokenizer: the teacher's.
        corpus: what it learns from; its test set is only measured.
        everyday: sentences of another kind to label.
        directory: where the checkpoint and the soft labels go; a training there is gone on with.
        fine_tuning: how to train.
        transfer: what to label.
        device: where to compute.
        command: what the person typed, for the record.
        stream: where progress is shown.

    Returns:
        The content of ``config.json``: settings, curve and results.

    Raises:
        ModelsError: the directory or the training is not as it must be.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if fine_tuning.threads:
        torch.set_num_threads(fine_tuning.threads)
    teacher.to(device)
    trainer = Trainer(SentimentTask(teacher, tokenizer, corpus, fine_tuning, device), fine_tuning, directory, device)
    if (directory / "checkpoint.pt").exists():
        trainer.resume()
    reporter = Reporter(directory / "tensorboard", stream, epochs=fine_tuning.epochs, first_step=trainer.progress.step)
    with reporter:
        progress = trainer.run(reporter)
        load_weights(directory / "weights.safetensors", teacher)
        teacher.eval()
        with torch.no_grad():
            results = trainer.task.report()
        reporter.line("  ".join(f"{name} {value:.6g}" for name, value in results.items()))
    seed = fine_tuning.seed
    texts = transfer_texts([row.text for row in corpus.train], whole_words(tokenizer), everyday, transfer, seed)
    precision = AUTOCAST.get(fine_tuning.precision)
    rows = known_rows(directory / LABELLED, texts)
    starts = range(len(rows), len(texts), CHUNK)
    with torch.autocast(device.type, precision, enabled=precision is not None):
        for start in track(
            starts, "labelling", console=console(stream), transient=True, disable=not moves_cursor(stream)
        ):
            new = label(teacher, tokenizer, texts[start : start + CHUNK], fine_tuning.max_tokens, device)
            append_soft_labels(directory / LABELLED, new)
            rows += new
            reporter.line(f"labelled {len(rows):,} of {len(texts):,} texts")
    rows += known_opinions(transfer.opinions, seed)
    rows += documents(rows, transfer.documents, seed)
    write_soft_labels(directory / SOFT_LABELS, rows)
    record = {
        "command": shlex.join(command),
        "network": NAME,
        "training": fine_tuning.to_dict(),
        "data": {"name": corpus.name, "files": corpus.files, "texts": len(rows)},
        "curve": progress.curve,
        "results": results,
    }
    (directory / "config.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return record


def known_rows(path: Path, texts: Sequence[str]) -> list[SoftlyLabelledText]:
    """What an interrupted run has labelled: whole chunks of `texts`, from the first one on; nothing if others."""
    if not path.exists():
        return []
    rows, _ = read_soft_labels(path)
    rows = rows[: len(rows) // CHUNK * CHUNK] if len(rows) < len(texts) else rows
    known = [row.text for row in rows] == list(texts[: len(rows)])
    if not known or len(rows) > len(texts):
        rows = []
    write_soft_labels(path, rows)
    return rows


def whole_words(tokenizer: Tokenizer) -> list[str]:
    """The words of a word-piece vocabulary that are written in letters, without the pieces of others."""
    return sorted(token for token in tokenizer.get_vocab() if token.isascii() and token.isalpha() and len(token) > 2)


@torch.no_grad()
def label(
    teacher: Teacher,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    max_tokens: int,
    device: torch.device,
) -> list[SoftlyLabelledText]:
    """The teacher's log-odds of every text, in the texts' order."""
    encoded = [entry.ids[:max_tokens] for entry in tokenizer.encode_batch(list(texts))]
    order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
    odds = [0.0] * len(texts)
    for start in range(0, len(order), ROWS):
        rows = order[start : start + ROWS]
        tokens, lengths = pad([encoded[row] for row in rows])
        logits = teacher(tokens.to(device), lengths).float()
        for row, value in zip(rows, (logits[:, 1] - logits[:, 0]).tolist(), strict=True):
            odds[row] = round(value, 4)  # as it is written, so that an interrupted run goes on from the same
    return [SoftlyLabelledText(text, value) for text, value in zip(texts, odds, strict=True)]
