"""The quick preset of sampling, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ostinato_models.cli.lab import lab


@pytest.mark.slow
def test_quick_trains_writes_and_reports_without_data_or_a_shipped_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTINATO_REPOSITORY", str(tmp_path / "nowhere"))
    monkeypatch.setenv("OSTINATO_DATA", str(tmp_path / "nothing"))
    out = tmp_path / "out"
    done = CliRunner().invoke(lab, ["sampling", "--preset", "quick", "--out", str(out), "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert len(outcome["findings"]) == 3
    assert "Greedy decoding goes in circles" in outcome["findings"][1]
    assert [Path(name).name for name in outcome["files"]] == [
        "sweeps.png",
        "variety.png",
        "measures.csv",
        "texts.csv",
        "report.md",
    ]
    text = (out / "report.md").read_text(encoding="utf-8")
    assert all(finding in text for finding in outcome["findings"])
    assert "**temperature 0**" in text
    assert "| real text |" in text
