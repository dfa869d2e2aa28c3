"""Translation with teacher forcing, or scheduled sampling when the schedule says so."""

from __future__ import annotations

from collections.abc import Sequence

import sacrebleu
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy

from ostinato_models.data.batches import bucketed_batches, pad
from ostinato_models.data.examples import ReferencedSentence, TranslationCorpus
from ostinato_models.data.variants import CAPITALS_SHARE, LATE_CAPITALS_SHARE, typed_pairs
from ostinato_models.networks import Seq2Seq
from ostinato_models.tokenization import BEGIN_ID, END_ID, PAD_ID
from ostinato_models.training.configuration import TrainingConfig
from ostinato_models.training.schedules import teacher_forcing

EVALUATED_SENTENCES = 400  # greedy BLEU at the end of an epoch: a check, not a result
SAMPLES = 5
LATE = 0.35
"""Share of the epochs after which phrases join the pairs, and more of the typed sources are in capitals."""

PHRASE_REPEATS = 4
"""How often a late epoch has every phrase: each time typed another way."""

ROWS = 128


class TranslationTask:
    """Learns from sentence pairs; selects on the loss of held-out sentences' first references."""

    def __init__(
        self,
        model: Seq2Seq,
        tokenizer: Tokenizer,
        corpus: TranslationCorpus,
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        """Tokenize the corpus; `model` is already on `device`."""
        self.model = model
        self._tokenizer = tokenizer
        self._config = config
        self._device = device
        self._valid, self._test = corpus.valid, corpus.test
        self._pairs, self._phrases = corpus.train, corpus.phrases
        self._train: list[tuple[list[int], list[int]]] = []  # source and target ids of the epoch's pairs

    def batches(self, epoch: int) -> Sequence[Tensor]:
        """Type the sources as this epoch has them; row numbers of pairs of similar lengths, sources' first."""
        config = self._config
        seed = config.seed * 1_000_003 + epoch
        late = epoch + 1 > LATE * config.epochs
        pairs = [*self._pairs, *self._phrases * PHRASE_REPEATS] if late else self._pairs
        if config.typed_share:
            pairs = typed_pairs(pairs, config.typed_share, seed, LATE_CAPITALS_SHARE if late else CAPITALS_SHARE)
        sources = self._tokenizer.encode_batch([pair.source for pair in pairs])
        targets = self._tokenizer.encode_batch([pair.target for pair in pairs])
        self._train = [
            (source.ids, target.ids)
            for source, target in zip(sources, targets, strict=True)
            if 0 < len(source.ids) <= config.max_tokens and 0 < len(target.ids) < 2 * config.max_tokens
        ]
        return bucketed_batches(
            [(len(source), len(target) + 1) for source, target in self._train],
            max_tokens=config.tokens_per_batch,
            max_rows=config.batch_size,
            generator=torch.Generator().manual_seed(seed),
        )

    def begin_epoch(self) -> None:
        """Nothing is carried between batches."""

    def loss(self, batch: Tensor, progress: float) -> tuple[Tensor, int]:
        """Mean label-smoothed cross-entropy per target token of the rows in `batch`, in nats."""
        pairs = [self._train[row] for row in batch.tolist()]
        forcing = teacher_forcing(
            initial=self._config.teacher_forcing,
            final=self._config.final_teacher_forcing,
            progress=progress,
        )
        logits, truth = self._score(pairs, forcing)
        loss = cross_entropy(
            logits.flatten(0, 1).float(),
            truth.flatten(),
            ignore_index=PAD_ID,
            label_smoothing=self._config.label_smoothing,
        )
        return loss, int((truth != PAD_ID).sum())

    def carried(self) -> tuple[Tensor, ...]:
        """Nothing."""
        return ()

    def restore(self, carried: tuple[Tensor, ...]) -> None:
        """Nothing to take up."""

    def evaluate(self) -> dict[str, float]:
        """Loss and token accuracy on held-out sentences, and greedy BLEU on some of them."""
        measured = self._measure(self._valid)
        return {
            "valid_loss": measured["loss"],
            "valid_token_accuracy": measured["token_accuracy"],
            "valid_bleu": self._bleu(spread(self._valid, EVALUATED_SENTENCES)),
        }

    def score(self, measured: dict[str, float]) -> float:
        """Validation loss."""
        return measured["valid_loss"]

    def sample(self) -> list[str]:
        """A few held-out sentences with their greedy translations."""
        shown = spread(self._valid, SAMPLES)
        outputs = self.translate([sentence.source for sentence in shown])
        return [f"{sentence.source} -> {output}" for sentence, output in zip(shown, outputs, strict=True)]

    def report(self) -> dict[str, float]:
        """Loss, token accuracy and greedy BLEU on the test set, all references counted."""
        return {**self._measure(self._test), "greedy_bleu": self._bleu(self._test)}

    @torch.no_grad()
    def translate(self, sentences: Sequence[str]) -> list[str]:
        """Translate greedily, sentence by sentence of similar length together."""
        encoded = [
            entry.ids[: self._config.max_tokens] or [END_ID] for entry in self._tokenizer.encode_batch(list(sentences))
        ]
        order = sorted(range(len(encoded)), key=lambda row: len(encoded[row]))
        outputs = [""] * len(encoded)
        for start in range(0, len(order), ROWS):
            rows = order[start : start + ROWS]
            source, lengths = pad([encoded[row] for row in rows], PAD_ID)
            targets = greedy(self.model, source.to(self._device), lengths)
            for row, ids in zip(rows, targets, strict=True):
                outputs[row] = self._tokenizer.decode(ids)
        return outputs

    def _score(self, pairs: Sequence[tuple[list[int], list[int]]], forcing: float) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V) and the tokens they should predict (B, T), padded with ``<pad>``."""
        source, lengths = pad([source for source, _ in pairs], PAD_ID)
        inputs, _ = pad([[BEGIN_ID, *target] for _, target in pairs], PAD_ID)
        truth, _ = pad([[*target, END_ID] for _, target in pairs], PAD_ID)
        source, inputs = source.to(self._device), inputs.to(self._device)
        if forcing < 1.0:
            logits = scheduled_sampling(self.model, source, lengths, inputs, forcing)
        else:
            logits = self.model(source, lengths, inputs)
        return logits, truth.to(self._device)

    @torch.no_grad()
    def _measure(self, sentences: Sequence[ReferencedSentence]) -> dict[str, float]:
        """Unsmoothed loss and accuracy per token of every sentence's first reference."""
        pairs = sorted(
            (
                (
                    self._tokenizer.encode(sentence.source).ids[: self._config.max_tokens],
                    self._tokenizer.encode(sentence.references[0]).ids,
                )
                for sentence in sentences
            ),
            key=lambda pair: len(pair[0]),
        )
        total, right, count = 0.0, 0, 0
        for start in range(0, len(pairs), ROWS):
            logits, truth = self._score(pairs[start : start + ROWS], 1.0)
            total += float(
                cross_entropy(
                    logits.flatten(0, 1).float(),
                    truth.flatten(),
                    ignore_index=PAD_ID,
                    reduction="sum",
                )
            )
            real = truth != PAD_ID
            right += int(((logits.argmax(dim=-1) == truth) & real).sum())
            count += int(real.sum())
        return {"loss": total / count, "token_accuracy": right / count}

    def _bleu(self, sentences: Sequence[ReferencedSentence]) -> float:
        outputs = self.translate([sentence.source for sentence in sentences])
        most = max(len(sentence.references) for sentence in sentences)
        # sacreBLEU takes one list per reference number; a sentence with fewer has None there.
        references = [
            [s.references[index] if index < len(s.references) else None for s in sentences] for index in range(most)
        ]
        return float(sacrebleu.corpus_bleu(outputs, references).score)  # type: ignore[arg-type]


@torch.no_grad()
def greedy(model: Seq2Seq, source: Tensor, lengths: Tensor, max_tokens: int | None = None) -> list[list[int]]:
    """Translate by taking the likeliest token at every step.

    Args:
        model: in evaluation mode.
        source: token ids, int64 (B, S).
        lengths: tokens of every source, int64 (B,).
        max_tokens: longest target; twice the source and ten more by default.

    Returns:
        Target ids of every row, without ``<s>`` and ``</s>``.
    """
    memory, state = model.encode(source, lengths)
    tokens = torch.full((source.shape[0], 1), BEGIN_ID, device=source.device)
    done = torch.zeros(source.shape[0], dtype=torch.bool, device=source.device)
    chosen: list[Tensor] = []
    for _ in range(max_tokens or 2 * source.shape[1] + 10):
        logits, _, state = model.decode(tokens, memory, state)
        tokens = logits.argmax(dim=-1)  # (B, 1)
        chosen.append(tokens)
        done |= tokens.squeeze(1) == END_ID
        if bool(done.all()):
            break
    rows = torch.cat(chosen, dim=1).tolist()
    return [row[: row.index(END_ID)] if END_ID in row else row for row in rows]


def scheduled_sampling(model: Seq2Seq, source: Tensor, lengths: Tensor, inputs: Tensor, forcing: float) -> Tensor:
    """Step through the targets, feeding the model's own guess now and then (Bengio et al., 2015).

    Args:
        model: the network.
        source: token ids, int64 (B, S).
        lengths: tokens of every source, int64 (B,).
        inputs: the true tokens before each prediction, int64 (B, T).
        forcing: chance that a step is fed the true token rather than the guess before it.

    Returns:
        Logits (B, T, V).
    """
    memory, state = model.encode(source, lengths)
    tokens = inputs[:, :1]
    logits: list[Tensor] = []
    for time in range(inputs.shape[1]):
        if time:
            guess = logits[-1].detach().argmax(dim=-1)  # (B, 1)
            forced = torch.rand(guess.shape, device=guess.device) < forcing
            tokens = torch.where(forced, inputs[:, time : time + 1], guess)
        scores, _, state = model.decode(tokens, memory, state)
        logits.append(scores)
    return torch.cat(logits, dim=1)


def spread(rows: Sequence[ReferencedSentence], count: int) -> list[ReferencedSentence]:
    """Up to `count` rows at even distances, so that short and long sentences are among them."""
    step = max(1, len(rows) // count)
    return list(rows[::step][:count])
