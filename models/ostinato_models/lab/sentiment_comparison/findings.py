"""What sentiment-comparison found, said in sentences whose words follow from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ostinato_models.lab.sentiment_comparison.contenders import CONTENDERS, NETWORKS, ModelName
from ostinato_models.lab.sentiment_comparison.pairs import judge_pairs
from ostinato_models.lab.sentiment_comparison.scores import Estimate, SentimentComparisonResult
from ostinato_models.lab.sentiment_comparison.trials import Trial


def findings(result: SentimentComparisonResult) -> tuple[str, str, str]:
    """Three sentences: how right, how dear, and what negation does."""
    return say_quality(result), say_cost(result), say_negation(result)


def say_quality(result: SentimentComparisonResult) -> str:
    """The models by accuracy, and which networks beat the bag of words by more than seeds do."""
    scores = {name: result.estimate(name, result.accuracy) for name in CONTENDERS}
    order = sorted(scores, key=lambda name: scores[name].mean, reverse=True)
    ranking = ", ".join(f"{_label(name)} {percent(scores[name])}" for name in order)
    best, second = order[:2]
    lead = result.difference(best, second, result.accuracy)
    first = (
        f"the {_label(best)} leads the {_label(second)} by {points(lead)}"
        f"{'' if lead.excludes_zero else ', which the seeds do not tell from nothing'}"
    )
    return (
        f"Accuracy on {len(result.labels):,} test texts after {result.train_size:,} training texts: {ranking}; "
        f"{first}, and {_say_against_bag(result)}."
    )


def say_cost(result: SentimentComparisonResult) -> str:
    """What the most accurate network costs in training, in bytes and for one text, beside the others."""
    best = max(NETWORKS, key=lambda name: result.estimate(name, result.accuracy).mean)
    seconds = {name: result.estimate(name, lambda trial: trial.training_seconds).mean for name in CONTENDERS}
    sizes = {name: result.estimate(name, lambda trial: trial.size / 1e6).mean for name in CONTENDERS}
    medians = {name: result.estimate(name, lambda trial: trial.latencies[0]).mean for name in CONTENDERS}
    fastest = min(medians, key=lambda name: medians[name])
    slowest = max(medians, key=lambda name: medians[name])
    times = seconds[best] / seconds["bag-of-words"]
    return (
        f"The network with the highest mean accuracy, the {_label(best)}, takes {seconds[best]:.3g} s of processor "
        f"time to train, {times:.3g} times the bag of words' {seconds['bag-of-words']:.3g} s, "
        f"and is served from {sizes[best]:.3g} MB against {sizes['bag-of-words']:.3g} MB; one text takes between "
        f"{medians[fastest]:.2g} ms ({_label(fastest)}) and {medians[slowest]:.2g} ms ({_label(slowest)}) at the "
        f"median, {medians[best]:.2g} ms in the {_label(best)}."
    )


def say_negation(result: SentimentComparisonResult) -> str:
    """How much accuracy texts with a negation cost each model, and who turns the pairs round."""

    def loss(trial: Trial) -> float:
        return result.accuracy(trial, negated=False) - result.accuracy(trial, negated=True)

    losses = {name: result.estimate(name, loss) for name in CONTENDERS}
    most = max(losses, key=lambda name: losses[name].mean)
    least = min(losses, key=lambda name: losses[name].mean)
    apart = result.difference(most, least, loss)
    told = "" if apart.excludes_zero else ", which the seeds do not tell from nothing"
    judged = judge_pairs(result)
    turned = ", ".join(
        f"{_label(name)} {sum(pair.right(name) for pair in judged)}"
        for name in sorted(CONTENDERS, key=lambda name: sum(pair.right(name) for pair in judged), reverse=True)
    )
    return (
        f"From the other test texts to the {sum(result.negated):,} with a word of negation the loss of accuracy is "
        f"largest in the {_label(most)}, {points(losses[most])}, and smallest in the {_label(least)}, "
        f"{points(losses[least])}, {points(apart)} apart{told}; of our {len(judged)} pairs of sentences, which a "
        "negation turns round, the models "
        f"have both classes right in: {turned}."
    )


def _say_against_bag(result: SentimentComparisonResult) -> str:
    """Which networks differ from the bag of words by more than seeds do."""
    above: list[str] = []
    below: list[str] = []
    for name in NETWORKS:
        gain = result.difference(name, "bag-of-words", result.accuracy)
        if gain.excludes_zero:
            (above if gain.mean > 0 else below).append(_label(name))
    if not above and not below:
        return "no network's difference from the bag of words has an interval without zero"
    parted = [f"{side} zero for the {_join(labels)}" for side, labels in (("above", above), ("below", below)) if labels]
    return f"the interval of a network's difference from the bag of words lies {' and '.join(parted)}"


def percent(value: Estimate) -> str:
    """A share with its interval: 81.2 ± 0.5 %."""
    return f"{100 * value.mean:.1f} ± {100 * value.half_width:.1f} %"


def points(value: Estimate) -> str:
    """A difference of shares with its interval: 1.2 ± 0.5 points."""
    return f"{100 * value.mean:.1f} ± {100 * value.half_width:.1f} points"


def _label(name: ModelName) -> str:
    return CONTENDERS[name].label


def _join(labels: Sequence[str]) -> str:
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
