"""Quiet and disturbed phases."""

from __future__ import annotations

from ostinato_bench.commands.fairness import verdicts
from ostinato_bench.fairing import Disturbance, pooled
from ostinato_bench.recording import Recording


def phase(gap: float) -> Recording:
    recording = Recording(2.0)
    recording.arrived(0.1, 1, first=0.1)
    recording.arrived(0.2, 1, gap=gap)
    return recording


def test_phases_of_a_kind_are_one() -> None:
    found = pooled([phase(0.1), phase(0.3)])
    assert (found.inter_token_seconds.p50, found.inter_token_seconds.p99) == (0.1, 0.3)
    assert found.tokens_per_second == 1.0


def test_a_ratio_is_disturbed_over_quiet() -> None:
    loud = Disturbance("loud", pooled([phase(0.1)]), pooled([phase(0.15)]), 3, 0)
    soft = Disturbance("soft", pooled([phase(0.1)]), pooled([phase(0.11)]), 3, 0)
    silent = Disturbance("silent", pooled([Recording(1.0)]), pooled([Recording(1.0)]), 0, 0)
    assert loud.token_ratio is not None
    assert round(loud.token_ratio, 6) == 1.5
    assert silent.token_ratio is None
    assert verdicts([loud, soft, silent]) == ["missed: loud: 1.50 x the quiet p99, over 1.2"]
