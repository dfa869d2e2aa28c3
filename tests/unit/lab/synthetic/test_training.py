"""Trainings side by side are trainings alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, ArchitectureName
from ostinato_models.lab.synthetic.tasks import TASKS
from ostinato_models.lab.synthetic.training import Member, Schedule, Trace, train

SCHEDULE = Schedule(parameters=150, batch_size=4, updates=8, clip_norm=1.0, window=2)
MEMBERS = (Member(3, 0.01), Member(3, 0.1), Member(4, 0.01))


def run(*members: Member, schedule: Schedule = SCHEDULE, name: ArchitectureName = "gru") -> tuple[Trace, ...]:
    return train(ARCHITECTURES[name], TASKS["adding"], 6, members, schedule, lambda done: None)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_a_member_learns_as_it_would_alone(name: ArchitectureName) -> None:
    for member, together in zip(MEMBERS, run(*MEMBERS, name=name), strict=True):
        (alone,) = run(member, name=name)
        assert together.errors == pytest.approx(alone.errors, rel=1e-4)
        assert together.norms == pytest.approx(alone.norms, rel=1e-3)


def test_equal_seeds_start_equal_and_part_by_their_learning_rates() -> None:
    first, second, other = run(*MEMBERS)
    assert first.errors[0] == second.errors[0] != other.errors[0]
    assert first.errors[2] != second.errors[2]


def test_a_training_ends_when_it_has_learned_and_the_others_go_on() -> None:
    seen: list[int] = []
    schedule = replace(SCHEDULE, updates=120, window=5, until=1.0)
    traces = train(ARCHITECTURES["gru"], TASKS["adding"], 6, MEMBERS, schedule, seen.append)
    for trace in traces:
        below = trace.smoothed(5) < TASKS["adding"].baseline
        assert below.tolist() == [False] * (len(below) - 1) + [True]
    assert len({len(trace.errors) for trace in traces}) > 1
    assert sum(seen) == sum(len(trace.errors) for trace in traces)


def test_a_training_that_breaks_ends_there() -> None:
    broken, fine = run(Member(3, 1e38), Member(3, 0.01))
    assert len(broken.errors) < SCHEDULE.updates
    assert not math.isfinite(broken.errors[-1]) or not math.isfinite(broken.norms[-1])
    assert len(fine.errors) == SCHEDULE.updates


def test_building_leaves_the_generator_of_torch_as_it_was() -> None:
    before = torch.random.get_rng_state()
    run(MEMBERS[0])
    assert torch.equal(before, torch.random.get_rng_state())


def test_errors_are_averaged_over_full_windows() -> None:
    assert Trace(MEMBERS[0], (1.0, 2.0, 6.0), (1.0,) * 3).smoothed(2).tolist() == [1.5, 4.0]
