"""attention as a whole: in a size for tests, and its quick preset through the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ostinato_models.cli.lab import lab
from ostinato_models.data.examples import ReferencedSentence
from ostinato_models.lab.attention.experiment import run
from ostinato_models.lab.attention.lengths import score_by_length
from ostinato_models.lab.attention.settings import PRESETS
from ostinato_models.lab.experiment import Context

TINY = replace(PRESETS["quick"], embedding_size=8, encoder_size=8, decoder_size=16, epochs=1, aligner_iterations=2)


def test_the_seed_decides_every_number_and_progress_ends_at_its_total() -> None:
    seen: list[tuple[int, int]] = []
    context = Context(watch=lambda done, total: seen.append((done, total)), data_dir=Path())
    first, again = run(TINY, context), run(TINY, context)
    other = run(replace(TINY, seed=1), context)

    assert (first.scores, first.agreement, first.valid_losses) == (again.scores, again.agreement, again.valid_losses)
    assert first.valid_losses != other.valid_losses
    assert first.parameters[0] > first.parameters[1]
    assert seen[-1][0] == seen[-1][1]
    assert sum(score.sentences for score in first.scores[:-1]) == first.scores[-1].sentences
    for found in first.maps:
        assert found.weights.shape == (len(found.target), len(found.source))


def test_sentences_are_grouped_by_words_and_empty_groups_left_out() -> None:
    sentences = [ReferencedSentence(source, (source,)) for source in ("a b c d e", "a b c d e f g h", "a b c d f")]
    right = [sentence.source for sentence in sentences]
    wrong = ["x y z x y"] * 3
    scores = score_by_length(sentences, right, wrong, (3, 5))
    assert [(score.label, score.sentences) for score in scores] == [("4 to 5", 2), ("over 5", 1), ("all", 3)]
    assert all(score.attention == pytest.approx(100.0) for score in scores)
    assert all(score.fixed < 10.0 for score in scores)
    assert [score.label for score in score_by_length(sentences, right, wrong, (4, 5))] == ["5", "over 5", "all"]


@pytest.mark.slow
def test_the_quick_preset_writes_its_report(tmp_path: Path) -> None:
    done = CliRunner().invoke(lab, ["attention", "--preset", "quick", "--out", str(tmp_path), "--json"])

    assert (done.exit_code, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert len(outcome["findings"]) == 3
    names = {"lengths.png", "map-1.png", "map-2.png", "lengths.csv", "trainings.csv", "agreement.csv", "report.md"}
    assert {path.name for path in tmp_path.iterdir()} == names
