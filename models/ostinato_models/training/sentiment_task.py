"""Sentiment classification on batches of similar length."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ostinato_models.data.batches import bucketed_batches, pad
from ostinato_models.data.examples import LabelledText, SentimentCorpus, SoftlyLabelledText
from ostinato_models.data.variants import typed_review
from ostinato_models.tokenization import UNKNOWN_ID
from ostinato_models.training.configuration import TrainingConfig

SAMPLES = 4


class SentimentTask:
    """Learns from labelled phrases, or a teacher's soft labels, and selects on held-out sentences.

    Distillation is that of Hinton, Vinyals & Dean (2015): both networks' log-odds are divided by a
    temperature, and the loss times its square, so that gradients keep their size.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Tokenizer,
        corpus: SentimentCorpus,
        config: TrainingConfig,
        device: torch.device,
        soft_labels: Sequence[SoftlyLabelledText] | None = None,
    ) -> None:
        """Tokenize the corpus; `model` is on `device` and scores token ids (B, T) of given lengths (B,) as (B, 2).

        With `soft_labels` those take the place of the corpus's training texts.
        """
        self.model = model
        self._config = config
        self._device = device
        rows = corpus.train if soft_labels is None else soft_labels
        self._soft = soft_labels is not None
        self._tokenizer = tokenizer
        self._texts = [row[0] for row in rows]
        self._train: list[list[int]] = []  # token ids of the epoch's texts
        self._targets = torch.tensor([row[1] for row in rows])  # (N,), labels or log-odds
        self._valid, self._valid_labels = self._encode(tokenizer, corpus.valid)
        self._test, self._test_labels = self._encode(tokenizer, corpus.test)
        self._shown = corpus.valid[:SAMPLES]

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Type the texts as this epoch has them; row numbers of texts of similar length."""
        config = self._config
        seed = config.seed * 1_000_003 + epoch
        texts = self._texts
        if config.typed_share:
            source = random.Random(seed)
            texts = [typed_review(text, source) if source.random() < config.typed_share else text for text in texts]
        self._train = self._ids(self._tokenizer, texts)
        return bucketed_batches(
            [(len(row),) for row in self._train],
            max_tokens=config.tokens_per_batch,
            max_rows=config.batch_size,
            generator=torch.Generator().manual_seed(seed),
        )

    def begin_epoch(self) -> None:
        """Nothing is carried between batches."""

    def loss(self, batch: Tensor, progress: float) -> tuple[Tensor, int]:
        """Mean cross-entropy of the rows in `batch`, in nats (times the squared temperature for soft labels)."""
        del progress
        rows = batch.tolist()
        tokens, lengths = pad([self._train[row] for row in rows])
        tokens = tokens.to(self._device)
        targets = self._targets[batch].to(self._device)
        if self._config.unknown_rate:
            hidden = torch.rand(tokens.shape, device=self._device) < self._config.unknown_rate
            tokens = tokens.masked_fill(hidden, UNKNOWN_ID)
        logits = self.model(tokens, lengths).float()  # (B, 2)
        if self._soft:
            temperature = self._config.distillation_temperature
            odds = (logits[:, 1] - logits[:, 0]) / temperature
            loss = binary_cross_entropy_with_logits(odds, torch.sigmoid(targets / temperature))
            return loss * temperature**2, len(rows)
        return cross_entropy(logits, targets, label_smoothing=self._config.label_smoothing), len(rows)

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
        """Ids and labels of every row."""
        return self._ids(tokenizer, [row.text for row in rows]), [row.label for row in rows]

    def _ids(self, tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
        """Ids of every text; one without any token becomes one unknown token."""
        limit = self._config.max_tokens
        return [entry.ids[:limit] or [UNKNOWN_ID] for entry in tokenizer.encode_batch(texts)]
