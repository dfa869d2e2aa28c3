"""BLEU by the length of the source: where a memory of fixed size runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ostinato_models.data.examples import ReferencedSentence
from ostinato_models.evaluation.bleu import score_translations


@dataclass(frozen=True, slots=True)
class LengthScore:
    """A group of sentences of similar length.

    Attributes:
        label: source lengths of the group, in words.
        sentences: how many it has.
        attention: BLEU with attention, of 100.
        fixed: BLEU without, of 100.
    """

    label: str
    sentences: int
    attention: float
    fixed: float


def score_by_length(
    sentences: Sequence[ReferencedSentence],
    attention: Sequence[str],
    fixed: Sequence[str],
    lengths: Sequence[int],
) -> tuple[LengthScore, ...]:
    """Corpus BLEU of each group that has sentences, from short to long, and of all together as the last.

    Args:
        sentences: sources with references.
        attention: translations by the network with attention.
        fixed: translations by the network without.
        lengths: longest source, in words, of every group but the last.
    """
    bounds = [0, *lengths, None]
    groups: list[tuple[str, list[int]]] = []
    for low, high in pairwise(bounds):
        rows = [
            row
            for row, sentence in enumerate(sentences)
            if (low or 0) < len(sentence.source.split()) <= (high or 1_000_000)
        ]
        groups.append((_label((low or 0) + 1, high), rows))
    groups.append(("all", list(range(len(sentences)))))
    return tuple(
        LengthScore(
            label,
            len(rows),
            *(
                score_translations([outputs[row] for row in rows], [sentences[row] for row in rows]).measures["bleu"]
                for outputs in (attention, fixed)
            ),
        )
        for label, rows in groups
        if rows
    )


def _label(shortest: int, longest: int | None) -> str:
    if longest is None:
        return f"over {shortest - 1}"
    return str(longest) if shortest == longest else f"{shortest} to {longest}"
