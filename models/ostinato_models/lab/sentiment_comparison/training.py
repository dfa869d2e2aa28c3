"""Training one model on one draw of the texts."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import nn

from ostinato_models.baselines.bag_of_words import BagOfWords
from ostinato_models.data.examples import SentimentCorpus
from ostinato_models.lab.sentiment_comparison.contenders import Contender
from ostinato_models.lab.sentiment_comparison.settings import SentimentComparisonSettings
from ostinato_models.networks import SentimentClassifier, SentimentClassifierConfig
from ostinato_models.networks.cells import CellName
from ostinato_models.training.configuration import TrainingConfig
from ostinato_models.training.schedules import learning_rate
from ostinato_models.training.sentiment_task import SentimentTask


@dataclass(frozen=True, slots=True)
class TrainedBag:
    """A bag of words.

    Attributes:
        model: what was learnt.
        seconds: processor time of learning it.
    """

    model: BagOfWords
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network, in evaluation mode.

    Attributes:
        model: what was learnt.
        seconds: processor time of learning it from texts, the tokenizer given.
    """

    model: SentimentClassifier
    seconds: float


def train_bag(corpus: SentimentCorpus) -> TrainedBag:
    """Fit the bag of words to the training texts."""
    started = time.process_time()
    model = BagOfWords.fit(corpus.train)
    return TrainedBag(model, time.process_time() - started)


def train_network(
    contender: Contender,
    cell: CellName,
    settings: SentimentComparisonSettings,
    corpus: SentimentCorpus,
    tokenizer: Tokenizer,
    seed: int,
) -> TrainedNetwork:
    """Train a network for the settings' epochs and keep its last weights: with no choice by the held-out texts.

    Args:
        contender: which network.
        cell: its cell.
        settings: its sizes and how it is trained.
        corpus: its training texts.
        tokenizer: cuts them.
        seed: decides its first weights, its dropout and the order of its batches.
    """
    config = TrainingConfig(
        epochs=settings.epochs, seed=seed, batch_size=settings.batch_size, learning_rate=settings.learning_rate
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SentimentClassifier(
            SentimentClassifierConfig(
                vocabulary_size=tokenizer.get_vocab_size(),
                cell=cell,
                embedding_size=settings.embedding_size,
                hidden_size=settings.hidden_size,
                bidirectional=contender.bidirectional,
                dropout=settings.dropout,
            )
        )
        # Before the clock starts: torch imports its compiler, seconds of work, with a process's first optimizer.
        optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        started = time.process_time()
        _descend(SentimentTask(model, tokenizer, corpus, config, torch.device("cpu")), optimizer, config)
    return TrainedNetwork(model.eval().requires_grad_(False), time.process_time() - started)


def _descend(task: SentimentTask, optimizer: torch.optim.Optimizer, config: TrainingConfig) -> None:
    """Make the updates that `Trainer` would, without its checkpoints, logs and selection."""
    task.model.train()
    step = 0
    for epoch in range(config.epochs):
        batches = task.batches(epoch)
        for index, batch in enumerate(batches):
            done = (epoch + index / len(batches)) / config.epochs
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(
                    peak=config.learning_rate,
                    final_ratio=config.final_learning_rate_ratio,
                    warmup_steps=config.warmup_steps,
                    step=step,
                    progress=done,
                )
            optimizer.zero_grad(set_to_none=True)
            loss, _ = task.loss(batch, done)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(task.model.parameters(), config.clip_norm)
            optimizer.step()
            step += 1
