"""BLEU and chrF of a translator, by sacreBLEU (Post, 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from ostinato_models.data.examples import ReferencedSentence
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.evaluation.result import Measured


def score_translations(outputs: Sequence[str], sentences: Sequence[ReferencedSentence]) -> Measured:
    """Compare translations with all known references.

    Args:
        outputs: a translation of every sentence.
        sentences: the sentences.

    Returns:
        ``bleu`` of the text as it is, ``bleu_lowercased`` of its tokens (sacreBLEU's ``13a``) in lower case,
        and ``chrf``, all of 100, with sacreBLEU's signatures.

    Raises:
        EvaluationError: there are no sentences.
    """
    if not sentences:
        raise EvaluationError("there is no sentence to translate")
    most = max(len(sentence.references) for sentence in sentences)
    # sacreBLEU takes one list for each reference's number; a sentence with fewer has None there.
    references = [
        [sentence.references[index] if index < len(sentence.references) else None for sentence in sentences]
        for index in range(most)
    ]
    measures: dict[str, float] = {}
    details: dict[str, str | int] = {}
    for name, metric in (("bleu", BLEU()), ("bleu_lowercased", BLEU(lowercase=True)), ("chrf", CHRF())):
        scored = metric.corpus_score(list(outputs), references)  # type: ignore[arg-type] # None is allowed
        measures[name] = float(scored.score)
        details[f"{name}_signature"] = str(metric.get_signature())
    return Measured(measures, len(sentences), details)
