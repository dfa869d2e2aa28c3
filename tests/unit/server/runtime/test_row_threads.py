"""Rows on several threads: which thread takes which, and that nothing is under way any more afterwards."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.runtime.row_threads import RowThreads

PATIENCE = 30.0
"""Seconds after which a test that hangs fails."""


@given(rows=st.integers(1, 300), threads=st.integers(1, 9), least=st.integers(1, 40))
def test_every_row_is_in_one_part(rows: int, threads: int, least: int) -> None:
    parts = RowThreads(threads).parts(rows, least)
    assert [row for part in parts for row in range(rows)[part.rows]] == list(range(rows))
    assert len(parts) <= threads
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == 1 or min(sizes) >= least
    assert len(parts) == threads or rows < least * (len(parts) + 1)


def test_calls_are_made_at_the_same_time_and_their_results_keep_their_order() -> None:
    together = threading.Barrier(3)

    def call(number: int) -> int:
        together.wait(PATIENCE)
        return number

    assert RowThreads(3).run([partial(call, number) for number in range(3)]) == [0, 1, 2]


def test_a_single_call_is_made_on_the_callers_thread() -> None:
    assert RowThreads(3).run([threading.get_ident]) == [threading.get_ident()]


def test_threads_end_once_nobody_has_a_use_for_them() -> None:
    threads = RowThreads(2)
    together = threading.Barrier(2)

    def who() -> threading.Thread:
        together.wait(PATIENCE)
        return threading.current_thread()

    _, other = threads.run([who, who])
    assert other.is_alive()
    del threads
    other.join(PATIENCE)
    assert not other.is_alive()


@pytest.mark.parametrize("failing", [0, 1])
def test_a_failure_is_raised_once_nothing_is_under_way(failing: int) -> None:
    failed, ended = threading.Event(), threading.Event()

    def fail() -> None:
        failed.set()
        raise OSError("out of order")

    def go_on() -> None:
        assert failed.wait(PATIENCE)
        ended.set()

    calls = [go_on, go_on]
    calls[failing] = fail
    with pytest.raises(OSError, match="out of order"):
        RowThreads(2).run(calls)
    assert ended.is_set()


def test_threads_are_of_use_after_a_failure() -> None:
    threads = RowThreads(2)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            threads.run([lambda: 1 // 0, lambda: 1])
    assert threads.run([lambda: 1, lambda: 2]) == [1, 2]
