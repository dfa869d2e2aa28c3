"""Schedules: their values at the points that define them."""

from __future__ import annotations

import pytest

from ostinato_models.training.schedules import learning_rate, teacher_forcing


def rate(*, step: int = 1000, progress: float = 0.0) -> float:
    return learning_rate(peak=0.1, final_ratio=0.2, warmup_steps=10, step=step, progress=progress)


def test_the_rate_warms_up_linearly() -> None:
    assert [rate(step=step) for step in (0, 4, 9, 10)] == pytest.approx([0.01, 0.05, 0.1, 0.1])


def test_the_rate_falls_along_half_a_cosine_to_its_final_share() -> None:
    assert [rate(progress=progress) for progress in (0.0, 0.5, 1.0, 2.0)] == pytest.approx([0.1, 0.06, 0.02, 0.02])


def test_no_warm_up_starts_at_the_peak() -> None:
    assert learning_rate(peak=0.1, final_ratio=0.0, warmup_steps=0, step=0, progress=0.0) == 0.1


def test_teacher_forcing_goes_linearly_from_one_share_to_the_other() -> None:
    shares = [teacher_forcing(initial=1.0, final=0.6, progress=progress) for progress in (-1, 0, 0.25, 1, 2)]

    assert shares == pytest.approx([1.0, 1.0, 0.9, 0.6, 0.6])
