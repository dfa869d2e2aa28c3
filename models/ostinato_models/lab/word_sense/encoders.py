"""The two encoders: language models that learn from text alone, and what they know at a word.

The one reads from the left. The other is two models of half the size, one reading from the left and one from the right,
whose states are put side by side (Peters et al., *Deep contextualized word representations*, NAACL 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ostinato_models.data.batches import bucketed_batches, pad
from ostinato_models.lab.word_sense.corpus import PADDING, RESERVED, Corpus, Sentence
from ostinato_models.lab.word_sense.settings import WordSenseSettings
from ostinato_models.networks import CharLanguageModel, CharLanguageModelConfig
from ostinato_models.training.schedules import learning_rate

EncoderName: TypeAlias = Literal["left-to-right", "bidirectional"]
ENCODERS: tuple[EncoderName, EncoderName] = ("left-to-right", "bidirectional")

CLIP_NORM = 1.0
WARMUP_UPDATES = 20


@dataclass(frozen=True, slots=True)
class Encoder:
    """Language models whose states at a word are what it knows there.

    Attributes:
        forward: reads from the left.
        backward: reads from the right; none for an encoder that does not.
        perplexities: of each model, a word of sentences that it did not learn from.
    """

    forward: CharLanguageModel
    backward: CharLanguageModel | None
    perplexities: tuple[float, ...]

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        models = (self.forward,) if self.backward is None else (self.forward, self.backward)
        return sum(parameter.numel() for model in models for parameter in model.parameters())

    def states(self, sentences: Sequence[Sentence]) -> list[NDArray[np.float32]]:
        """What it knows at every id of every sentence.

        Returns:
            An array (T, H) per sentence of T ids.
        """
        ahead = _states(self.forward, sentences)
        if self.backward is None:
            return ahead
        behind = _states(self.backward, _mirrored(sentences))
        return [np.concatenate((left, right[::-1]), axis=1) for left, right in zip(ahead, behind, strict=True)]


def train_encoder(
    name: EncoderName, corpus: Corpus, settings: WordSenseSettings, seed: int, watch: Callable[[], None]
) -> Encoder:
    """Train the encoder called `name`; `watch` is told of every epoch of every model."""
    if name == "left-to-right":
        model = _train(corpus.sentences, corpus, settings, settings.state_size, seed, watch)
        return Encoder(model, None, (perplexity(model, corpus.held_out),))
    half = settings.state_size // 2
    forward = _train(corpus.sentences, corpus, settings, half, seed, watch)
    backward = _train(_mirrored(corpus.sentences), corpus, settings, half, seed + 1, watch)
    perplexities = (perplexity(forward, corpus.held_out), perplexity(backward, _mirrored(corpus.held_out)))
    return Encoder(forward, backward, perplexities)


def _train(
    sentences: Sequence[Sentence],
    corpus: Corpus,
    settings: WordSenseSettings,
    state_size: int,
    seed: int,
    watch: Callable[[], None],
) -> CharLanguageModel:
    """Train a model to predict every next word."""
    torch.manual_seed(seed)
    config = CharLanguageModelConfig(
        vocabulary_size=len(corpus.vocabulary) + RESERVED,
        embedding_size=settings.embedding_size,
        hidden_size=state_size,
        num_layers=1,
    )
    model = CharLanguageModel(config)
    optimizer = torch.optim.Adam(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    lengths = [(len(sentence),) for sentence in sentences]
    widest = max(length for (length,) in lengths)
    updates = 0
    for _ in range(settings.epochs):
        batches = bucketed_batches(
            lengths, max_tokens=settings.batch_size * widest, max_rows=settings.batch_size, generator=generator
        )
        for rows in batches:
            ids, _ = pad([sentences[row] for row in rows.tolist()], PADDING)
            loss = _loss(model, ids)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(
                    peak=settings.learning_rate,
                    final_ratio=0.05,
                    warmup_steps=WARMUP_UPDATES,
                    step=updates,
                    progress=updates / (settings.epochs * len(batches)),
                )
            optimizer.step()
            updates += 1
        watch()
    return model.eval()


@torch.no_grad()
def perplexity(model: CharLanguageModel, sentences: Sequence[Sentence]) -> float:
    """The exponential of the mean negative log-probability of every word and end of `sentences`."""
    ids, _ = pad(sentences, PADDING)
    return math.exp(float(_loss(model, ids)))


def _loss(model: CharLanguageModel, ids: Tensor) -> Tensor:
    """Mean negative log-probability of every id after the first, in nats."""
    logits, _ = model(ids[:, :-1])
    return cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=PADDING)


@torch.no_grad()
def _states(model: CharLanguageModel, sentences: Sequence[Sentence]) -> list[NDArray[np.float32]]:
    """The state after every id; each sentence alone, so that no number depends on its neighbours."""
    return [model.recurrent(model.embedding(torch.tensor([sentence])))[0][0].numpy() for sentence in sentences]


def _mirrored(sentences: Sequence[Sentence]) -> list[Sentence]:
    return [sentence[::-1] for sentence in sentences]
