"""Sentiment classification on batches of similar length."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy

from ostinato_models.data.batches import bucketed_batches, pad
from ostinato_models.data.examples import LabelledText, SentimentCorpus
from ostinato_models.networks import SentimentClassifier
from ostinato_models.tokenization import UNKNOWN_ID
from ostinato_models.training.configuration import TrainingConfig

SAMPLES = 4


class SentimentTask:
    """Learns from labelled phrases, selects on held-out sentences, reports on the test set."""

    def __init__(
        self,
        model: SentimentClassifier,
        tokenizer: Tokenizer,
        corpus: SentimentCorpus,
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        """Tokenize the corpus; `model` is already on `device`."""
        self.model = model
        self._config = config
        self._device = device
        self._train, self._train_labels = self._encode(tokenizer, corpus.train)
        self._valid, self._valid_labels = self._encode(tokenizer, corpus.valid)
        self._test, self._test_labels = self._encode(tokenizer, corpus.test)
        self._shown = corpus.valid[:SAMPLES]

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Row numbers of texts of similar length."""
        return bucketed_batches(
            [(len(row),) for row in self._train],
            max_tokens=self._config.tokens_per_batch,
            max_rows=self._config.batch_size,
            generator=torch.Generator().manual_seed(self._config.seed * 1_000_003 + epoch),
        )

    def begin_epoch(self) -> None:
        """Nothing is carried between batches."""

    def loss(self, batch: Tensor, progress: float) -> tuple[Tensor, int]:
        """Mean cross-entropy of the rows in `batch`, in nats."""
        del progress
        rows = batch.tolist()
        tokens, lengths = pad([self._train[row] for row in rows])
        tokens = tokens.to(self._device)
        labels = torch.tensor([self._train_labels[row] for row in rows], device=self._device)
        if self._config.unknown_rate:
            hidden = torch.rand(tokens.shape, device=self._device) < self._config.unknown_rate
            tokens = tokens.masked_fill(hidden, UNKNOWN_ID)
        logits = self.model(tokens, lengths)  # (B, 2)
        smoothing = self._config.label_smoothing
        return cross_entropy(logits.float(), labels, label_smoothing=smoothing), len(rows)

    def carried(self) -> tuple[Tensor, ...]:
        """Nothing."""
        return ()

    def restore(self, carried: tuple[Tensor, ...]) -> None:
        """Nothing to take up."""

    def evaluate(self) -> dict[str, float]:
        """Loss and accuracy on the held-out sentences."""
        loss, accuracy = self._measure(self._valid, self._valid_labels)
        return {"valid_loss": loss, "valid_accuracy": accuracy}

    def score(self, measured: dict[str, float]) -> float:
        """Validation loss: steadier than the accuracy of a few hundred sentences."""
        return measured["valid_loss"]

    def sample(self) -> list[str]:
        """A few held-out sentences with the probability of being positive."""
        tokens, lengths = pad(self._valid[:SAMPLES])
        chances = self.model(tokens.to(self._device), lengths).softmax(dim=-1)[:, 1].tolist()
        return [
            f"{chance:.2f} (truth {row.label}) {row.text}" for chance, row in zip(chances, self._shown, strict=True)
        ]

    def report(self) -> dict[str, float]:
        """Loss and accuracy on the test set."""
        loss, accuracy = self._measure(self._test, self._test_labels)
        return {"test_loss": loss, "accuracy": accuracy}

    def _measure(self, rows: list[list[int]], labels: list[int]) -> tuple[float, float]:
        total, right = 0.0, 0
        for start in range(0, len(rows), 256):
            chosen = slice(start, start + 256)
            tokens, lengths = pad(rows[chosen])
            truth = torch.tensor(labels[chosen], device=self._device)
            logits = self.model(tokens.to(self._device), lengths).float()
            total += float(cross_entropy(logits, truth, reduction="sum"))
            right += int((logits.argmax(dim=-1) == truth).sum())
        return total / len(rows), right / len(rows)

    def _encode(self, tokenizer: Tokenizer, rows: list[LabelledText]) -> tuple[list[list[int]], list[int]]:
        """Ids and labels; a text without any token becomes one unknown token."""
        encoded = tokenizer.encode_batch([row.text for row in rows])
        limit = self._config.max_tokens
        return [entry.ids[:limit] or [UNKNOWN_ID] for entry in encoded], [r.label for r in rows]
