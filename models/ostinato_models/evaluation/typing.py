"""Test sets as people would have typed them, and the outputs that no reader would take for a translation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ostinato_models.data.examples import LabelledText, ReferencedSentence
from ostinato_models.data.variants import REVIEW_VARIANTS, VARIANTS, Variant
from ostinato_models.evaluation.errors import EvaluationError


def typed_sentences(sentences: Sequence[ReferencedSentence], variant: str) -> list[ReferencedSentence]:
    """Type every source as `variant` says; the references stay.

    Raises:
        EvaluationError: sentences have no such variant.
    """
    change = _find(VARIANTS, variant)
    return [ReferencedSentence(change(sentence.source), sentence.references) for sentence in sentences]


def typed_reviews(texts: Sequence[LabelledText], variant: str) -> list[LabelledText]:
    """Type every text as `variant` says.

    Raises:
        EvaluationError: there is no such variant.
    """
    change = _find(REVIEW_VARIANTS, variant)
    return [LabelledText(change(text.text), text.label) for text in texts]


def _find(variants: Mapping[str, Variant], name: str) -> Variant:
    if name not in variants:
        raise EvaluationError(f"variant {name!r}: must be one of {', '.join(variants)}")
    return variants[name]


def joined(texts: Sequence[LabelledText], words: int) -> list[LabelledText]:
    """Join texts of the same class, in their order, until each has `words` words or more.

    What is left of a class at the end is dropped, unless it is all that there is of it.
    """
    return [text for label in sorted({text.label for text in texts}) for text in _joined(texts, label, words)]


def _joined(texts: Sequence[LabelledText], label: int, words: int) -> Iterator[LabelledText]:
    parts: list[str] = []
    count = 0
    whole = False
    for text in texts:
        if text.label != label:
            continue
        parts.append(text.text)
        count += len(text.text.split())
        if count >= words:
            yield LabelledText(" ".join(parts), label)
            parts, count, whole = [], 0, True
    if parts and not whole:
        yield LabelledText(" ".join(parts), label)


def is_runaway(source: str, output: str) -> bool:
    """Whether a translation repeats three words at once, or is longer than three times its source and 20 characters."""
    words = output.split()
    repeated = any(words[at : at + 3] == words[at + 3 : at + 6] for at in range(len(words) - 5))
    return repeated or len(output) > 3 * len(source) + 20
