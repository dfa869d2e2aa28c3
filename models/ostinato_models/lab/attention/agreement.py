"""Where attention looks: maps for the eye, and how often it agrees with a lexical aligner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato_models.data.examples import ReferencedSentence
from ostinato_models.lab.attention.aligner import LexicalAligner
from ostinato_models.lab.attention.translators import Translator
from ostinato_models.lab.attention.words import Segmented, segment, word_attention
from ostinato_models.tokenization import BEGIN_ID


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often each way of aligning names the aligner's source word.

    Attributes:
        words: target words that the aligner gives a source word.
        attention: share at which the decoder's attention is largest there.
        diagonal: share of the word at the same relative place.
        chance: share of a source word drawn blindly.
    """

    words: int
    attention: float
    diagonal: float
    chance: float


@dataclass(frozen=True, slots=True)
class AlignmentMap:
    """A translation and where its words came from.

    Attributes:
        source: source words, W of them.
        target: words of the translation, V of them.
        weights: attention, (V, W); rows sum to 1.
        aligned: the aligner's source word of each target word; none where it names none.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: NDArray[np.float32]
    aligned: tuple[int | None, ...]


@torch.no_grad()
def attend(translator: Translator, source: Segmented, target: Segmented) -> NDArray[np.float32]:
    """The decoder's attention while it is fed `target`: (target words, source words)."""
    memory, state = translator.network.encode(torch.tensor([source.ids]), torch.tensor([len(source.ids)]))
    inputs = torch.tensor([[BEGIN_ID, *target.ids[:-1]]])
    _, weights, _ = translator.network.decode(inputs, memory, state)
    assert weights is not None  # noqa: S101 (only asked of the network that has attention)
    return word_attention(weights[0].numpy(), source, target)


def measure_agreement(
    translator: Translator, aligner: LexicalAligner, sentences: Sequence[ReferencedSentence]
) -> Agreement:
    """Compare on the first reference of every sentence."""
    words, hits, diagonal, chance = 0, 0, 0, 0.0
    for sentence in sentences:
        source = segment(translator.tokenizer, sentence.source)
        target = segment(translator.tokenizer, sentence.references[0])
        looked = attend(translator, source, target).argmax(axis=1)
        for row, place in enumerate(aligner.align(source.words, target.words)):
            if place is None:
                continue
            words += 1
            hits += int(looked[row] == place)
            diagonal += int(row * len(source.words) // len(target.words) == place)
            chance += 1.0 / len(source.words)
    count = max(1, words)
    return Agreement(words, hits / count, diagonal / count, chance / count)


def draw_maps(translator: Translator, aligner: LexicalAligner, texts: Sequence[str]) -> tuple[AlignmentMap, ...]:
    """Translate `texts` and keep where each word looked."""
    maps = []
    for text, translated in zip(texts, translator.task.translate(texts), strict=True):
        source, target = segment(translator.tokenizer, text), segment(translator.tokenizer, translated)
        aligned = tuple(aligner.align(source.words, target.words))
        maps.append(AlignmentMap(source.words, target.words, attend(translator, source, target), aligned))
    return tuple(maps)
