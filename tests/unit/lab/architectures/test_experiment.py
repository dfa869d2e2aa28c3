"""architectures as a whole, in a size for tests, and its quick preset through the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ostinato_models.cli.lab import lab
from ostinato_models.lab.architectures.experiment import ArchitecturesResult, run
from ostinato_models.lab.architectures.settings import PRESETS
from ostinato_models.lab.experiment import Context

TINY = replace(
    PRESETS["quick"],
    parameters=100,
    batch_size=4,
    updates=12,
    window=3,
    learned_below=3.0,
    learning_rates=(0.1,),
    adding_lengths=(2, 4),
    copy_lengths=(3,),
    cost_parameters=100,
    cost_batch_size=2,
    cost_lengths=(3,),
    cost_repeats=1,
)
FILES = ["ranges.png", "costs.png", "summary.csv", "ranges.csv", "costs.csv", "report.md"]


def untimed(result: ArchitecturesResult) -> ArchitecturesResult:
    return replace(result, costs=tuple(replace(cost, steps_per_second=0.0) for cost in result.costs))


def test_the_seed_decides_every_number_but_the_timings() -> None:
    context = Context(watch=lambda done, total: None, data_dir=Path())
    first, again, other = (untimed(run(replace(TINY, seed=seed), context)) for seed in (1, 1, 2))
    assert first == again
    assert first.ranges != other.ranges


def test_progress_ends_at_its_total() -> None:
    seen: list[tuple[int, int]] = []
    run(TINY, Context(watch=lambda done, total: seen.append((done, total)), data_dir=Path()))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.slow
def test_the_quick_preset_writes_a_report(tmp_path: Path) -> None:
    done = CliRunner().invoke(lab, ["architectures", "--preset", "quick", "--out", str(tmp_path), "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert outcome["files"] == [str(tmp_path / name) for name in FILES]
    assert all((tmp_path / name).stat().st_size > 100 for name in FILES)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert len(outcome["findings"]) == 3
    assert all(finding in text for finding in outcome["findings"])
    rows = (tmp_path / "summary.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["RNN", "LSTM", "GRU", "BiLSTM"]
