import numpy as np
import pytest

from ostinato_models.data.examples import LabelledText, ReferencedSentence
from ostinato_models.evaluation.bleu import score_translations
from ostinato_models.evaluation.classification import classify
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.export.execution import Array, Arrays


def by_first_token(inputs: Arrays) -> dict[str, Array]:
    """A classifier that calls texts positive that start with token 5."""
    positive = (inputs["tokens"][:, 0] == 5).astype(np.float32)
    return {"probabilities": np.stack([1 - positive, positive], axis=1)}


def test_accuracy_and_f1_are_those_of_the_predictions() -> None:
    rows = [[5, 1, 1], [5], [1, 1], [1, 2, 3, 4], [5, 5]]
    labels = [1, 0, 0, 1, 1]  # two of three positives found, one of two negatives
    measured = classify(by_first_token, rows, [LabelledText("", label) for label in labels])
    assert measured.measures["accuracy"] == pytest.approx(3 / 5)
    assert measured.measures["f1"] == pytest.approx(2 / 3)
    assert measured.count == 5


def test_every_reference_counts() -> None:
    sentences = [
        ReferencedSentence("a", ("le chat noir dort ici .", "le chat noir dort ici ce soir .")),
        ReferencedSentence("b", ("il pleut .",)),
    ]
    measured = score_translations(["le chat noir dort ici ce soir .", "il pleut ."], sentences)
    assert measured.measures["bleu"] == pytest.approx(100.0)
    assert measured.measures["chrf"] == pytest.approx(100.0)
    assert str(measured.details["bleu_signature"]).startswith("nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp")


def test_wrong_translations_score_low() -> None:
    sentences = [ReferencedSentence("a", ("le chat noir dort ici .",))]
    assert score_translations(["une tout autre chose arrive"], sentences).measures["bleu"] < 10


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(EvaluationError):
        classify(by_first_token, [], [])
    with pytest.raises(EvaluationError):
        score_translations([], [])


def test_case_counts_for_bleu_and_not_for_the_lowercased_measure() -> None:
    measured = score_translations(
        ["A MAN RIDES HIS BICYCLE ."], [ReferencedSentence("x", ("a man rides his bicycle.",))]
    )
    assert measured.measures["bleu_lowercased"] == pytest.approx(100.0)
    assert measured.measures["bleu"] < 30
    assert "case:lc" in str(measured.details["bleu_lowercased_signature"])
