"""stability as a whole, in a size for tests, and its quick preset through the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ostinato_models.cli.lab import lab
from ostinato_models.lab.experiment import Context
from ostinato_models.lab.report import Provenance, write_report
from ostinato_models.lab.stability.experiment import report, run
from ostinato_models.lab.stability.settings import PRESETS

TINY = replace(
    PRESETS["quick"],
    parameters=100,
    batch_size=4,
    updates=9,
    window=3,
    repeats=1,
    learning_rates=(0.01, 1e38),
    lengths=(2, 3),
)
FILES = ["outcomes.png", "errors.png", "spikes.png", "summary.csv", "trainings.csv", "report.md"]


def test_the_seed_decides_every_number() -> None:
    context = Context(watch=lambda done, total: None, data_dir=Path())
    first, again, other = (run(replace(TINY, seed=seed), context) for seed in (1, 1, 2))
    assert first == again
    assert first.trainings[0].final != other.trainings[0].final


def test_progress_ends_at_its_total() -> None:
    seen: list[tuple[int, int]] = []
    run(TINY, Context(watch=lambda done, total: seen.append((done, total)), data_dir=Path()))
    assert seen == sorted(seen)
    assert seen[-1] == (4 * (2 + 3) * 9 * 2, 4 * (2 + 3) * 9 * 2)


def test_trainings_that_broke_are_drawn_and_told(tmp_path: Path) -> None:
    result = run(TINY, Context(watch=lambda done, total: None, data_dir=Path()))
    files = write_report(report(result), Provenance("ostinato lab stability", {}, 1.0, 1.0, {}), tmp_path)
    assert [path.name for path in files] == FILES
    assert "is 0.01 (RNN)" in files[-1].read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_quick_preset_writes_a_report(tmp_path: Path) -> None:
    done = CliRunner().invoke(lab, ["stability", "--preset", "quick", "--out", str(tmp_path), "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert outcome["files"] == [str(tmp_path / name) for name in FILES]
    assert all((tmp_path / name).stat().st_size > 100 for name in FILES)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert len(outcome["findings"]) == 3
    assert all(finding in text for finding in outcome["findings"])
    rows = (tmp_path / "trainings.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 4 * 2 * 3 * 2
