"""Some seconds of what ``make soak`` does for ten minutes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bundles import build_tiny_repository, build_tiny_version
from tests.soak.campaign import Plan, soak
from tests.soak.server import soaked_server
from tests.soak.work import all_work

PLAN = Plan(seconds=4.0, warm_up_seconds=2.0, calibration_seconds=1.0, load=0.3, swap_seconds=0.3, storm_seconds=1.0)


@pytest.mark.slow
async def test_server_holds_nothing_after_load_and_trouble_and_every_finished_answer_is_right(tmp_path: Path) -> None:
    repository = build_tiny_repository(tmp_path / "repository")
    build_tiny_version(repository, "generation", 2)
    with soaked_server(repository, tmp_path) as server:
        result = await soak(server, all_work(80), PLAN, lambda text: None)
    assert result.faults == []
    assert result.end.slots == 0
    assert result.tally.verified > 0
