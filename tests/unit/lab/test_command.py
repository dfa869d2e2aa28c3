"""`ostinato lab` lists, runs and refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from click.testing import CliRunner

from ostinato_models.cli.lab import lab
from ostinato_models.lab.catalogue import CATALOGUE
from ostinato_models.lab.experiment import Context
from ostinato_models.lab.gradient_flow import experiment as gradient_flow
from ostinato_models.lab.gradient_flow.settings import PRESETS, GradientFlowSettings
from ostinato_models.presets import PresetName

FILES = ["profiles.png", "reach.png", "bounds.png", "clipping.png", "reach.csv", "profiles.csv", "clipping.csv"]


TINY = replace(
    PRESETS["quick"],
    hidden_size=8,
    embedding_size=4,
    batch_size=2,
    repeats=1,
    radii=(1.0, 2.0),
    lengths=(3, 6),
    clip_length=6,
    clip_updates=4,
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """gradient-flow in a size for tests, under the names of its presets."""
    presets: Mapping[PresetName, GradientFlowSettings] = MappingProxyType({"quick": TINY, "full": TINY})
    monkeypatch.setattr(gradient_flow, "EXPERIMENT", replace(gradient_flow.EXPERIMENT, presets=presets))


def test_the_seed_decides_every_number() -> None:
    context = Context(watch=lambda done, total: None, data_dir=Path())
    first, again, other = (gradient_flow.run(replace(TINY, seed=seed), context) for seed in (1, 1, 2))
    assert first.unclipped == again.unclipped
    assert [profile.ratios.tolist() for profile in first.profiles] == [
        profile.ratios.tolist() for profile in again.profiles
    ]
    assert first.profiles[-1].reach != other.profiles[-1].reach


def test_progress_ends_at_its_total() -> None:
    seen: list[tuple[int, int]] = []
    gradient_flow.run(TINY, Context(watch=lambda done, total: seen.append((done, total)), data_dir=Path()))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


def test_without_a_name_it_lists_the_experiments() -> None:
    done = CliRunner().invoke(lab, [])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(CATALOGUE)
    listed = json.loads(CliRunner().invoke(lab, ["--json"]).stdout)
    assert [row["name"] for row in listed["experiments"]] == list(CATALOGUE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["perpetual-motion"], "'perpetual-motion' is no experiment; there is gradient-flow"),
        (["gradient-flow"], "--out DIR says where the report goes."),
        (["gradient-flow", "--preset", "huge", "--out", "x"], "'huge' is not one of 'quick', 'full'"),
        (["gradient-flow", "--seed", "-1", "--out", "x"], "-1 is not in the range"),
    ],
)
def test_wrong_usage_exits_2(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(lab, arguments)
    assert done.exit_code == 2
    assert message in done.stderr


@pytest.mark.usefixtures("tiny")
def test_it_writes_a_report_with_its_tables_and_plots(tmp_path: Path) -> None:
    done = CliRunner().invoke(lab, ["gradient-flow", "--out", str(tmp_path), "--seed", "4", "--json"])

    assert (done.exit_code, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert (outcome["experiment"], outcome["preset"], outcome["seed"]) == ("gradient-flow", "quick", 4)
    assert outcome["files"] == [str(tmp_path / name) for name in [*FILES, "report.md"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "report.md"])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "ostinato lab gradient-flow --preset quick --seed 4 --out DIR" in text
    assert len(outcome["findings"]) == 3
    assert all(finding in text for finding in outcome["findings"])
    assert str(tmp_path) not in text


@pytest.mark.usefixtures("tiny")
def test_a_folder_that_cannot_be_made_is_refused_with_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(lab, ["gradient-flow", "--out", str(tmp_path / "file" / "below")])
    assert done.exit_code == 1
    assert "file" in done.stderr


@pytest.mark.slow
def test_the_quick_preset_of_gradient_flow_writes_its_report(tmp_path: Path) -> None:
    done = CliRunner().invoke(lab, ["gradient-flow", "--preset", "quick", "--out", str(tmp_path), "--json"])

    assert (done.exit_code, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["findings"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "report.md"])
