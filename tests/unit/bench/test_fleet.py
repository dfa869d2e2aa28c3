"""How a load is shared out."""

from __future__ import annotations

import pytest

from ostinato_bench.fleet import shares
from ostinato_bench.generator import Load
from ostinato_bench.workloads import Generation

WORK = Generation(prompts=("a",))


@pytest.mark.parametrize(("concurrency", "parts"), [(10, [4, 3, 3]), (3, [1, 1, 1]), (2, [1, 1])])
def test_a_closed_loop_is_shared_without_loss(concurrency: int, parts: list[int]) -> None:
    assert [each.concurrency for each in shares(Load(workload=WORK, duration=1, concurrency=concurrency), 3)] == parts


def test_an_open_loop_is_shared_by_rate_and_seed() -> None:
    parts = shares(Load(workload=WORK, duration=1, rate=30.0, seed=2), 3)
    assert [each.rate for each in parts] == [10.0] * 3
    assert len({each.seed for each in parts}) == 3


def test_no_two_generators_make_the_same_request() -> None:
    parts = shares(Load(workload=WORK, duration=1, concurrency=3), 3)
    numbers = [each.first + step * each.stride for each in parts for step in range(5)]
    assert len(set(numbers)) == len(numbers)
