"""sentiment-comparison in a size for tests, and its real `quick` preset through the command."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ostinato_models.cli.lab import lab
from ostinato_models.data.sentiment_grammar import generate_sentiment
from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.experiment import Context
from ostinato_models.lab.sentiment_comparison.contenders import CONTENDERS
from ostinato_models.lab.sentiment_comparison.experiment import run
from ostinato_models.lab.sentiment_comparison.scores import SentimentComparisonResult
from ostinato_models.lab.sentiment_comparison.serving import ServedNetwork, measure_latencies
from ostinato_models.lab.sentiment_comparison.settings import PRESETS
from ostinato_models.lab.sentiment_comparison.texts import draw
from ostinato_models.lab.sentiment_comparison.training import train_network
from ostinato_models.tokenization import train_english_tokenizer

TINY = replace(
    PRESETS["quick"], train_share=0.05, embedding_size=4, hidden_size=4, epochs=1, vocabulary_size=120, latency_rounds=1
)
FILES = [
    "quality.png",
    "cost.png",
    "negation.png",
    "pairs.png",
    "summary.csv",
    "pairs.csv",
    "trials.csv",
    "report.md",
]


def numbers(result: SentimentComparisonResult) -> list[dict[str, object]]:
    """Every trial without its timings."""
    return [
        {name: value for name, value in asdict(trial).items() if name not in ("training_seconds", "latencies")}
        for trial in result.trials
    ]


@pytest.fixture(scope="module")
def watched() -> tuple[SentimentComparisonResult, list[tuple[int, int]]]:
    """A run from seed 1, and what it told of its progress."""
    seen: list[tuple[int, int]] = []
    context = Context(watch=lambda done, total: seen.append((done, total)), data_dir=Path())
    return run(replace(TINY, seed=1), context), seen


def test_the_seed_decides_every_number_but_the_timings(
    watched: tuple[SentimentComparisonResult, list[tuple[int, int]]],
) -> None:
    first, _ = watched
    context = Context(watch=lambda done, total: None, data_dir=Path())
    again, other = (run(replace(TINY, seed=seed), context) for seed in (1, 5))
    assert numbers(first) == numbers(again)
    assert all(one.probabilities != two.probabilities for one, two in zip(first.trials, other.trials, strict=True))


def test_progress_ends_at_its_total(watched: tuple[SentimentComparisonResult, list[tuple[int, int]]]) -> None:
    _, seen = watched
    total = TINY.repeats * len(CONTENDERS)
    assert seen == [(done, total) for done in range(1, total + 1)]


def test_a_draw_is_a_share_of_the_training_texts_and_differs_by_seed() -> None:
    corpus = generate_sentiment(count=240)
    first, other = draw(corpus, 0.5, 0), draw(corpus, 0.5, 1)
    assert len(first.train) == 100
    assert first.train == [row for row in corpus.train if row in first.train]
    assert first.train != other.train
    assert (first.valid, first.test) == (corpus.valid, corpus.test)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "bilstm"])
def test_what_is_served_says_what_the_network_says(name: str) -> None:
    contender = {str(known): value for known, value in CONTENDERS.items()}[name]
    assert contender.cell is not None
    corpus = draw(generate_sentiment(count=240), 1.0, 0)
    tokenizer = train_english_tokenizer((row.text for row in corpus.train), 120)
    trained = train_network(contender, contender.cell, TINY, corpus, tokenizer, 0)
    served = ServedNetwork(trained, tokenizer)
    texts = [row.text for row in corpus.test]

    together = served.positive_probabilities(texts)
    alone = np.array([served.positive_probabilities([text])[0] for text in texts])

    assert together == pytest.approx(alone, abs=0.02)
    assert served.size > 0
    assert served.parameters == sum(parameter.numel() for parameter in trained.model.parameters())


class Counting:
    """Served text by text, it remembers which."""

    parameters = size = 1

    def __init__(self) -> None:
        """Nothing is served yet."""
        self.asked: list[str] = []

    def positive_probabilities(self, texts: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Remember the only text."""
        (text,) = texts
        self.asked.append(text)
        return np.array([0.5])


def test_latency_is_measured_one_text_at_a_time_in_every_round() -> None:
    served = Counting()
    found = measure_latencies(served, ["a", "b"], 3)  # type: ignore[arg-type]
    assert served.asked == ["a", "b"] * 3
    assert found.shape == (2,)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("field", "value"), [("repeats", 1), ("train_share", 0.0), ("train_share", 1.5), ("epochs", 0)]
)
def test_settings_outside_their_domain_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=field):
        replace(TINY, **{field: value})  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_quick_preset_writes_a_report(tmp_path: Path) -> None:
    done = CliRunner().invoke(lab, ["sentiment-comparison", "--preset", "quick", "--out", str(tmp_path), "--json"])

    assert (done.exit_code, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert outcome["files"] == [str(tmp_path / name) for name in FILES]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert len(outcome["findings"]) == 3
    assert all(finding in text for finding in outcome["findings"])
    assert str(tmp_path) not in text
