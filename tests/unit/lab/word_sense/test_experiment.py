"""word-sense as a whole: in a size for tests, and its quick preset as it is typed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ostinato_models.cli.lab import lab
from ostinato_models.lab.experiment import Context
from ostinato_models.lab.word_sense.experiment import run
from ostinato_models.lab.word_sense.settings import PRESETS

TINY = replace(PRESETS["quick"], generated=60, epochs=1, state_size=8, embedding_size=4)


def test_the_seed_decides_every_number_and_one_way_is_chance_to_the_bit() -> None:
    seen: list[tuple[int, int]] = []
    context = Context(watch=lambda done, total: seen.append((done, total)), data_dir=Path())
    first, again, other = (run(replace(TINY, seed=seed), context).measured for seed in (0, 0, 1))
    assert first.measurements == again.measurements
    assert first.trainings == again.trainings != other.trainings
    assert seen == [(1, 3), (2, 3), (3, 3)] * 3
    for offset in (None, -4, -3, -2, -1):
        (found,) = first.select("left-to-right", "right", offset)
        assert (found.accuracy, found.pairs, found.identical) == (0.5, 0.5, 1.0)
    (moment,) = first.select("left-to-right", "right", 0)
    assert moment.identical < 1.0


@pytest.mark.slow
@pytest.mark.timeout(600)  # half a minute of computing, which a machine busy with other work spreads over minutes
def test_quick_separates_the_senses_from_both_sides_alone(tmp_path: Path) -> None:
    done = CliRunner().invoke(lab, ["word-sense", "--preset", "quick", "--out", str(tmp_path), "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert len(outcome["findings"]) == 3
    assert "the bidirectional encoder separates the senses" in outcome["findings"][0]
    assert "the same to the bit in all 120 minimal pairs" in outcome["findings"][0]
    assert "both tell the sense, so what fails above is the direction" in outcome["findings"][1]
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert all(finding in text for finding in outcome["findings"])
    assert {path.name for path in tmp_path.iterdir()} == {Path(name).name for name in outcome["files"]}
